//! A merged report: for people, as a row of `emissions.csv`, and in JSON.

mod json;

pub use json::merged_json;

use super::emissions_csv::{EmissionsRow, row};
use super::plain_text::harmless;
use super::quantity::{Spelled, energy, mass, time};
use super::wall_clock;
use crate::model::merge::{Amount, Group, Merged};
use crate::model::recording::Ranged;
use crate::model::units::{Grams, Joules};
use std::time::Duration;

/// Groups that are listed one by one in the summary.
const LISTED: usize = 16;

/// For people: the sum, then nodes, steps and tasks where there are several.
#[must_use]
pub fn merged_summary(merged: &Merged) -> String {
    let mut text = format!("{}\n", title(merged));
    let mut rows = vec![row_of("energy", &merged.amount)];
    for (label, joules) in [
        ("  cpu", merged.amount.cpu_j),
        ("  ram", merged.amount.ram_j),
        ("  gpu", merged.amount.gpu_j),
    ] {
        if let Some(spelled) = joules.and_then(exact) {
            rows.push([label.to_owned(), spelled.value, String::new(), String::new()]);
        }
    }
    rows.push(match grams(&merged.amount) {
        Some(spelled) => ["CO2eq".to_owned(), spelled.value, spelled.range, place(merged)],
        None => [
            "CO2eq".to_owned(),
            "unknown".to_owned(),
            String::new(),
            String::new(),
        ],
    });
    let cpu = merged.amount.cpu_time_s.map_or_else(
        || "CPU time not counted".to_owned(),
        |seconds| format!("CPU time {}", time(duration(seconds))),
    );
    rows.push([
        "time".to_owned(),
        time(duration(merged.duration_s)),
        String::new(),
        cpu,
    ]);
    let is_step = |name: &str| merged.steps.iter().any(|step| step.name == name);
    let all = |groups: &'_ [Group]| {
        groups
            .iter()
            .map(|group| (group.name.clone(), group.amount))
            .collect()
    };
    // A step of one task stands there once.
    let tasks: Vec<(String, Amount)> = all(&merged.tasks);
    let tasks = tasks.into_iter().filter(|(name, _)| !is_step(name)).collect();
    let lists: [(&str, Vec<(String, Amount)>); 3] = [
        ("node", all(&merged.nodes)),
        ("step", all(&merged.steps)),
        ("task", tasks),
    ];
    for (what, groups) in lists.iter().filter(|(_, groups)| groups.len() > 1) {
        for (name, amount) in groups.iter().take(LISTED) {
            rows.push(row_of(name, amount));
        }
        let more = groups.len().saturating_sub(LISTED);
        if more > 0 {
            rows.push([
                format!("{more} more {what}s"),
                String::new(),
                String::new(),
                "in the JSON report".to_owned(),
            ]);
        }
    }
    aligned(&rows, &mut text);
    for note in &merged.notes {
        let word = if note.degrades { "warning" } else { "note" };
        text.push_str(&format!("{word}: {}\n", harmless(&note.message)));
    }
    text
}

fn title(merged: &Merged) -> String {
    let what = match merged.jobs.as_slice() {
        [] => merged
            .command
            .as_deref()
            .map_or_else(String::new, |words| words.join(" ")),
        [job] => format!("job {job}"),
        [first, .., last] => format!("{} jobs, {first} to {last}", merged.jobs.len()),
    };
    let reports = match merged.amount.reports {
        1 => "1 report".to_owned(),
        count => format!("{count} reports"),
    };
    let what = harmless(&what);
    if what.is_empty() {
        return format!("carbon-run: {reports}");
    }
    format!("carbon-run: {what} ({reports})")
}

fn place(merged: &Merged) -> String {
    merged
        .place
        .as_deref()
        .map(harmless)
        .unwrap_or_else(|| "several places".to_owned())
}

fn row_of(label: &str, amount: &Amount) -> [String; 4] {
    let spelled = joules(amount);
    let how = match (amount.total_j, amount.estimated) {
        (None, _) => "",
        (Some(_), true) => "estimated",
        (Some(_), false) => "measured",
    };
    let spelled = spelled.unwrap_or(Spelled {
        value: "unknown".to_owned(),
        range: String::new(),
    });
    [harmless(label), spelled.value, spelled.range, how.to_owned()]
}

