//! What holds of every run under every series.

use super::*;
use proptest::prelude::*;

/// Loads of a second each, in thousandths of a CPU of a package with four.
fn loads() -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((0_u64..2000, 0_u64..2000), 1..12)
}

/// Spaces between steps, in thousandths of a second, and values.
fn any_steps() -> impl Strategy<Value = Vec<(u64, f64)>> {
    prop::collection::vec((1_u64..4000, 0.0..1500.0_f64), 1..20)
}

fn of_spaces(spaces: &[(u64, f64)]) -> IntensitySeries {
    let mut at = 0.0;
    let steps: Vec<(f64, f64)> = spaces
        .iter()
        .map(|(space, value)| {
            let step = (at, *value);
            at += *space as f64 / 1000.0;
            step
        })
        .collect();
    series(&steps, at)
}

fn of_loads(loads: &[(u64, u64)], policy: IdlePolicy, known: bool, pieces: u64) -> Machine {
    let mut machine = if known {
        Machine::knowing(&[SMALL])
    } else {
        Machine::of(&[SMALL])
    };
    machine.choices().idle_policy = policy;
    for (mine, others) in loads {
        let load = Load {
            job: *mine,
            others: *others,
            ..Load::default()
        };
        for _ in 0..pieces {
            machine.step(1000 / pieces, &[load]);
        }
    }
    machine
}

fn policies() -> impl Strategy<Value = IdlePolicy> {
    prop::sample::select(IdlePolicy::ALL.to_vec())
}

proptest! {
    #[test]
    fn a_series_that_never_changes_gives_the_grams_of_its_value(
        loads in loads(), policy in policies(), known in any::<bool>(), value in 0.0..1500.0_f64,
        spaces in prop::collection::vec(1_u64..4000, 1..20),
    ) {
        let mut machine = of_loads(&loads, policy, known, 1);
        let steps: Vec<_> = spaces.iter().map(|space| (*space, value)).collect();
        let mut steps = of_spaces(&steps).steps().to_vec();
        let facts = SeriesFacts { until_unix_ns: START + 100 * S, ..of_spaces(&[(1, value)]).facts().clone() };
        let with = under(&mut machine, IntensitySeries::new(facts, std::mem::take(&mut steps)).unwrap(), nowhere());
        let all = grams(value);
        prop_assert_eq!(with.intensity.value, Ranged { low: all, value: all, high: all });
        machine.choices().intensity_series = None;
        let average = Intensity { value: with.intensity.value, ..intensity() };
        prop_assert_eq!(with.emissions, assemble(&machine.end(), average).emissions);
    }

    #[test]
    fn the_mean_lies_between_the_lowest_and_the_highest_that_held(
        loads in loads(), policy in policies(), known in any::<bool>(), spaces in any_steps(),
    ) {
        let mut machine = of_loads(&loads, policy, known, 1);
        let report = under(&mut machine, of_spaces(&spaces), nowhere());
        let over_time = report.intensity.over_time.unwrap();
        let Ranged { low, value, high } = report.intensity.value;
        prop_assert!(over_time.lowest <= value && value <= over_time.highest);
        prop_assert!(low <= value && value <= high);
        let emissions = report.emissions.ranged().unwrap();
        prop_assert!(emissions.low <= emissions.value && emissions.value <= emissions.high);
    }

    #[test]
    fn energy_is_as_it_was_without_a_series(
        loads in loads(), policy in policies(), known in any::<bool>(), spaces in any_steps(),
    ) {
        let mut machine = of_loads(&loads, policy, known, 1);
        let with = under(&mut machine, of_spaces(&spaces), nowhere());
        machine.choices().intensity_series = None;
        let without = assemble(&machine.end(), nowhere());
        prop_assert_eq!(with.energy, without.energy);
        prop_assert_eq!(with.domains, without.domains);
        prop_assert_eq!(without.intensity, nowhere());
    }

    #[test]
    fn looking_more_often_at_an_even_load_moves_the_mean_by_rounding_alone(
        loads in loads(), policy in policies(), spaces in any_steps(),
    ) {
        let seldom = under(&mut of_loads(&loads, policy, true, 1), of_spaces(&spaces), nowhere());
        let often = under(&mut of_loads(&loads, policy, true, 4), of_spaces(&spaces), nowhere());
        let (one, other) = (seldom.energy.total.value().unwrap().get(), often.energy.total.value().unwrap().get());
        // Microjoules that are dealt out: a few for each window.
        prop_assert!((one - other).abs() < 1e-3);
        let spread = 1500.0;
        let slack = if one > 0.0 { spread * 1e-3 / one } else { spread };
        prop_assert!((means(&seldom)[1] - means(&often)[1]).abs() <= slack);
        // Who looks more often knows better when energy was used.
        prop_assert!(means(&often)[0] >= means(&seldom)[0] - slack);
        prop_assert!(means(&often)[2] <= means(&seldom)[2] + slack);
    }
}
