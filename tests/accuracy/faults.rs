//! A counter that fails while a job is measured: the others go on, what is missing is said, the job is unharmed.

use crate::measured::{Measured, WORK, start};
use crate::stage::{Figure, Outcome, Stage, assert_true, two_packages, wait_until};
use powercap_stand_in::Fault;
use std::error::Error;

/// What the job prints, and the status that it ends with.
const SAYS: &[u8] = b"the job's own words\n";

/// Runs a job on both packages whose first one's counter has the fault for a while, or to the end.
fn with_fault(stage: &Stage, fault: Fault, heals: bool) -> Result<Measured, Box<dyn Error>> {
    let script = format!("({WORK}) & {WORK} wait; echo \"the job's own words\"");
    let running = start(stage, None, &["--idle-power", "20,7"], &script)?;
    wait_until("the job works", || Ok(running.busy_s()? > 0.7))?;
    stage.stand_in.fault("intel-rapl:0", fault)?;
    let when = running.busy_s()? + 0.7;
    wait_until("the job goes on", || Ok(running.busy_s()? > when))?;
    if heals {
        stage.stand_in.heal("intel-rapl:0")?;
    }
    let job = running.finish()?;
    stage.stand_in.heal("intel-rapl:0")?;
    assert_eq!(job.output.stdout, SAYS);
    job.assert_ledgers()?;
    Ok(job)
}

fn truth(stage: &Stage, job: &Measured) -> Result<Vec<f64>, Box<dyn Error>> {
    let dynamic = stage.spec.dynamic_uj(&job.busy_ns)?;
    Ok(dynamic.into_iter().map(|energy| energy as f64).collect())
}

/// The warnings, joined.
fn warnings(job: &Measured) -> String {
    job.report["quality"]["warnings"].to_string()
}

/// The job's dynamic energy in a package.
fn figure(job: &Measured, wanted: &[f64], package: usize, what: &str) -> Result<Figure, Box<dyn Error>> {
    let name = format!("package-{package}");
    let got = job.line(&name, "job_uj")?;
    let taken = [
        "cpu_time_s",
        "interrupt_time_s",
        "interrupt_time_in_job_s",
        "stolen_time_s",
    ]
    .map(|name| format!("{name} {}", job.report[name]));
    Ok(Figure::new(
        format!(
            "{what}, {name} ({}, cpuacct {} s)",
            taken.join(", "),
            job.busy_s()
        ),
        got,
        wanted[package],
    ))
}

fn coverage(job: &Measured, package: &str) -> Result<f64, Box<dyn Error>> {
    job.domain(package)?["coverage"]
        .as_f64()
        .ok_or("no coverage".into())
}

#[test]
fn a_counter_that_fails_for_good_costs_its_own_figures_and_no_others() -> Outcome {
    let Some(stage) = Stage::open(two_packages)? else {
        return Ok(());
    };
    for fault in [Fault::Vanish, Fault::Empty, Fault::Garbage] {
        assert_true(|| {
            let job = with_fault(&stage, fault, false)?;
            assert!(coverage(&job, "package-0")? < 0.95);
            assert!(coverage(&job, "package-1")? > 0.95);
            assert!(job.report["quality"]["coverage"].as_f64() < Some(0.95));
            assert!(warnings(&job).contains("package-0"), "{}", warnings(&job));
            let stderr = String::from_utf8_lossy(&job.output.stderr).into_owned();
            assert!(stderr.contains("package-0"), "a person is not told: {stderr}");
            let wanted = truth(&stage, &job)?;
            assert!(
                job.line("package-0", "job_uj")? < wanted[0],
                "more than there was"
            );
            Ok(vec![figure(&job, &wanted, 1, &format!("{fault:?}"))?])
        })?;
    }
    Ok(())
}

#[test]
fn a_counter_that_comes_back_has_lost_nothing_and_the_gap_is_told() -> Outcome {
    let Some(stage) = Stage::open(two_packages)? else {
        return Ok(());
    };
    for fault in [Fault::Vanish, Fault::Garbage] {
        assert_true(|| {
            let job = with_fault(&stage, fault, true)?;
            assert!(warnings(&job).contains("package-0"), "{}", warnings(&job));
            let wanted = truth(&stage, &job)?;
            let what = format!("healed {fault:?}");
            Ok(vec![
                figure(&job, &wanted, 0, &what)?,
                figure(&job, &wanted, 1, &what)?,
            ])
        })?;
    }
    Ok(())
}

#[test]
fn a_counter_that_starts_again_loses_one_interval_and_says_so() -> Outcome {
    let Some(stage) = Stage::open(two_packages)? else {
        return Ok(());
    };
    assert_true(|| {
        let job = with_fault(&stage, Fault::Reset, false)?;
        assert_eq!(job.report["quality"]["resets"], 1);
        assert_eq!(job.report["quality"]["wraps"], 0);
        let covered = coverage(&job, "package-0")?;
        assert!(covered < 1.0 && covered > 0.5, "{covered}");
        assert!(warnings(&job).contains("left out"), "{}", warnings(&job));
        let wanted = truth(&stage, &job)?;
        assert!(
            job.line("package-0", "job_uj")? < wanted[0],
            "more than there was"
        );
        Ok(vec![figure(&job, &wanted, 1, "reset")?])
    })
}
