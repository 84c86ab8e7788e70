//! The idle power of an allocation, paid once. A batch script and the tasks of steps that it starts have one and the same allocation on a node: while
//! tasks run, it is theirs, and the script's when none does.

use super::Part;
use crate::model::recording::Note;
use crate::model::slurm::SlurmPlace;

/// The parts with that idle power in one of them only.
pub(super) fn paid_once(parts: &[&Part]) -> Vec<Part> {
    parts.iter().map(|part| lightened(part, parts)).collect()
}

/// What has become less, for people.
pub(super) fn told(before: &[&Part], after: &[Part]) -> Option<Note> {
    let total = |energy: Option<f64>| energy.unwrap_or(0.0);
    let less: f64 = before
        .iter()
        .zip(after)
        .map(|(before, after)| total(before.energy.total) - total(after.energy.total))
        .sum();
    (less > 0.0).then(|| Note {
        code: "idle-once".to_owned(),
        message: format!(
            "{less:.1} J of idle power were in the figures of a batch script and of its steps, and are in those of the steps only"
        ),
        hint: None,
        degrades: false,
    })
}

/// A batch script's part without the idle power of the time in which tasks of its job ran on its node.
fn lightened(part: &Part, parts: &[&Part]) -> Part {
    let mut light = part.clone();
    let by_allocation = matches!(part.idle_policy.as_str(), "allocated" | "all");
    let Some(task) = part
        .task
        .as_ref()
        .filter(|task| task.place == SlurmPlace::Batch && by_allocation)
    else {
        return light;
    };
    let windows = parts.iter().filter(|other| {
        other.task.as_ref().is_some_and(|step| {
            matches!(step.place, SlurmPlace::Step { .. })
                && (&step.job, step.restart, &step.node) == (&task.job, task.restart, &task.node)
        })
    });
    let windows = windows.map(|step| {
        (
            step.started_ns.max(part.started_ns),
            step.ended_ns().min(part.ended_ns()),
        )
    });
    let length = part.ended_ns().saturating_sub(part.started_ns);
    if length <= 0 {
        return light;
    }
    let beside = covered(windows.collect()) as f64 / length as f64;
    let idle = |kinds: &[&str]| {
        let domains = part.domains.iter();
        let domains = domains.filter(|domain| domain.summed && kinds.contains(&domain.kind.as_str()));
        beside * domains.map(|domain| domain.idle_uj).sum::<f64>() / 1e6
    };
    let (cpu, ram) = (idle(&["package", "psys"]), idle(&["dram"]));
    let less = |energy: &mut Option<f64>, by: f64| *energy = energy.map(|energy| (energy - by).max(0.0));
    less(&mut light.energy.cpu, cpu);
    less(&mut light.energy.ram, ram);
    less(&mut light.energy.total, cpu + ram);
    // What is left is as uncertain, and as dirty, as the whole was.
    let before = part.energy.total.unwrap_or(0.0);
    let left = if before > 0.0 {
        light.energy.total.unwrap_or(0.0) / before
    } else {
        1.0
    };
    light.energy.range = part.energy.range.map(|(low, high)| (low * left, high * left));
    light.emissions_g = part
        .emissions_g
        .map(|(low, grams, high)| (low * left, grams * left, high * left));
    for domain in light.domains.iter_mut().filter(|domain| domain.kind != "gpu") {
        domain.job_uj -= beside * domain.idle_uj;
    }
    light
}

/// How many nanoseconds are in any of these windows.
fn covered(mut windows: Vec<(i64, i64)>) -> i64 {
    windows.sort_unstable();
    let mut sum = 0;
    let mut reached = i64::MIN;
    for (from, to) in windows {
        let from = from.max(reached);
        if to > from {
            sum += to - from;
            reached = to;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::covered;

    #[test]
    fn time_that_is_in_several_windows_counts_once() {
        assert_eq!(covered(vec![(5, 9), (0, 4), (3, 6), (20, 10), (7, 8)]), 9);
        assert_eq!(covered(Vec::new()), 0);
    }
}
