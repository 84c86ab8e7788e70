//! Beyond the emissions of the electricity.

use super::Figure;
use crate::model::recording::{FigureFrom, FunctionalUnit, Ranged};
use crate::model::units::{Grams, Litres, Share};
use serde::Serialize;

/// What was wanted, and what everybody gets.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BeyondElectricity {
    /// The facility's water, where its use is known.
    pub water: Option<Water>,
    /// The job's part of making the machine.
    pub embodied: Option<Embodied>,
    /// Emissions per functional unit.
    pub sci: Option<SoftwareCarbonIntensity>,
    /// What the emissions of the electricity are like.
    pub equivalences: Vec<Equivalence>,
}

/// Water that the facility used on site for the job's energy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Water {
    /// `kWh of the computers * WUE`.
    pub amount: Figure<Litres>,
    /// Litres per kWh.
    pub l_per_kwh: f64,
    /// Who says so.
    pub from: FigureFrom,
}

/// The job's part of what making the machine emitted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Embodied {
    /// `machine * (time / lifetime) * share`, and the same of each GPU.
    pub emissions: Figure<Grams>,
    /// Of the whole machine, GPUs included.
    pub machine: Ranged<Grams>,
    /// Years for which it is used.
    pub lifetime_years: f64,
    /// The job's part of the machine while it ran; of the GPUs it has its own. `None` where nobody counted.
    pub share: Option<Share>,
    /// What that goes by: `allocation`, `cpu-time`, `all`.
    pub share_by: &'static str,
    /// Where the machine's figure comes from, for people.
    pub basis: String,
}

/// Software carbon intensity (ISO/IEC 21031): `((E * I) + M) / R`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SoftwareCarbonIntensity {
    /// R.
    pub unit: FunctionalUnit,
    /// Grams per one of them.
    pub per_unit: Figure<Grams>,
}

/// Something that emits as much.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Equivalence {
    /// `car`, `petrol`, `phone`.
    pub key: String,
    /// How many.
    pub amount: f64,
    /// Of what, in words that fit the amount.
    pub unit: String,
    /// Who says so.
    pub source: String,
    /// When.
    pub year: u16,
}
