//! One row of `emissions.csv`: the columns of CodeCarbon 3.3.2, their order, names and units, for its unchanged readers.
//!
//! - Energies are kWh with the facility's overhead (`pue`) in them, emissions kg, powers W (energy over duration, never a
//!   mean of samples), times seconds, memory GiB. `timestamp` is the local time of the run's end, without a zone.
//! - `water_consumed` is litres by the computers' energy (ISO/IEC 30134-9), without the facility's overhead, which CodeCarbon puts into it.
//! - An unknown cell is **empty**, which pandas reads as NaN; a 0 there would be a claim. So `gpu_energy` and `gpu_power`
//!   are empty unless a GPU's energy is known: that no meter was found does not prove that no GPU was used.
//! - Every figure is the job's, and `tracking_mode` is `process`; so `cpu_utilization_percent` is the job's CPU time
//!   over that of all CPUs, `ram_used_gb` its mean memory, and `ram_utilization_percent` that over the machine's.
//! - `country_iso_code` holds the place's code, which is none of a country (`WORLD`, `user`) when no country was named:
//!   the dashboard fails on an empty one. For the same reason `on_cloud` is `N` and not empty; it says no more than that
//!   the row names no cloud region.
//! - `project_name` is `carbon-run` when none was named: CodeCarbon's dashboard selects by project and finds no rows under
//!   an empty name. `codecarbon_version` is `carbon-run/VERSION`: its readers take the column for text, and whoever looks
//!   at it should see who wrote the row. `python_version` is empty, since no Python wrote it.

use super::wall_clock;
use crate::model::report::{Figure, Intensity, RunReport};
use crate::model::units::{Joules, Litres};

/// Bytes in the GB of CodeCarbon's memory columns.
const GIB: f64 = 1_073_741_824.0;

/// The header and one row, cell by cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmissionsRow {
    /// The 38 names.
    pub header: Vec<&'static str>,
    /// Their cells, in the same order.
    pub cells: Vec<String>,
}

/// The run as a row of `emissions.csv`; `None` when its energy or its emissions are not known. A row without them has
/// nothing to say, and CodeCarbon's dashboard cannot show a project that has one.
#[must_use]
pub fn emissions_csv(report: &RunReport) -> Option<EmissionsRow> {
    report.energy.total.value()?;
    report.emissions.value()?;
    let (header, cells) = columns(report).into_iter().unzip();
    Some(EmissionsRow { header, cells })
}

/// The names, in their order.
const NAMES: [&str; 38] = [
    "timestamp",
    "project_name",
    "run_id",
    "experiment_id",
    "duration",
    "emissions",
    "emissions_rate",
    "cpu_power",
    "gpu_power",
    "ram_power",
    "cpu_energy",
    "gpu_energy",
    "ram_energy",
    "energy_consumed",
    "water_consumed",
    "country_name",
    "country_iso_code",
    "region",
    "cloud_provider",
    "cloud_region",
    "os",
    "python_version",
    "codecarbon_version",
    "cpu_count",
    "cpu_model",
    "gpu_count",
    "gpu_model",
    "longitude",
    "latitude",
    "ram_total_size",
    "tracking_mode",
    "cpu_utilization_percent",
    "gpu_utilization_percent",
    "ram_utilization_percent",
    "ram_used_gb",
    "on_cloud",
    "pue",
    "wue",
];

/// A row with these cells; all others are empty.
pub(super) fn row(known: &[(&str, String)]) -> EmissionsRow {
    let cell = |name: &&str| {
        let found = known.iter().find(|(known, _)| known == name);
        found.map(|(_, cell)| cell.clone()).unwrap_or_default()
    };
    EmissionsRow {
        header: NAMES.to_vec(),
        cells: NAMES.iter().map(cell).collect(),
    }
}

