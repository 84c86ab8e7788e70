//! Phases of a job: what they used is what the job used in their time.

mod laws;

use super::models::{GIB, with_memory};
use super::*;
use crate::model::recording::{
    GpuLook, GpuSample, GpuUser, IntensitySeries, IntensityStep, PhaseMark, PhaseStep, SeriesFacts, Whose,
};
use crate::model::report::{Figure, IdlePower, Phase, PhaseFigures};
use crate::model::units::{Grams, Joules};

impl Machine {
    fn mark(&mut self, mark: PhaseStep, ago_ms: u64) -> &mut Self {
        let at = Moment(self.now_ns - ago_ms * MS);
        self.pending.push(PhaseMark { at, mark });
        self
    }

    fn start(&mut self, name: &str) -> &mut Self {
        self.mark(PhaseStep::Start(name.to_owned()), 0)
    }

    fn stop(&mut self, name: &str) -> &mut Self {
        self.mark(PhaseStep::Stop(Some(name.to_owned())), 0)
    }
}

fn joules(figure: &Figure<Joules>) -> f64 {
    figure.value().unwrap().get()
}

fn microjoules(figures: &PhaseFigures) -> u64 {
    (joules(&figures.energy.total) * 1e6).round() as u64
}

fn phase<'a>(report: &'a RunReport, path: &str) -> &'a Phase {
    let mut list = report.phases.list.iter();
    list.find(|phase| phase.path.join("/") == path).unwrap()
}

fn job_microjoules(report: &RunReport) -> u64 {
    report
        .domains
        .iter()
        .map(|domain| domain.ledger.job_total().0)
        .sum()
}

#[test]
fn a_phase_has_the_energy_of_its_time_to_the_microjoule() {
    let mut machine = Machine::knowing(&[SMALL]);
    machine.choices().idle_policy = IdlePolicy::None;
    machine.step(300, &[job(1000)]).start("busy").look();
    machine.step(1000, &[job(2000)]).step(500, &[job(2000)]);
    machine.stop("busy").start("asleep").look().step(2000, &[job(0)]);
    machine.stop("asleep").look().step(200, &[job(1000)]);
    let report = machine.report();
    assert_eq!(microjoules(&phase(&report, "busy").whole), 15_000_000);
    assert_eq!(microjoules(&phase(&report, "asleep").whole), 0);
    let outside = report.phases.outside.as_ref().unwrap();
    assert_eq!(microjoules(outside), 2_500_000);
    assert_eq!(phase(&report, "busy").whole.duration, Duration::from_millis(1500));
    assert_eq!(phase(&report, "busy").whole.cpu_time, Some(CpuTime(3_000 * MS)));
    assert_eq!(outside.duration, Duration::from_millis(500));
    assert_eq!(phase(&report, "busy").whole.coverage, Share::ALL);
    assert!(
        !report.phases.overlapped && codes(&report).is_empty(),
        "{:?}",
        codes(&report)
    );
}

#[test]
fn a_phase_holds_its_childrens_energy_and_says_what_is_its_own() {
    let mut machine = Machine::knowing(&[SMALL]);
    machine.choices().idle_policy = IdlePolicy::None;
    for _ in 0..3 {
        machine.start("epoch").look().step(100, &[job(1000)]);
        machine.start("load").look().step(100, &[job(200)]);
        machine.stop("load").start("fit").look().step(400, &[job(4000)]);
        machine.stop("fit").stop("epoch").look().step(100, &[job(0)]);
    }
    let report = machine.report();
    assert_eq!(microjoules(&phase(&report, "epoch").own), 3 * 500_000);
    assert_eq!(microjoules(&phase(&report, "epoch/load").whole), 3 * 100_000);
    assert_eq!(microjoules(&phase(&report, "epoch/fit").whole), 3 * 8_000_000);
    assert_eq!(microjoules(&phase(&report, "epoch").whole), 3 * 8_600_000);
    assert_eq!(phase(&report, "epoch/fit").times, 3);
    assert_eq!(phase(&report, "epoch/fit").parent, Some(0));
}

