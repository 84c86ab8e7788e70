//! What is added up and what is not, whose word a sum carries, and grams.

use super::*;
use crate::model::recording::RamPowerModel;
use crate::model::report::Figure;
use crate::model::units::Joules;

fn renamed(domain: &mut Domain, name: &str, kind: DomainKind, summed: bool) {
    domain.name = name.to_owned();
    domain.kind = kind;
    domain.summed = summed;
}

fn origin<T>(figure: &Figure<T>) -> &Origin {
    match figure {
        Figure::Known { origin, .. } => origin,
        Figure::Absent(reason) => panic!("absent: {reason}"),
    }
}

#[test]
fn what_lies_inside_a_package_or_contains_it_is_never_added() {
    let mut machine = Machine::knowing(&[SMALL; 5]);
    let kinds = [
        ("package-0", DomainKind::Package, true),
        ("core-0", DomainKind::Core, false),
        ("uncore-0", DomainKind::Uncore, false),
        ("dram-0", DomainKind::Dram, true),
        ("psys", DomainKind::Psys, false),
    ];
    for (domain, (name, kind, summed)) in machine.head().domains.iter_mut().zip(kinds) {
        renamed(domain, name, kind, summed);
        domain.groups = vec![0];
    }
    machine.choices().idle_power = vec![watts(20.0)];
    let report = machine.step(1000, &[job(1000); 5]).report();
    let job = |name| domain(&report, name).ledger.job_total();
    let cpu = job("package-0").joules().get();
    let ram = job("dram-0").joules().get();
    assert_near(report.energy.cpu.value().unwrap().get(), cpu, 1e-9);
    assert_near(report.energy.ram.value().unwrap().get(), ram, 1e-9);
    assert_near(report.energy.total.value().unwrap().get(), cpu + ram, 1e-9);
    assert!(job("psys") > MicroJoules::ZERO && job("core-0") > MicroJoules::ZERO);
    assert_eq!(report.domains.len(), 5, "all of them are shown");
    assert_eq!(origin(&report.energy.total), &Origin::Measured(Source::Powercap));
}

#[test]
fn a_sum_with_an_estimate_in_it_is_an_estimate_that_names_its_parts_once() {
    let mut machine = Machine::knowing(&[SMALL, SMALL]);
    let per_gib = Ranged {
        low: watts(0.3),
        value: watts(0.4),
        high: watts(0.5),
    };
    machine.head().domains.push(Domain {
        origin: Origin::Estimated("ram-model".to_owned()),
        source: DomainSource::RamModel(RamPowerModel {
            per_gib,
            per_module: None,
            basis: String::new(),
        }),
        ..counter("ram-model", 0)
    });
    machine.head().domains[2].kind = DomainKind::Dram;
    machine.step(1000, &[job(1000), job(0)]);
    let at = machine.latest().at;
    machine.latest().memory = Some(crate::model::recording::MemoryUse {
        at,
        range: None,
        resident_bytes: None,
        pss_bytes: 1 << 30,
        unreadable: 0,
    });
    for observation in &mut machine.recording.observations {
        observation.readings.push(Reading::Modelled);
    }
    let report = machine.report();
    assert_eq!(
        origin(&report.energy.total),
        &Origin::Estimated("powercap + ram-model".to_owned())
    );
    assert_eq!(origin(&report.energy.cpu), &Origin::Measured(Source::Powercap));
    assert_near(
        report.energy.total.value().unwrap().get(),
        report.energy.cpu.value().unwrap().get() + 0.4,
        1e-6,
    );
}

#[test]
fn without_the_cpu_there_is_no_total() {
    let mut machine = Machine::of(&[SMALL]);
    renamed(&mut machine.head().domains[0], "dram-0", DomainKind::Dram, true);
    let report = machine.step(1000, &[job(1000)]).report();
    assert!(report.energy.ram.value().is_some());
    assert_eq!(
        report.energy.total.reason(),
        Some("no CPU meter and no CPU model")
    );
    assert_eq!(report.emissions.reason(), report.energy.total.reason());
}

#[test]
fn grams_are_kilowatt_hours_times_pue_times_intensity() {
    let mut machine = Machine::knowing(&[LARGE]);
    machine.choices().pue = 1.5;
    machine.choices().idle_policy = IdlePolicy::All;
    for _ in 0..36 {
        machine.step(10_000, &[job(4000)]);
    }
    let report = machine.report();
    // 72 W for 360 s.
    let kwh = 72.0 * 360.0 / 3_600_000.0;
    assert_near(report.energy.total.value().unwrap().kwh(), kwh, 1e-12);
    let grams = report.emissions.ranged().unwrap();
    assert_near(grams.value.get(), kwh * 1.5 * 100.0, 1e-9);
    let energy = report.energy.total.ranged().unwrap();
    let relative = |edge: f64, value: f64| (edge - value) / value;
    let by_energy = relative(energy.high.get(), energy.value.get());
    assert_near(
        relative(grams.high.get(), grams.value.get()),
        by_energy.hypot(0.5),
        1e-9,
    );
    let below = relative(energy.low.get(), energy.value.get()).hypot(0.2);
    assert_near(relative(grams.low.get(), grams.value.get()), -below, 1e-9);
}

#[test]
fn nothing_with_a_range_is_no_certain_nothing_in_grams() {
    let energy = Figure::Known {
        ranged: Ranged {
            low: Joules::ZERO,
            value: Joules::ZERO,
            high: Joules::new(36.0).unwrap(),
        },
        origin: Origin::Measured(Source::Powercap),
    };
    let grams = totals::emissions(&energy, 2.0, &intensity()).ranged().unwrap();
    assert_near(grams.high.get(), 36.0 / 3_600_000.0 * 2.0 * 100.0, 1e-12);
    assert_near(grams.value.get(), 0.0, 0.0);
}

#[test]
fn what_is_beyond_all_numbers_is_not_nothing() {
    let mut machine = Machine::knowing(&[LARGE]);
    machine.choices().pue = 1e308;
    for _ in 0..10 {
        machine.step(100_000, &[job(8000)]);
    }
    let report = machine.report();
    assert!(report.emissions.value().unwrap().get() > 1e300);
}
