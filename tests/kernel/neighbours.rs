//! What is not the job's: other jobs, carbon-run itself, the kernel's threads.

use crate::agreement::{of_run, with_its_group};
use crate::launched::{Launch, until};
use crate::needs::{Outcome, a_kernel, a_kernel_alone};
use crate::workload::job;
use carbon_run::model::recording::{BusyTime, CpuUsage, Observation};
use std::error::Error;
use std::ffi::OsString;
use std::fs;

#[test]
fn two_launchers_at_once_each_count_their_own() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let first = Launch::grouped("ebpf")?;
    let (started, done) = (first.dir.path().join("started"), first.dir.path().join("done"));
    let words = [
        "burn-then-wait",
        "1500",
        &started.display().to_string(),
        &done.display().to_string(),
    ];
    let first = first.start(&job(&words)?)?;
    until("the first job to run", || started.exists().then_some(()))?;
    let second = Launch::grouped("ebpf")?.run(&job(&["burn", "1000"])?);
    fs::write(done, "")?;
    let (first, second) = (first.finish()?, second?);
    with_its_group(&first, 1.5)?;
    with_its_group(&second, 1.0)?;
    // The second lived within the first's time: all of it is among the first's others.
    assert!(
        first.others_s()? > 0.99 * second.cpu_s()?,
        "{} of {}",
        first.others_s()?,
        second.cpu_s()?
    );
    Ok(())
}

#[test]
fn a_launcher_in_a_launchers_job_is_right_and_so_is_the_outer_one() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let outer = Launch::grouped("ebpf")?;
    let inner = Launch::plain("ebpf")?;
    let file = inner.dir.path().join("rusage");
    let words = inner.command_line(&job(&["accounted", &file.display().to_string(), "burn", "1200"])?);
    let outer = outer.run(&words)?;
    let inner = inner.read()?;
    with_its_group(&outer, 1.2)?;
    of_run(0.01, &inner, fs::read_to_string(file)?.parse()?, "the inner job")?;
    assert!(
        outer.cpu_s()? > inner.cpu_s()?,
        "the inner launcher is the outer one's job"
    );
    Ok(())
}

#[test]
fn what_carbon_run_does_itself_is_not_the_jobs() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let run = Launch::plain("ebpf")?
        .recorded("10ms")
        .run(&["/bin/sleep", "1"])?;
    let last = run.recording()?.observations.last().ok_or("no sample")?;
    let own: u64 = last.usage.iter().map(|usage| usage.own.total().0).sum();
    assert!(own > 0, "a hundred samples cost nothing");
    assert!(
        run.cpu_s()? < 0.005,
        "{} s for a sleep, {own} ns of carbon-run",
        run.cpu_s()?
    );
    Ok(())
}

/// CPU seconds of the kernel's threads, by their scheduler statistics (`PF_KTHREAD` is 0x00200000,
/// include/linux/sched.h; flags are field 9 of proc(5)'s stat).
fn kernel_threads() -> Result<f64, Box<dyn Error>> {
    let mut sum = 0.0;
    for entry in fs::read_dir("/proc")?.flatten() {
        let (Ok(stat), Ok(ran)) = (
            fs::read_to_string(entry.path().join("stat")),
            fs::read_to_string(entry.path().join("schedstat")),
        ) else {
            continue;
        };
        let flags = stat
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.split(' ').nth(6)?.parse::<u64>().ok());
        if flags.is_some_and(|flags| flags & 0x0020_0000 != 0) {
            sum += ran.split(' ').next().unwrap_or_default().parse::<f64>()? / 1e9;
        }
    }
    Ok(sum)
}

#[test]
fn what_kernel_threads_do_is_the_kernels() -> Outcome {
    let Some(_turn) = a_kernel_alone()? else {
        return Ok(());
    };
    let before = kernel_threads()?;
    let launch = Launch::grouped("ebpf")?.recorded("50ms");
    let done = launch.dir.path().join("done");
    let mut words: Vec<OsString> = [
        "/bin/sh",
        "-c",
        "\"$@\" && while [ ! -e \"$0\" ]; do sleep 0.02; done",
    ]
    .map(Into::into)
    .to_vec();
    words.push(done.clone().into_os_string());
    words.extend(job(&["net-namespaces", "40"])?);
    let started = launch.start(&words)?;
    let group = started.launch.group.as_ref().ok_or("no group")?;
    until("the job to begin", || {
        group.seconds().ok().filter(|&seconds| seconds > 0.0)
    })?;
    let early = kernel_threads()?;
    // The namespaces are taken down after their makers' end.
    let late = until("the kernel's threads to work", || {
        kernel_threads().ok().filter(|&late| late - early > 0.03)
    });
    fs::write(done, "")?;
    let run = started.finish()?;
    let late = late?;
    let after = kernel_threads()?;
    let samples = &run.recording()?.observations;
    let (first, last) = samples.first().zip(samples.last()).ok_or("no samples")?;
    let passed = |time: fn(&CpuUsage) -> Option<BusyTime>| {
        let sum = |of: &Observation| {
            of.usage
                .iter()
                .filter_map(time)
                .map(|time| time.total().0)
                .sum::<u64>()
        };
        (sum(last) - sum(first)) as f64 / 1e9
    };
    let told = passed(|usage| usage.kernel);
    // A kernel that does not count interrupts by themselves has them in its threads' own accounts.
    let interrupts = passed(|usage| usage.interrupts);
    // No more than in all the time around the run, no less than in the time inside it. A kernel worker runs for some
    // microseconds at a time, and the two clocks do not start and stop at the same point of a switch: hence a fifth.
    assert!(
        told + interrupts >= 0.8 * (late - early),
        "{told} s and {interrupts} s of interrupts, at least {} s",
        late - early
    );
    assert!(
        told <= 1.2 * (after - before) + 0.010 + run.stolen_s,
        "{told} s, at most {} s",
        after - before
    );
    of_run(
        0.01,
        &run,
        run.reference_s()?,
        "the job without the kernel's threads",
    )?;
    Ok(())
}
