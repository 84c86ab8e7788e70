//! The figures: a title, then rows of label, value, range and what stands behind them.

use super::{Style, beyond};
use crate::model::recording::{DomainKind, Exit, GPU_IN_PACKAGE, NO_GPU, Origin, Ranged};
use crate::model::report::{
    DomainReport, Figure, FoundIdle, GpuReport, IdlePower, Intensity, JobEnergy, RunReport,
};
use crate::model::units::{Joules, Share, Watts};
use crate::output::plain_text::{command_line, harmless};
use crate::output::quantity::{Spelled, digits, energy, mass, percent, time};
use crate::output::wall_clock;
use nix::sys::signal::Signal;
use std::borrow::Cow;

/// The kinds that make up the CPU's line; those inside `package` are not summed and so say nothing.
const CPU: &[DomainKind] = &[
    DomainKind::Package,
    DomainKind::Core,
    DomainKind::Uncore,
    DomainKind::Psys,
];
const RAM: &[DomainKind] = &[DomainKind::Dram];
const GPU: &[DomainKind] = &[DomainKind::Gpu];

/// Why a machine has no figure for GPUs and needs none.
const NO_NEWS: [&str; 2] = [NO_GPU, GPU_IN_PACKAGE];

pub(in crate::output) struct Row {
    pub(in crate::output) label: Cow<'static, str>,
    /// Whether this is what one looks for first.
    pub(in crate::output) headline: bool,
    pub(in crate::output) value: String,
    pub(in crate::output) range: String,
    pub(in crate::output) detail: String,
}

impl Row {
    /// A figure that is not known, and why.
    pub(super) fn unknown(label: &'static str, reason: &str) -> Self {
        unknown(label, false, reason)
    }
}

/// The title and the rows, aligned.
pub(super) fn table(report: &RunReport, style: Style) -> String {
    title(report, style) + &aligned(&rows(report), style)
}

