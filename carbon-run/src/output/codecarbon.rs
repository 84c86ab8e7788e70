//! A run as CodeCarbon 3.3.2 tells it to a server: the same cells as in `emissions.csv`, typed.
//!
//! Its server takes null for what is not known, in every figure but the duration, which is a whole number of seconds above 0
//! (carbonserver's `EmissionBase` and `RunBase`).

use super::emissions_csv::{EmissionsRow, emissions_csv};
use super::wall_clock;
use crate::model::report::RunReport;
use serde_json::{Map, Value, json};

/// Columns of `emissions.csv` that hold numbers; the others hold text.
const NUMBERS: [&str; 22] = [
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
    "cpu_count",
    "gpu_count",
    "longitude",
    "latitude",
    "ram_total_size",
    "cpu_utilization_percent",
    "gpu_utilization_percent",
    "ram_utilization_percent",
    "ram_used_gb",
    "pue",
    "wue",
];

/// Why a run cannot be told to CodeCarbon's server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Untold {
    /// It would be a row without figures.
    #[error("the job's energy is not known")]
    NoEnergy,
    /// The server counts whole seconds, above 0.
    #[error("CodeCarbon's server takes no run of less than a second")]
    TooShort,
}

/// What CodeCarbon's server is told.
#[derive(Debug, Clone, PartialEq)]
pub struct CodeCarbonRun {
    /// `POST /runs`.
    pub run: Value,
    /// `POST /emissions`; its `run_id` is what the server answered.
    pub emission: Value,
}

/// The run for CodeCarbon's server.
///
/// # Errors
/// When the server would take it for no run.
pub fn codecarbon_run(report: &RunReport) -> Result<CodeCarbonRun, Untold> {
    let cells = Cells(emissions_csv(report).ok_or(Untold::NoEnergy)?);
    let seconds = report.duration.as_secs();
    if seconds < 1 {
        return Err(Untold::TooShort);
    }
    let timestamp = wall_clock::end(report).rfc3339();
    let run = json!({
        "timestamp": timestamp,
        "experiment_id": cells.text("experiment_id"),
        "os": cells.text("os"),
        "python_version": cells.text("python_version"),
        "codecarbon_version": cells.text("codecarbon_version"),
        "cpu_count": cells.whole("cpu_count"),
        "cpu_model": cells.text("cpu_model"),
        "gpu_count": cells.whole("gpu_count"),
        "gpu_model": cells.text("gpu_model"),
        "longitude": cells.number("longitude"),
        "latitude": cells.number("latitude"),
        "region": cells.text("region"),
        "provider": cells.text("cloud_provider"),
        "ram_total_size": cells.number("ram_total_size"),
        "tracking_mode": cells.text("tracking_mode"),
    });
    let mut emission = json!({
        "timestamp": timestamp,
        "run_id": null,
        "duration": seconds,
        "emissions_sum": cells.number("emissions"),
    });
    if let Value::Object(emission) = &mut emission {
        for name in [
            "emissions_rate",
            "cpu_power",
            "gpu_power",
            "ram_power",
            "cpu_energy",
            "gpu_energy",
            "ram_energy",
            "energy_consumed",
            "cpu_utilization_percent",
            "gpu_utilization_percent",
            "ram_utilization_percent",
        ] {
            emission.insert(name.to_owned(), cells.number(name));
        }
        // Where nobody said it, the server has its own default.
        let wue = cells.number("wue");
        if !wue.is_null() {
            emission.insert("wue".to_owned(), wue);
        }
    }
    Ok(CodeCarbonRun { run, emission })
}

/// What a receiver of CodeCarbon's `emissions_endpoint` is told: every cell of `emissions.csv`, and the user's name. `None` where there
/// is no row.
#[must_use]
pub fn codecarbon_row(report: &RunReport, user: Option<&str>) -> Option<Value> {
    let cells = Cells(emissions_csv(report)?);
    let mut row = Map::new();
    for name in &cells.0.header {
        let cell = if NUMBERS.contains(name) {
            cells.number(name)
        } else {
            cells.text(name)
        };
        row.insert((*name).to_owned(), cell);
    }
    row.insert("user".to_owned(), user.into());
    Some(Value::Object(row))
}

struct Cells(EmissionsRow);

impl Cells {
    fn cell(&self, name: &str) -> Option<&str> {
        let at = self.0.header.iter().position(|column| *column == name)?;
        self.0
            .cells
            .get(at)
            .map(String::as_str)
            .filter(|cell| !cell.is_empty())
    }

    fn text(&self, name: &str) -> Value {
        self.cell(name).into()
    }

    fn number(&self, name: &str) -> Value {
        self.cell(name).and_then(|cell| cell.parse::<f64>().ok()).into()
    }

    fn whole(&self, name: &str) -> Value {
        self.cell(name).and_then(|cell| cell.parse::<u64>().ok()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::example;
    use std::time::Duration;

    #[test]
    fn a_run_for_the_server() {
        let told = codecarbon_run(&example::measured()).unwrap();
        let both = json!({ "run": told.run, "emission": told.emission });
        insta::assert_snapshot!(serde_json::to_string_pretty(&both).unwrap());
    }

    #[test]
    fn a_row_for_a_receiver() {
        let row = codecarbon_row(&example::measured(), Some("me")).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&row).unwrap());
    }

    #[test]
    fn what_the_server_would_refuse_is_not_told() {
        let mut report = example::measured();
        report.duration = Duration::from_millis(999);
        assert_eq!(codecarbon_run(&report), Err(Untold::TooShort));
        assert_eq!(codecarbon_run(&example::absent()), Err(Untold::NoEnergy));
        assert_eq!(codecarbon_row(&example::absent(), None), None);
    }

    #[test]
    fn each_column_of_numbers_is_one_of_the_table() {
        let header = emissions_csv(&example::measured()).unwrap().header;
        assert!(NUMBERS.iter().all(|name| header.contains(name)));
    }
}
