//! From a report to bytes. Outputs print a [`crate::model::report::RunReport`] and compute nothing that it does not say.

#![deny(clippy::disallowed_methods)]

mod calibration;
mod checkup;
mod codecarbon;
mod emissions_csv;
mod estimate;
#[cfg(test)]
mod example;
mod json;
mod merge;
mod plain_text;
mod prometheus;
mod quantity;
mod summary;
mod wall_clock;

pub use calibration::{calibration_json, calibration_text};
pub use checkup::{checkup_json, checkup_text};
pub use codecarbon::{CodeCarbonRun, Untold, codecarbon_row, codecarbon_run};
pub use emissions_csv::{EmissionsRow, emissions_csv};
pub use estimate::{estimate_json, estimate_text};
pub use json::{SCHEMA, json};
pub use merge::{merged_csv, merged_json, merged_summary};
pub use prometheus::{PROMETHEUS_TYPE, prometheus};
pub use summary::{Style, summary};
