//! Energy without a meter: the CPU model and the memory model.

use super::*;
use crate::model::recording::{CpuPowerModel, MemoryUse, RamPowerModel};
use crate::model::report::Figure;
use proptest::prelude::*;

pub(super) const GIB: u64 = 1 << 30;

fn between(low: f64, value: f64, high: f64) -> Ranged<Watts> {
    Ranged {
        low: watts(low),
        value: watts(value),
        high: watts(high),
    }
}

/// Four CPUs without a meter: 20 W idle, 60 W full, each within limits.
fn modelled() -> Machine {
    let mut machine = Machine::of(&[Package {
        idle_w: 0,
        busy_w: 0,
        ..SMALL
    }]);
    let model = CpuPowerModel {
        idle: between(10.0, 20.0, 30.0),
        full: between(40.0, 60.0, 90.0),
        basis: "test".to_owned(),
    };
    let domain = &mut machine.head().domains[0];
    domain.name = "cpu-model".to_owned();
    domain.origin = Origin::Estimated("cpu-model".to_owned());
    domain.source = DomainSource::CpuModel(model);
    domain.groups.clear();
    machine
}

fn ram_model() -> Domain {
    Domain {
        name: "ram-model".to_owned(),
        kind: DomainKind::Dram,
        origin: Origin::Estimated("ram-model".to_owned()),
        groups: Vec::new(),
        summed: true,
        source: DomainSource::RamModel(RamPowerModel {
            per_gib: between(0.3, 0.4, 0.6),
            per_module: None,
            basis: "test".to_owned(),
        }),
    }
}

/// [`modelled`], with memory.
pub(super) fn with_memory() -> Machine {
    let mut machine = modelled();
    machine.head().domains.push(ram_model());
    machine
}

impl Machine {
    pub(super) fn memory(&mut self, pss_bytes: u64, unreadable: u32) -> &mut Self {
        let at = Moment(self.now_ns);
        self.latest().memory = Some(MemoryUse {
            at,
            pss_bytes,
            range: None,
            resident_bytes: None,
            unreadable,
        });
        self
    }

    /// As many readings as there are domains.
    fn end_modelled(&mut self) -> Recording {
        let domains = self.recording.head.domains.len();
        for observation in &mut self.recording.observations {
            observation.readings = vec![Reading::Modelled; domains];
        }
        self.end()
    }

    pub(super) fn report_modelled(&mut self) -> RunReport {
        assemble(&self.end_modelled(), intensity())
    }
}

#[test]
fn power_is_linear_in_the_busy_cpus() {
    for busy in 0..=4 {
        let report = modelled().step(1000, &[job(busy * 1000)]).report_modelled();
        let ledger = &report.domains[0].ledger;
        assert_eq!(ledger.measured, MicroJoules(20_000_000 + busy * 10_000_000));
        assert_eq!(
            lines(ledger)[..2],
            [busy * 10_000_000, busy * 5_000_000],
            "{busy} CPUs"
        );
    }
}

#[test]
fn the_range_is_that_of_the_models_corners() {
    // Two of four CPUs: from 10 W idle and 40 W full to 30 W and 90 W.
    let report = modelled().step(1000, &[job(2000)]).report_modelled();
    let range = report.energy.cpu.ranged().unwrap();
    assert_near(range.value.get(), 30.0, 1e-6);
    // E = idle * (A - W) + full * W, where A = W = 0.5 s: only the full power counts. Alone, nothing is to be split.
    assert_near(range.low.get(), 30.0 - 10.0, 1e-5);
    assert_near(range.high.get(), 30.0 + 15.0, 1e-5);
}

