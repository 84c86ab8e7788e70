//! The lines under the table: warnings with their remedy, and what the reader should know about this run.

use super::Style;
use super::beyond::alike;
use crate::model::recording::Note;
use crate::model::report::RunReport;
use crate::model::slurm::SlurmTask;
use crate::output::plain_text::harmless;
use crate::output::quantity::half_width;

/// Survivors that are named one by one.
const NAMED_SURVIVORS: usize = 3;

/// Warnings first, then what is merely worth knowing.
pub(super) fn remarks(report: &RunReport, style: Style) -> Vec<String> {
    let mut lines = warnings(&report.quality.notes, style);
    let notes = [
        too_wide(report),
        declined(report),
        survivors(report),
        assumed_place(report),
        one_of_many(report),
        alike(&report.emissions, &report.beyond),
    ];
    lines.extend(
        notes
            .into_iter()
            .flatten()
            .map(|note| format!("{} {note}", style.cyan("note:"))),
    );
    lines
}

/// Each once, however often it was noted. What does not degrade a figure is for the JSON report.
fn warnings(notes: &[Note], style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, note) in notes.iter().enumerate() {
        let said_before = notes.iter().take(index).any(|earlier| earlier == note);
        if !note.degrades || said_before {
            continue;
        }
        lines.push(format!(
            "{} {}",
            style.yellow("warning:"),
            harmless(&note.message)
        ));
        lines.extend(
            note.hint
                .as_deref()
                .map(|hint| format!("{} {}", style.cyan("hint:"), harmless(hint))),
        );
    }
    lines
}

/// Why a figure is smaller than its range.
fn too_wide(report: &RunReport) -> Option<String> {
    let total = report.energy.total.ranged()?;
    if half_width(total.low.get(), total.value.get(), total.high.get()) <= total.value.get() {
        return None;
    }
    let parts = report.quality.uncertainty;
    let short = parts.timing > parts.meter && parts.timing > parts.idle && parts.timing > parts.attribution;
    let why = if short {
        ": the run was too short for the meter's steps"
    } else {
        ""
    };
    Some(format!(
        "the range of the energy is wider than the figure itself{why}"
    ))
}

fn declined(report: &RunReport) -> Option<String> {
    let best = report.accounting.declined.first()?;
    let remedy = best
        .remedy
        .as_deref()
        .map(|remedy| format!("; {remedy}"))
        .unwrap_or_default();
    Some(harmless(&format!(
        "`{}` accounting could not be used: {}{remedy}",
        best.backend.name(),
        best.reason
    )))
}

fn survivors(report: &RunReport) -> Option<String> {
    let survivors = &report.survivors;
    let named: Vec<String> = survivors
        .iter()
        .take(NAMED_SURVIVORS)
        .map(|one| format!("`{}` ({})", harmless(&one.comm), one.pid))
        .collect();
    if named.is_empty() {
        return None;
    }
    let more = match survivors.len().saturating_sub(NAMED_SURVIVORS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!(
        "still running, and counted no further: {}{more}",
        named.join(", ")
    ))
}

/// Only the first rank prints, and its figures are its own.
fn one_of_many(report: &RunReport) -> Option<String> {
    let task = SlurmTask::of(&report.host.slurm)?;
    task.one_of_many()?;
    Some(format!(
        "this is one task of job {}; when it is over, `carbon-run merge carbon-run-*-{}-*.json` adds them all up",
        task.job, task.job
    ))
}

fn assumed_place(report: &RunReport) -> Option<String> {
    let notes = &report.quality.notes;
    let said = |code: &str| notes.iter().find(|note| note.code == code);
    if let Some(note) = said("place-found") {
        return Some(harmless(&note.message));
    }
    if let Some(note) = said("cloud-region-unknown").filter(|note| !note.degrades) {
        let hint = note.hint.as_deref().unwrap_or_default();
        let message = format!(
            "{}: the world's average electricity is taken; {hint}",
            note.message
        );
        return report.intensity.assumed.then(|| harmless(&message));
    }
    let hint = said("time-zone")
        .map(|note| format!(" ({})", harmless(&note.message)))
        .unwrap_or_default();
    report.intensity.assumed.then(|| {
        format!(
            "no place was given, so this is the world's average electricity; name yours with `--country`{hint}"
        )
    })
}