fn aligned(rows: &[[String; 4]], text: &mut String) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let (labels, values, ranges) = (width(0), width(1), width(2));
    for [label, value, range, detail] in rows {
        let line = format!("  {label:labels$}  {value:values$}  {range:ranges$}  {detail}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

fn exact(joules: f64) -> Option<Spelled> {
    let value = Joules::new(joules).ok()?;
    Some(energy(Ranged {
        low: value,
        value,
        high: value,
    }))
}

fn joules(amount: &Amount) -> Option<Spelled> {
    let of = |joules: f64| Joules::new(joules).ok();
    let total = amount.total_j?;
    let (low, high) = amount.range_j.unwrap_or((total, total));
    Some(energy(Ranged {
        low: of(low)?,
        value: of(total)?,
        high: of(high)?,
    }))
}

fn grams(amount: &Amount) -> Option<Spelled> {
    let (low, value, high) = amount.emissions_g?;
    let of = |grams: f64| Grams::new(grams).ok();
    Some(mass(Ranged {
        low: of(low)?,
        value: of(value)?,
        high: of(high)?,
    }))
}

fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
}

/// A row of `emissions.csv`. What has no sum (a processor's model, a percentage) is empty.
///
/// # Errors
/// Why there is none: its energy or its emissions are not known, or its energies have several overheads in them, for which the table
/// has one cell.
pub fn merged_csv(merged: &Merged, run_id: &str) -> Result<EmissionsRow, &'static str> {
    let unknown = "the job's energy is not known";
    let total = merged.amount.total_j.ok_or(unknown)?;
    let (_, grams, _) = merged.amount.emissions_g.ok_or(unknown)?;
    let pue = merged
        .pue
        .ok_or("the reports were made with several overheads (PUE)")?;
    let seconds = merged.duration_s;
    let kwh = |joules: f64| number(joules * pue / 3.6e6);
    let watts = |joules: f64| {
        if seconds > 0.0 {
            number(joules * pue / seconds)
        } else {
            String::new()
        }
    };
    let of = |joules: Option<f64>, unit: &dyn Fn(f64) -> String| joules.map(unit).unwrap_or_default();
    let kilograms = grams / 1e3;
    let amount = &merged.amount;
    let ended = wall_clock::utc(merged.started_ns.saturating_add((merged.duration_s * 1e9) as i64));
    Ok(row(&[
        ("timestamp", ended.get(..19).unwrap_or(&ended).to_owned()),
        (
            "project_name",
            merged.project.clone().unwrap_or_else(|| "carbon-run".to_owned()),
        ),
        ("run_id", run_id.to_owned()),
        ("experiment_id", merged.experiment_id.clone().unwrap_or_default()),
        ("duration", number(seconds)),
        ("emissions", number(kilograms)),
        (
            "emissions_rate",
            if seconds > 0.0 {
                number(kilograms / seconds)
            } else {
                String::new()
            },
        ),
        ("cpu_power", of(amount.cpu_j, &watts)),
        ("gpu_power", of(amount.gpu_j, &watts)),
        ("ram_power", of(amount.ram_j, &watts)),
        ("cpu_energy", of(amount.cpu_j, &kwh)),
        ("gpu_energy", of(amount.gpu_j, &kwh)),
        ("ram_energy", of(amount.ram_j, &kwh)),
        ("energy_consumed", kwh(total)),
        ("country_name", merged.place.clone().unwrap_or_default()),
        (
            "country_iso_code",
            merged.place.clone().unwrap_or_else(|| "several".to_owned()),
        ),
        (
            "codecarbon_version",
            concat!("carbon-run/", env!("CARGO_PKG_VERSION")).to_owned(),
        ),
        ("tracking_mode", "process".to_owned()),
        ("on_cloud", "N".to_owned()),
        ("pue", number(pue)),
    ]))
}

fn number(value: f64) -> String {
    value.to_string()
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
