//! Measured energy on a machine whose power is additive.

use super::*;

#[test]
fn on_two_packages_of_different_idle_power_every_line_is_exact() {
    let mut machine = Machine::knowing(&[SMALL, LARGE]);
    let noise = Load {
        job: 0,
        others: 1500,
        kernel: 250,
        own: 50,
    };
    let work = Load {
        job: 2000,
        others: 500,
        kernel: 100,
        own: 0,
    };
    for _ in 0..10 {
        machine.step(100, &[noise, work]);
    }
    let report = machine.report();
    let ledger = |name| domain(&report, name).ledger;
    // One second: 20 W and 1.8 busy CPUs at 5 W; 36 W and 2.6 busy CPUs at 9 W.
    assert_eq!(
        lines(&ledger("package-0")),
        [0, 0, 7_500_000, 1_250_000, 250_000, 20_000_000]
    );
    assert_eq!(
        lines(&ledger("package-1")),
        [18_000_000, 9_000_000, 4_500_000, 900_000, 0, 27_000_000]
    );
    assert_eq!(ledger("package-0").measured, MicroJoules(29_000_000));
    assert_eq!(ledger("package-1").measured, MicroJoules(59_400_000));
    assert_near(report.energy.total.value().unwrap().get(), 27.0, 1e-9);
    assert_near(report.energy.cpu.value().unwrap().get(), 27.0, 1e-9);
    assert_eq!(report.cpu_time, Some(CpuTime(2_000_000_000)));
    assert_eq!(report.others_cpu_time, Some(CpuTime(2_350_000_000)));
    assert_eq!(report.duration, Duration::from_secs(1));
    assert_eq!(report.quality.coverage, Share::ALL);
    assert!(report.quality.notes.is_empty(), "{:?}", report.quality.notes);
}

#[test]
fn a_job_that_ran_on_one_package_gets_nothing_from_the_other_and_no_doubt_by_who_ran_there() {
    let alone = {
        let mut machine = Machine::knowing(&[SMALL, LARGE]);
        machine.step(1000, &[job(1000), Load::default()]).report()
    };
    let beside = {
        let mut machine = Machine::knowing(&[SMALL, LARGE]);
        let crowd = Load {
            others: 7000,
            ..Load::default()
        };
        machine.step(1000, &[job(1000), crowd]).report()
    };
    assert_eq!(domain(&beside, "package-1").ledger.job_total(), MicroJoules::ZERO);
    assert_eq!(alone.energy.total, beside.energy.total);
    assert_eq!(alone.quality.uncertainty, beside.quality.uncertainty);
}

#[test]
fn a_wrap_in_the_middle_changes_no_figure_and_is_counted() {
    let run = |start: u64| {
        let mut machine = Machine::knowing(&[SMALL]);
        machine.ticks = vec![start];
        machine.recording.observations.clear();
        machine.look();
        for _ in 0..5 {
            machine.step(100, &[job(1000)]);
        }
        machine.report()
    };
    let (plain, wrapped) = (run(0), run(RANGE - 6_000_000));
    assert_eq!((plain.quality.wraps, wrapped.quality.wraps), (0, 1));
    assert_eq!(plain.domains, wrapped.domains);
    assert_eq!(plain.energy, wrapped.energy);
    assert_eq!(wrapped.quality.coverage, Share::ALL);
    assert!(wrapped.quality.notes.is_empty());
}

#[test]
fn the_neighbour_does_not_move_the_job_and_pays_for_itself() {
    let run = |others| {
        let mut machine = Machine::knowing(&[LARGE]);
        for _ in 0..4 {
            let load = Load { others, ..job(1000) };
            machine.step(250, &[load]);
        }
        machine.report()
    };
    for others in [1, 333, 1000, 6999] {
        let report = run(others);
        assert_eq!(report.domains[0].ledger.job_total(), MicroJoules(13_500_000));
        assert_eq!(report.domains[0].ledger.others, MicroJoules(9_000 * others));
    }
}

#[test]
fn a_hundred_looks_and_two_give_the_same_figures() {
    let run = |steps: u64| {
        let mut machine = Machine::knowing(&[SMALL, LARGE]);
        let load = Load {
            job: 700,
            others: 300,
            kernel: 30,
            own: 10,
        };
        for _ in 0..steps {
            machine.step(10_000 / steps, &[load, load]);
        }
        machine.report()
    };
    let (many, few) = (run(100), run(1));
    for (many, few) in many.domains.iter().zip(&few.domains) {
        for (many, few) in lines(&many.ledger).into_iter().zip(lines(&few.ledger)) {
            assert!(
                many.abs_diff(few) <= 100,
                "{many} and {few}: more than 1 µJ a window"
            );
        }
        assert_eq!(many.ledger.measured, few.ledger.measured);
    }
}

#[test]
fn a_tick_of_61_microjoules_loses_nothing_over_ten_thousand_readings() {
    let mut machine = Machine::knowing(&[SMALL]);
    // 2^-14 J, the energy unit of most Intel packages (Intel SDM vol. 4, MSR_RAPL_POWER_UNIT).
    let unit = TickSize {
        microjoules: 1_000_000,
        ticks: 1 << 14,
    };
    machine.head().domains[0].source = DomainSource::Counter {
        tick: unit,
        wraps_at: Some(1 << 32),
        max_power: None,
    };
    machine.recording.observations.clear();
    for step in 0..=10_000_u64 {
        machine.now_ns += 10 * MS;
        machine.ticks = vec![(4_294_900_000 + step * 3277) % (1 << 32)];
        machine.look();
    }
    let report = machine.report();
    let exact = 32_770_000_u64 * 1_000_000 / (1 << 14);
    assert!(report.domains[0].ledger.measured.0.abs_diff(exact) <= 1);
    assert_eq!(report.quality.wraps, 1);
}
