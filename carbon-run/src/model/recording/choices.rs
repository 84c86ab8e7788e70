//! How the person wants the books kept.

use super::{Beyond, IntensitySeries, LiveIntensity};
use crate::model::units::{Share, Watts};
use serde::{Deserialize, Serialize};

/// How the person wants the books kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choices {
    /// Who pays for the idle part.
    pub idle_policy: IdlePolicy,
    /// `--idle-power`: watts per package in package order; empty when unknown.
    pub idle_power: Vec<Watts>,
    /// What a thread-second beside a busy sibling weighs against one alone, in thousandths.
    pub smt_weight_permille: u32,
    /// Facility energy per IT energy; at least 1 (ISO/IEC 30134-2).
    pub pue: f64,
    /// Who says so; `None` where nobody does and it is 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pue_from: Option<FigureFrom>,
    /// Where the electricity comes from.
    pub place: Place,
    /// `--intensity-file`: the carbon intensity as time goes by, from the start of the run on. [`Self::place`] is then what
    /// holds where it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intensity_series: Option<IntensitySeries>,
    /// `--live`: who says the carbon intensity while the run goes on. A series goes before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<LiveIntensity>,
    /// Fraction of the CPUs that are the job's by allocation (Slurm, cpuset), where there is one.
    pub allocated: Option<Share>,
    /// The numbers of those CPUs, where they are known: each domain's share is then its own.
    #[serde(default)]
    pub allocated_cpus: Option<Vec<u32>>,
    /// How many tasks of one Slurm step share that allocation, this job among them: each has as much of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocated_among: Option<u32>,
    /// What is wanted beyond the emissions of the electricity.
    #[serde(default, skip_serializing_if = "Beyond::is_empty")]
    pub beyond: Beyond,
}

/// The person's word on the electricity, in the terms of the tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// `--intensity`: gCO2eq per kWh.
    Given(f64),
    /// `--energy-mix`: what the electricity is made of.
    Mix(Vec<MixPart>),
    /// `--cloud-provider`, `--cloud-region`.
    Cloud {
        /// Lower case: `aws`, `azure`, `gcp`.
        provider: String,
        /// As the provider writes it: `eu-west-3`.
        region: String,
    },
    /// `--region`: ISO 3166-2, as `CA-QC`.
    Region(String),
    /// `--country`: ISO 3166-1 alpha-3, as `FRA`.
    Country(String),
    /// `--codecarbon-compatible`: a row of the table that CodeCarbon 3.3.2 reckons with.
    CodeCarbon {
        /// ISO 3166-1 alpha-3, or `WORLD` for what it does not know.
        country: String,
        /// As it names it: `quebec`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        region: Option<String>,
    },
    /// Nothing was said: the world average, named as such.
    World,
}

/// One source of energy in a mix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MixPart {
    /// As grid/energy_source.csv names it: `coal`, `wind-offshore`.
    pub source: String,
    /// Its part of the whole, 0 to 1.
    pub share: f64,
}

/// Who says a figure of the facility.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FigureFrom {
    /// The person.
    User,
    /// The operator.
    Published {
        /// Publisher and title.
        source: String,
        /// The year that it describes.
        year: u16,
    },
}

impl FigureFrom {
    /// `user`, or the publisher.
    #[must_use]
    pub fn who(&self) -> &str {
        match self {
            Self::User => "user",
            Self::Published { source, .. } => source,
        }
    }

    /// The year that it describes.
    #[must_use]
    pub const fn year(&self) -> Option<u16> {
        match self {
            Self::User => None,
            Self::Published { year, .. } => Some(*year),
        }
    }
}

/// Who pays for the baseline power of a domain (METHOD.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdlePolicy {
    /// Nobody's: the job gets only what it added.
    None,
    /// By the share of the CPUs' time that the job ran. The default.
    Capacity,
    /// By the share of the CPUs that are the job's, also while it sleeps.
    Allocated,
    /// By the job's share of the busy time. Moves with the neighbours.
    Busy,
    /// All the job's: the machine is its own.
    All,
}

impl IdlePolicy {
    /// Every policy, in the order in which reports list them.
    pub const ALL: [Self; 5] = [Self::None, Self::Capacity, Self::Allocated, Self::Busy, Self::All];

    /// As it is written on the command line and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Capacity => "capacity",
            Self::Allocated => "allocated",
            Self::Busy => "busy",
            Self::All => "all",
        }
    }
}
