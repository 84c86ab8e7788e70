//! Which of several idle powers counts, and what a run says against each.

use super::*;
use crate::model::recording::{
    CalibratedDomain, Calibration, Conditions, CurvePoint, Learned, LearnedDomain,
};
use crate::model::report::{IdleBasis, IdlePower};

const DAY: i64 = 86_400_000_000_000;

fn here() -> Conditions {
    Conditions {
        kernel: Some("6.12.48".to_owned()),
        governor: Some("schedutil".to_owned()),
        cpu_model: Some("EPYC".to_owned()),
        cpus: Some(4),
        sysroot: None,
    }
}

fn calibrated(idle_w: f64) -> Calibration {
    Calibration {
        at_unix_ns: 3 * DAY,
        conditions: here(),
        domains: vec![CalibratedDomain {
            name: "package-0".to_owned(),
            kind: DomainKind::Package,
            idle: watts(idle_w),
            spread: watts(0.3),
            windows: 10,
            curve: Vec::new(),
        }],
        gpus: Vec::new(),
    }
}

fn learned(idle_w: f64) -> Learned {
    Learned {
        conditions: here(),
        domains: vec![LearnedDomain {
            name: "package-0".to_owned(),
            power: watts(idle_w),
            busy_cpus: 0.1,
            at_unix_ns: 2 * DAY,
        }],
    }
}

/// A machine of 20 W and 5 W a busy CPU that knows nothing yet.
fn machine() -> Machine {
    let mut machine = Machine::of(&[SMALL]);
    machine.head().power.conditions = here();
    machine
}

/// What a run does. Loads are thousandths of a CPU, of four.
#[derive(Clone, Copy)]
enum Run {
    /// Two CPUs all the time.
    Steady,
    /// Two CPUs, and a second of nothing at the end.
    Rests,
    /// From a tenth of the machine to all of it.
    Climbs,
}

fn run(mut machine: Machine, run: Run) -> RunReport {
    match run {
        Run::Steady => machine.step(1000, &[job(2000)]).step(1000, &[job(2000)]),
        Run::Rests => machine.step(1000, &[job(2000)]).step(1000, &[job(0)]),
        Run::Climbs => (1..=10).fold(&mut machine, |machine, step| {
            machine.step(1000, &[job(step * 400)])
        }),
    };
    machine.report()
}

fn basis(power: IdlePower) -> &'static str {
    match power {
        IdlePower::Given(_) => "given",
        IdlePower::Found(found) => found.basis.name(),
        IdlePower::Lowered { .. } => "lowered",
        IdlePower::Model(_) => "model",
        IdlePower::Unknown => "unknown",
    }
}

#[test]
fn the_most_trusted_idle_power_that_there_is_counts() {
    // Stated 20.5 W, calibrated 19.5 W, learned 19 W; what the run shows is 20 W.
    for (stated, calibration, store, does, wanted, power) in [
        (true, true, true, Run::Climbs, "given", Some(20.5)),
        (false, true, true, Run::Climbs, "calibrated", Some(19.5)),
        (false, false, true, Run::Climbs, "learned", Some(19.0)),
        (false, false, true, Run::Rests, "learned", Some(19.0)),
        (false, false, false, Run::Rests, "learned", Some(20.0)),
        (false, false, false, Run::Climbs, "regression", Some(20.0)),
        (false, false, false, Run::Steady, "unknown", None),
        (true, false, false, Run::Steady, "given", Some(20.5)),
    ] {
        let mut machine = machine();
        machine.choices().idle_power = if stated { vec![watts(20.5)] } else { Vec::new() };
        machine.head().power.calibration = calibration.then(|| calibrated(19.5));
        machine.head().power.learned = store.then(|| learned(19.0));
        let report = run(machine, does);
        let idle = report.domains[0].idle_power;
        assert_eq!(basis(idle), wanted);
        match (idle.watts(), power) {
            (Some(found), Some(wanted)) => assert_near(found.get(), wanted, 1e-6),
            (found, wanted) => assert_eq!(found.is_some(), wanted.is_some()),
        }
        let ledger = &report.domains[0].ledger;
        assert_eq!(ledger.sum(), ledger.measured);
    }
}

