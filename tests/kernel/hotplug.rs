//! A CPU that leaves and comes back while a job runs.

use crate::agreement::with_its_group;
use crate::in_flight::{grown, intervals};
use crate::launched::{Launch, Run, until};
use crate::needs::{Outcome, a_removable_cpu};
use crate::workload::job;
use std::error::Error;
use std::fs;

/// CPU 1, which is there again whatever happens.
struct Removable;

impl Removable {
    const FILE: &str = "/sys/devices/system/cpu/cpu1/online";

    fn set(to: &str) -> std::io::Result<()> {
        fs::write(Self::FILE, to)
    }
}

impl Drop for Removable {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _failed = Self::set("1").is_err();
    }
}

/// Time of all CPUs in the group over the run, and how long the run was, in seconds.
fn all_and_elapsed(run: &Run) -> Result<(f64, f64), Box<dyn Error>> {
    let (mut all, mut elapsed) = (0.0, 0.0);
    for pair in intervals(run.recording()?) {
        all += grown(pair, 0, |usage| {
            let kernel = usage.kernel.unwrap_or_default();
            let busy = usage.job.total() + usage.others.total() + usage.own.total() + kernel.total();
            let interrupts = usage.interrupts.unwrap_or_default().total();
            (busy + interrupts + usage.idle + usage.stolen.unwrap_or_default()).0
        })? / 1e9;
        elapsed += (pair.1.at.0 - pair.0.at.0) as f64 / 1e9;
    }
    Ok((all, elapsed))
}

fn codes(run: &Run) -> String {
    run.report
        .pointer("/quality/notes")
        .map(ToString::to_string)
        .unwrap_or_default()
}

#[test]
fn a_cpu_counts_while_it_is_there_and_a_job_is_whole_though_it_leaves() -> Outcome {
    let Some(_turn) = a_removable_cpu()? else {
        return Ok(());
    };
    let back = Removable;
    let launch = Launch::grouped("ebpf")?.recorded("50ms");
    let (started, done) = (launch.dir.path().join("started"), launch.dir.path().join("done"));
    let words = [
        "burn-then-wait",
        "1500",
        &started.display().to_string(),
        &done.display().to_string(),
    ];
    let launched = launch.start(&job(&words)?)?;
    until("the job to run", || started.exists().then_some(()))?;
    let group = launched.launch.group.as_ref().ok_or("no group")?;
    until("the job to use time", || {
        group.seconds().ok().filter(|now| *now > 0.3)
    })?;
    Removable::set("0")?;
    until("the job to use time on one CPU", || {
        group.seconds().ok().filter(|now| *now > 0.9)
    })?;
    Removable::set("1")?;
    until("the job to end its work", || {
        group.seconds().ok().filter(|now| *now > 1.45)
    })?;
    fs::write(done, "")?;
    let run = launched.finish()?;
    drop(back);
    with_its_group(&run, 1.2)?;
    let online: Vec<u32> = run
        .recording()?
        .observations
        .iter()
        .filter_map(|sample| Some(sample.usage.first()?.online))
        .collect();
    assert!(online.contains(&1) && online.first() == Some(&2), "{online:?}");
    let (all, elapsed) = all_and_elapsed(&run)?;
    // It was away for at least the 0.6 s that the job used meanwhile.
    assert!(
        all < 2.0 * elapsed - 0.5 && all > elapsed,
        "{all} s of CPUs in {elapsed} s"
    );
    assert!(codes(&run).contains("cpu-offline"), "{}", codes(&run));
    Ok(())
}

#[test]
fn a_cpu_that_was_not_there_at_first_counts_once_it_is_and_so_does_a_job_on_it() -> Outcome {
    let Some(_turn) = a_removable_cpu()? else {
        return Ok(());
    };
    let back = Removable;
    Removable::set("0")?;
    let launch = Launch::grouped("ebpf")?.recorded("50ms");
    // Twice as many threads as CPUs, so that the newcomer is used.
    let launched = launch.start(&job(&["threads", "4", "500"])?)?;
    let group = launched.launch.group.as_ref().ok_or("no group")?;
    until("the job to use time", || {
        group.seconds().ok().filter(|now| *now > 0.3)
    })?;
    Removable::set("1")?;
    let run = launched.finish()?;
    drop(back);
    with_its_group(&run, 1.5)?;
    let samples = &run.recording()?.observations;
    let online = |at: Option<&carbon_run::model::recording::Observation>| Some(at?.usage.first()?.online);
    assert_eq!(
        (online(samples.first()), online(samples.last())),
        (Some(1), Some(2))
    );
    assert!(codes(&run).contains("cpu-online"), "{}", codes(&run));
    Ok(())
}
