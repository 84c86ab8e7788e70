//! A merged report as JSON.

use crate::model::merge::{Amount, Group, Merged, SCHEMA};
use crate::model::recording::Note;
use crate::output::wall_clock;
use serde::Serialize;

/// The schema [`SCHEMA`].
///
/// # Errors
/// Never: there is nothing in it that JSON cannot hold.
pub fn merged_json(merged: &Merged) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec_pretty(&Document {
        schema: SCHEMA,
        jobs: &merged.jobs,
        accounts: &merged.accounts,
        experiment_id: merged.experiment_id.as_deref(),
        project: merged.project.as_deref(),
        project_reason: unless(&merged.project, DIFFER),
        command: merged.command.as_deref(),
        command_reason: unless(&merged.command, DIFFER),
        started_at: wall_clock::utc(merged.started_ns),
        duration_s: merged.duration_s,
        amount: Sum::of(&merged.amount),
        idle_policy: merged.idle_policy.as_deref(),
        idle_policy_reason: unless(&merged.idle_policy, DIFFER),
        place: merged.place.as_deref(),
        place_reason: unless(&merged.place, DIFFER),
        pue: merged.pue,
        pue_reason: unless(&merged.pue, DIFFER),
        nodes: merged.nodes.iter().map(Named::of).collect(),
        steps: merged.steps.iter().map(Named::of).collect(),
        tasks: merged.tasks.iter().map(Named::of).collect(),
        missing: &merged.missing,
        run_ids: &merged.run_ids,
        notes: &merged.notes,
    })?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Why a figure is null.
const NOBODY: &str = "no report has it";

/// Why what describes all reports is null.
const DIFFER: &str = "the reports have several, or none";

/// The reason that stands beside a null.
fn unless<T>(known: &Option<T>, reason: &'static str) -> Option<&'static str> {
    known.is_none().then_some(reason)
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    jobs: &'a [String],
    accounts: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    experiment_id: Option<&'a str>,
    project: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_reason: Option<&'static str>,
    command: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_reason: Option<&'static str>,
    started_at: String,
    duration_s: f64,
    #[serde(flatten)]
    amount: Sum,
    idle_policy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_policy_reason: Option<&'static str>,
    place: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place_reason: Option<&'static str>,
    pue: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pue_reason: Option<&'static str>,
    nodes: Vec<Named<'a>>,
    steps: Vec<Named<'a>>,
    tasks: Vec<Named<'a>>,
    missing: &'a [String],
    run_ids: &'a [String],
    notes: &'a [Note],
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
    #[serde(flatten)]
    amount: Sum,
}

impl<'a> Named<'a> {
    fn of(group: &'a Group) -> Self {
        Self {
            name: &group.name,
            amount: Sum::of(&group.amount),
        }
    }
}

#[derive(Serialize)]
struct Sum {
    reports: u64,
    energy_j: Energy,
    energy_range_j: Option<Bounds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    energy_range_j_reason: Option<&'static str>,
    estimated: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_reason: Option<&'static str>,
    emissions_g: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    emissions_g_reason: Option<&'static str>,
    emissions_range_g: Option<Bounds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    emissions_range_g_reason: Option<&'static str>,
    cpu_time_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_time_s_reason: Option<&'static str>,
    processes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    processes_reason: Option<&'static str>,
}

#[derive(Serialize)]
struct Energy {
    total: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_reason: Option<&'static str>,
    cpu: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_reason: Option<&'static str>,
    ram: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ram_reason: Option<&'static str>,
    gpu: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gpu_reason: Option<&'static str>,
}

#[derive(Serialize)]
struct Bounds {
    low: f64,
    high: f64,
}

impl Sum {
    fn of(amount: &Amount) -> Self {
        Self {
            reports: amount.reports,
            energy_j: Energy {
                total: amount.total_j,
                total_reason: unless(&amount.total_j, NOBODY),
                cpu: amount.cpu_j,
                cpu_reason: unless(&amount.cpu_j, NOBODY),
                ram: amount.ram_j,
                ram_reason: unless(&amount.ram_j, NOBODY),
                gpu: amount.gpu_j,
                gpu_reason: unless(&amount.gpu_j, NOBODY),
            },
            energy_range_j: amount.range_j.map(|(low, high)| Bounds { low, high }),
            energy_range_j_reason: unless(&amount.range_j, NOBODY),
            estimated: amount.total_j.map(|_| amount.estimated),
            estimated_reason: unless(&amount.total_j, NOBODY),
            emissions_g: amount.emissions_g.map(|(_, grams, _)| grams),
            emissions_g_reason: unless(&amount.emissions_g, NOBODY),
            emissions_range_g: amount.emissions_g.map(|(low, _, high)| Bounds { low, high }),
            emissions_range_g_reason: unless(&amount.emissions_g, NOBODY),
            cpu_time_s: amount.cpu_time_s,
            cpu_time_s_reason: unless(&amount.cpu_time_s, NOBODY),
            processes: amount.processes,
            processes_reason: unless(&amount.processes, NOBODY),
        }
    }
}