#[test]
fn whatever_was_stored_and_lies_above_the_power_that_is_measured_is_lowered() {
    let all = |machine: &mut Machine, what: &str| match what {
        "stated" => machine.choices().idle_power = vec![watts(50.0)],
        "calibrated" => machine.head().power.calibration = Some(calibrated(50.0)),
        _ => machine.head().power.learned = Some(learned(50.0)),
    };
    for what in ["stated", "calibrated", "learned"] {
        let mut machine = machine();
        all(&mut machine, what);
        // 30 W, and never quiet.
        let report = run(machine, Run::Steady);
        let IdlePower::Lowered { given, used, found } = report.domains[0].idle_power else {
            panic!("{what}: {:?}", report.domains[0].idle_power);
        };
        assert_eq!(given, watts(50.0));
        assert_near(used.get(), 30.0 * 1000.0 / 998.0, 1e-9);
        assert_eq!(found.map_or("stated", |found| found.basis.name()), what);
        let note = report
            .quality
            .notes
            .iter()
            .find(|note| note.code == "idle-power-lowered");
        let note = note.unwrap();
        assert!(note.degrades && note.message.contains(what), "{note:?}");
    }
}

#[test]
fn a_quiet_second_takes_the_place_of_a_stored_lowest_power_without_a_warning() {
    let mut machine = machine();
    machine.head().power.learned = Some(learned(25.0));
    let report = run(machine, Run::Rests);
    let found = report.domains[0].idle_power.found().unwrap();
    assert_eq!((found.basis, found.power), (IdleBasis::Learned, watts(20.0)));
    assert!(report.quality.notes.is_empty(), "{:?}", report.quality.notes);
    let quiet = report.domains[0].lowest_quiet.unwrap();
    assert_near(quiet.power.get(), 20.0, 1e-9);
}

#[test]
fn a_calibration_lowered_within_its_spread_is_no_warning() {
    let mut machine = machine();
    machine.head().power.calibration = Some(calibrated(20.5));
    let report = run(machine, Run::Rests);
    assert_eq!(basis(report.domains[0].idle_power), "lowered");
    assert!(report.quality.notes.iter().all(|note| !note.degrades));
}

#[test]
fn when_the_idle_second_comes_does_not_matter() {
    let quiet_first = |first: bool| {
        let mut machine = machine();
        machine.choices().idle_power = vec![watts(50.0)];
        for second in 0..10 {
            let quiet = if first { second == 0 } else { second == 9 };
            machine.step(1000, &[job(if quiet { 0 } else { 2000 })]);
        }
        machine.report().domains.remove(0)
    };
    let (first, last) = (quiet_first(true), quiet_first(false));
    assert_eq!(first.ledger, last.ledger);
    assert_near(first.ledger.job.0 as f64, 90e6, 0.5e6);
}

#[test]
fn a_calibration_of_another_kernel_is_worth_less_and_one_of_another_cpu_nothing() {
    let under = |change: &dyn Fn(&mut Conditions)| {
        let mut machine = machine();
        let mut calibration = calibrated(20.0);
        change(&mut calibration.conditions);
        machine.head().power.calibration = Some(calibration);
        run(machine, Run::Steady)
    };
    let same = under(&|_| {});
    let kernel = under(&|then| then.kernel = Some("5.15.1".to_owned()));
    let cpu = under(&|then| then.cpu_model = Some("Xeon".to_owned()));
    assert!(same.quality.notes.is_empty(), "{:?}", same.quality.notes);
    assert_eq!(codes(&kernel), ["calibration-changed"]);
    assert!(kernel.quality.notes[0].message.contains("5.15.1"));
    assert!(kernel.quality.uncertainty.idle > 4.0 * same.quality.uncertainty.idle);
    assert_eq!(basis(cpu.domains[0].idle_power), "unknown");
    assert!(codes(&cpu).contains(&"calibration-unused"));
}

