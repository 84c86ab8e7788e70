//! When two accounts of the same job agree.

use crate::launched::Run;
use std::error::Error;

/// The joining `sh`, the launcher's fork and the last tick lie outside one account or the other.
const ABSOLUTE_S: f64 = 0.006;

/// Asserts that `measured` is within `relative` of `truth`, and a few milliseconds.
#[track_caller]
pub(crate) fn within(relative: f64, measured: f64, truth: f64, what: &str) {
    between(relative, measured, truth, truth, what);
}

/// Asserts the same of a run's CPU time. The kernel charges interrupts to whom they hit, unless it counts them; we never do. Its
/// clock of CPU time stands still while a hypervisor has the CPU (CONFIG_PARAVIRT_TIME_ACCOUNTING, kernel/sched/core.c:
/// `update_rq_clock_task`), and so does ours on the best rung only: on the others, by as much as was stolen it may be more.
#[track_caller]
pub(crate) fn of_run(relative: f64, run: &Run, truth: f64, what: &str) -> Result<(), Box<dyn Error>> {
    let stolen = if run.tells_stolen() { 0.0 } else { run.stolen_s };
    between(relative, run.charged_s()?, truth, truth + stolen, what);
    Ok(())
}

#[track_caller]
fn between(relative: f64, measured: f64, low: f64, high: f64, what: &str) {
    assert!(
        measured >= low * (1.0 - relative) - ABSOLUTE_S && measured <= high * (1.0 + relative) + ABSOLUTE_S,
        "{what}: {measured:.6} s against {low:.6} s to {high:.6} s, {:+.3} %",
        (measured / low - 1.0) * 100.0
    );
}

/// Time that the hypervisor has taken from all CPUs so far, in seconds (`steal` of proc(5)'s stat).
pub(crate) fn stolen_s() -> std::io::Result<f64> {
    stat_column(8)
}

/// A column of all CPUs' line in /proc/stat, in seconds.
fn stat_column(number: usize) -> std::io::Result<f64> {
    let text = std::fs::read_to_string("/proc/stat")?;
    let ticks = text
        .lines()
        .next()
        .and_then(|line| line.split_whitespace().nth(number)?.parse::<f64>().ok());
    Ok(ticks.unwrap_or(0.0) / 100.0)
}

/// What may have been stolen since, when `stolen_s` was `before`. A tick that has begun is not told yet.
pub(crate) fn stolen_since(before: f64) -> std::io::Result<f64> {
    let more = stolen_s()? - before;
    Ok(if more > 0.0 { more + 0.02 } else { 0.0 })
}

/// Asserts that the report has the job's time within 1 % of its control group's, that the job used at least `at_least`
/// seconds (or the comparison says nothing), and that nothing was lost.
#[track_caller]
pub(crate) fn with_its_group(run: &Run, at_least: f64) -> Result<(), Box<dyn Error>> {
    let (measured, truth) = (run.charged_s()?, run.reference_s()?);
    assert!(truth >= at_least, "the job used only {truth:.3} s");
    of_run(0.01, run, truth, "job")?;
    assert_eq!(run.lost(), Some(0));
    told(measured, truth);
    Ok(())
}

#[expect(
    clippy::print_stderr,
    reason = "shown with --nocapture: how near the accounts are"
)]
fn told(measured: f64, truth: f64) {
    eprintln!(
        "{measured:.6} s against {truth:.6} s: {:+.3} %",
        (measured / truth - 1.0) * 100.0
    );
}
