//! One report of a job of many ranks, steps and nodes, from the JSON reports of its runs.
//!
//! Nothing is counted twice: a run that is there twice counts once, and one that ran inside another that is there, too, is in that
//! one's figures already. Ranks of one node share its machine, and each had its part of it: their sum is the node's, which
//! cannot be more than the node used.

mod idle;
mod part;
mod sum;

pub use part::{BadPart, Part, PartDomain, PartEnergy};
pub use sum::{Amount, Group, Merged};

use super::recording::Note;
use super::slurm::{SlurmPlace, SlurmTask};
use std::collections::{BTreeMap, BTreeSet};

/// The schema of a merged report.
pub const SCHEMA: &str = "carbon-run/merge/1";

/// What the ranks of a node may seem to use together beyond what the node did: each rounds, and is read at its own moments.
const ROUNDING: f64 = 1.01;

/// Adds reports up.
#[must_use]
pub fn merge(parts: &[Part]) -> Merged {
    let mut notes = Vec::new();
    let counted = counted(parts, &mut notes);
    let once = idle::paid_once(&counted);
    notes.extend(idle::told(&counted, &once));
    let counted: Vec<&Part> = once.iter().collect();
    let mut merged = Merged::of(&counted);
    merged.missing = missing(&counted);
    if !merged.missing.is_empty() {
        notes.push(note(
            "ranks-missing",
            format!(
                "no report of {}: their energy is in no figure here",
                merged.missing.join(", ")
            ),
            true,
        ));
    }
    notes.extend(differing(&counted));
    notes.extend(beyond_the_machine(&counted));
    let absent = counted.iter().filter(|part| part.energy.total.is_none()).count();
    if absent > 0 {
        notes.push(note(
            "energy-missing",
            format!(
                "{absent} of {} reports have no energy; the sum is of the others",
                counted.len()
            ),
            true,
        ));
    }
    let unfinished = counted.iter().filter(|part| !part.finished).count();
    if unfinished > 0 {
        notes.push(note(
            "unfinished",
            format!("{unfinished} of {} reports are of runs that were killed, or still run: their figures end early", counted.len()),
            true,
        ));
    }
    let degraded = counted.iter().filter(|part| !part.clean).count();
    if degraded > 0 {
        notes.push(note(
            "parts-degraded",
            format!(
                "{degraded} of {} reports have warnings of their own",
                counted.len()
            ),
            false,
        ));
    }
    merged.notes = notes;
    merged
}

/// Those that count: each run once, and none that is in another's figures.
fn counted<'a>(parts: &'a [Part], notes: &mut Vec<Note>) -> Vec<&'a Part> {
    let mut seen = BTreeSet::new();
    let mut twice = 0;
    let once: Vec<&Part> = parts
        .iter()
        .filter(|part| {
            let new = seen.insert(part.run_id.as_str());
            twice += usize::from(!new);
            new
        })
        .collect();
    if twice > 0 {
        notes.push(note(
            "counted-once",
            format!("{twice} reports are of runs that are there already, and were left out"),
            false,
        ));
    }
    let (inside, counted): (Vec<&Part>, Vec<&Part>) = once
        .iter()
        .copied()
        .partition(|part| once.iter().any(|outer| is_inside(part, outer)));
    if !inside.is_empty() {
        notes.push(note(
            "inside-another",
            format!(
                "{} runs ran inside others that are there, too: those have their energy already",
                inside.len()
            ),
            false,
        ));
    }
    counted
}

/// Whether a run is in the other one's figures. A name in the environment travels further than a process's descendants do: a task that
/// srun starts has it from the batch script, and is not below that; nor is anything on another host.
fn is_inside(part: &Part, outer: &Part) -> bool {
    part.inside_run.as_deref() == Some(outer.run_id.as_str())
        && part.hostname == outer.hostname
        && part.task.as_ref().map(|task| (&task.job, &task.place))
            == outer.task.as_ref().map(|task| (&task.job, &task.place))
}