#[test]
fn siblings_weigh_by_what_the_scheduler_saw_of_them() {
    // A core with two threads busy draws 1.15 times one with one: job and neighbour on one core get half each of it.
    let run = |backend, alone: bool| {
        let mut machine = modelled();
        machine.head().host.threads_per_core = Some(2);
        machine.head().accounting.backend = backend;
        let load = Load {
            others: 1000,
            ..job(1000)
        };
        machine.step(1000, &[load]);
        if !alone {
            let usage = &mut machine.latest().usage[0];
            for time in [&mut usage.job, &mut usage.others] {
                *time = BusyTime {
                    alone: CpuTime::ZERO,
                    shared: time.alone,
                };
            }
        }
        machine.report_modelled().domains[0].ledger
    };
    // Four threads, two cores. Alone, a thread draws what 1 / 1.15 of a core does.
    let share = |core_part: f64| (40e6 * core_part / 2.0).round() as u64;
    let [alone, shared] = [run(Backend::Ebpf, true), run(Backend::Ebpf, false)];
    assert!(alone.job.0.abs_diff(share(1.0 / 1.15)) <= 1, "{alone:?}");
    assert!(shared.job.0.abs_diff(share(0.5)) <= 1, "{shared:?}");
    // /proc does not tell siblings apart, and a machine must not seem full at 58 % of its time.
    let unknown = run(Backend::Procfs, true);
    assert_eq!(unknown.job, MicroJoules(10_000_000));
}

#[test]
fn with_siblings_a_metered_job_beside_a_busy_one_pays_less_than_one_alone() {
    let mut machine = Machine::knowing(&[SMALL]);
    machine.head().host.threads_per_core = Some(2);
    let load = Load {
        others: 1000,
        ..job(1000)
    };
    machine.step(1000, &[load]);
    let usage = &mut machine.latest().usage[0];
    usage.job = BusyTime {
        alone: CpuTime::ZERO,
        shared: usage.job.alone,
    };
    let report = machine.report();
    let dynamic = 10e6;
    assert_near(
        report.domains[0].ledger.job.0 as f64,
        dynamic * 0.575 / 1.575,
        1.0,
    );
    machine.head().host.threads_per_core = Some(1);
    assert_eq!(machine.report().domains[0].ledger.job, MicroJoules(5_000_000));
}

#[test]
fn a_million_windows_do_not_drift() {
    let machine = modelled();
    let mut observation = machine.recording.observations[0].clone();
    observation.readings = vec![Reading::Modelled];
    let mut books = Assembler::open(machine.recording.head.clone(), intensity());
    let first = observation.at;
    books.observe(&observation);
    let (mut busy, mut all) = (0_u128, 0_u128);
    for step in 0..1_000_000_u64 {
        // Odd numbers, so that every window has something to round.
        let elapsed = 100_000_003 + step % 7;
        let (job, others) = (33_333_331 + step % 11, 77_777_777 + step % 13);
        let usage = &mut observation.usage[0];
        usage.job.alone += CpuTime(job);
        usage.others.alone += CpuTime(others);
        usage.idle += CpuTime(4 * elapsed - job - others);
        observation.at = Moment(observation.at.0 + elapsed);
        books.observe(&observation);
        busy += u128::from(job);
        all += u128::from(elapsed);
    }
    let report = books.close(Some(&tail(first, observation.at)));
    let ledger = &report.domains[0].ledger;
    let both = observation.usage[0].job.alone.0 + observation.usage[0].others.alone.0;
    let exact = (20_000_000 * all + 10_000_000 * u128::from(both)) / 1_000_000_000;
    assert!(u128::from(ledger.measured.0).abs_diff(exact) <= 1, "{ledger:?}");
    assert_eq!(ledger.sum(), ledger.measured);
    // The split is made per window: less than a microjoule each, and not all to one side.
    let dynamic = 10_000_000 * busy / 1_000_000_000;
    assert!(
        u128::from(ledger.job.0).abs_diff(dynamic) < 1_000_000 / 2,
        "{ledger:?}"
    );
    assert_eq!(report.quality.coverage, Share::ALL);
}

