//! Carbon intensity as a provider says it while the run goes on.

use crate::model::units::GramsPerKwh;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Who can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiveProvider {
    /// Electricity Maps, by zone, with a token.
    ElectricityMaps,
    /// Great Britain's Carbon Intensity API (NESO), the whole or a region of it.
    Uk,
    /// WattTime, by region, with user and password: marginal.
    WattTime,
    /// Any address that answers with JSON.
    Generic,
}

impl LiveProvider {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::ElectricityMaps, Self::Uk, Self::WattTime, Self::Generic];

    /// As it is written in settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ElectricityMaps => "electricity-maps",
            Self::Uk => "uk",
            Self::WattTime => "watttime",
            Self::Generic => "generic",
        }
    }

    /// As people know it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::ElectricityMaps => "Electricity Maps",
            Self::Uk => "Carbon Intensity API (GB)",
            Self::WattTime => "WattTime",
            Self::Generic => "the given address",
        }
    }

    /// Between one value and the next.
    #[must_use]
    pub const fn period(self) -> Duration {
        match self {
            Self::ElectricityMaps | Self::Generic => Duration::from_secs(3600),
            Self::Uk => Duration::from_secs(1800),
            Self::WattTime => Duration::from_secs(300),
        }
    }

    /// Whether nobody answers without a token.
    #[must_use]
    pub const fn needs_token(self) -> bool {
        matches!(self, Self::ElectricityMaps | Self::WattTime)
    }

    /// Whether a zone has to be named.
    #[must_use]
    pub const fn needs_zone(self) -> bool {
        matches!(self, Self::ElectricityMaps | Self::WattTime)
    }
}

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
