//! The baseline: stated, shared by dies, disproved, or not known at all.

use super::*;
use crate::model::report::IdlePower;

#[test]
fn the_dies_of_a_package_share_its_stated_idle_power() {
    let half = Package { idle_w: 10, ..SMALL };
    let mut machine = Machine::of(&[half, half, LARGE]);
    for (group, (package, die)) in [(0, 0), (0, 1), (1, 0)].into_iter().enumerate() {
        machine.head().groups[group].package = package;
        machine.head().groups[group].die = die;
    }
    machine.choices().idle_power = vec![watts(20.0), watts(36.0)];
    let busy = [job(1000), Load::default(), Load::default()];
    let report = machine.step(1000, &busy).report();
    let idle: Vec<IdlePower> = report.domains.iter().map(|domain| domain.idle_power).collect();
    let [die, package] = [10.0, 36.0].map(|power| IdlePower::Given(watts(power)));
    assert_eq!(idle, [die, die, package]);
    assert_eq!(lines(&report.domains[0].ledger)[..2], [5_000_000, 2_500_000]);
    assert!(report.quality.notes.is_empty(), "{:?}", report.quality.notes);
}

#[test]
fn a_copy_of_a_counter_takes_no_share_of_the_stated_idle_power() {
    // AMD's powercap lists one counter once per die (threadripper-mirrored-dies); copies are shown and not summed.
    let mut machine = Machine::of(&[SMALL, SMALL]);
    machine.head().groups[1].package = 0;
    machine.head().groups[1].die = 1;
    machine.head().domains[0].groups = vec![0, 1];
    machine.head().domains[1].summed = false;
    machine.choices().idle_power = vec![watts(20.0)];
    let report = machine.step(1000, &[job(1000), Load::default()]).report();
    assert_eq!(report.domains[0].idle_power, IdlePower::Given(watts(20.0)));
    assert!(report.quality.notes.is_empty(), "{:?}", report.quality.notes);
}

#[test]
fn a_stated_idle_power_above_the_measured_power_is_lowered_and_flagged() {
    let mut machine = Machine::of(&[SMALL]);
    machine.choices().idle_power = vec![watts(50.0)];
    let report = machine
        .step(1000, &[Load::default()])
        .step(1000, &[job(1000)])
        .report();
    let IdlePower::Lowered {
        given,
        used,
        found: None,
    } = report.domains[0].idle_power
    else {
        panic!("{:?}", report.domains[0].idle_power);
    };
    assert_eq!(given, watts(50.0));
    // The idle second proves 20 W, less what two steps of the counter can hide.
    assert_near(used.get(), 20.0 * 1000.0 / 998.0, 1e-9);
    assert_eq!(codes(&report), ["idle-power-lowered"]);
    assert_near(report.domains[0].ledger.job.0 as f64, 5e6, 0.05e6);
}

#[test]
fn a_window_too_short_to_prove_anything_lowers_nothing() {
    let mut machine = Machine::of(&[SMALL]);
    machine.choices().idle_power = vec![watts(50.0)];
    let report = machine.step(49, &[job(1000)]).report();
    assert_eq!(report.domains[0].idle_power, IdlePower::Given(watts(50.0)));
    assert_eq!(report.domains[0].ledger.job, MicroJoules::ZERO);
}

#[test]
fn as_many_idle_powers_as_packages_or_it_is_said() {
    for (stated, code) in [
        (&[20.0][..], "idle-power-count"),
        (&[20.0, 36.0, 9.0], "idle-power-count"),
    ] {
        let mut machine = Machine::of(&[SMALL, LARGE]);
        machine.choices().idle_power = stated.iter().copied().map(watts).collect();
        let report = machine.step(1000, &[job(1000), job(0)]).report();
        assert!(codes(&report).contains(&code), "{stated:?}");
    }
    let mut machine = Machine::of(&[SMALL]);
    machine.choices().idle_power = vec![watts(20.0)];
    machine.head().domains.clear();
    machine.recording.observations[0].readings.clear();
    assert_eq!(codes(&machine.report()), ["idle-power-unused"]);
}

#[test]
fn an_unknown_idle_power_gives_the_middle_of_the_bracket_and_the_range_holds_all_of_it() {
    let mut machine = Machine::of(&[SMALL]);
    let load = Load {
        others: 1000,
        kernel: 400,
        own: 100,
        ..job(500)
    };
    for _ in 0..10 {
        machine.step(100, &[load]);
    }
    let report = machine.report();
    // 30 J in a second: L = E * t / (N * dt), H = E * t / busy.
    let (low, high) = (30.0 * 0.5 / 4.0, 30.0 * 0.5 / 2.0);
    let range = report.energy.cpu.ranged().unwrap();
    assert_near(range.value.get(), f64::midpoint(low, high), 1e-5);
    assert!(
        range.low.get() <= low + 1e-5 && range.high.get() >= high - 1e-5,
        "{range:?}"
    );
    assert_near(
        report.quality.uncertainty.idle,
        (high - low) / 2.0 / range.value.get(),
        1e-6,
    );
    assert_eq!(report.domains[0].idle_power, IdlePower::Unknown);
    let note = &report.quality.notes[0];
    assert_eq!(note.code, "idle-power-unknown");
    assert!(note.hint.as_ref().unwrap().contains("--idle-power"));
    assert!(!note.degrades);
}

#[test]
fn whatever_the_idle_power_was_the_range_of_unknown_holds_the_figure_of_known() {
    for policy in IdlePolicy::ALL {
        for idle_w in [0, 1, 5, 20] {
            let package = Package { idle_w, ..SMALL };
            let run = |stated: bool| {
                let mut machine = Machine::of(&[package]);
                machine.choices().idle_policy = policy;
                machine.choices().allocated = Some(Share::new(0.5).unwrap());
                if stated {
                    machine.choices().idle_power = vec![watts(idle_w as f64)];
                }
                let load = Load {
                    others: 700,
                    ..job(900)
                };
                machine.step(1000, &[load]).step(1000, &[job(2000)]).report()
            };
            let truth = run(true).energy.cpu.value().unwrap();
            let range = run(false).energy.cpu.ranged().unwrap();
            assert!(
                range.low <= truth && truth <= range.high,
                "{policy:?} {idle_w}: {truth} in {range:?}"
            );
        }
    }
}
