//! What is said of a merged report.

use super::*;
use crate::model::merge::{Part, merge};

/// A report of a run under Slurm as it is written.
fn part(rank: u32) -> Part {
    let mut report = crate::output::example::measured();
    report.run_id = format!("run-{rank}");
    report.started_at_unix_ns += i64::from(rank) * 1_000_000;
    let slurm = [
        ("cluster_name", "hpc".to_owned()),
        ("job_id", "4711".to_owned()),
        ("step_id", "0".to_owned()),
        ("procid", rank.to_string()),
        ("step_num_tasks", "3".to_owned()),
        ("job_account", "physics".to_owned()),
        ("nodename", format!("node{}", rank / 2 + 1)),
    ];
    let slurm = slurm.into_iter().map(|(name, value)| (name.to_owned(), value));
    report.host.slurm = slurm.collect();
    Part::read(&crate::output::json(&report).unwrap()).unwrap()
}

#[test]
fn a_report_is_read_back_as_it_was_written() {
    let report = crate::output::example::measured();
    let read = part(1);
    let total = report.energy.total.value().unwrap().get();
    assert_eq!(read.energy.total, Some(total));
    assert!((read.duration_s - report.duration.as_secs_f64()).abs() < 1e-9);
    assert!((read.pue - report.pue).abs() < 1e-12);
    assert_eq!(read.domains.len(), report.domains.len());
    assert_eq!(
        read.task.map(|task| task.key()).as_deref(),
        Some("hpc-4711-step0-rank1")
    );
}

#[test]
fn a_merged_job_reads_well() {
    let merged = merge(&[part(0), part(1), part(2)]);
    insta::assert_snapshot!(merged_summary(&merged));
}

#[test]
fn a_merged_job_as_json() {
    let mut merged = merge(&[part(0), part(2)]);
    merged.tasks.truncate(1);
    insta::assert_snapshot!(String::from_utf8(merged_json(&merged).unwrap()).unwrap());
}

#[test]
fn a_merged_job_is_one_row_and_nothing_is_none() {
    let merged = merge(&[part(0), part(1)]);
    let row = merged_csv(&merged, "7").unwrap();
    let cell = |name: &str| {
        let at = row.header.iter().position(|header| *header == name).unwrap();
        row.cells[at].clone()
    };
    let consumed: f64 = cell("energy_consumed").parse().unwrap();
    let total = 2.0 * part(0).energy.total.unwrap() * part(0).pue / 3.6e6;
    assert!((consumed - total).abs() < 1e-12 * total.abs().max(1.0));
    assert_eq!(cell("run_id"), "7");
    assert!(merged_csv(&merge(&[]), "7").is_err());
    let mut dearer = part(2);
    dearer.pue = 1.9;
    let unlike = merge(&[part(0), dearer]);
    assert!(
        merged_csv(&unlike, "7").unwrap_err().contains("PUE"),
        "one overhead is none of the others'"
    );
    assert!(merged_summary(&merge(&[])).contains("unknown"));
}
