//! Time that has not ended in a switch yet, sample by sample, against the running thread's own clock.

use crate::launched::{Launch, until, wait};
use crate::needs::{Outcome, two_cpus_alone};
use crate::siblings::machine_of_two;
use crate::workload::job;
use carbon_run::model::recording::{CpuUsage, Observation, Recording};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

/// CPU time of a thread over the common clock, both in nanoseconds.
pub(crate) struct Log(Vec<(u64, u64)>);

impl Log {
    pub(crate) fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        let points: Result<Vec<_>, Box<dyn Error>> = fs::read_to_string(path)?
            .lines()
            .map(|line| {
                let (at, used) = line.split_once(' ').ok_or("a line without a blank")?;
                Ok((at.parse()?, used.parse()?))
            })
            .collect();
        Ok(Self(points?))
    }

    /// What the thread had used at a moment; `None` outside the log.
    fn used(&self, at: u64) -> Option<f64> {
        let after = self.0.partition_point(|(moment, _)| *moment <= at);
        let (t0, u0) = *self.0.get(after.checked_sub(1)?)?;
        let (t1, u1) = *self.0.get(after)?;
        Some(u0 as f64 + (u1 - u0) as f64 * (at - t0) as f64 / (t1 - t0) as f64)
    }
}

/// Pairs of samples that follow each other.
pub(crate) fn intervals(recording: &Recording) -> impl Iterator<Item = (&Observation, &Observation)> {
    recording
        .observations
        .iter()
        .zip(recording.observations.iter().skip(1))
}

/// Nanoseconds of one group by what `class` picks.
pub(crate) fn grown(
    (before, after): (&Observation, &Observation),
    group: usize,
    class: impl Fn(&CpuUsage) -> u64,
) -> Result<f64, Box<dyn Error>> {
    let at = |sample: &Observation| sample.usage.get(group).map(&class).ok_or("no such group");
    Ok(at(after)? as f64 - at(before)? as f64)
}

/// Compares every interval inside the log with it; returns how many there were. `spared` is what somebody else of the
/// same class may have had of the CPU, in nanoseconds of the interval.
fn follow(
    recording: &Recording,
    log: &Log,
    group: usize,
    class: impl Fn(&CpuUsage) -> u64,
    spared: impl Fn(f64) -> f64,
) -> Result<usize, Box<dyn Error>> {
    let mut compared = 0;
    let mut off = Vec::new();
    for pair in intervals(recording) {
        let (Some(from), Some(to)) = (log.used(pair.0.at.0), log.used(pair.1.at.0)) else {
            continue;
        };
        let (truth, told) = (to - from, grown(pair, group, &class)?);
        let elapsed = (pair.1.at.0 - pair.0.at.0) as f64;
        // 2 %, and what lies between two points of the log.
        let leeway = 0.02 * truth + 1e6;
        if told < truth - leeway || told > truth + leeway + spared(elapsed - truth) {
            off.push(format!(
                "interval {compared}: {told} ns against {truth} ns in {elapsed} ns"
            ));
        }
        compared += 1;
    }
    assert!(off.is_empty(), "of {compared} intervals {off:#?}");
    Ok(compared)
}

#[test]
fn a_pinned_loop_is_counted_while_it_runs_in_every_interval() -> Outcome {
    let Some(_turn) = two_cpus_alone()? else {
        return Ok(());
    };
    let sysroot = machine_of_two(false)?;
    let launch = Launch::plain("ebpf")?
        .recorded("200ms")
        .flags(&["--sysroot".as_ref(), sysroot.path().as_os_str()]);
    let log = launch.dir.path().join("log");
    let run = launch.run(&job(&["clocked", "0", "1500", &log.display().to_string()])?)?;
    let compared = follow(
        run.recording()?,
        &Log::read(&log)?,
        0,
        |usage| usage.job.total().0,
        |_| run.stolen_s * 1e9,
    )?;
    assert!(compared >= 4, "only {compared} intervals");
    Ok(())
}

#[test]
fn a_strangers_loop_that_never_switches_is_seen_from_the_first_interval_on() -> Outcome {
    let Some(_turn) = two_cpus_alone()? else {
        return Ok(());
    };
    let sysroot = machine_of_two(false)?;
    let launch = Launch::plain("ebpf")?
        .recorded("200ms")
        .flags(&["--sysroot".as_ref(), sysroot.path().as_os_str()]);
    let log = launch.dir.path().join("log");
    let words = job(&["clocked-first", "1", "2000", &log.display().to_string()])?;
    let (program, arguments) = words.split_first().ok_or("no command")?;
    let mut stranger = Command::new(program).args(arguments).spawn()?;
    until("the stranger to run", || {
        log.with_extension("started").exists().then_some(())
    })?;
    let run = launch.run(&["/bin/sleep", "1"])?;
    assert!(wait(&mut stranger)?.success());
    let recording = run.recording()?;
    let log = Log::read(&log)?;
    let first = recording.observations.first().ok_or("no sample")?;
    assert!(
        log.used(first.at.0).is_some(),
        "the stranger was not there from the beginning"
    );
    let compared = follow(
        recording,
        &log,
        1,
        |usage| usage.others.total().0,
        |rest| rest + run.stolen_s * 1e9,
    )?;
    assert_eq!(compared + 1, recording.observations.len());
    assert!(compared >= 4, "only {compared} intervals");
    Ok(())
}

#[test]
fn the_classes_add_up_to_the_time_of_all_cpus_in_every_interval() -> Outcome {
    let Some(_turn) = two_cpus_alone()? else {
        return Ok(());
    };
    let sysroot = machine_of_two(false)?;
    for flags in [vec![], vec!["--sysroot".as_ref(), sysroot.path().as_os_str()]] {
        let launch = Launch::plain("ebpf")?.recorded("100ms").flags(&flags);
        let run = launch.run(&job(&["spawn-until-used", "800", "/bin/true"])?)?;
        let recording = run.recording()?;
        assert!(recording.observations.len() >= 3);
        for pair in intervals(recording) {
            let elapsed = (pair.1.at.0 - pair.0.at.0) as f64;
            for (index, group) in recording.head.groups.iter().enumerate() {
                let all = grown(pair, index, |usage| {
                    let kernel = usage.kernel.unwrap_or_default();
                    let busy = usage.job.total() + usage.others.total() + usage.own.total() + kernel.total();
                    let interrupts = usage.interrupts.unwrap_or_default().total();
                    (busy + interrupts + usage.idle + usage.stolen.unwrap_or_default()).0
                })?;
                let truth = elapsed * group.cpus.len() as f64;
                assert!(
                    (all - truth).abs() <= 0.001 * truth,
                    "group {index}: {all} ns of {truth} ns"
                );
            }
        }
    }
    Ok(())
}
