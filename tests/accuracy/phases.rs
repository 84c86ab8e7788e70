//! Phases beside the truth: what a busy phase and a sleeping one used, on counters that follow a known power model.

use crate::measured::{Measured, WORK, run};
use crate::stage::{Outcome, Stage, one_package};
use serde_json::Value;
use std::error::Error;

const IDLE: [&str; 4] = ["--idle-power", "20", "--idle-policy", "none"];
/// A busy CPU of the stage's package.
const WATTS: f64 = 30.0;

fn phase<'a>(job: &'a Measured, name: &str) -> Result<&'a Value, Box<dyn Error>> {
    let mut phases = job.report["phases"].as_array().into_iter().flatten();
    phases
        .find(|phase| phase["name"] == name)
        .ok_or_else(|| format!("no phase `{name}` in {:#}", job.report).into())
}

fn number(figures: &Value, pointer: &str) -> Result<f64, Box<dyn Error>> {
    let found = figures.pointer(pointer).and_then(Value::as_f64);
    found.ok_or_else(|| format!("no `{pointer}` in {figures:#}").into())
}

/// The truth lies in the range.
fn assert_range_has(job: &Measured, name: &str, truth: f64) -> Outcome {
    let phase = phase(job, name)?;
    let (low, high) = (
        number(phase, "/energy_range_j/low")?,
        number(phase, "/energy_range_j/high")?,
    );
    assert!(
        low <= truth && truth <= high,
        "{name}: {truth} is not in {low} to {high}"
    );
    Ok(())
}

fn marked(script: &str) -> String {
    let binary = env!("CARGO_BIN_EXE_carbon-run");
    format!("phase() {{ {binary} phase \"$@\"; }}; {script}")
}

#[test]
fn a_busy_phase_has_the_energy_of_its_cpu_time_and_a_sleeping_one_next_to_none() -> Outcome {
    let Some(stage) = Stage::open(one_package)? else {
        return Ok(());
    };
    let script =
        format!("phase start asleep; sleep 1; phase stop asleep; phase start busy; {WORK} phase stop busy");
    let job = run(&stage, &IDLE, &marked(&script))?;
    job.assert_ledgers()?;
    let busy = phase(&job, "busy")?;
    let asleep = phase(&job, "asleep")?;
    // The kernel's books are the job's, not the phase's: carbon-run's own count of the phase's time stands in for them, and the
    // whole job's is held against the kernel's.
    let cpu = number(&job.report, "/cpu_time_s")?;
    assert!(
        (cpu - job.busy_s()).abs() <= 0.02 * cpu + 0.01,
        "{cpu} {}",
        job.busy_s()
    );
    for (name, phase) in [("busy", busy), ("asleep", asleep)] {
        assert_range_has(&job, name, WATTS * number(phase, "/cpu_time_s")?)?;
    }
    let [busy_j, asleep_j] = [busy, asleep].map(|phase| number(phase, "/energy_j/cpu"));
    let (busy_j, asleep_j) = (busy_j?, asleep_j?);
    let truth = WATTS * number(busy, "/cpu_time_s")?;
    assert!((busy_j - truth).abs() <= 0.03 * truth, "{busy_j} {truth}");
    assert!(asleep_j <= 0.03 * busy_j, "{asleep_j} {busy_j}");
    assert!(number(busy, "/cpu_time_s")? >= 0.9 * cpu);
    let parts = busy_j + asleep_j + number(&job.report, "/outside_phases/energy_j/cpu")?;
    assert!((parts - number(&job.report, "/energy_j/cpu")?).abs() < 2e-6);
    Ok(())
}

#[test]
fn a_phase_that_is_entered_fifty_times_adds_up_to_what_it_used() -> Outcome {
    let Some(stage) = Stage::open(one_package)? else {
        return Ok(());
    };
    let turn = "phase start work; j=0; while [ $j -lt 40000 ]; do j=$((j+1)); done; phase stop work; phase start rest; sleep 0.03; phase stop rest";
    let script = format!("k=0; while [ $k -lt 50 ]; do k=$((k+1)); {turn}; done");
    let job = run(&stage, &IDLE, &marked(&script))?;
    let work = phase(&job, "work")?;
    assert_eq!(work["times"], 50);
    let truth = WATTS * number(work, "/cpu_time_s")?;
    assert_range_has(&job, "work", truth)?;
    assert_range_has(&job, "rest", WATTS * number(phase(&job, "rest")?, "/cpu_time_s")?)?;
    let work = number(work, "/energy_j/cpu")?;
    // Counters that step every 5 ms, at a hundred boundaries.
    assert!((work - truth).abs() <= 0.15 * truth, "{work} {truth}");
    Ok(())
}
