//! Sums over parts.

use super::{Part, place_of};
use crate::model::recording::Note;
use std::collections::BTreeMap;

/// Energy and what belongs to it. What no part knows is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Amount {
    /// Reports that were added up.
    pub reports: u64,
    /// Joules: all, CPUs, memory, GPUs.
    pub total_j: Option<f64>,
    /// CPUs.
    pub cpu_j: Option<f64>,
    /// Memory.
    pub ram_j: Option<f64>,
    /// GPUs.
    pub gpu_j: Option<f64>,
    /// The range of the total: the lows and the highs added up, as if all parts were wrong the same way, which parts of one model and
    /// of one kind of meter are.
    pub range_j: Option<(f64, f64)>,
    /// Grams, with their range by the same rule.
    pub emissions_g: Option<(f64, f64, f64)>,
    /// CPU seconds.
    pub cpu_time_s: Option<f64>,
    /// Processes.
    pub processes: Option<u64>,
    /// Whether any of the energy is an estimate.
    pub estimated: bool,
}

impl Amount {
    fn add(&mut self, part: &Part) {
        self.reports += 1;
        let energy = part.energy;
        for (sum, more) in [
            (&mut self.total_j, energy.total),
            (&mut self.cpu_j, energy.cpu),
            (&mut self.ram_j, energy.ram),
            (&mut self.gpu_j, energy.gpu),
            (&mut self.cpu_time_s, part.cpu_time_s),
        ] {
            if let Some(more) = more {
                *sum = Some(sum.unwrap_or(0.0) + more);
            }
        }
        if let Some((low, high)) = energy.range.or(energy.total.map(|total| (total, total))) {
            let (lows, highs) = self.range_j.unwrap_or_default();
            self.range_j = Some((lows + low, highs + high));
        }
        if let Some((low, grams, high)) = part.emissions_g {
            let (lows, sum, highs) = self.emissions_g.unwrap_or_default();
            self.emissions_g = Some((lows + low, sum + grams, highs + high));
        }
        if let Some(more) = part.processes {
            self.processes = Some(self.processes.unwrap_or(0) + more);
        }
        self.estimated |= part.estimated == Some(true);
    }

    fn of<'a>(parts: impl IntoIterator<Item = &'a Part>) -> Self {
        let mut sum = Self::default();
        parts.into_iter().for_each(|part| sum.add(part));
        sum
    }
}

/// A named part of the sum.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// A node, a step, a task.
    pub name: String,
    /// What it had.
    pub amount: Amount,
}

/// The whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// Slurm jobs, `30` or `25_2` of an array, with the cluster where it is known; sorted. Empty outside Slurm.
    pub jobs: Vec<String>,
    /// Slurm's accounts.
    pub accounts: Vec<String>,
    /// The command, where all parts have the same.
    pub command: Option<Vec<String>>,
    /// The project, where all parts have the same.
    pub project: Option<String>,
    /// The experiment's id, where all parts have the same.
    pub experiment_id: Option<String>,
    /// The first start: nanoseconds since 1970-01-01T00:00:00Z.
    pub started_ns: i64,
    /// From the first start to the last end, seconds.
    pub duration_s: f64,
    /// All of it.
    pub amount: Amount,
    /// The policy, where all parts have the same.
    pub idle_policy: Option<String>,
    /// The place, where all parts have the same.
    pub place: Option<String>,
    /// The overhead, where all parts have the same.
    pub pue: Option<f64>,
    /// By node.
    pub nodes: Vec<Group>,
    /// By step of a job.
    pub steps: Vec<Group>,
    /// By task, in order.
    pub tasks: Vec<Group>,
    /// Ranks without a report, for people.
    pub missing: Vec<String>,
    /// The runs that were added up.
    pub run_ids: Vec<String>,
    /// What is worth knowing.
    pub notes: Vec<Note>,
}

impl Merged {
    pub(super) fn of(parts: &[&Part]) -> Self {
        let started = parts.iter().map(|part| part.started_ns).min().unwrap_or(0);
        let ended = parts.iter().map(|part| part.ended_ns()).max().unwrap_or(0);
        let job = |part: &Part| {
            let task = part.task.as_ref()?;
            let number = match &task.array {
                Some((array, index)) => format!("{array}_{index}"),
                None => task.job.clone(),
            };
            Some(match &task.cluster {
                Some(cluster) => format!("{number} on {cluster}"),
                None => number,
            })
        };
        let distinct = |of: &dyn Fn(&Part) -> Option<String>| {
            let mut all: Vec<String> = parts.iter().filter_map(|part| of(part)).collect();
            all.sort();
            all.dedup();
            all
        };
        Self {
            jobs: distinct(&job),
            accounts: distinct(&|part| part.account.clone()),
            command: same(parts, |part| part.command.clone()),
            project: same(parts, |part| part.project.clone()).flatten(),
            experiment_id: same(parts, |part| part.experiment_id.clone()).flatten(),
            started_ns: started,
            duration_s: ended.saturating_sub(started) as f64 / 1e9,
            amount: Amount::of(parts.iter().copied()),
            idle_policy: same(parts, |part| part.idle_policy.clone()),
            place: same(parts, |part| part.place.clone()),
            pue: same(parts, |part| part.pue),
            nodes: by(parts, |part| {
                let node = part.task.as_ref().and_then(|task| task.node.clone());
                node.or_else(|| part.hostname.clone())
                    .unwrap_or_else(|| "unknown".to_owned())
            }),
            steps: by(parts, |part| {
                let Some(task) = &part.task else {
                    return "no job".to_owned();
                };
                let place = place_of(task);
                let step = place.split(" rank ").next().unwrap_or(&place);
                format!("job {} {step}", task.job)
            }),
            tasks: by(parts, |part| match &part.task {
                Some(task) => format!("job {} {}", task.job, place_of(task)),
                None => part.run_id.clone(),
            }),
            missing: Vec::new(),
            run_ids: parts.iter().map(|part| part.run_id.clone()).collect(),
            notes: Vec::new(),
        }
    }
}

/// What all parts have, if they have the same.
fn same<T: PartialEq>(parts: &[&Part], of: impl Fn(&Part) -> T) -> Option<T> {
    let mut all = parts.iter().map(|part| of(part));
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
}

/// Sums by name, numbers in names in their own order.
fn by(parts: &[&Part], name: impl Fn(&Part) -> String) -> Vec<Group> {
    let mut groups: BTreeMap<Vec<Word>, (String, Amount)> = BTreeMap::new();
    for part in parts {
        let name = name(part);
        let (_, amount) = groups
            .entry(natural(&name))
            .or_insert_with(|| (name, Amount::default()));
        amount.add(part);
    }
    groups
        .into_values()
        .map(|(name, amount)| Group { name, amount })
        .collect()
}

/// A piece of a name.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    Number(u64, String),
    Text(String),
}

/// `rank 10` after `rank 9`.
fn natural(name: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let digits = first.is_ascii_digit();
        let end = rest
            .find(|letter: char| letter.is_ascii_digit() != digits)
            .unwrap_or(rest.len());
        let (word, left) = rest.split_at(end);
        words.push(match word.parse() {
            Ok(number) if digits => Word::Number(number, word.to_owned()),
            _ => Word::Text(word.to_owned()),
        });
        rest = left;
    }
    words
}