#[test]
fn a_model_of_memory_integrates_between_looks() {
    let mut machine = with_memory();
    machine.step(1000, &[job(1000)]).memory(GIB, 0);
    machine.step(2000, &[job(1000)]).memory(3 * GIB, 0);
    machine.step(500, &[job(1000)]);
    machine.step(500, &[job(1000)]);
    let report = machine.report_modelled();
    // 1 GiB for a second, 1 to 3 over two, 3 for the last.
    let gib_seconds = 1.0 + 4.0 + 3.0;
    let range = report.energy.ram.ranged().unwrap();
    assert_near(range.value.get(), 0.4 * gib_seconds, 1e-6);
    // It may have stayed at 1 GiB or have been at 3 all the while, and is not known before the first look and after the last.
    assert_near(range.low.get(), 0.3 * 2.0, 1e-6);
    assert_near(range.high.get(), 0.6 * (1.0 + 6.0 + 3.0), 1e-6);
    assert_eq!(report.mean_memory_bytes, Some(2 * GIB));
    let ledger = &domain(&report, "ram-model").ledger;
    assert_eq!(
        ledger.job, ledger.measured,
        "the model knows nobody else's memory"
    );
    assert_eq!(
        report.energy.ram,
        Figure::Known {
            ranged: range,
            origin: Origin::Estimated("ram-model".to_owned())
        }
    );
}

#[test]
fn constant_memory_is_its_own_mean_however_late_and_long_it_was_looked_at() {
    let mut machine = with_memory();
    for _ in 0..3 {
        machine.step(70, &[job(1000)]).memory(700_000_000, 0);
    }
    let mut recording = machine.end_modelled();
    let ends = recording.tail.as_mut().unwrap();
    // The first look at the CPUs comes before the command, the last after it.
    ends.started = Moment(ends.started.0 + 5 * MS);
    ends.ended = Moment(ends.ended.0 - 9 * MS);
    let report = assemble(&recording, intensity());
    assert_eq!(report.mean_memory_bytes, Some(700_000_000));
}

#[test]
fn a_glance_counts_as_a_look_with_a_range_of_its_own() {
    let mut machine = with_memory();
    machine.step(1000, &[job(1000)]).memory(2 * GIB, 0);
    let glance = MemoryUse {
        at: Moment(machine.latest().at.0 - 1000 * MS),
        pss_bytes: 2 * GIB,
        range: Some((GIB, 3 * GIB)),
        resident_bytes: Some(3 * GIB),
        unreadable: 0,
    };
    machine.latest().memory_before = vec![glance];
    let report = machine.report_modelled();
    assert_eq!(report.mean_memory_bytes, Some(2 * GIB));
    let range = report.energy.ram.ranged().unwrap();
    assert_near(range.value.get(), 0.4 * 2.0, 1e-6);
    assert_near(range.low.get(), 0.3, 1e-6);
    assert_near(range.high.get(), 0.6 * 3.0, 1e-6);
}

#[test]
fn after_a_close_look_a_glance_shares_as_much_as_that() {
    let mut machine = with_memory();
    machine.step(1000, &[job(1000)]).memory(GIB, 0);
    machine.latest().memory.as_mut().unwrap().resident_bytes = Some(4 * GIB);
    machine.step(1000, &[job(1000)]).memory(6 * GIB, 0);
    let glance = machine.latest().memory.as_mut().unwrap();
    (glance.range, glance.resident_bytes) = (Some((2 * GIB, 12 * GIB)), Some(12 * GIB));
    let report = machine.report_modelled();
    // A second at 1 GiB before the first look, and one from there to a quarter of 12.
    assert_eq!(report.mean_memory_bytes, Some(3 * GIB / 2));
}

#[test]
fn a_run_that_nobody_looked_at_has_what_the_kernel_kept_of_its_peak() {
    let mut machine = with_memory();
    machine.step(500, &[job(500)]);
    let mut recording = machine.end_modelled();
    let tail = recording.tail.as_mut().unwrap();
    tail.peak_rss_bytes = Some(4 * GIB);
    tail.process_count = Some(3);
    let report = assemble(&recording, intensity());
    let range = report.energy.ram.ranged().unwrap();
    // Anything from nothing to all three processes with the peak at once; half a second.
    assert_near(range.low.get(), 0.0, 1e-9);
    assert_near(range.value.get(), 0.4, 1e-6);
    assert_near(range.high.get(), 0.6 * 4.0 * 3.0 * 0.5, 1e-6);
    assert_eq!(report.mean_memory_bytes, None, "a peak is no mean");
    assert_eq!(domain(&report, "ram-model").coverage, Share::ALL);
}

