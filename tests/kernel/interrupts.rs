//! Time in interrupts is the kernel's, whoever it hit; time that a hypervisor keeps is nobody's.

use crate::agreement::{stolen_s, with_its_group};
use crate::launched::{Launch, Run, until, wait};
use crate::needs::{Outcome, a_kernel_alone};
use crate::workload::job;
use carbon_run::model::recording::CpuUsage;
use std::error::Error;
use std::fs;
use std::process::Command;

/// What of the run's time `pick` picks, over all CPUs, in seconds.
fn grown(run: &Run, pick: impl Fn(&CpuUsage) -> u64) -> Result<f64, Box<dyn Error>> {
    let samples = &run.recording()?.observations;
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
        return Err("no samples".into());
    };
    let sum = |usage: &[CpuUsage]| usage.iter().map(&pick).sum::<u64>() as f64 / 1e9;
    Ok(sum(&last.usage) - sum(&first.usage))
}

fn interrupts(run: &Run) -> Result<f64, Box<dyn Error>> {
    grown(run, |usage| usage.interrupts.unwrap_or_default().total().0)
}

#[test]
fn the_packets_of_a_flooding_job_are_the_kernels_and_its_account_with_them_is_the_kernels_account() -> Outcome
{
    let Some(_turn) = a_kernel_alone()? else {
        return Ok(());
    };
    let run = Launch::grouped("ebpf")?
        .recorded("100ms")
        .run(&job(&["flood", "1500"])?)?;
    with_its_group(&run, 1.2)?;
    let in_job = run.interrupts_in_job_s().ok_or("interrupts are not told apart")?;
    assert!(in_job > 0.05 * run.cpu_s()?, "{in_job} s of {} s", run.cpu_s()?);
    assert!(interrupts(&run)? >= in_job - 1e-6);
    Ok(())
}

#[test]
fn the_packets_of_a_flooding_neighbour_are_the_kernels_and_not_the_jobs() -> Outcome {
    let Some(_turn) = a_kernel_alone()? else {
        return Ok(());
    };
    let launch = Launch::grouped("ebpf")?.recorded("100ms");
    let (started, done) = (launch.dir.path().join("started"), launch.dir.path().join("done"));
    let words = job(&["flood-until", &done.display().to_string()])?;
    let (program, arguments) = words.split_first().ok_or("no command")?;
    let mut neighbour = Command::new(program).args(arguments).spawn()?;
    let run = launch.run(&job(&[
        "burn-then-wait",
        "1200",
        &started.display().to_string(),
        &started.display().to_string(),
    ])?);
    fs::write(done, "")?;
    assert!(wait(&mut neighbour)?.success());
    let run = run?;
    with_its_group(&run, 1.0)?;
    let (all, in_job) = (
        interrupts(&run)?,
        run.interrupts_in_job_s().ok_or("interrupts are not told apart")?,
    );
    assert!(all > 0.05, "the neighbour's packets took {all} s only");
    assert!(in_job < 0.2 * all, "{in_job} s of {all} s hit the job");
    Ok(())
}

#[test]
fn what_a_hypervisor_keeps_is_nobodys() -> Outcome {
    let Some(_turn) = a_kernel_alone()? else {
        return Ok(());
    };
    let before = stolen_s()?;
    let launch = Launch::grouped("ebpf")?.recorded("100ms");
    let outer = stolen_s()?;
    let run = launch.run(&job(&["threads", "4", "500"])?)?;
    let told = grown(&run, |usage| usage.stolen.unwrap_or_default().0)?;
    // /proc/stat counts the same clock in hundredths, per CPU; around the run there was more than in it.
    let most = until("the kernel to have counted it", || {
        stolen_s().ok().map(|now| now - before.min(outer))
    })?;
    assert!(
        told <= most + 0.02 * 2.0 + 0.01 * most,
        "{told} s, at most {most} s"
    );
    with_its_group(&run, 1.5)
}