/// Rows with their cells one below the other.
pub(in crate::output) fn aligned(rows: &[Row], style: Style) -> String {
    let widest = |cell: fn(&Row) -> &str| {
        rows.iter()
            .map(|row| cell(row).chars().count())
            .max()
            .unwrap_or(0)
    };
    let (labels, values, ranges) = (
        widest(|row| &row.label),
        widest(|row| &row.value),
        widest(|row| &row.range),
    );
    let mut text = String::new();
    for row in rows {
        let label = format!("{:labels$}", row.label);
        let value = format!("{:values$}", row.value);
        let range = format!("{:ranges$}", row.range);
        let value = if row.headline { style.bold(&value) } else { value };
        let line = format!("  {label}  {value}  {range}  {}", style.dim(&row.detail));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn title(report: &RunReport, style: Style) -> String {
    const NAME: &str = "carbon-run: ";
    /// However narrow the terminal, this much of the command is shown.
    const NARROWEST: usize = 12;
    let end = match report.exit {
        Some(Exit::Code(0)) => String::new(),
        Some(Exit::Code(code)) => format!(" (exit status {code})"),
        Some(Exit::Signal(number)) => format!(" (killed by {})", signal_name(number)),
        None => " (carbon-run did not live to see it end)".to_owned(),
    };
    let room = usize::from(style.width).saturating_sub(NAME.len() + end.len());
    format!(
        "{NAME}{}{end}\n",
        style.bold(&command_line(&report.command, room.max(NARROWEST)))
    )
}

/// `SIGKILL`; real-time signals have no names of their own (signal(7)).
fn signal_name(number: i32) -> String {
    Signal::try_from(number).map_or_else(
        |_| format!("signal {number}"),
        |signal| signal.as_str().to_owned(),
    )
}

fn rows(report: &RunReport) -> Vec<Row> {
    let parts = [
        ("  cpu", &report.energy.cpu, CPU),
        ("  ram", &report.energy.ram, RAM),
        ("  gpu", &report.energy.gpu, GPU),
    ];
    let total = &report.energy.total;
    let mut rows = vec![energy_row("energy", total, total_origin(&report.energy))];
    // A part that is not known for the total's reason would only say it again; a machine without GPUs needs no word.
    let news = parts.into_iter().filter(|(_, part, _)| {
        part.reason()
            .is_none_or(|reason| Some(reason) != total.reason() && !NO_NEWS.contains(&reason))
    });
    rows.extend(
        news.map(|(label, part, kinds)| energy_row(label, part, part_origin(part, kinds, &report.domains))),
    );
    rows.extend(gpu_rows(report));
    rows.push(emissions_row(report));
    rows.extend(beyond::rows(&report.beyond));
    rows.push(Row {
        label: "time".into(),
        headline: false,
        value: time(report.duration),
        range: String::new(),
        detail: cpu_time(report),
    });
    rows.push(Row {
        label: "counted".into(),
        headline: false,
        value: format!("by {}", report.accounting.backend.name()),
        range: String::new(),
        detail: counting(report),
    });
    rows
}

fn energy_row(label: &'static str, figure: &Figure<Joules>, origin: String) -> Row {
    let headline = label == "energy";
    match figure {
        Figure::Known { ranged, .. } => {
            let Spelled { value, range } = energy(*ranged);
            Row {
                label: label.into(),
                headline,
                value,
                range,
                detail: origin,
            }
        }
        Figure::Absent(reason) => unknown(label, headline, reason),
    }
}

fn unknown(label: &'static str, headline: bool, reason: &str) -> Row {
    Row {
        label: label.into(),
        headline,
        value: "unknown".to_owned(),
        range: String::new(),
        detail: harmless(reason),
    }
}

/// One line for each GPU that the job has a part in, with its name.
fn gpu_rows(report: &RunReport) -> Vec<Row> {
    let rows = report.gpus.iter().filter_map(|gpu| {
        let domain = report.domains.get(gpu.gpu.domain?)?;
        let mine = gpu.gpu.allocated.is_some_and(|share| share > Share::NONE);
        let known = !matches!(domain.origin, Origin::Absent(_));
        if !known || !domain.summed || !(mine || domain.job_range.high > Joules::ZERO) {
            return None;
        }
        let Spelled { value, range } = energy(domain.job_range);
        Some(Row {
            label: format!("    {}", harmless(&domain.name)).into(),
            headline: false,
            value,
            range,
            detail: gpu_detail(gpu, domain),
        })
    });
    rows.collect()
}

/// `NVIDIA H100 80GB HBM3, of 1.2 kJ, idle power 119 W +- 6 % (calibrated 2026-11-20), allocated by SLURM_JOB_GPUS`.
fn gpu_detail(gpu: &GpuReport, domain: &DomainReport) -> String {
    let mut said = vec![
        gpu.gpu
            .name
            .clone()
            .unwrap_or_else(|| gpu.gpu.vendor.name().to_owned()),
    ];
    let all = domain.ledger.measured.joules();
    let Spelled { value, .. } = energy(Ranged {
        low: all,
        value: all,
        high: all,
    });
    said.push(format!("of {value}"));
    if let (Some(watts), Some(spread)) = (domain.idle_power.watts(), domain.idle_power.spread()) {
        let found = domain.idle_power.found();
        said.push(idle_words(watts, spread, domain.idle_power.basis(), found));
    }
    if let (Some(by), Some(share)) = (&gpu.allocated_by, gpu.gpu.allocated)
        && share > Share::NONE
    {
        said.push(format!("allocated by {by}"));
    }
    harmless(&said.join(", "))
}

/// Which of the parts are which, their own lines say.
fn total_origin(energy: &JobEnergy) -> String {
    let origins = [&energy.cpu, &energy.ram, &energy.gpu].map(|part| match part {
        Figure::Known { origin, .. } => Some(origin),
        Figure::Absent(_) => None,
    });
    let measured = origins
        .iter()
        .flatten()
        .any(|origin| matches!(origin, Origin::Measured(_)));
    let estimated = origins
        .iter()
        .flatten()
        .any(|origin| matches!(origin, Origin::Estimated(_)));
    match (measured, estimated) {
        (true, true) => "partly measured, partly estimated".to_owned(),
        (true, false) => "measured".to_owned(),
        (false, _) => "estimated".to_owned(),
    }
}

fn part_origin(figure: &Figure<Joules>, kinds: &[DomainKind], domains: &[DomainReport]) -> String {
    let Figure::Known { origin, .. } = figure else {
        return String::new();
    };
    let models = |domain: &&DomainReport| {
        domain.summed && kinds.contains(&domain.kind) && matches!(domain.origin, Origin::Estimated(_))
    };
    match origin {
        Origin::Measured(source) => format!("measured ({})", source.name()),
        Origin::Absent(reason) => harmless(reason),
        Origin::Estimated(model) => {
            let mut bases: Vec<&str> = domains
                .iter()
                .filter(models)
                .filter_map(|domain| domain.basis.as_deref())
                .collect();
            bases.dedup();
            let bases = if bases.is_empty() {
                model.clone()
            } else {
                bases.join("; ")
            };
            format!("estimated ({})", harmless(&bases))
        }
    }
}

fn emissions_row(report: &RunReport) -> Row {
    match &report.emissions {
        Figure::Known { ranged, .. } => {
            let Spelled { value, range } = mass(*ranged);
            Row {
                label: "CO2eq".into(),
                headline: true,
                value,
                range,
                detail: electricity(&report.intensity, report.pue),
            }
        }
        Figure::Absent(reason) => unknown("CO2eq", true, reason),
    }
}

/// `France 2025, 42.3 g/kWh, lifecycle`, with the cloud region where there is one (`France (aws eu-west-3) 2025`), and the facility's overhead where there is one; of a time series
/// `France by grid.csv, 48.2 g/kWh (31 to 77), lifecycle`.
pub(in crate::output) fn electricity(intensity: &Intensity, pue: f64) -> String {
    let year = intensity.year.map(|year| format!(" {year}")).unwrap_or_default();
    let value = digits(intensity.value.value.get(), 3);
    let boundary = if intensity.boundary == "unstated" {
        "boundary unstated"
    } else {
        &intensity.boundary
    };
    let pue = if pue > 1.0 {
        format!(", PUE {pue}")
    } else {
        String::new()
    };
    let Intensity { name, source, .. } = intensity;
    let spread = intensity.over_time.map(|over_time| {
        let (lowest, highest) = (over_time.lowest.get(), over_time.highest.get());
        if lowest < highest {
            format!(" ({} to {})", digits(lowest, 3), digits(highest, 3))
        } else {
            String::new()
        }
    });
    let cloud = intensity
        .cloud
        .as_ref()
        .map(|cloud| format!(" ({} {})", cloud.provider, cloud.region))
        .unwrap_or_default();
    let whose = match spread {
        Some(_) if intensity.place == "user" => source.clone(),
        Some(_) => format!("{name}{cloud} by {source}"),
        None => format!("{name}{cloud}{year}"),
    };
    let spread = spread.unwrap_or_default();
    harmless(&format!("{whose}, {value} g/kWh{spread}, {boundary}{pue}"))
}

fn cpu_time(report: &RunReport) -> String {
    let Some(job) = report.cpu_time else {
        return "CPU time unknown".to_owned();
    };
    let spent = format!("CPU time {}", time(std::time::Duration::from_nanos(job.0)));
    match report.others_cpu_time {
        Some(others) if (job + others).0 > 0 => {
            let share = Share::of(job.0, (job + others).0);
            format!("{spent}, {} of the machine's busy time", percent(share.get()))
        }
        Some(_) | None => spent,
    }
}

/// `idle power 38.2 W +- 5 % (calibrated 2026-11-20)`: of all packages with a meter together. Models say theirs elsewhere.
fn idle_power(report: &RunReport) -> Option<String> {
    let metered: Vec<IdlePower> = report
        .domains
        .iter()
        .filter(|domain| domain.summed && domain.kind == DomainKind::Package)
        .filter(|domain| matches!(domain.origin, Origin::Measured(_)))
        .map(|domain| domain.idle_power)
        .collect();
    let first = metered.first()?;
    let mut bases: Vec<&str> = metered.iter().map(|idle| idle.basis()).collect();
    bases.dedup();
    let sum =
        |of: fn(IdlePower) -> Option<Watts>| metered.iter().map(|idle| of(*idle)).sum::<Option<Watts>>();
    let (Some(watts), Some(spread)) = (sum(IdlePower::watts), sum(IdlePower::spread)) else {
        return Some("idle power unknown".to_owned());
    };
    let found = first.found().filter(|_| bases.len() == 1);
    Some(idle_words(watts, spread, &bases.join(", "), found))
}

fn idle_words(watts: Watts, spread: Watts, basis: &str, found: Option<FoundIdle>) -> String {
    let day = found.map(|found| format!(" {}", wall_clock::day(found.as_of_unix_ns)));
    let relative = if watts > Watts::ZERO {
        spread.get() / watts.get()
    } else {
        0.0
    };
    format!(
        "idle power {} W +- {} ({basis}{})",
        digits(watts.get(), 3),
        percent(relative),
        day.unwrap_or_default()
    )
}

/// Who was counted under which rule; what is missing is named only when something is.
fn counting(report: &RunReport) -> String {
    let mut said = Vec::new();
    if let Some(count) = report.process_count {
        said.push(format!(
            "{count} {}",
            if count == 1 { "process" } else { "processes" }
        ));
    }
    said.push(format!("idle policy {}", report.idle_policy.name()));
    said.extend(idle_power(report));
    let quality = &report.quality;
    if report.energy.total.value().is_some() && quality.coverage < Share::ALL {
        // Rounded down: 99.96 % is not everything.
        said.push(format!(
            "energy known for {} % of the time",
            digits((quality.coverage.get() * 1000.0).floor() / 10.0, 3)
        ));
    }
    if quality.lost > 0 {
        said.push(format!(
            "{} {} lost",
            quality.lost,
            if quality.lost == 1 { "event" } else { "events" }
        ));
    }
    said.join(", ")
}
