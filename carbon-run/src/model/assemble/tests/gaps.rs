//! Readings that failed, counters that were reset, machines that slept: what is not known is left out and said.

use super::*;
use crate::model::recording::{CpuPowerModel, MemoryUse};
use crate::model::report::Figure;
use crate::model::units::Joules;

const FAILED: &str = "Input/output error";

fn assert_absent(report: &RunReport) {
    let energy = &report.energy;
    for figure in [&energy.total, &energy.cpu, &energy.ram, &energy.gpu] {
        assert!(figure.value().is_none(), "{figure:?}");
        assert!(figure.reason().is_some_and(|reason| !reason.is_empty()));
    }
    assert!(matches!(report.emissions, Figure::Absent(_)));
}

#[test]
fn after_a_failed_reading_time_reaches_back_as_far_as_energy() {
    // The job ran in the first half, a neighbour in the second. Had only the second half's time been taken, the job
    // would get nothing of the energy of both.
    let neighbour = Load {
        others: 3000,
        ..Load::default()
    };
    let run = |failing: bool| {
        let mut machine = Machine::knowing(&[SMALL]);
        machine.step(500, &[job(3000)]);
        if failing {
            machine.latest().readings = vec![Reading::Failed(FAILED.to_owned())];
        } else {
            machine.recording.observations.pop();
        }
        machine.step(500, &[neighbour]).report()
    };
    let (bridged, whole) = (run(true), run(false));
    assert_eq!(bridged.domains, whole.domains);
    assert_eq!(bridged.domains[0].ledger.job, MicroJoules(7_500_000));
    assert_eq!(bridged.quality.coverage, Share::ALL);
    assert_eq!(codes(&bridged), ["meter-failed"]);
    assert!(bridged.quality.notes[0].message.contains(FAILED));
}

#[test]
fn a_reset_drops_its_interval_and_says_so() {
    let mut machine = Machine::knowing(&[SMALL]);
    machine.step(1000, &[job(1000)]).pass(1000, &[job(1000)]);
    machine.ticks = vec![5_000];
    machine.look().step(1000, &[job(1000)]).step(1000, &[job(1000)]);
    let report = machine.report();
    assert_eq!(report.quality.resets, 1);
    assert_eq!(codes(&report), ["meter-reset"]);
    assert!(report.quality.notes[0].degrades);
    assert_near(report.quality.coverage.get(), 0.75, 1e-12);
    assert_eq!(report.domains[0].ledger.measured, MicroJoules(75_000_000));
    assert_eq!(report.domains[0].ledger.job, MicroJoules(15_000_000));
    assert_eq!(
        report.cpu_time,
        Some(CpuTime(4_000_000_000)),
        "CPU time was counted all along"
    );
}

#[test]
fn a_counter_that_fell_and_whose_range_is_unknown_drops_its_interval() {
    let mut machine = Machine::knowing(&[SMALL]);
    machine.head().domains[0].source = DomainSource::Counter {
        tick: TickSize::MICROJOULE,
        wraps_at: None,
        max_power: None,
    };
    machine.pass(1000, &[job(1000)]);
    machine.ticks = vec![1];
    let report = machine.look().step(1000, &[job(1000)]).report();
    assert_eq!(report.quality.resets, 1);
    assert!(report.quality.notes[0].message.contains("its range is not known"));
}

#[test]
fn what_a_sleeping_machine_drew_is_nobodys() {
    for modelled in [false, true] {
        let mut machine = Machine::knowing(&[SMALL]);
        if modelled {
            machine.head().domains[0].source = DomainSource::CpuModel(linear(20.0, 40.0));
        }
        machine.step(1000, &[job(1000)]);
        machine.slept_ns += 3_600_000_000_000;
        machine.ticks[0] += 7_200_000_000;
        machine.step(1000, &[job(1000)]).step(1000, &[job(1000)]);
        let report = machine.report();
        assert_eq!(report.quality.slept, Duration::from_secs(3600), "{modelled}");
        assert!(codes(&report).contains(&"slept"));
        assert_eq!(report.domains[0].ledger.measured, MicroJoules(50_000_000));
        assert_near(report.quality.coverage.get(), 2.0 / 3.0, 1e-12);
    }
}

fn linear(idle: f64, full: f64) -> CpuPowerModel {
    let sure = |value| Ranged {
        low: watts(value),
        value: watts(value),
        high: watts(value),
    };
    CpuPowerModel {
        idle: sure(idle),
        full: sure(full),
        basis: "test".to_owned(),
    }
}

#[test]
fn a_run_that_nobody_looked_at_or_only_once_has_no_figures() {
    for looks in [0, 1] {
        for with_tail in [false, true] {
            let mut machine = Machine::knowing(&[SMALL, LARGE]);
            let mut recording = machine.end();
            recording.observations.truncate(looks);
            if !with_tail {
                recording.tail = None;
            }
            let report = assemble(&recording, intensity());
            assert_absent(&report);
            assert_eq!((report.cpu_time, report.others_cpu_time), (None, None));
            assert_eq!(report.mean_memory_bytes, None);
            assert_eq!(report.quality.coverage, Share::NONE);
            assert_eq!(report.duration, Duration::ZERO);
            assert_eq!(codes(&report).contains(&"no-tail"), !with_tail);
            for domain in &report.domains {
                assert!(matches!(domain.origin, Origin::Absent(_)), "{domain:?}");
            }
        }
    }
}

