//! Time: readings that come after the CPU time, load that changes meanwhile, and runs of a month.

use super::*;
use crate::model::recording::{MemoryUse, UsageAfter};

/// Looks at CPU time, then at the meters, which takes its time: the load goes on. With `again`, CPU time is looked at
/// once more when the meters have been read. Readings are made in the middle of that time.
fn look_slowly(machine: &mut Machine, ms: u64, load: Load, again: bool) {
    let (at, usage) = (Moment(machine.now_ns), machine.usage.clone());
    machine.pass(ms / 2, &[load]).look();
    let readings = machine.recording.observations.pop().unwrap().readings;
    machine.pass(ms - ms / 2, &[load]);
    machine.recording.observations.push(Observation {
        at,
        slept_ns: machine.slept_ns,
        readings,
        usage,
        usage_after: again.then(|| UsageAfter {
            at: Moment(machine.now_ns),
            usage: machine.usage.clone(),
        }),
        memory: None,
        memory_before: Vec::new(),
        live: Vec::new(),
        marks: Vec::new(),
        gpus: Vec::new(),
    });
}

/// A job that works in every other tenth of a second, and a neighbour that fills the machine in the others, both from the
/// moment on in which the machine is looked at. Gives what the job got over what it added, less one.
fn pulses(look_ms: u64, again: bool) -> f64 {
    let neighbour = Load {
        others: 3000,
        ..Load::default()
    };
    let mut machine = Machine::knowing(&[SMALL]);
    for turn in 0..100 {
        let (now, next) = if turn % 2 == 0 {
            (job(1000), neighbour)
        } else {
            (neighbour, job(1000))
        };
        machine.pass(100 - look_ms, &[now]);
        look_slowly(&mut machine, look_ms, next, again);
    }
    let counted = machine.recording.observations.last().unwrap();
    let usage = counted
        .usage_after
        .as_ref()
        .map_or(&counted.usage, |after| &after.usage);
    let truth = usage[0].job.total().seconds() * SMALL.busy_w as f64;
    machine.report().domains[0].ledger.job.joules().get() / truth - 1.0
}

#[test]
fn a_load_that_changes_between_cpu_time_and_meters_is_attributed_to_its_own_time() {
    for look_ms in [2, 4, 10] {
        let (once, twice) = (pulses(look_ms, false), pulses(look_ms, true));
        assert!(
            once > 0.01 * look_ms as f64,
            "{look_ms} ms: {once} without the rule"
        );
        // A half of the last look's 2 to 10 ms is after the last reading.
        assert!(twice.abs() < 0.001, "{look_ms} ms: {twice}");
    }
}

#[test]
fn meters_that_are_read_at_once_leave_pulses_to_whom_they_belong() {
    // The readings of a usual look come some ten microseconds after the CPU time.
    let neighbour = |ms: u64| Load {
        others: if ms % 170 < 70 { 3000 } else { 0 },
        job: if ms % 250 < 150 { 1000 } else { 0 },
        ..Load::default()
    };
    let mut machine = Machine::knowing(&[SMALL]);
    for ms in 0..20_000 {
        machine.pass(1, &[neighbour(ms)]);
        if ms % 100 == 37 {
            machine.look();
            for reading in &mut machine.latest().readings {
                if let Reading::Ticks { at, .. } = reading {
                    at.0 += 10_000;
                }
            }
        }
    }
    let ledger = machine.look().report().domains[0].ledger;
    let truth = 12_000_u64 * SMALL.busy_w * 1000;
    assert!(
        ledger.job.0.abs_diff(truth) < truth / 100_000,
        "{} of {truth}",
        ledger.job.0
    );
}

