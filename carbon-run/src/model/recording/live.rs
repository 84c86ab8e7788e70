//! Carbon intensity as a provider says it while the run goes on.

use crate::model::units::GramsPerKwh;
use serde::{Deserialize, Serialize};

/// Who says it, and of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveFacts {
    /// `Electricity Maps`.
    pub provider: String,
    /// As the provider names it.
    pub zone: String,
    /// `lifecycle`, `direct` or `unstated`.
    pub boundary: String,
    /// `production`, `consumption` or `unstated`.
    pub flow: String,
    /// Whether it is of the power plants that one more kWh would start, and no average of all.
    pub marginal: bool,
}

/// A value, and from when on and how long it holds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LiveStep {
    /// Wall clock, nanoseconds since 1970-01-01T00:00:00Z.
    pub from_unix_ns: i64,
    /// Until when, unless a later one comes before.
    pub until_unix_ns: i64,
    /// gCO2eq per kWh.
    pub g_per_kwh: GramsPerKwh,
    /// Whether the provider calls it an estimate of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

/// What was known when the run began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveIntensity {
    /// Who says it.
    #[serde(flatten)]
    pub facts: LiveFacts,
    /// In order of time; empty where nobody had asked lately.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<LiveStep>,
}
