//! Many threads and many processes.

use crate::agreement::{with_its_group, within};
use crate::launched::{Launch, Run};
use crate::needs::{Outcome, a_kernel, a_kernel_alone};
use crate::workload::job;
use std::error::Error;

fn ebpf(words: &[&str]) -> Result<Run, Box<dyn Error>> {
    Launch::grouped("ebpf")?.run(&job(words)?)
}

#[test]
fn eight_busy_threads_are_counted_and_are_one_process() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let run = ebpf(&["threads", "8", "200"])?;
    with_its_group(&run, 1.5)?;
    assert_eq!(run.processes()?, 1);
    Ok(())
}

#[test]
fn ten_thousand_short_threads_are_counted_and_are_one_process() -> Outcome {
    let Some(_turn) = a_kernel_alone()? else {
        return Ok(());
    };
    let launch = Launch::grouped("ebpf")?;
    let file = launch.dir.path().join("rusage");
    let run = launch.run(&job(&[
        "accounted",
        &file.display().to_string(),
        "thread-storm",
        "10000",
        "1200",
    ])?)?;
    // The kernel's own accounts of this differ by 2 %: what a thread does on its way out, after its time was added up, is
    // in the group's only. Ours must be between them, give or take 1 %.
    let (rusage, group, measured) = (
        std::fs::read_to_string(file)?.parse::<f64>()?,
        run.reference_s()?,
        run.charged_s()?,
    );
    assert!(rusage >= 1.0 && group >= rusage, "{rusage} s of {group} s");
    assert!(
        (rusage * 0.99..=group * 1.01 + run.stolen_s).contains(&measured),
        "{measured} s, between {rusage} s and {group} s"
    );
    assert_eq!(run.lost(), Some(0));
    assert_eq!(run.processes()?, 2);
    let busiest = run
        .listed()
        .first()
        .map(|(_, seconds)| *seconds)
        .ok_or("nobody")?;
    within(
        0.01,
        busiest,
        run.cpu_s()?,
        "the busiest process of the breakdown",
    );
    Ok(())
}

#[test]
fn ten_thousand_short_programs_are_counted_and_the_breakdown_stays_small() -> Outcome {
    let Some(_turn) = a_kernel_alone()? else {
        return Ok(());
    };
    let run = ebpf(&["spawn", "10000", "/bin/true"])?;
    with_its_group(&run, 1.0)?;
    let listed = run.listed();
    let (unlisted, unlisted_s) = run.unlisted()?;
    assert_eq!(run.processes()?, 10_001);
    assert!(listed.len() <= 1_000, "{}", listed.len());
    assert_eq!(listed.len() as u64 + unlisted as u64, 10_001);
    let sum = listed.iter().map(|(_, seconds)| seconds).sum::<f64>() + unlisted_s;
    within(0.001, sum, run.cpu_s()?, "the whole breakdown");
    Ok(())
}

#[test]
fn forks_that_never_exec_are_counted_one_by_one() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let run = ebpf(&["fork", "100", "12000"])?;
    with_its_group(&run, 1.0)?;
    assert_eq!((run.processes()?, run.listed().len()), (101, 101));
    Ok(())
}

#[test]
fn children_of_posix_spawn_are_counted() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let own = std::env::current_exe()?;
    let own = own.to_str().ok_or("the test has a name that is not UTF-8")?;
    let run = ebpf(&["spawn", "20", own, "--as-workload", "burn", "60"])?;
    with_its_group(&run, 1.0)?;
    assert_eq!(run.processes()?, 21);
    Ok(())
}

#[test]
fn children_that_borrow_their_parents_memory_are_counted() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let run = ebpf(&["vfork", "200", "6000"])?;
    with_its_group(&run, 1.0)?;
    assert_eq!(run.processes()?, 201);
    Ok(())
}

/// Each side fills and empties a pipe and wakes the other: thousands of slices of some ten microseconds.
#[test]
fn both_ends_of_a_busy_pipe_are_counted() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let script = "head -c 300000000 /dev/zero | gzip > /dev/null";
    let run = Launch::grouped("ebpf")?.run(&["sh", "-c", script])?;
    with_its_group(&run, 0.5)?;
    assert_eq!(run.processes()?, 3);
    Ok(())
}
