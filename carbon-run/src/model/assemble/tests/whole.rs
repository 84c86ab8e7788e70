//! What holds of every recording, however strange.

use super::*;
use crate::model::recording::{MemoryUse, ProcessUse, RamPowerModel, UsageAfter};
use crate::model::report::Figure;
use proptest::prelude::*;

/// Readings, times and classes as no machine gives them, up to `most`.
fn strange_observation(groups: usize, domains: usize, most: u64) -> impl Strategy<Value = Observation> {
    let time = move || (0..=most).prop_map(CpuTime);
    let busy = move || (time(), time()).prop_map(|(alone, shared)| BusyTime { alone, shared });
    let usage = (
        0..=most.min(1 << 20),
        time(),
        busy(),
        busy(),
        prop::option::of(busy()),
        busy(),
        prop::option::of((busy(), time(), time())),
    )
        .prop_map(|(online, idle, job, others, kernel, own, taken)| CpuUsage {
            online: online as u32,
            idle,
            job,
            others,
            kernel,
            own,
            interrupts: taken.map(|(interrupts, _, _)| interrupts),
            interrupts_in_job: taken.map_or(CpuTime::ZERO, |(_, in_job, _)| in_job),
            stolen: taken.map(|(_, _, stolen)| stolen),
        });
    let reading = prop_oneof![
        8 => (0..=most, 0..=most).prop_map(|(ticks, at)| Reading::Ticks { ticks, at: Moment(at) }),
        1 => Just(Reading::Failed("gone".to_owned())),
        1 => Just(Reading::Modelled),
    ];
    let range = prop::option::of((0..=most, 0..=most));
    let memory =
        (0..=most, 0..=most, 0..3_u32, range).prop_map(|(at, pss_bytes, unreadable, range)| MemoryUse {
            at: Moment(at),
            pss_bytes,
            range,
            resident_bytes: range.map(|(low, _)| low),
            unreadable,
        });
    (
        0..=most,
        prop_oneof![9 => Just(0_u64), 1 => 0..=most],
        prop::collection::vec(reading, domains),
        prop::collection::vec(usage.clone(), groups),
        prop::option::of((0..=most, prop::collection::vec(usage, groups))),
        prop::option::of(memory.clone()),
        prop::collection::vec(memory, 0..3),
    )
        .prop_map(
            |(at, slept_ns, readings, usage, after, memory, memory_before)| Observation {
                at: Moment(at),
                slept_ns,
                readings,
                usage,
                usage_after: after.map(|(at, usage)| UsageAfter {
                    at: Moment(at),
                    usage,
                }),
                memory,
                memory_before,
                live: Vec::new(),
                marks: Vec::new(),
                gpus: Vec::new(),
            },
        )
}

fn strange_head() -> impl Strategy<Value = Head> {
    (
        prop::sample::select(IdlePolicy::ALL.to_vec()),
        prop::collection::vec(0.0..1e6_f64, 0..3),
        prop::option::of(0.0..=1.0_f64),
        500..=1000_u32,
        1..=2_u32,
        prop::option::of(1..=u64::MAX),
        any::<bool>(),
    )
        .prop_map(|(policy, idle, allocated, smt, threads, wraps_at, summed)| {
            let mut head = Machine::of(&[SMALL, LARGE]).recording.head;
            let range = Ranged {
                low: watts(1.0),
                value: watts(2.0),
                high: watts(4.0),
            };
            let source = DomainSource::CpuModel(crate::model::recording::CpuPowerModel {
                idle: range,
                full: Ranged {
                    high: watts(90.0),
                    ..range
                },
                basis: String::new(),
            });
            head.domains.push(Domain {
                source,
                groups: Vec::new(),
                summed,
                ..counter("cpu-model", 0)
            });
            let source = DomainSource::RamModel(RamPowerModel {
                per_gib: range,
                per_module: None,
                basis: String::new(),
            });
            head.domains.push(Domain {
                source,
                kind: DomainKind::Dram,
                ..counter("ram-model", 0)
            });
            if let DomainSource::Counter { wraps_at: range, .. } = &mut head.domains[0].source {
                *range = wraps_at;
            }
            head.host.threads_per_core = Some(threads);
            head.choices = Choices {
                idle_policy: policy,
                idle_power: idle.into_iter().map(watts).collect(),
                smt_weight_permille: smt,
                allocated: allocated.map(|share| Share::new(share).unwrap()),
                ..head.choices
            };
            head
        })
}

fn strange(most: u64) -> impl Strategy<Value = Recording> {
    (
        strange_head(),
        prop::collection::vec(strange_observation(2, 4, most), 0..12),
        prop::option::of((0..=most, 0..=most)),
        any::<bool>(),
    )
        .prop_map(|(head, mut observations, ends, sorted)| {
            if sorted {
                observations.sort_by_key(|observation| observation.at);
            }
            Recording {
                head,
                observations,
                tail: ends.map(|(started, ended)| tail(Moment(started), Moment(ended))),
            }
        })
}

