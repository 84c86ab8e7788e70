//! What ends a task: under `proctrack/cgroup` signals reach slurmstepd's own children alone, which is carbon-run and not the job;
//! under `proctrack/linuxproc` both.

use crate::cluster::{Cluster, TRACKING};
use crate::deadline::{until, until_some};
use std::fs;

/// Starts a step whose command says when it has begun; the job's number.
fn begin(cluster: &Cluster, command: &str) -> String {
    let run = cluster.carbon_run();
    cluster.script(&format!("srun {run} sh -c '{command}'"));
    let handed = cluster.run(&["sbatch", "--parsable", "--output=out-%j", "job.sh"]);
    let job = String::from_utf8_lossy(&handed.stdout).trim().to_owned();
    let begun = cluster.home().join("begun");
    until("the job to begin", || begun.exists());
    job
}

fn over(cluster: &Cluster) {
    until("the job to be over", || {
        cluster.run(&["squeue", "-h"]).stdout.is_empty()
    });
}

#[test]
fn a_cancelled_job_has_its_report_before_it_is_killed() {
    let test = "a_cancelled_job_has_its_report_before_it_is_killed";
    for tracking in TRACKING {
        let Some(cluster) = Cluster::up(test, tracking) else {
            return;
        };
        let job = begin(&cluster, "touch begun; while :; do sleep 0.1; done");
        assert!(cluster.run(&["scancel", &job]).status.success());
        over(&cluster);
        let reports = until_some("the report", || {
            Some(cluster.reports()).filter(|reports| !reports.is_empty())
        });
        assert_eq!(
            reports[0]["exit"]["signal"], 15,
            "{tracking}: {}",
            reports[0]["exit"]
        );
        assert!(reports[0]["energy_j"]["total"].as_f64().unwrap() > 0.0);
        assert!(reports[0]["cpu_time_s"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn a_task_that_is_killed_without_warning_leaves_its_figures_so_far_for_merge() {
    let test = "a_task_that_is_killed_without_warning_leaves_its_figures_so_far_for_merge";
    for tracking in TRACKING {
        let Some(cluster) = Cluster::up(test, tracking) else {
            return;
        };
        fs::write(
            cluster.home().join("carbon-run.toml"),
            "checkpoint-interval = \"1s\"\n",
        )
        .unwrap();
        let run = cluster.carbon_run();
        let words = ["srun", &run, "-q", "sh", "-c", "while :; do :; done"];
        let mut srun = cluster
            .command(&words)
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        until("the figures so far", || !cluster.reports().is_empty());
        // To an srun that is asked to end, Slurm kills its tasks at once.
        let pid = nix::unistd::Pid::from_raw(i32::try_from(srun.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        srun.wait().unwrap();
        over(&cluster);
        let reports = cluster.reports();
        assert_eq!(
            (reports.len(), &reports[0]["exit"]),
            (1, &serde_json::Value::Null),
            "{tracking}"
        );
        let merged = cluster.merged();
        assert!(merged["energy_j"]["total"].as_f64().unwrap() > 0.0);
        assert!(
            merged["notes"].to_string().contains("unfinished"),
            "{}",
            merged["notes"]
        );
    }
}

#[test]
fn a_second_sigterm_right_after_the_first_is_no_reason_to_give_up() {
    let test = "a_second_sigterm_right_after_the_first_is_no_reason_to_give_up";
    for tracking in TRACKING {
        let Some(cluster) = Cluster::up(test, tracking) else {
            return;
        };
        // As at a time limit. The command needs a second to tidy up.
        let command =
            "trap \"echo tidy >>tidied; sleep 1; exit 7\" TERM; touch begun; while :; do sleep 0.1; done";
        let job = begin(&cluster, command);
        for _ in 0..2 {
            assert!(cluster.run(&["scancel", "--signal=TERM", &job]).status.success());
        }
        over(&cluster);
        let reports = until_some("the report", || {
            Some(cluster.reports()).filter(|reports| !reports.is_empty())
        });
        assert_eq!(reports[0]["exit"]["code"], 7, "{tracking}");
        assert!(
            fs::read_to_string(cluster.home().join("tidied"))
                .unwrap()
                .starts_with("tidy")
        );
    }
}

#[test]
fn a_signal_to_the_job_reaches_the_command_and_ends_nobody() {
    let test = "a_signal_to_the_job_reaches_the_command_and_ends_nobody";
    for tracking in TRACKING {
        let Some(cluster) = Cluster::up(test, tracking) else {
            return;
        };
        let command = "trap \"touch usr1\" USR1; touch begun; until [ -e usr1 ]; do sleep 0.1; done; true";
        let job = begin(&cluster, command);
        assert!(cluster.run(&["scancel", "--signal=USR1", &job]).status.success());
        over(&cluster);
        let reports = until_some("the report", || {
            Some(cluster.reports()).filter(|reports| !reports.is_empty())
        });
        assert_eq!(reports[0]["exit"]["code"], 0, "{tracking}");
    }
}
