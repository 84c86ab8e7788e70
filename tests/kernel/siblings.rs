//! Two hardware threads of one core: time beside a busy sibling stands in a column of its own.

use crate::in_flight::{grown, intervals};
use crate::launched::{Launch, Run, until, wait};
use crate::needs::{Outcome, two_cpus_alone};
use crate::workload::job;
use std::error::Error;
use std::fs;
use std::process::Command;
use tempfile::TempDir;

/// A topology with CPUs 0 and 1 only, each in a group of its own so that the recording tells them apart; `smt` makes
/// them threads of one core.
pub(crate) fn machine_of_two(smt: bool) -> Result<TempDir, Box<dyn Error>> {
    let root = tempfile::tempdir()?;
    let cpus = root.path().join("sys/devices/system/cpu");
    for cpu in 0..2 {
        let topology = cpus.join(format!("cpu{cpu}/topology"));
        fs::create_dir_all(&topology)?;
        let siblings = if smt {
            "0-1\n".to_owned()
        } else {
            format!("{cpu}\n")
        };
        fs::write(topology.join("thread_siblings_list"), &siblings)?;
        fs::write(topology.join("core_cpus_list"), siblings)?;
        fs::write(
            topology.join("core_id"),
            if smt { "0\n".to_owned() } else { format!("{cpu}\n") },
        )?;
        fs::write(topology.join("physical_package_id"), format!("{cpu}\n"))?;
        fs::write(topology.join("die_id"), "0\n")?;
    }
    fs::write(cpus.join("online"), "0-1\n")?;
    fs::write(cpus.join("possible"), "0-1\n")?;
    Ok(root)
}

fn pinned_job() -> Result<Run, Box<dyn Error>> {
    let sysroot = machine_of_two(true)?;
    let launch = Launch::plain("ebpf")?
        .recorded("100ms")
        .flags(&["--sysroot".as_ref(), sysroot.path().as_os_str()]);
    let log = launch.dir.path().join("log").display().to_string();
    launch.run(&job(&["clocked", "0", "1200", &log])?)
}

/// The intervals in which CPU 0 was never idle: there, time alone on CPU 0 is exactly the time that CPU 1 was idle,
/// whoever else is on the machine, but for the part `within`. Returns the job's time alone and shared over them, and how long they were, in ns.
fn check(run: &Run, within: f64) -> Result<(f64, f64, f64), Box<dyn Error>> {
    let recording = run.recording()?;
    let (mut alone, mut shared, mut length) = (0.0, 0.0, 0.0);
    let (mut off, mut compared) = (Vec::new(), 0);
    for pair in intervals(recording) {
        let elapsed = (pair.1.at.0 - pair.0.at.0) as f64;
        if grown(pair, 0, |usage| usage.idle.0)? > 0.001 * elapsed {
            continue;
        }
        let idle_beside = grown(pair, 1, |usage| usage.idle.0)?;
        let all_alone = grown(pair, 0, |usage| {
            let kernel = usage.kernel.unwrap_or_default();
            let interrupts = usage.interrupts.unwrap_or_default();
            (usage.job.alone + usage.others.alone + usage.own.alone + kernel.alone + interrupts.alone).0
        })?;
        // While one of the two is stolen, the other's column is as may be.
        let mut stolen = 0.0;
        for cpu in 0..2 {
            stolen += grown(pair, cpu, |usage| usage.stolen.unwrap_or_default().0)?;
        }
        // An interrupt taken by an idle sibling is no idle time of its, and makes nobody's time beside it shared.
        let interrupted = grown(pair, 1, |usage| usage.interrupts.unwrap_or_default().total().0)?;
        let allowed = within * elapsed + stolen;
        if all_alone < idle_beside - allowed || all_alone > idle_beside + interrupted + allowed {
            off.push(format!(
                "{all_alone} ns alone, {idle_beside} ns idle beside in {elapsed} ns: {pair:#?}"
            ));
        }
        compared += 1;
        alone += grown(pair, 0, |usage| usage.job.alone.0)?;
        shared += grown(pair, 0, |usage| usage.job.shared.0)?;
        length += elapsed;
    }
    // Where the kernel does not show a switch (METHOD.md), what was not seen is claimed later and may leave an interval askew.
    assert!(off.len() <= 1, "{} of {compared}: {}", off.len(), off.join("\n"));
    assert!(length > 0.5e9, "CPU 0 was busy for only {length} ns");
    Ok((alone, shared, length))
}

