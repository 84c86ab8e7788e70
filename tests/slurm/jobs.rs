//! How a job ends is how it would have ended.

use crate::cluster::{Cluster, TRACKING};
use crate::deadline::until;
use std::time::{Duration, Instant};

#[test]
fn srun_ends_as_it_would_without_carbon_run_and_leaves_nobody_behind() {
    let test = "srun_ends_as_it_would_without_carbon_run_and_leaves_nobody_behind";
    for tracking in TRACKING {
        let Some(cluster) = Cluster::up(test, tracking) else {
            return;
        };
        let run = cluster.carbon_run();
        for script in ["exit 0", "exit 3", "kill -TERM $$", "kill -SEGV $$"] {
            let bare = cluster.run(&["srun", "sh", "-c", script]);
            let start = Instant::now();
            let wrapped = cluster.run(&["srun", &run, "-q", "--no-csv", "sh", "-c", script]);
            assert_eq!(wrapped.status.code(), bare.status.code(), "{script}, {tracking}");
            // A process that held the task's stdout would keep srun waiting.
            assert!(start.elapsed() < Duration::from_secs(30));
        }
        let through = cluster.command(&["sh", "-c", &format!("seq 3 | srun {run} -q --no-csv cat")]);
        let mut through = through;
        assert_eq!(
            String::from_utf8_lossy(&through.output().unwrap().stdout),
            "1\n2\n3\n"
        );
        until("all jobs to be over", || {
            cluster.run(&["squeue", "-h"]).stdout.is_empty()
        });
    }
}

#[test]
fn what_srun_starts_is_not_below_it_and_that_is_said() {
    let test = "what_srun_starts_is_not_below_it_and_that_is_said";
    let Some(cluster) = Cluster::up(test, TRACKING[0]) else {
        return;
    };
    let run = cluster.carbon_run();
    let said = cluster.batch(&["-n2"], &format!("{run} srun -n2 true"));
    assert!(
        said.contains("its tasks run below slurmstepd") && said.contains("`srun carbon-run COMMAND`"),
        "{said}"
    );
}

#[test]
fn ranks_of_one_node_share_its_allocation_and_its_idle_energy_is_paid_once() {
    let test = "ranks_of_one_node_share_its_allocation_and_its_idle_energy_is_paid_once";
    let Some(cluster) = Cluster::up(test, TRACKING[0]) else {
        return;
    };
    let run = cluster.carbon_run();
    cluster.batch(&["-n2", "-N1"], &format!("srun -n2 {run} -q sleep 1"));
    let reports = cluster.reports();
    assert_eq!(reports.len(), 2);
    for report in &reports {
        let domain = &report["domains"][0];
        let (job, idle) = (
            domain["job_idle_uj_by_policy"]["allocated"].as_f64().unwrap(),
            domain["job_idle_uj_by_policy"]["all"].as_f64().unwrap(),
        );
        // Each has half of the node, which is the whole machine here.
        assert!((job / idle - 0.5).abs() < 0.01, "{job} of {idle}");
    }
}