/// Ranks of which Slurm said that there are some, as `rank 3 of step 30.0`.
fn missing(parts: &[&Part]) -> Vec<String> {
    /// By job, restart and step: the ranks that are there, and how many there should be.
    type Steps = BTreeMap<(String, u32, String), (BTreeSet<u32>, u32)>;
    let mut steps = Steps::new();
    for task in parts.iter().filter_map(|part| part.task.as_ref()) {
        let SlurmPlace::Step { step, rank, tasks } = &task.place else {
            continue;
        };
        let (ranks, all) = steps
            .entry((task.job.clone(), task.restart, step.clone()))
            .or_default();
        ranks.insert(*rank);
        *all = (*all).max(tasks.unwrap_or(0));
    }
    let mut missing = Vec::new();
    for ((job, _, step), (ranks, all)) in steps {
        let gone: Vec<u32> = (0..all).filter(|rank| !ranks.contains(rank)).collect();
        if !gone.is_empty() {
            missing.push(format!("{} of step {job}.{step}", ranges(&gone)));
        }
    }
    missing
}

/// `rank 3`, `ranks 1-3, 7`.
fn ranges(ranks: &[u32]) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for rank in ranks {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *rank => *last = *rank,
            _ => runs.push((*rank, *rank)),
        }
    }
    let words: Vec<String> = runs
        .iter()
        .map(|(first, last)| {
            if first == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            }
        })
        .collect();
    let word = if ranks.len() == 1 { "rank" } else { "ranks" };
    format!("{word} {}", words.join(", "))
}

/// What was not decided alike: a sum of it is a sum of unlike things.
fn differing(parts: &[&Part]) -> Vec<Note> {
    let several = |what: &str, values: BTreeSet<String>| {
        (values.len() > 1).then(|| {
            let values: Vec<String> = values.into_iter().collect();
            note(
                "not-alike",
                format!("the reports were made with several {what}: {}", values.join(", ")),
                false,
            )
        })
    };
    let policies = parts.iter().map(|part| part.idle_policy.clone()).collect();
    let places = parts.iter().map(|part| part.place.clone()).collect();
    let overheads = parts.iter().map(|part| part.pue.to_string()).collect();
    let versions = parts.iter().map(|part| part.version.clone()).collect();
    [
        several("idle policies", policies),
        several("places", places),
        several("overheads (PUE)", overheads),
        several("versions of carbon-run", versions),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Whether the ranks of one machine have more than it used while they ran, in any metered domain.
fn beyond_the_machine(parts: &[&Part]) -> Vec<Note> {
    let mut machines: BTreeMap<(&str, &str), Vec<(&Part, &PartDomain)>> = BTreeMap::new();
    for part in parts {
        for domain in part
            .domains
            .iter()
            .filter(|domain| domain.metered && domain.summed)
        {
            machines
                .entry((part.hostname.as_deref().unwrap_or(""), domain.name.as_str()))
                .or_default()
                .push((part, domain));
        }
    }
    let mut notes = Vec::new();
    for ((host, domain), parts) in machines {
        let jobs: f64 = parts.iter().map(|(_, domain)| domain.job_uj).sum();
        let machine = machine_uj(&parts);
        if parts.len() > 1 && jobs > machine * ROUNDING {
            notes.push(note(
                "beyond-the-machine",
                format!(
                    "the reports of `{host}` have {:.0} % of what its `{domain}` used while they ran; were some made by other means than the others?",
                    100.0 * jobs / machine.max(1.0)
                ),
                true,
            ));
        }
    }
    notes
}

/// What a domain used in the time that any of the runs covers: where several do, the mean of what they say of its power.
fn machine_uj(parts: &[(&Part, &PartDomain)]) -> f64 {
    let mut edges: Vec<i64> = parts
        .iter()
        .flat_map(|(part, _)| [part.started_ns, part.ended_ns()])
        .collect();
    edges.sort_unstable();
    let mut energy = 0.0;
    for pair in edges.windows(2) {
        let [from, to] = pair else { continue };
        let powers: Vec<f64> = parts
            .iter()
            .filter(|(part, _)| part.duration_s > 0.0)
            .filter(|(part, _)| part.started_ns <= *from && *to <= part.ended_ns())
            .map(|(part, domain)| domain.measured_uj / part.duration_s)
            .collect();
        if !powers.is_empty() {
            energy += (to - from) as f64 / 1e9 * powers.iter().sum::<f64>() / powers.len() as f64;
        }
    }
    energy
}

fn note(code: &str, message: String, degrades: bool) -> Note {
    Note {
        code: code.to_owned(),
        message,
        hint: None,
        degrades,
    }
}

/// For people: `step 0 rank 3`, `batch`.
#[must_use]
pub fn place_of(task: &SlurmTask) -> String {
    match &task.place {
        SlurmPlace::Shell => "shell".to_owned(),
        SlurmPlace::Batch => "batch".to_owned(),
        SlurmPlace::Step { step, rank, .. } => format!("step {step} rank {rank}"),
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