#[test]
fn a_boundary_between_two_looks_shares_the_energy_by_time_and_the_range_has_the_truth() {
    let mut machine = Machine::knowing(&[SMALL]);
    machine.choices().idle_policy = IdlePolicy::None;
    machine.start("busy").look().step(1000, &[job(2000)]);
    machine.pass(400, &[job(2000)]);
    machine.stop("busy").start("asleep").step(600, &[job(0)]);
    machine.step(1000, &[job(0)]);
    let report = machine.report();
    // 4 J of the second are the first phase's, of which the window gives it 0.4.
    let busy = phase(&report, "busy").whole.energy.total.ranged().unwrap();
    assert_near(busy.value.get(), 10.0 + 4.0 * 0.4, 1e-6);
    assert!(busy.low.get() <= 14.0 && 14.0 <= busy.high.get(), "{busy:?}");
    let asleep = phase(&report, "asleep").whole.energy.total.ranged().unwrap();
    assert_near(asleep.value.get(), 4.0 * 0.6, 1e-6);
    assert!(asleep.low.get() <= 0.5, "{asleep:?}");
}

#[test]
fn a_baseline_that_only_the_end_tells_is_every_phases() {
    // 20 W are stated as 40: the machine proves that wrong when it sleeps.
    let mut machine = Machine::of(&[SMALL]);
    machine.choices().idle_power = vec![watts(26.0)];
    machine.start("busy").look().step(1000, &[job(2000)]);
    machine.stop("busy").start("asleep").look().step(1000, &[job(0)]);
    machine.stop("asleep").look().step(500, &[job(1000)]);
    let report = machine.report();
    assert!(matches!(
        domain(&report, "package-0").idle_power,
        IdlePower::Lowered { .. }
    ));
    // 10 J dynamic, and half of the CPUs' baseline of 20.04 W (the counter's steps are allowed for).
    let busy = joules(&phase(&report, "busy").whole.energy.total);
    assert_near(busy, 20.0, 0.05);
    assert_near(joules(&phase(&report, "asleep").whole.energy.total), 0.0, 1e-9);
    let parts: u64 = report
        .phases
        .list
        .iter()
        .map(|phase| microjoules(&phase.own))
        .sum();
    assert_eq!(
        parts + microjoules(report.phases.outside.as_ref().unwrap()),
        job_microjoules(&report)
    );
}

#[test]
fn a_phase_has_the_intensity_of_its_own_time() {
    let mut machine = Machine::knowing(&[SMALL]);
    machine.choices().intensity_series = Some(steps(&[(0, 100.0), (10, 300.0)]));
    machine
        .start("night")
        .look()
        .step(5_000, &[job(1000)])
        .step(5_000, &[job(1000)]);
    machine
        .stop("night")
        .start("day")
        .look()
        .step(10_000, &[job(1000)]);
    let report = machine.report();
    let grams = |path: &str| {
        phase(&report, path)
            .whole
            .emissions
            .value()
            .map(Grams::get)
            .unwrap()
    };
    assert_near(grams("day") / grams("night"), 3.0, 1e-9);
    let whole = report.emissions.value().unwrap().get();
    assert_near(grams("day") + grams("night"), whole, 1e-9);
}

fn steps(steps: &[(i64, f64)]) -> IntensitySeries {
    let step = |&(second, value): &(i64, f64)| IntensityStep {
        from_unix_ns: second * 1_000_000_000,
        g_per_kwh: GramsPerKwh::new(value).unwrap(),
    };
    let facts = SeriesFacts {
        source: "grid.csv".to_owned(),
        boundary: "lifecycle".to_owned(),
        lowest_g_per_kwh: GramsPerKwh::new(20.0).unwrap(),
        highest_g_per_kwh: GramsPerKwh::new(300.0).unwrap(),
        until_unix_ns: 3_600_000_000_000,
    };
    IntensitySeries::new(facts, steps.iter().map(step).collect()).unwrap()
}

#[test]
fn what_is_open_at_the_end_ends_there_and_what_was_never_started_is_said() {
    let mut machine = Machine::knowing(&[SMALL]);
    machine
        .stop("never")
        .start("open")
        .look()
        .step(1000, &[job(1000)]);
    let report = machine.report();
    assert!(phase(&report, "open").open_at_end);
    assert_eq!(phase(&report, "open").whole.duration, Duration::from_secs(1));
    assert_eq!(codes(&report), ["phase-stop-without-start", "phase-open-at-end"]);
    let stray = &report.quality.notes[0];
    assert_eq!(stray.message, "a phase was stopped, but `never` was not open");
}