/// A month of samples every second, on two packages: one counts microjoules, the other units of 2^-14 J, which are no
/// whole ones. All that is kept of a run is in the assembler, so that its text is as long as it is large.
#[test]
fn thirty_days_of_seconds_add_up_to_the_microjoule_in_the_memory_of_one() {
    const SECONDS: u64 = 30 * 24 * 3600;
    const UNIT: TickSize = TickSize {
        microjoules: 1_000_000,
        ticks: 1 << 14,
    };
    const TURN: u64 = 1 << 32;
    let mut machine = Machine::knowing(&[SMALL, LARGE]);
    machine.head().domains[1].source = DomainSource::Counter {
        tick: UNIT,
        wraps_at: Some(TURN),
        max_power: None,
    };
    let mut assembler = Assembler::open(machine.recording.head.clone(), intensity());
    let start = machine.now_ns;
    let (mut drawn, mut job_ms, mut size) = ([0_u128; 2], [0_u64; 2], 0);
    // The second counter starts a little before the end of its turn, and has gone on from there.
    let units = |drawn: u128| 4_294_000_000 + drawn * u128::from(UNIT.ticks) / 1_000_000;
    for second in 0..=SECONDS {
        let at = Moment(machine.now_ns);
        let ticks = [machine.ticks[0], (units(drawn[1]) % u128::from(TURN)) as u64];
        assembler.observe(&Observation {
            at,
            slept_ns: machine.slept_ns,
            readings: ticks.map(|ticks| Reading::Ticks { ticks, at }).to_vec(),
            usage: machine.usage.clone(),
            usage_after: None,
            memory: (second % 10 == 0).then_some(MemoryUse {
                at,
                pss_bytes: 1 << 20,
                range: None,
                resident_bytes: None,
                unreadable: 0,
            }),
            memory_before: Vec::new(),
            live: Vec::new(),
            marks: Vec::new(),
            gpus: Vec::new(),
        });
        if second == 3600 {
            size = format!("{assembler:?}").len();
        }
        let loads = [2000, 4000].map(|most: u64| Load {
            job: second * 7919 % most,
            others: second * 104_729 % 1500,
            kernel: second % 100,
            own: 1,
        });
        if second < SECONDS {
            machine.pass(1000, &loads);
            for (package, load) in [SMALL, LARGE].into_iter().zip(loads).enumerate() {
                let (it, load) = load;
                let busy = load.job + load.others + load.kernel + load.own;
                drawn[package] += u128::from(it.idle_w * 1_000_000 + it.busy_w * busy * 1000);
                job_ms[package] += load.job;
            }
        }
    }
    let grown = format!("{assembler:?}").len();
    assert!(grown < size + size / 10, "{size} bytes of text became {grown}");

    let report = assembler.close(Some(&tail(Moment(start), Moment(machine.now_ns))));
    assert_eq!(report.duration, Duration::from_secs(SECONDS));
    let ledgers = [0, 1].map(|package: usize| report.domains[package].ledger);
    let gained = units(drawn[1]) - units(0);
    let exact = [drawn[0], gained * 1_000_000 / u128::from(UNIT.ticks)];
    for ((ledger, exact), (package, job_ms)) in
        ledgers.iter().zip(exact).zip([SMALL, LARGE].iter().zip(job_ms))
    {
        assert_eq!(u128::from(ledger.measured.0), exact);
        assert_eq!(ledger.sum(), ledger.measured);
        let truth = package.busy_w * job_ms * 1000;
        let off = ledger.job.0.abs_diff(truth);
        // Whole microjoules split without a rest; a unit of 61 µJ at the end of an interval may be the next one's.
        assert!(
            off <= if package.cpus == SMALL.cpus {
                0
            } else {
                truth / 10_000_000
            },
            "{off} of {truth}"
        );
    }
    let turns = drawn[0] / u128::from(RANGE) + units(drawn[1]) / u128::from(TURN);
    assert!(
        u128::from(report.quality.wraps).abs_diff(turns) <= 1,
        "{} of {turns}",
        report.quality.wraps
    );
    assert_eq!(report.quality.resets, 0);
    assert_eq!(report.quality.coverage, Share::ALL);
    assert_eq!(codes(&report), [""; 0]);
}
