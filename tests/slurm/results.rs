//! One report of each task, and one of the job.

use crate::cluster::{Cluster, TRACKING, read};
use serde_json::Value;

/// Half a second of CPU time or so, and bash's word on it, which is the kernel's: user and system seconds.
const WORK: &str = "time (i=0; while [ $i -lt 250000 ]; do i=$((i+1)); done)\necho rank $SLURM_PROCID\n";

fn sum(reports: &[Value], of: fn(&Value) -> f64) -> f64 {
    reports.iter().map(of).sum()
}

fn energy(report: &Value) -> f64 {
    report["energy_j"]["total"].as_f64().unwrap()
}

fn cpu_time(report: &Value) -> f64 {
    report["cpu_time_s"].as_f64().unwrap()
}

#[test]
fn a_step_over_two_nodes_has_a_report_of_each_task_and_merge_makes_one_of_the_job() {
    let test = "a_step_over_two_nodes_has_a_report_of_each_task_and_merge_makes_one_of_the_job";
    for tracking in TRACKING {
        let Some(cluster) = Cluster::up(test, tracking) else {
            return;
        };
        let run = cluster.carbon_run();
        std::fs::write(cluster.home().join("work.sh"), WORK).unwrap();
        let script = format!("{run} -q true\nsrun -n4 -N2 {run} bash work.sh");
        let said = cluster.batch(&["-n4", "-N2"], &script);
        let reports = cluster.reports();
        assert_eq!(reports.len(), 5, "{said}");
        for report in &reports {
            assert_eq!(report["accounting"]["backend"], "daemon", "{said}");
            assert_eq!(report["idle_policy"], "allocated");
            assert_eq!(report["host"]["slurm"]["job_id"], "1");
        }
        // No rank but the first has printed a summary.
        assert_eq!(said.matches("CO2eq").count(), 1, "{said}");
        assert_eq!(
            (0..4)
                .filter(|rank| said.contains(&format!("rank {rank}")))
                .count(),
            4
        );
        assert!(cluster.files("emissions").is_empty());

        let merged = cluster.merged();
        let close = |name: &Value, wanted: f64| (name.as_f64().unwrap() - wanted).abs() < 1e-6;
        assert!(
            close(&merged["energy_j"]["total"], sum(&reports, energy)),
            "{merged:#}"
        );
        assert!(close(&merged["cpu_time_s"], sum(&reports, cpu_time)));
        assert_eq!(merged["jobs"], serde_json::json!(["1 on local"]));
        assert_eq!(
            (
                merged["reports"].as_u64(),
                merged["missing"].as_array().unwrap().len()
            ),
            (Some(5), 0)
        );
        let names = |list: &str| -> Vec<String> {
            let list = merged[list].as_array().unwrap().iter();
            list.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names("nodes"), ["node1", "node2"]);
        assert_eq!(names("steps"), ["job 1 batch", "job 1 step 0"]);
        assert_eq!(names("tasks").len(), 5);
        // bash's time is the kernel's word on each rank.
        let told: f64 = said
            .lines()
            .filter_map(|line| line.strip_prefix("user").or(line.strip_prefix("sys")))
            .map(|time| {
                let (minutes, seconds) = time.trim().trim_end_matches('s').split_once('m').unwrap();
                minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
            })
            .sum();
        let ranks: Vec<Value> = reports
            .into_iter()
            .filter(|report| report["host"]["slurm"]["step_id"] == "0")
            .collect();
        let counted = sum(&ranks, cpu_time);
        // bash itself is in ours and not in its own word; interrupts are in that one.
        assert!(
            (0.97 * told..1.03 * told + 0.1).contains(&counted),
            "{counted} of {told}"
        );
    }
}

#[test]
fn what_is_missing_of_a_job_is_named_and_what_is_there_twice_counts_once() {
    let test = "what_is_missing_of_a_job_is_named_and_what_is_there_twice_counts_once";
    let Some(cluster) = Cluster::up(test, TRACKING[0]) else {
        return;
    };
    let run = cluster.carbon_run();
    cluster.batch(&["-n2"], &format!("srun -n2 {run} {run} -q true"));
    // Each rank's inner run has a report, too, and is in the outer one's figure.
    let merged = cluster.merged();
    let outer: Vec<Value> = cluster
        .reports()
        .into_iter()
        .filter(|report| report.get("inside_run").is_none())
        .collect();
    assert_eq!((outer.len(), merged["reports"].as_u64()), (2, Some(2)));
    assert!((merged["energy_j"]["total"].as_f64().unwrap() - sum(&outer, energy)).abs() < 1e-9);
    let gone = cluster.files("carbon-run-local-1-step0-rank1");
    assert_eq!(gone.len(), 2);
    gone.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    assert_eq!(
        cluster.merged()["missing"],
        serde_json::json!(["rank 1 of step 1.0"])
    );
}

#[test]
fn tasks_of_an_array_and_patterns_have_files_of_their_own() {
    let test = "tasks_of_an_array_and_patterns_have_files_of_their_own";
    let Some(cluster) = Cluster::up(test, TRACKING[1]) else {
        return;
    };
    let run = cluster.carbon_run();
    cluster.batch(
        &["--array=1-3"],
        &format!("{run} -q true; srun {run} -q --csv --json 'r-%A_%a.%s.%t.json' true"),
    );
    assert_eq!(cluster.reports().len(), 3);
    for task in 1..=3 {
        let report = read(&cluster.home().join(format!("r-1_{task}.0.0.json")));
        assert_eq!(report["host"]["slurm"]["array_task_id"], task.to_string());
    }
    assert_eq!(cluster.files("emissions-local-").len(), 3);
    let jobs = cluster.merged()["jobs"].as_array().unwrap().len();
    assert_eq!(jobs, 3);
}
