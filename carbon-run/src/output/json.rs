//! The JSON report, schema `carbon-run/report/1`. Its names are public: fields are added, never renamed or moved.
//!
//! - A unit is the suffix of its name: `_s` seconds, `_j` joules, `_uj` microjoules (integers up to 2^64), `_g` grams
//!   of CO2eq, `g_per_kwh`, `_bytes`. Shares and relative uncertainties are fractions of 1. Every number is finite.
//! - `null` is absent and never 0. The reason stands in the same object: `NAME_reason` for one field, `reason` for all
//!   of them. Two fields are null by choice instead: `project` when none was named, and of `exit.code` and
//!   `exit.signal` the one that did not happen. What could not be found out about the `host` is left out.
//! - `energy_j.total` is the sum of `job_uj + job_idle_uj` over the domains with `summed`. In each domain `job_uj`,
//!   `job_idle_uj`, `others_uj`, `kernel_uj` (0 where null), `own_uj` and `idle_uj` add up to `measured_uj` exactly.
//! - Of a GPU's `others_uj`, `unattributed_uj` may be the job's as well: it is in `job_range_j` and not in `job_uj`.
//! - A range is `{"low", "high"}`, and the figure lies inside it. An origin is `{"measured": METER}`,
//!   `{"estimated": MODEL}` or `{"absent": REASON}`.
//! - `command` is text; when an argument is not UTF-8, `command_bytes` has all of them exactly, in hexadecimal.
//! - `phases` are in the order of their first start, and one comes after the one around it. Their `own` figures and
//!   `outside_phases` add up to the job's. Where no `phases_overlap`, each phase is its `own` and the phases right inside of it.
//! - `quality.warnings` are the notes that make a figure worse, `quality.notes` the others.

mod beyond;
mod domain;
mod energy;
mod gpu;
mod intensity;
mod phases;
mod run;
mod trust;

pub(super) use beyond::Beyond;

use crate::model::report::RunReport;

/// The name and the version of the shape.
pub const SCHEMA: &str = "carbon-run/report/1";

/// The report as indented JSON, ending in a newline.
///
/// # Errors
/// When a value has no JSON form; those of a report all have one.
pub fn json(report: &RunReport) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec_pretty(&run::Run::from(report))?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests;