#[test]
fn a_phase_that_no_reading_of_the_meters_saw_has_no_figure() {
    let mut machine = Machine::knowing(&[SMALL]);
    machine.step(1000, &[job(1000)]).start("unseen").look();
    machine.step(500, &[job(1000)]);
    machine.slept_ns += 60_000 * MS;
    machine.recording.observations.last_mut().unwrap().slept_ns = machine.slept_ns;
    machine.stop("unseen").look().step(1000, &[job(1000)]);
    let report = machine.report();
    let unseen = &phase(&report, "unseen").whole;
    assert_eq!(
        unseen.energy.total.reason(),
        Some("no meter was read while it was open")
    );
    assert!(unseen.emissions.reason().is_some());
    assert_eq!(unseen.coverage, Share::NONE);
    assert!(report.energy.total.value().is_some());
}

#[test]
fn models_of_cpu_and_memory_are_shared_among_phases_like_meters() {
    let mut machine = with_memory();
    machine.start("load").step(1000, &[job(1000)]).memory(GIB, 0);
    machine
        .stop("load")
        .start("fit")
        .step(1000, &[job(4000)])
        .memory(3 * GIB, 0);
    machine.stop("fit").step(1000, &[job(0)]).memory(3 * GIB, 0);
    let report = machine.report_modelled();
    // 10 W more for each of four CPUs, and a quarter of 20 W.
    let cpu = |path: &str| joules(&phase(&report, path).whole.energy.cpu);
    assert_near(cpu("load"), 15.0, 1e-6);
    assert_near(cpu("fit"), 60.0, 1e-6);
    // Until the first look it was as then; between two looks it grows evenly.
    let ram = |path: &str| joules(&phase(&report, path).whole.energy.ram);
    assert_near(ram("load"), 0.4, 1e-6);
    assert_near(ram("fit"), 0.8, 1e-6);
    assert_near(
        joules(&report.phases.outside.as_ref().unwrap().energy.ram),
        1.2,
        1e-6,
    );
    let range = phase(&report, "fit").whole.energy.cpu.ranged().unwrap();
    assert!(range.low.get() < 50.0 && range.high.get() > 70.0, "{range:?}");
}

#[test]
fn energy_of_a_gpu_that_waits_for_samples_goes_to_the_phases_that_it_was_drawn_in() {
    let mut machine = gpu_powers::machine(gpu_powers::device(), gpu_powers::kept());
    let mut microjoules = 0;
    let mut read = |machine: &mut Machine, sampled: bool| {
        let at = Moment(machine.now_ns);
        microjoules += if at.0 <= 7_000 * MS {
            500_000 * 100
        } else {
            150_000 * 100
        };
        let stamp_us = at.0 / 1000;
        let samples = if sampled {
            vec![GpuSample {
                stamp_us,
                percent: 100,
            }]
        } else {
            Vec::new()
        };
        let user = GpuUser {
            pid: 7,
            whose: Whose::Job,
            slice: None,
            holds: true,
            memory_bytes: None,
            samples,
            engine_ns: None,
            serves: false,
            client: false,
        };
        let latest = machine.latest();
        latest.readings.push(Reading::Ticks {
            ticks: microjoules,
            at,
        });
        latest.gpus = vec![GpuLook {
            at,
            busy_percent: None,
            users: vec![user],
            unseen: false,
            failed: None,
        }];
    };
    read(&mut machine, true);
    machine.start("train");
    for number in 1..=40 {
        if number == 21 {
            machine.stop("train").start("rest");
        }
        machine.step(100, &[job(100)]);
        // Once in 700 ms: a split is of energy from before and after the boundary.
        read(&mut machine, number % 7 == 0);
    }
    let report = machine.report();
    let gpu = |path: &str| joules(&phase(&report, path).whole.energy.gpu);
    let whole = joules(&report.energy.gpu);
    assert_near(gpu("train") + gpu("rest"), whole, 1e-6);
    let outside = joules(&report.phases.outside.as_ref().unwrap().energy.gpu);
    assert_near(outside, 0.0, 1e-9);
    assert_near(gpu("train") / whole, 1000.0 / 1300.0, 0.02);
}

#[test]
fn a_job_without_marks_has_no_phases() {
    let mut machine = Machine::knowing(&[SMALL]);
    let report = machine.step(1000, &[job(1000)]).report();
    assert!(report.phases.list.is_empty() && report.phases.outside.is_none());
}
