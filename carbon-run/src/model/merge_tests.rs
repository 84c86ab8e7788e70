//! Whether what is merged is the job's, once.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A rank of a step of two nodes, four ranks, on a machine of 100 W; it had 40 J of it in a second.
fn rank(rank: u32) -> Part {
    let slurm = [
        ("cluster_name", "local".to_owned()),
        ("job_id", "30".to_owned()),
        ("step_id", "0".to_owned()),
        ("procid", rank.to_string()),
        ("step_num_tasks", "4".to_owned()),
        ("nodename", format!("node{}", rank / 2 + 1)),
    ];
    let slurm: BTreeMap<String, String> = slurm
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Part {
        run_id: format!("run-{rank}"),
        inside_run: None,
        version: "0.1.0".to_owned(),
        project: None,
        experiment_id: None,
        command: vec!["./app".to_owned()],
        started_ns: 1_000_000_000_000 + i64::from(rank) * 1_000_000,
        duration_s: 1.0,
        cpu_time_s: Some(0.9),
        processes: Some(2),
        energy: PartEnergy {
            total: Some(40.0),
            cpu: Some(40.0),
            ram: None,
            gpu: None,
            range: Some((38.0, 43.0)),
        },
        estimated: Some(false),
        emissions_g: Some((0.1, 0.2, 0.4)),
        idle_policy: "allocated".to_owned(),
        place: "FRA".to_owned(),
        pue: 1.0,
        hostname: Some(format!("host{}", rank / 2)),
        task: SlurmTask::of(&slurm),
        account: Some("physics".to_owned()),
        domains: vec![PartDomain {
            name: "package-0".to_owned(),
            summed: true,
            metered: true,
            kind: "package".to_owned(),
            measured_uj: 100e6,
            job_uj: 40e6,
            idle_uj: 10e6,
        }],
        clean: true,
        finished: true,
    }
}

fn codes(merged: &Merged) -> Vec<&str> {
    merged.notes.iter().map(|note| note.code.as_str()).collect()
}

#[test]
fn ranks_of_two_nodes_add_up_to_the_job_and_to_their_nodes() {
    let parts: Vec<Part> = (0..4).map(rank).collect();
    let merged = merge(&parts);
    assert_eq!(merged.amount.total_j, Some(160.0));
    assert_eq!(merged.amount.range_j, Some((152.0, 172.0)));
    assert_eq!(merged.amount.gpu_j, None);
    assert_eq!((merged.amount.processes, merged.amount.reports), (Some(8), 4));
    assert!((merged.duration_s - 1.003).abs() < 1e-9);
    let nodes: Vec<_> = merged
        .nodes
        .iter()
        .map(|node| (node.name.as_str(), node.amount.total_j))
        .collect();
    assert_eq!(nodes, [("node1", Some(80.0)), ("node2", Some(80.0))]);
    assert_eq!((merged.steps.len(), merged.tasks.len()), (1, 4));
    assert_eq!(
        (merged.jobs.as_slice(), merged.notes.len()),
        (&["30 on local".to_owned()][..], 0)
    );
    assert_eq!(merged.pue, Some(1.0));
}

#[test]
fn a_report_that_is_there_twice_counts_once() {
    let merged = merge(&[rank(0), rank(1), rank(0), rank(2), rank(3)]);
    assert_eq!(merged.amount.total_j, Some(160.0));
    assert_eq!(codes(&merged), ["counted-once"]);
}

#[test]
fn a_run_inside_another_is_in_that_ones_figure_unless_that_one_is_not_there() {
    let mut inner = rank(0);
    inner.run_id = "inner".to_owned();
    inner.inside_run = Some("run-0".to_owned());
    let all = [rank(0), rank(1), rank(2), rank(3), inner.clone()];
    let merged = merge(&all);
    assert_eq!(
        (merged.amount.total_j, codes(&merged)),
        (Some(160.0), vec!["inside-another"])
    );
    assert_eq!(merge(std::slice::from_ref(&inner)).amount.total_j, Some(40.0));
    // It has the name from a script that it is not below.
    inner.task = rank(3).task;
    assert_eq!(
        merge(&[rank(0), rank(1), rank(2), inner]).amount.total_j,
        Some(160.0)
    );
}

#[test]
fn ranks_that_are_missing_are_named() {
    let merged = merge(&[rank(1)]);
    assert_eq!(merged.missing, ["ranks 0, 2-3 of step 30.0"]);
    assert!(codes(&merged).contains(&"ranks-missing"));
}

