//! The job's dynamic energy against the truth: its own CPU time times what a busy CPU adds.

use crate::measured::{Measured, WORK, run, start};
use crate::stage::{Figure, Neighbours, Outcome, Stage, assert_true, list, one_package, two_packages};
use std::error::Error;

const IDLE: [&str; 2] = ["--idle-power", "20"];
const IDLE_OF_TWO: [&str; 2] = ["--idle-power", "20,7"];
const STORM: &str = "i=0; while [ $i -lt 3000 ]; do /bin/true; i=$((i+1)); done";
/// Processes of some two milliseconds each.
const SHORT_WORKERS: &str = "i=0; while [ $i -lt 800 ]; do \
    sh -c 'j=0; while [ $j -lt 1500 ]; do j=$((j+1)); done'; i=$((i+1)); done";

/// Both CPUs of a small machine.
fn two_loops() -> String {
    format!("({WORK}) & {WORK} wait")
}

/// What the job got in each package, beside what it should have got.
fn figures(stage: &Stage, job: &Measured, what: &str) -> Result<Vec<Figure>, Box<dyn Error>> {
    job.assert_ledgers()?;
    let dynamic = stage.spec.dynamic_uj(&job.busy_ns)?;
    let figure = |(package, wanted): (usize, u64)| {
        let name = format!("package-{package}");
        let got = job.line(&name, "job_uj")?;
        Ok(Figure::new(format!("{what}, {name}"), got, wanted as f64))
    };
    dynamic.into_iter().enumerate().map(figure).collect()
}

#[test]
fn a_job_alone_gets_what_it_added_within_one_percent() -> Outcome {
    let Some(stage) = Stage::open(one_package)? else {
        return Ok(());
    };
    assert_true(|| figures(&stage, &run(&stage, &IDLE, &two_loops())?, "alone"))
}

#[test]
fn a_neighbour_that_fills_the_machine_takes_nothing_from_the_job_and_gives_it_nothing() -> Outcome {
    let Some(stage) = Stage::open(one_package)? else {
        return Ok(());
    };
    let _neighbours = Neighbours::everywhere()?;
    assert_true(|| {
        let job = run(&stage, &IDLE, &two_loops())?;
        assert!(job.line("package-0", "others_uj")? > 0.5 * job.line("package-0", "job_uj")?);
        figures(&stage, &job, "with a busy neighbour")
    })
}

#[test]
fn a_storm_of_short_processes_gets_what_it_added_within_one_percent() -> Outcome {
    let Some(stage) = Stage::open(one_package)? else {
        return Ok(());
    };
    let cpu = stage.spec.packages[0].cpus[0].to_string();
    assert_true(|| {
        let job = start(&stage, Some(&cpu), &IDLE, STORM)?.finish()?;
        assert_eq!(job.report["processes"], 3001);
        figures(&stage, &job, "fork storm on one CPU")
    })?;
    let _neighbours = Neighbours::everywhere()?;
    assert_true(|| {
        let job = run(&stage, &IDLE, SHORT_WORKERS)?;
        assert_eq!(job.report["processes"], 801);
        figures(&stage, &job, "short workers among neighbours")
    })
}

#[test]
fn with_two_packages_each_counts_for_the_work_on_its_own_cpus() -> Outcome {
    let Some(stage) = Stage::open(two_packages)? else {
        return Ok(());
    };
    let on = |package: usize| list(&stage.spec.packages[package].cpus);
    let script = format!(
        "taskset -c {} sh -c '{WORK}' & taskset -c {} sh -c '{WORK}{WORK}'; wait",
        on(0),
        on(1)
    );
    assert_true(|| figures(&stage, &run(&stage, &IDLE_OF_TWO, &script)?, "two packages"))
}

#[test]
fn a_job_that_never_ran_on_a_package_gets_nothing_of_it() -> Outcome {
    let Some(stage) = Stage::open(two_packages)? else {
        return Ok(());
    };
    let (first, second) = (&stage.spec.packages[0].cpus, &stage.spec.packages[1].cpus);
    let _neighbour = Neighbours::on(first)?;
    let options = [IDLE_OF_TWO, ["--idle-policy", "capacity"]].concat();
    assert_true(|| {
        let job = start(&stage, Some(&list(second)), &options, WORK)?.finish()?;
        let strayed: u64 = first.iter().map(|&cpu| job.busy_ns[cpu as usize]).sum();
        assert_eq!(strayed, 0, "the job was to stay on package 1");
        for line in ["job_uj", "job_idle_uj"] {
            assert_eq!(job.domain("package-0")?[line], 0, "{line}");
        }
        assert!(job.line("package-0", "others_uj")? > 0.0);
        let mut figures = figures(&stage, &job, "pinned")?;
        Ok(figures.split_off(1))
    })
}

#[test]
fn two_jobs_at_once_each_get_their_own_and_between_them_no_more_than_was_drawn() -> Outcome {
    let Some(stage) = Stage::open(one_package)? else {
        return Ok(());
    };
    assert_true(|| {
        let before = stage.stand_in.truth()?.energy_uj[0];
        let one = start(&stage, None, &IDLE, &format!("{WORK}{WORK}"))?;
        let other = run(&stage, &IDLE, &two_loops())?;
        let one = one.finish()?;
        let drawn = stage.stand_in.truth()?.energy_uj[0] - before;
        let dynamic = one.line("package-0", "job_uj")? + other.line("package-0", "job_uj")?;
        assert!(dynamic < drawn as f64, "{dynamic} of {drawn}");
        let mut both = figures(&stage, &one, "one of two jobs")?;
        both.extend(figures(&stage, &other, "the other of two jobs")?);
        Ok(both)
    })
}

#[test]
fn a_cpu_second_costs_the_same_with_and_without_neighbours_under_none_and_capacity() -> Outcome {
    let Some(stage) = Stage::open(one_package)? else {
        return Ok(());
    };
    let cost = || -> Result<[f64; 2], Box<dyn Error>> {
        let job = run(&stage, &IDLE, &format!("{WORK}{WORK}"))?;
        let dynamic = job.line("package-0", "job_uj")?;
        let by_policy = &job.domain("package-0")?["job_idle_uj_by_policy"];
        let idle = |policy: &str| by_policy[policy].as_f64().ok_or("no such policy");
        Ok([
            (dynamic + idle("none")?) / job.busy_s(),
            (dynamic + idle("capacity")?) / job.busy_s(),
        ])
    };
    assert_true(|| {
        let quiet = cost()?;
        let neighbours = Neighbours::everywhere()?;
        let crowded = cost()?;
        drop(neighbours);
        let pairs = quiet.into_iter().zip(crowded).zip(["none", "capacity"]);
        let figure = |((quiet, crowded), policy)| {
            Figure::new(format!("µJ per CPU second under `{policy}`"), crowded, quiet)
        };
        Ok(pairs.map(figure).collect())
    })
}