#[test]
fn a_lowest_power_of_another_kernel_is_forgotten() {
    let mut machine = machine();
    let mut store = learned(19.0);
    store.conditions.governor = Some("performance".to_owned());
    machine.head().power.learned = Some(store);
    assert_eq!(basis(run(machine, Run::Steady).domains[0].idle_power), "unknown");
}

#[test]
fn memory_has_a_baseline_where_it_was_calibrated() {
    let mut machine = Machine::of(&[SMALL, SMALL]);
    machine.head().groups[1].package = 0;
    machine.head().domains[1].name = "dram-0".to_owned();
    machine.head().domains[1].kind = DomainKind::Dram;
    let mut calibration = calibrated(20.0);
    calibration.domains.push(CalibratedDomain {
        name: "dram-0".to_owned(),
        kind: DomainKind::Dram,
        ..calibration.domains[0].clone()
    });
    machine.head().power.conditions = here();
    machine.head().power.calibration = Some(calibration);
    machine.step(1000, &[job(2000), job(2000)]);
    let report = machine.report();
    assert_eq!(basis(domain(&report, "dram-0").idle_power), "calibrated");
    assert_eq!(
        lines(&domain(&report, "dram-0").ledger)[..2],
        [10_000_000, 10_000_000]
    );
}

#[test]
fn with_a_curve_the_attribution_lies_between_what_the_job_costs_last_and_alone() {
    // 20 W, then 20, 10, 5 and 5 W for each busy CPU more.
    let curve = [(0.0, 20.0), (1.0, 40.0), (2.0, 50.0), (3.0, 55.0), (4.0, 60.0)];
    let of = |calibration: Calibration| {
        let mut machine = machine();
        machine.head().power.calibration = Some(calibration);
        let load = Load {
            others: 3000,
            ..job(1000)
        };
        machine.pass(1000, &[load]);
        machine.ticks[0] = 1_000_000 + 60_000_000;
        machine.look().report()
    };
    let mut calibration = calibrated(20.0);
    calibration.domains[0].curve = curve
        .map(|(alone, power)| CurvePoint {
            alone,
            shared: 0.0,
            power: watts(power),
        })
        .to_vec();
    let report = of(calibration);
    let range = report.energy.cpu.ranged().unwrap();
    // 40 J dynamic: 10 J proportional, 5 J last, 20 J alone. And 5 J of the baseline.
    assert_near(range.value.get(), 15.0, 1e-6);
    assert!(range.low.get() < 10.0 && range.high.get() > 25.0, "{range:?}");
    assert_eq!(report.domains[0].ledger, of(calibrated(20.0)).domains[0].ledger);
}

#[test]
fn a_job_that_is_allocated_cpus_of_one_package_pays_nothing_of_the_other() {
    let mut machine = Machine::knowing(&[SMALL, LARGE]);
    machine.choices().idle_policy = IdlePolicy::Allocated;
    machine.choices().allocated = Some(Share::new(0.25).unwrap());
    let asleep = [job(0), job(0)];
    let by_share = machine.step(1000, &asleep).report();
    assert_eq!(lines(&by_share.domains[1].ledger)[1], 9_000_000);
    machine.choices().allocated_cpus = Some(vec![0, 1, 3]);
    let by_list = machine.report();
    assert_eq!(lines(&by_list.domains[0].ledger)[1], 15_000_000);
    assert_eq!(lines(&by_list.domains[1].ledger)[1], 0);
    let [_, _, allocated, ..] = by_list.domains[1].job_idle_by_policy;
    assert_eq!(allocated, MicroJoules::ZERO);
}
