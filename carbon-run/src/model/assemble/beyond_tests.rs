//! Water, embodied emissions and emissions per unit against sums by hand.

use super::*;
use crate::model::recording::{FigureFrom, FunctionalUnit, Place};
use proptest::prelude::*;

fn figure<T>(low: T, value: T, high: T) -> Figure<T> {
    Figure::Known {
        ranged: Ranged { low, value, high },
        origin: Origin::Estimated("test".to_owned()),
    }
}

fn joules(joules: [f64; 3]) -> Figure<Joules> {
    let [low, value, high] = joules.map(Joules::clamped);
    figure(low, value, high)
}

fn grams(grams: [f64; 3]) -> Figure<Grams> {
    let [low, value, high] = grams.map(Grams::clamped);
    figure(low, value, high)
}

fn machine(kg: [f64; 3]) -> EmbodiedMachine {
    let [low, value, high] = kg.map(|kg| Grams::clamped(kg * 1000.0));
    EmbodiedMachine {
        machine: Ranged { low, value, high },
        gpus: Vec::new(),
        lifetime_years: 4.0,
        basis: String::new(),
        stated: false,
    }
}

fn choices(policy: IdlePolicy, allocated: Option<f64>, beyond: Beyond) -> Choices {
    Choices {
        idle_policy: policy,
        idle_power: Vec::new(),
        smt_weight_permille: 1000,
        pue: 1.5,
        pue_from: None,
        place: Place::World,
        intensity_series: None,
        live: None,
        allocated: allocated.map(Share::clamped),
        allocated_cpus: None,
        allocated_among: None,
        beyond,
    }
}

/// An hour on a machine of 64 CPUs, of which the job used one.
fn hour(choices: &Choices, emissions: &Figure<Grams>, cpu_time: Option<u64>) -> BeyondElectricity {
    let host = Host {
        cpus: Some(64),
        ..Host::default()
    };
    let energy = joules([1.8e6, 3.6e6, 7.2e6]);
    Known {
        choices,
        host: &host,
        duration: Duration::from_secs(3600),
        cpu_time: cpu_time.map(|seconds| CpuTime(seconds * 1_000_000_000)),
        energy: &energy,
        emissions,
        gpus: &[],
        domains: &[],
    }
    .beyond()
}

#[track_caller]
fn close(found: f64, wanted: f64) {
    assert!(
        (found - wanted).abs() <= wanted.abs() * 1e-9,
        "{found}, not {wanted}"
    );
}

fn value(figure: &Figure<Grams>) -> f64 {
    figure.value().unwrap().get()
}

#[test]
fn one_core_of_64_for_an_hour_on_a_server_of_1500_kg_and_4_years_is_two_thirds_of_a_gram() {
    let beyond = Beyond {
        machine: Some(machine([750.0, 1500.0, 3000.0])),
        ..Beyond::default()
    };
    let by_time = hour(
        &choices(IdlePolicy::Capacity, None, beyond.clone()),
        &grams([1.0; 3]),
        Some(3600),
    );
    let embodied = by_time.embodied.unwrap();
    close(value(&embodied.emissions), 1_500_000.0 / (4.0 * 8760.0) / 64.0);
    assert!((value(&embodied.emissions) - 0.67).abs() < 0.003);
    assert_eq!(embodied.share_by, "cpu-time");
    close(
        embodied.emissions.ranged().unwrap().low.get() * 2.0,
        value(&embodied.emissions),
    );

    let by_allocation = hour(
        &choices(IdlePolicy::Allocated, Some(0.25), beyond.clone()),
        &grams([1.0; 3]),
        Some(3600),
    );
    let embodied = by_allocation.embodied.unwrap();
    close(value(&embodied.emissions), 1_500_000.0 / (4.0 * 8760.0) / 4.0);
    assert_eq!(embodied.share_by, "allocation");

    let alone = hour(
        &choices(IdlePolicy::All, None, beyond.clone()),
        &grams([1.0; 3]),
        None,
    );
    close(
        value(&alone.embodied.unwrap().emissions),
        1_500_000.0 / (4.0 * 8760.0),
    );

    let uncounted = hour(
        &choices(IdlePolicy::Capacity, None, beyond),
        &grams([1.0; 3]),
        None,
    );
    assert_eq!(uncounted.embodied.unwrap().emissions.value(), None);
}

#[test]
fn water_goes_by_the_computers_energy_and_not_by_the_facilitys() {
    let beyond = Beyond {
        water: Some(WaterUse {
            l_per_kwh: 0.3,
            from: FigureFrom::User,
        }),
        ..Beyond::default()
    };
    let found = hour(
        &choices(IdlePolicy::Capacity, None, beyond),
        &grams([1.0; 3]),
        None,
    );
    let amount = found.water.unwrap().amount.ranged().unwrap();
    close(amount.value.get(), 0.3);
    close(amount.high.get(), 0.6);
}

#[test]
fn emissions_per_unit_have_the_making_of_the_machine_in_them() {
    let beyond = Beyond {
        machine: Some(machine([1500.0; 3])),
        unit: Some(FunctionalUnit {
            amount: 1000.0,
            name: "images".to_owned(),
        }),
        ..Beyond::default()
    };
    let choices = choices(IdlePolicy::All, None, beyond);
    let found = hour(&choices, &grams([90.0, 100.0, 110.0]), None);
    let made = 1_500_000.0 / (4.0 * 8760.0);
    let sci = found.sci.unwrap();
    close(value(&sci.per_unit), (100.0 + made) / 1000.0);
    close(sci.per_unit.ranged().unwrap().high.get(), (110.0 + made) / 1000.0);

    let unknown = hour(&choices, &Figure::Absent("no meter".to_owned()), None);
    assert_eq!(unknown.sci.unwrap().per_unit.reason(), Some("no meter"));
    assert!(unknown.equivalences.is_empty());
}

proptest! {
    #[test]
    fn parts_of_a_machine_add_up_to_the_machine(parts in proptest::collection::vec(1_u64..1_000_000, 1..8)) {
        // Jobs that together had all of the CPU time have together all of the hour of its life.
        let whole: u64 = parts.iter().sum();
        let beyond = Beyond { machine: Some(machine([1000.0; 3])), ..Beyond::default() };
        let of = |share: f64| {
            let choices = choices(IdlePolicy::Allocated, Some(share), beyond.clone());
            value(&hour(&choices, &grams([1.0; 3]), None).embodied.unwrap().emissions)
        };
        let sum: f64 = parts.iter().map(|part| of(*part as f64 / whole as f64)).sum();
        prop_assert!((sum - of(1.0)).abs() < of(1.0) * 1e-9);
    }
}