/// Over the whole run: what was not seen at its switch is claimed when its task is seen next, maybe in another interval.
fn no_more_than_there_was(run: &Run) -> Outcome {
    let observations = &run.recording()?.observations;
    let whole = observations
        .first()
        .zip(observations.last())
        .ok_or("no samples")?;
    let elapsed = (whole.1.at.0 - whole.0.at.0) as f64;
    let job = grown(whole, 0, |usage| usage.job.total().0)?;
    assert!(job > 0.0 && job <= elapsed * 1.001, "{job} ns of {elapsed} ns");
    Ok(())
}

#[test]
fn a_job_beside_a_busy_sibling_is_all_in_the_shared_column() -> Outcome {
    let Some(_turn) = two_cpus_alone()? else {
        return Ok(());
    };
    let dir = tempfile::tempdir()?;
    let log = dir.path().join("log");
    let words = job(&["clocked", "1", "2500", &log.display().to_string()])?;
    let (program, arguments) = words.split_first().ok_or("no command")?;
    let mut neighbour = Command::new(program).args(arguments).spawn()?;
    until("the neighbour to run", || {
        log.with_extension("started").exists().then_some(())
    })?;
    let run = pinned_job()?;
    let still_there = neighbour.try_wait()?.is_none();
    assert!(wait(&mut neighbour)?.success());
    let (alone, shared, _) = check(&run, 0.01)?;
    if still_there {
        assert!(alone <= 0.02 * shared, "{alone} ns alone, {shared} ns shared");
    }
    Ok(())
}

#[test]
fn a_job_is_alone_for_as_long_as_its_sibling_idles() -> Outcome {
    let Some(_turn) = two_cpus_alone()? else {
        return Ok(());
    };
    let run = pinned_job()?;
    let (alone, _, length) = check(&run, 0.01)?;
    let idle_beside: f64 = intervals(run.recording()?)
        .map(|pair| grown(pair, 1, |usage| usage.idle.0))
        .collect::<Result<Vec<_>, _>>()?
        .iter()
        .sum();
    // Somebody else may have had part of CPU 0, or all of CPU 1: then less is the job's, and less is alone.
    assert!(
        alone <= idle_beside + 0.01 * length,
        "{alone} ns alone, {idle_beside} ns idle beside"
    );
    no_more_than_there_was(&run)
}

#[test]
fn both_columns_hold_though_both_cpus_switch_all_the_time() -> Outcome {
    let Some(_turn) = two_cpus_alone()? else {
        return Ok(());
    };
    let dir = tempfile::tempdir()?;
    let (started, done) = (dir.path().join("started"), dir.path().join("done"));
    let words = job(&[
        "on-and-off",
        "1",
        "150",
        &started.display().to_string(),
        &done.display().to_string(),
    ])?;
    let (program, arguments) = words.split_first().ok_or("no command")?;
    let mut neighbour = Command::new(program).args(arguments).spawn()?;
    until("the neighbour to run", || started.exists().then_some(()))?;
    let sysroot = machine_of_two(true)?;
    let run = Launch::plain("ebpf")?
        .recorded("100ms")
        .flags(&["--sysroot".as_ref(), sysroot.path().as_os_str()])
        .run(&job(&["yield", "0", "3", "1200"])?);
    fs::write(done, "")?;
    assert!(wait(&mut neighbour)?.success());
    let run = run?;
    check(&run, 0.01)?;
    no_more_than_there_was(&run)
}