#[test]
fn beyond_the_looks_the_range_reaches_the_peak() {
    let mut machine = with_memory();
    machine.step(1000, &[job(1000)]).memory(GIB, 0);
    machine.step(1000, &[job(1000)]);
    let mut recording = machine.end_modelled();
    recording.tail.as_mut().unwrap().peak_rss_bytes = Some(5 * GIB);
    let range = assemble(&recording, intensity()).energy.ram.ranged().unwrap();
    assert_near(range.value.get(), 0.4 * 2.0, 1e-6);
    assert_near(range.high.get(), 0.6 * 10.0, 1e-6);
}

#[test]
fn memory_that_nobody_looked_at_or_could_look_at_is_absent_and_not_nothing() {
    let unseen = with_memory().step(1000, &[job(1000)]).report_modelled();
    assert_eq!(
        unseen.energy.ram.reason(),
        Some("the run ended before its memory could be looked at")
    );
    assert_eq!(unseen.mean_memory_bytes, None);
    assert_eq!(unseen.energy.total.value(), unseen.energy.cpu.value());
    assert_eq!(unseen.quality.coverage, Share::ALL, "no reading is missing");

    let refused = with_memory()
        .step(1000, &[job(1000)])
        .memory(0, 2)
        .report_modelled();
    assert_eq!(
        refused.energy.ram.reason(),
        Some("the memory of the job's processes could not be read")
    );
    assert_eq!(codes(&refused), ["memory-unreadable"]);
    assert_eq!(refused.mean_memory_bytes, None);
}

proptest! {
    #[test]
    fn the_neighbour_moves_nothing_of_a_modelled_job(
        steps in prop::collection::vec((1..2000_u64, 0..=2000_u64, 0..=2000_u64), 1..20),
        idle_policy in prop::sample::select(vec![IdlePolicy::None, IdlePolicy::Capacity, IdlePolicy::Allocated, IdlePolicy::All]),
    ) {
        let run = |crowded: bool| {
            let mut machine = modelled();
            machine.choices().idle_policy = idle_policy;
            for &(ms, mine, others) in &steps {
                let others = if crowded { others } else { 0 };
                machine.step(ms, &[Load { others, ..job(mine) }]);
            }
            machine.report_modelled()
        };
        let (alone, crowded) = (run(false), run(true));
        let job = |report: &RunReport| report.domains[0].ledger.job_total().0;
        prop_assert!(job(&alone).abs_diff(job(&crowded)) <= steps.len() as u64, "{} {}", job(&alone), job(&crowded));
        let ledger = &crowded.domains[0].ledger;
        prop_assert_eq!(ledger.sum(), ledger.measured);
    }
    #[test]
    fn memory_has_its_range_in_order_whatever_was_seen(
        looks in prop::collection::vec(
            (1..5000_u64, 0..GIB * 100, prop::option::of((0..GIB * 100, 0..GIB * 100)), prop::option::of(0..GIB * 200)),
            0..12,
        ),
        peak in prop::option::of(0..GIB * 100),
        shift in 0..2000_u64,
    ) {
        let mut machine = with_memory();
        machine.step(1, &[job(1)]);
        for &(ms, bytes, range, resident) in &looks {
            machine.step(ms, &[job(ms)]).memory(bytes, 0);
            let look = machine.latest().memory.as_mut().unwrap();
            (look.range, look.resident_bytes) = (range, resident);
        }
        let mut recording = machine.end_modelled();
        let tail = recording.tail.as_mut().unwrap();
        tail.peak_rss_bytes = peak;
        tail.started = Moment(tail.started.0 + shift.min(looks.first().map_or(0, |look| look.0)) * MS);
        let report = assemble(&recording, intensity());
        match report.energy.ram.ranged() {
            Some(range) => prop_assert!(
                range.low.get() >= 0.0 && range.low <= range.value && range.value <= range.high,
                "{range:?}"
            ),
            None => prop_assert!(looks.is_empty() && peak.is_none()),
        }
    }
}
