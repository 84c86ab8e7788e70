//! Jobs that are hard to tell from what is around them: hardware threads of one core, a launcher in a launcher's job, pulses.

use crate::measured::{JOIN, Measured, WORK, assert_ledgers, line_of, run, start, start_in};
use crate::stage::{Figure, Neighbours, Outcome, Stage, assert_true, one_package, pairs, wait_until};
use powercap_stand_in::{DramSpec, JobGroup};
use serde_json::Value;
use std::error::Error;
use std::fs;

const IDLE: [&str; 2] = ["--idle-power", "20"];
const PULSES: &str = "i=0; while [ $i -lt 12 ]; do \
    timeout 0.25 sh -c 'while :; do :; done'; sleep 0.15; i=$((i+1)); done; true";

fn figure(stage: &Stage, job: &Measured, what: &str) -> Result<Figure, Box<dyn Error>> {
    job.assert_ledgers()?;
    let wanted: u64 = stage.spec.dynamic_uj(&job.busy_ns)?.iter().sum();
    Ok(Figure::new(what, job.line("package-0", "job_uj")?, wanted as f64))
}

/// Runs the work on the first CPU, and gives what the job got beside what it added, which depends on its sibling.
fn beside_sibling(stage: &Stage, what: &str) -> Result<Vec<Figure>, Box<dyn Error>> {
    let group = JobGroup::create()?;
    stage.stand_in.follow(&group)?;
    let first = stage.spec.packages[0].cpus[0].to_string();
    let job = start_in(group, stage, Some(&first), &IDLE, &format!("{WORK}{WORK}"))?.finish()?;
    // What the kernel books at its next tick is drawn at the next step.
    let ended = stage.stand_in.truth()?.elapsed;
    wait_until("the last tick is booked", || {
        Ok(stage.stand_in.truth()?.elapsed > ended + 4 * stage.spec.update_every)
    })?;
    let wanted: u64 = stage.stand_in.unfollow()?.iter().sum();
    let full: u64 = stage.spec.dynamic_uj(&job.busy_ns)?.iter().sum();
    assert!(
        wanted < full / 100 * 97,
        "the sibling was never busy: {wanted} of {full}"
    );
    job.assert_ledgers()?;
    let got = job.line("package-0", "job_uj")?;
    Ok(vec![Figure::new(what, got, wanted as f64)])
}

#[test]
fn beside_a_busy_or_pulsing_sibling_a_job_gets_its_part_of_what_the_core_draws() -> Outcome {
    let Some(stage) = Stage::open(pairs)? else {
        return Ok(());
    };
    let sibling = stage.spec.packages[0].cpus[1];
    let busy = Neighbours::on(&[sibling])?;
    assert_true(|| beside_sibling(&stage, "beside a busy sibling"))?;
    drop(busy);
    let _pulsing = Neighbours::pulsing_on(sibling)?;
    assert_true(|| beside_sibling(&stage, "beside a pulsing sibling"))
}

#[test]
fn pulses_against_pulsing_neighbours_go_to_whom_they_belong() -> Outcome {
    let Some(stage) = Stage::open(one_package)? else {
        return Ok(());
    };
    let _neighbours = Neighbours::pulsing()?;
    assert_true(|| {
        let job = run(&stage, &IDLE, PULSES)?;
        Ok(vec![figure(&stage, &job, "pulses")?])
    })
}

#[test]
fn a_job_in_a_job_is_in_both_reports() -> Outcome {
    let Some(stage) = Stage::open(one_package)? else {
        return Ok(());
    };
    assert_true(|| {
        let group = JobGroup::create()?;
        let inner = group.inner()?;
        let report = stage.directory()?.join("inner.json");
        let script = format!(
            "{WORK} {} -q --no-csv --sysroot {} --idle-power 20 --json {} -- sh -c '{}' {} sh -c '{WORK}'",
            env!("CARGO_BIN_EXE_carbon-run"),
            stage.sysroot().display(),
            report.display(),
            JOIN,
            inner.procs().display(),
        );
        let outer = start_in(group, &stage, None, &IDLE, &script)?.finish()?;
        let told: Value = serde_json::from_slice(&fs::read(report)?)?;
        assert_ledgers(&told)?;
        let domain = crate::measured::domain(&told, "package-0")?;
        let wanted: u64 = stage.spec.dynamic_uj(&inner.busy_ns()?)?.iter().sum();
        // A group goes only when there is none in it.
        drop(inner);
        let got = line_of(domain, "job_uj")?;
        assert!(outer.line("package-0", "job_uj")? > got);
        Ok(vec![
            figure(&stage, &outer, "the outer job")?,
            Figure::new("the inner job", got, wanted as f64),
        ])
    })
}

#[test]
fn a_job_that_ends_before_the_first_tick_is_measured_by_the_readings_at_both_ends() -> Outcome {
    // Memory has a counter, too: its model would want a look in between.
    let with_memory = |cpus: &[u32]| {
        let mut spec = one_package(cpus)?;
        spec.packages.first_mut()?.dram = Some(DramSpec {
            idle_w: 3.0,
            watts_per_busy_cpu: 2.0,
        });
        Some(spec)
    };
    let Some(stage) = Stage::open(with_memory)? else {
        return Ok(());
    };
    assert_true(|| {
        let options = [&IDLE[..], &["--interval", "60m"]].concat();
        let job = start(&stage, None, &options, WORK)?.finish()?;
        // The range of its counter would have this machine looked at after 87 s.
        assert_eq!(job.recorded()?.observations.len(), 2);
        assert_eq!(job.report["quality"]["coverage"], 1.0);
        Ok(vec![figure(&stage, &job, "two readings")?])
    })
}
