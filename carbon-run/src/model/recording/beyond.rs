//! What a person wants to know beyond the emissions of the electricity.

use super::{FigureFrom, Ranged};
use crate::model::units::Grams;
use serde::{Deserialize, Serialize};

/// What is known before the run of the facility's water, of the making of the machine, and of what the run is for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Beyond {
    /// The facility's water.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub water: Option<WaterUse>,
    /// The making of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<EmbodiedMachine>,
    /// What the run is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<FunctionalUnit>,
}

impl Beyond {
    /// Whether nothing is wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Water usage effectiveness (ISO/IEC 30134-9).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaterUse {
    /// Litres per kWh of the computers' energy, at least 0.
    pub l_per_kwh: f64,
    /// Who says so.
    pub from: FigureFrom,
}

/// The emissions of making the machine, and over how long they are spread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmbodiedMachine {
    /// Of the machine, without the GPUs of [`Self::gpus`].
    pub machine: Ranged<Grams>,
    /// Of each GPU, in the order of [`super::Gpus::devices`]; empty where they are in [`Self::machine`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<Ranged<Grams>>,
    /// Years for which it is used, more than 0.
    pub lifetime_years: f64,
    /// Where the figures come from, for people.
    pub basis: String,
    /// Whether the person stated them, and not a rule of thumb.
    pub stated: bool,
}

/// The R of a software carbon intensity (ISO/IEC 21031): what the run made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionalUnit {
    /// How many, more than 0.
    pub amount: f64,
    /// Of what: `image`, `epoch`.
    pub name: String,
}