#[test]
fn a_run_of_no_duration_has_no_figures() {
    let mut machine = Machine::knowing(&[SMALL]);
    let report = machine.look().look().report();
    assert_absent(&report);
    assert_eq!(report.duration, Duration::ZERO);
}

#[test]
fn a_meter_that_never_answered_is_absent_by_its_own_reason() {
    let mut machine = Machine::knowing(&[SMALL]);
    for _ in 0..3 {
        machine.step(1000, &[job(1000)]);
    }
    for observation in &mut machine.recording.observations {
        observation.readings = vec![Reading::Failed(FAILED.to_owned())];
    }
    let report = machine.report();
    assert_absent(&report);
    assert_eq!(report.energy.total.reason(), Some(FAILED));
    assert_eq!(report.quality.coverage, Share::NONE);
}

#[test]
fn a_domain_that_vanishes_leaves_the_others_and_shows_in_the_coverage() {
    let mut machine = Machine::knowing(&[SMALL, LARGE]);
    machine.step(1000, &[job(1000), job(1000)]);
    for _ in 0..3 {
        machine.step(1000, &[job(1000), job(1000)]);
        machine.latest().readings[1] = Reading::Failed("No such file or directory".to_owned());
    }
    let report = machine.report();
    assert_eq!(domain(&report, "package-0").coverage, Share::ALL);
    assert_near(domain(&report, "package-1").coverage.get(), 0.25, 1e-12);
    assert_near(report.quality.coverage.get(), 0.25, 1e-12);
    assert_eq!(domain(&report, "package-1").ledger.job, MicroJoules(9_000_000));
}

#[test]
fn a_gap_in_what_is_not_summed_does_not_degrade_the_report() {
    let mut machine = Machine::knowing(&[SMALL, LARGE]);
    machine.head().domains[1].kind = DomainKind::Core;
    machine.head().domains[1].summed = false;
    machine.step(1000, &[job(1000), job(1000)]);
    machine.step(1000, &[job(1000), job(1000)]);
    machine.latest().readings[1] = Reading::Failed(FAILED.to_owned());
    let report = machine.report();
    let note = |code: &str| {
        report
            .quality
            .notes
            .iter()
            .find(|note| note.code == code)
            .unwrap()
    };
    assert!(!note("meter-failed").degrades);
    assert_eq!(report.quality.coverage, Share::ALL);
}

#[test]
fn without_a_tail_the_run_is_as_long_as_it_was_looked_at() {
    let mut machine = Machine::knowing(&[SMALL]);
    machine.step(1000, &[job(1000)]).step(500, &[job(1000)]);
    let whole = machine.report();
    machine.recording.tail = None;
    let killed = assemble(&machine.recording, intensity());
    assert_eq!(killed.duration, Duration::from_millis(1500));
    assert_eq!(killed.energy, whole.energy);
    assert_eq!((killed.exit, killed.process_count), (None, None));
    assert_eq!(codes(&killed), ["no-tail"]);
}

#[test]
fn lost_events_and_unreadable_memory_are_said() {
    let mut machine = Machine::knowing(&[SMALL]);
    machine.step(1000, &[job(1000)]);
    let at = machine.latest().at;
    machine.latest().memory = Some(MemoryUse {
        at,
        range: None,
        resident_bytes: None,
        pss_bytes: 1,
        unreadable: 3,
    });
    let mut recording = machine.end();
    recording.tail.as_mut().unwrap().lost = 4;
    let report = assemble(&recording, intensity());
    assert_eq!(report.quality.lost, 4);
    assert_eq!(codes(&report), ["memory-unreadable", "lost"]);
}

#[test]
fn less_time_than_wait4_told_is_said_and_a_rounding_is_not() {
    let told = |ms: u64| {
        let mut machine = Machine::of(&[SMALL]);
        machine.step(1_000, &[job(1_000)]);
        let mut recording = machine.end();
        recording.tail.as_mut().unwrap().rusage_cpu = Some(CpuTime(ms * MS));
        let report = assemble(&recording, intensity());
        codes(&report).contains(&"cpu-time-short")
    };
    assert!(
        !told(900),
        "orphans that nobody waited for are in the job and not in rusage"
    );
    assert!(!told(1_015));
    assert!(told(1_100));
}

#[test]
fn a_counter_that_stands_still_is_no_measurement_of_nothing() {
    const DEAD: Package = Package {
        cpus: 4,
        idle_w: 0,
        busy_w: 0,
    };
    let report = Machine::of(&[DEAD]).step(1_000, &[job(1_000)]).report();
    assert_eq!(
        report.energy.cpu,
        Figure::Absent("its counter does not move".to_owned())
    );
    assert_eq!(report.energy.total.value(), None);
    assert_eq!(report.quality.coverage, Share::NONE);
    assert!(codes(&report).contains(&"meter-still"));

    // Between two steps of the counter nothing moves either.
    let report = Machine::of(&[DEAD]).step(20, &[job(1_000)]).report();
    assert_eq!(report.energy.cpu.value().map(Joules::get), Some(0.0));
}