/// Every column once: its name, and what goes into it.
fn columns(report: &RunReport) -> [(&'static str, String); 38] {
    let place = Place::of(&report.intensity);
    let cloud = report.intensity.cloud.as_ref();
    let water = report.beyond.water.as_ref();
    let seconds = report.duration.as_secs_f64();
    let mass_kg = report.emissions.value().map(|mass| mass.get() / 1e3);
    let project = report.project.as_deref().filter(|name| !name.trim().is_empty());
    let energy = &report.energy;
    let kwh = |figure: &Figure<Joules>| figure.value().map(|energy| energy.kwh() * report.pue);
    let watts = |figure: &Figure<Joules>| {
        figure
            .value()
            .and_then(|energy| per(energy.get() * report.pue, seconds))
    };
    let memory = report.mean_memory_bytes.map(|bytes| bytes as f64 / GIB);
    let memory_total = report.host.memory_bytes.map(|bytes| bytes as f64 / GIB);
    [
        ("timestamp", wall_clock::end(report).without_zone()),
        ("project_name", project.unwrap_or("carbon-run").to_owned()),
        ("run_id", report.run_id.clone()),
        ("experiment_id", report.experiment_id.clone().unwrap_or_default()),
        ("duration", number(Some(seconds))),
        ("emissions", number(mass_kg)),
        (
            "emissions_rate",
            number(mass_kg.and_then(|mass| per(mass, seconds))),
        ),
        ("cpu_power", number(watts(&energy.cpu))),
        ("gpu_power", number(watts(&energy.gpu))),
        ("ram_power", number(watts(&energy.ram))),
        ("cpu_energy", number(kwh(&energy.cpu))),
        ("gpu_energy", number(kwh(&energy.gpu))),
        ("ram_energy", number(kwh(&energy.ram))),
        ("energy_consumed", number(kwh(&energy.total))),
        (
            "water_consumed",
            number(water.and_then(|water| water.amount.value()).map(Litres::get)),
        ),
        ("country_name", place.country_name),
        ("country_iso_code", place.country_code),
        ("region", place.region),
        (
            "cloud_provider",
            cloud.map(|cloud| cloud.provider.clone()).unwrap_or_default(),
        ),
        (
            "cloud_region",
            cloud.map(|cloud| cloud.region.clone()).unwrap_or_default(),
        ),
        ("os", report.host.os.clone().unwrap_or_default()),
        ("python_version", String::new()),
        (
            "codecarbon_version",
            format!("carbon-run/{}", report.carbon_run_version),
        ),
        (
            "cpu_count",
            report.host.cpus.map(|cpus| cpus.to_string()).unwrap_or_default(),
        ),
        ("cpu_model", report.host.cpu_model.clone().unwrap_or_default()),
        ("gpu_count", gpu_count(report)),
        ("gpu_model", gpu_models(report)),
        ("longitude", String::new()),
        ("latitude", String::new()),
        ("ram_total_size", number(memory_total)),
        ("tracking_mode", "process".to_owned()),
        ("cpu_utilization_percent", number(cpu_percent(report))),
        ("gpu_utilization_percent", String::new()),
        (
            "ram_utilization_percent",
            number(
                memory
                    .zip(memory_total)
                    .and_then(|(used, all)| per(100.0 * used, all)),
            ),
        ),
        ("ram_used_gb", number(memory)),
        ("on_cloud", if cloud.is_some() { "Y" } else { "N" }.to_owned()),
        ("pue", number(Some(report.pue))),
        ("wue", number(water.map(|water| water.l_per_kwh))),
    ]
}

/// Empty without any, for that none was found is no proof that there is none.
fn gpu_count(report: &RunReport) -> String {
    match report.gpus.len() {
        0 => String::new(),
        count => count.to_string(),
    }
}

/// `2 x NVIDIA H100 80GB HBM3`, as CodeCarbon writes it.
fn gpu_models(report: &RunReport) -> String {
    let mut models: Vec<(&str, usize)> = Vec::new();
    for name in report.gpus.iter().filter_map(|gpu| gpu.gpu.name.as_deref()) {
        match models.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => models.push((name, 1)),
        }
    }
    let models: Vec<String> = models
        .iter()
        .map(|(name, count)| format!("{count} x {name}"))
        .collect();
    models.join(", ")
}

/// The place in CodeCarbon's three cells.
struct Place {
    country_name: String,
    country_code: String,
    region: String,
}

impl Place {
    /// A part of a country (ISO 3166-2) is written below its country, lower case, as CodeCarbon does.
    fn of(intensity: &Intensity) -> Self {
        match intensity
            .place
            .split_once('-')
            .and_then(|(country, _)| federation(country))
        {
            Some((code, country)) => Self {
                country_name: country.to_owned(),
                country_code: code.to_owned(),
                region: intensity.name.to_lowercase(),
            },
            None => Self {
                country_name: intensity.name.clone(),
                country_code: intensity.place.clone(),
                region: String::new(),
            },
        }
    }
}

/// Alpha-3 code and English short name (ISO 3166-1) of the countries whose parts have figures of their own.
fn federation(alpha2: &str) -> Option<(&'static str, &'static str)> {
    match alpha2 {
        "AU" => Some(("AUS", "Australia")),
        "CA" => Some(("CAN", "Canada")),
        "CN" => Some(("CHN", "China")),
        "US" => Some(("USA", "United States")),
        _ => None,
    }
}

/// The job's share of the time of all CPUs, in per cent.
fn cpu_percent(report: &RunReport) -> Option<f64> {
    let available = f64::from(report.host.cpus?) * report.duration.as_secs_f64();
    per(100.0 * report.cpu_time?.seconds(), available).map(|percent| percent.min(100.0))
}

/// A quotient, where there is one.
fn per(amount: f64, whole: f64) -> Option<f64> {
    let quotient = amount / whole;
    quotient.is_finite().then_some(quotient)
}

/// The shortest decimal that reads back as the same number; nothing where there is none.
fn number(value: Option<f64>) -> String {
    value
        .filter(|value| value.is_finite())
        .map(|value| value.to_string())
        .unwrap_or_default()
}

#[cfg(test)]
#[path = "emissions_csv_tests.rs"]
mod tests;
