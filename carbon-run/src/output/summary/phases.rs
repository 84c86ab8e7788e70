//! The phases that the job marked: a table of its own below the figures.

use super::Style;
use crate::model::report::{Figure, Phase, PhaseFigures, RunReport};
use crate::output::plain_text::harmless;
use crate::output::quantity::{Spelled, energy, percent, time};

/// At most so many phases; the JSON report has all of them.
const SHOWN: usize = 12;
/// No name takes more room.
const WIDEST: usize = 32;

struct Row {
    label: String,
    value: String,
    range: String,
    detail: String,
}

/// Nothing, where the job marked none.
pub(super) fn phases(report: &RunReport, style: Style) -> String {
    let list = &report.phases.list;
    let Some(outside) = &report.phases.outside else {
        return String::new();
    };
    let shown = shown(list);
    let mut rows: Vec<Row> = list
        .iter()
        .enumerate()
        .filter(|(number, _)| shown.contains(number))
        .map(|(_, phase)| row(phase, report))
        .collect();
    rows.push(Row {
        detail: detail(outside, report, &[]),
        ..figures("outside of them".to_owned(), outside)
    });
    let widest = |cell: fn(&Row) -> &str| rows.iter().map(|row| width(cell(row))).max().unwrap_or(0);
    let (labels, values, ranges) = (
        widest(|row| &row.label),
        widest(|row| &row.value),
        widest(|row| &row.range),
    );
    let mut text = "  phases\n".to_owned();
    for row in &rows {
        let cell =
            |text: &str, room: usize| format!("{text}{}", " ".repeat(room.saturating_sub(width(text))));
        let line = format!(
            "    {}  {}  {}  {}",
            cell(&row.label, labels),
            cell(&row.value, values),
            cell(&row.range, ranges),
            style.dim(&row.detail)
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    match list.len() - shown.len() {
        0 => {}
        more => text.push_str(&format!("    and {more} smaller ones, which `--json` has\n")),
    }
    text
}

fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

/// Those that used most, with the phases around them.
fn shown(list: &[Phase]) -> Vec<usize> {
    let used = |number: &usize| {
        let phase = list.get(*number);
        phase
            .and_then(|phase| phase.whole.energy.total.value())
            .map_or(0.0, |energy| energy.get())
    };
    let mut largest: Vec<usize> = (0..list.len()).collect();
    largest.sort_by(|one, other| used(other).total_cmp(&used(one)));
    let mut shown: Vec<usize> = Vec::new();
    for number in largest {
        let around = std::iter::successors(Some(number), |inner| list.get(*inner)?.parent);
        let new: Vec<usize> = around.filter(|one| !shown.contains(one)).collect();
        if shown.len() + new.len() <= SHOWN {
            shown.extend(new);
        }
    }
    shown
}

fn row(phase: &Phase, report: &RunReport) -> Row {
    let depth = phase.path.len().saturating_sub(1);
    let mut said = Vec::new();
    if phase.times != 1 {
        said.push(format!("{} times", phase.times));
    }
    if phase.open_at_end {
        said.push("open at the end".to_owned());
    }
    Row {
        detail: detail(&phase.whole, report, &said),
        ..figures(
            format!("{}{}", "  ".repeat(depth.min(8)), cut(phase.name())),
            &phase.whole,
        )
    }
}

fn figures(label: String, figures: &PhaseFigures) -> Row {
    let (value, range) = match &figures.energy.total {
        Figure::Known { ranged, .. } => {
            let Spelled { value, range } = energy(*ranged);
            (value, range)
        }
        Figure::Absent(_) => ("unknown".to_owned(), String::new()),
    };
    Row {
        label,
        value,
        range,
        detail: String::new(),
    }
}

/// `61 % of the energy, 3.2 s, 3 times, open at the end`.
fn detail(figures: &PhaseFigures, report: &RunReport, more: &[String]) -> String {
    let mut said = Vec::new();
    match (&figures.energy.total, report.energy.total.value()) {
        (Figure::Known { ranged, .. }, Some(whole)) if whole.get() > 0.0 => {
            said.push(format!(
                "{} of the energy",
                percent(ranged.value.get() / whole.get())
            ));
        }
        (Figure::Known { .. }, _) => {}
        // What holds for the whole job is said above.
        (Figure::Absent(reason), Some(_)) => said.push(harmless(reason)),
        (Figure::Absent(_), None) => {}
    }
    said.push(time(figures.duration));
    said.extend_from_slice(more);
    said.join(", ")
}

fn cut(name: &str) -> String {
    let name = harmless(name);
    if width(&name) <= WIDEST {
        return name;
    }
    let mut kept = String::new();
    for character in name.chars() {
        if width(&kept) + 4 > WIDEST {
            break;
        }
        kept.push(character);
    }
    format!("{kept}...")
}