/// What no report may ever be without.
fn sound(report: &RunReport) -> Result<(), TestCaseError> {
    for domain in &report.domains {
        let ledger = &domain.ledger;
        prop_assert_eq!(ledger.sum(), ledger.measured, "{}", domain.name);
        let by_policy = domain.job_idle_by_policy[report.idle_policy as usize];
        prop_assert_eq!(ledger.job_idle, by_policy, "{}", domain.name);
        let range = domain.job_range;
        prop_assert!(
            range.low <= range.value && range.value <= range.high,
            "{:?}",
            range
        );
        prop_assert!(range.high.get().is_finite());
    }
    let energy = &report.energy;
    for figure in [&energy.total, &energy.cpu, &energy.ram, &energy.gpu] {
        match figure {
            Figure::Known { ranged, .. } => {
                prop_assert!(ranged.low <= ranged.value && ranged.value <= ranged.high);
                prop_assert!(ranged.high.get().is_finite());
            }
            Figure::Absent(reason) => prop_assert!(!reason.is_empty()),
        }
    }
    if let Some(grams) = report.emissions.ranged() {
        prop_assert!(grams.low <= grams.value && grams.value <= grams.high);
        prop_assert!(grams.high.get().is_finite());
    }
    prop_assert_eq!(report.emissions.value().is_some(), energy.total.value().is_some());
    let parts = &report.quality.uncertainty;
    for part in [parts.meter, parts.timing, parts.idle, parts.attribution] {
        prop_assert!(part.is_finite() && part >= 0.0, "{:?}", parts);
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_recording_gives_a_sound_report(recording in strange(1 << 40)) {
        sound(&assemble(&recording, intensity()))?;
    }

    #[test]
    fn numbers_beyond_every_machine_end_no_launcher(recording in strange(u64::MAX)) {
        sound(&assemble(&recording, intensity()))?;
    }

    #[test]
    fn the_ledger_of_a_random_run_is_exact_under_every_policy(
        steps in prop::collection::vec((1..3000_u64, 0..=2500_u64, 0..=1000_u64, 0..=400_u64, 0..=100_u64), 1..15),
        stated: bool,
        start in 0..RANGE,
    ) {
        let mut machine = if stated { Machine::knowing(&[SMALL, LARGE]) } else { Machine::of(&[SMALL, LARGE]) };
        machine.ticks = vec![start, RANGE - 1 - start];
        machine.recording.observations.clear();
        machine.look();
        let mut drawn = [0_u64; 2];
        for &(ms, job, others, kernel, own) in &steps {
            machine.step(ms, &[Load { job, others, kernel, own }, Load { job: others, others: job, kernel, own }]);
            for (drawn, package) in drawn.iter_mut().zip([SMALL, LARGE]) {
                *drawn += ms * 1000 * package.idle_w + package.busy_w * ms * (job + others + kernel + own);
            }
        }
        for policy in IdlePolicy::ALL {
            machine.choices().idle_policy = policy;
            let report = machine.report();
            sound(&report)?;
            for (domain, drawn) in report.domains.iter().zip(drawn) {
                prop_assert_eq!(domain.ledger.measured, MicroJoules(drawn));
                prop_assert_eq!(domain.coverage, Share::ALL);
            }
        }
    }

    #[test]
    fn books_kept_as_the_run_goes_are_those_of_the_whole(recording in strange(1 << 40), cut in 0..12_usize) {
        let mut books = Assembler::open(recording.head.clone(), intensity());
        for (index, observation) in recording.observations.iter().enumerate() {
            if index == cut {
                // A look at the figures so far disturbs nothing, and is the report of a launcher killed here.
                let so_far = Recording { tail: None, observations: recording.observations[..cut].to_vec(), ..recording.clone() };
                prop_assert_eq!(books.clone().close(None), assemble(&so_far, intensity()));
            }
            books.observe(observation);
        }
        prop_assert_eq!(books.close(recording.tail.as_ref()), assemble(&recording, intensity()));
    }

    #[test]
    fn the_order_of_packages_moves_no_figure(recording in strange(1 << 40)) {
        let mut turned = recording.clone();
        turned.head.groups.reverse();
        turned.head.domains[..2].reverse();
        turned.head.domains[0].groups = vec![0];
        turned.head.domains[1].groups = vec![1];
        for observation in &mut turned.observations {
            observation.usage.reverse();
            if let Some(after) = &mut observation.usage_after {
                after.usage.reverse();
            }
            observation.readings[..2].reverse();
        }
        let (straight, mut turned) = (assemble(&recording, intensity()), assemble(&turned, intensity()));
        turned.domains[..2].reverse();
        prop_assert_eq!(straight.domains, turned.domains);
        let total = |energy: &crate::model::report::JobEnergy| energy.total.value().map(crate::model::units::Joules::get);
        match (total(&straight.energy), total(&turned.energy)) {
            (Some(straight), Some(turned)) => prop_assert!((straight - turned).abs() <= straight * 1e-12),
            (straight, turned) => prop_assert_eq!(straight.is_some(), turned.is_some()),
        }
    }
}

#[test]
fn the_list_of_processes_is_told_as_it_is_and_decides_nothing() {
    let mut machine = Machine::knowing(&[SMALL]);
    let mut recording = machine.step(1000, &[job(1000)]).end();
    let process = |pid, on_cpu| ProcessUse {
        pid,
        parent: 1,
        comm: "sh".to_owned(),
        on_cpu: CpuTime(on_cpu),
    };
    let plain = assemble(&recording, intensity());
    let listed = vec![process(3, 30), process(2, 20), process(9, 10)];
    let turned: Vec<_> = listed.iter().rev().cloned().collect();
    for list in [listed, turned] {
        recording.tail.as_mut().unwrap().processes = list.clone();
        let mut report = assemble(&recording, intensity());
        assert_eq!(std::mem::take(&mut report.processes), list);
        assert_eq!(report, plain);
    }
}