#[test]
fn ranks_that_together_have_more_than_their_machine_are_told_of() {
    let parts: Vec<Part> = (0..2)
        .map(|number| {
            let mut part = rank(number);
            part.domains[0].job_uj = 70e6;
            part
        })
        .collect();
    assert!(codes(&merge(&parts)).contains(&"beyond-the-machine"));
    // One after the other they may.
    let mut later = parts;
    later[1].started_ns += 10_000_000_000;
    assert!(!codes(&merge(&later)).contains(&"beyond-the-machine"));
}

#[test]
fn what_is_not_known_of_some_is_not_taken_for_nothing() {
    let mut parts: Vec<Part> = (0..4).map(rank).collect();
    parts[2].energy = PartEnergy::default();
    parts[2].emissions_g = None;
    parts[1].place = "DEU".to_owned();
    let merged = merge(&parts);
    assert_eq!(merged.amount.total_j, Some(120.0));
    assert_eq!(codes(&merged), ["not-alike", "energy-missing"]);
    assert_eq!(merged.place, None);
    assert_eq!(merge(&[]).amount.total_j, None);
}

#[test]
fn a_run_that_was_killed_or_still_runs_is_told_of() {
    let mut parts: Vec<Part> = (0..4).map(rank).collect();
    parts[3].finished = false;
    assert_eq!(codes(&merge(&parts)), ["unfinished"]);
}

#[test]
fn a_batch_script_pays_no_idle_power_while_its_steps_do() {
    // Four seconds on the first node, of which the step takes one; half of it is idle power.
    let mut batch = rank(0);
    batch.run_id = "batch".to_owned();
    batch.task = batch.task.map(|task| SlurmTask {
        place: SlurmPlace::Batch,
        ..task
    });
    batch.started_ns -= 1_000_000_000;
    batch.duration_s = 4.0;
    batch.domains[0].idle_uj = 20e6;
    let parts = [rank(0), rank(1), rank(2), rank(3), batch.clone()];
    let merged = merge(&parts);
    // Both ranks of the node together cover 1.001 s.
    let once = 40.0 - 20.0 * 1.001 / 4.0;
    assert!(
        (merged.amount.total_j.unwrap() - (160.0 + once)).abs() < 1e-6,
        "{:?}",
        merged.amount
    );
    assert_eq!(codes(&merged), ["idle-once"]);
    batch.idle_policy = "capacity".to_owned();
    let by_use = merge(&[rank(0), rank(1), rank(2), rank(3), batch]);
    assert_eq!(by_use.amount.total_j, Some(200.0));
}

#[test]
fn what_a_machine_used_is_no_less_for_a_report_that_does_not_know_it() {
    let mut parts: Vec<Part> = (0..2).map(rank).collect();
    parts[0].domains[0].job_uj = 90e6;
    parts[1].domains[0].job_uj = 5e6;
    assert!(!codes(&merge(&parts)).contains(&"beyond-the-machine"));
    let unknown =
        br#"{"name": "package-0", "kind": "package", "summed": true, "origin": {"measured": "perf"},
        "measured_uj": null, "job_uj": null, "job_idle_uj": null}"#;
    parts[1].domains = PartDomain::read(unknown).unwrap().into_iter().collect();
    parts.push(parts[0].clone());
    parts[2].run_id = "third".to_owned();
    parts[2].domains[0].job_uj = 5e6;
    assert!(!codes(&merge(&parts)).contains(&"beyond-the-machine"));
}

#[test]
fn ten_comes_after_nine() {
    let mut parts: Vec<Part> = (0..12).map(rank).collect();
    parts.reverse();
    let tasks = merge(&parts).tasks;
    let last = tasks.last().map(|task| task.name.clone());
    assert_eq!(last.as_deref(), Some("job 30 step 0 rank 11"));
}

proptest! {
    #[test]
    fn the_order_of_reports_and_how_often_each_is_there_change_nothing(
        order in proptest::collection::vec(0_u32..4, 1..12),
    ) {
        let mut parts: Vec<Part> = (0..4).map(rank).collect();
        parts.extend(order.iter().map(|number| rank(*number)));
        parts.rotate_left(order.len() % 4);
        let merged = merge(&parts);
        prop_assert_eq!(merged.amount.total_j, Some(160.0));
        let nodes: f64 = merged.nodes.iter().filter_map(|node| node.amount.total_j).sum();
        let tasks: f64 = merged.tasks.iter().filter_map(|task| task.amount.total_j).sum();
        prop_assert_eq!((nodes, tasks), (160.0, 160.0));
    }
}
