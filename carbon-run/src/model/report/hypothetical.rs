//! An estimate of hardware that was not looked at.

use super::{BeyondElectricity, Figure, Intensity};
use crate::model::recording::{Beyond, FigureFrom, Ranged};
use crate::model::units::{Grams, Joules, Share, Watts};
use std::time::Duration;

/// What is to be estimated.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hardware {
    /// GPUs: their name and how many.
    pub gpus: Option<(String, u32)>,
    /// CPU packages: their name and how many.
    pub cpus: Option<(String, u32)>,
    /// Memory in GiB.
    pub memory_gib: Option<f64>,
    /// Anything else, as it is stated.
    pub other: Option<Watts>,
    /// What of their time GPUs and CPUs are busy.
    pub utilisation: Share,
}

/// Where and for how long.
#[derive(Debug, Clone, PartialEq)]
pub struct Circumstances {
    /// How long.
    pub duration: Duration,
    /// Facility energy per IT energy, and who says so.
    pub pue: (f64, Option<FigureFrom>),
    /// The electricity.
    pub intensity: Intensity,
    /// What is wanted beyond it.
    pub beyond: Beyond,
}

/// One kind of hardware in an estimate.
#[derive(Debug, Clone, PartialEq)]
pub struct HypotheticalPart {
    /// `gpu`, `cpu`, `ram`, `other`.
    pub kind: &'static str,
    /// Where its power comes from, for people.
    pub basis: String,
    /// Mean power.
    pub power: Ranged<Watts>,
    /// Its energy.
    pub energy: Ranged<Joules>,
}

/// An estimate.
#[derive(Debug, Clone, PartialEq)]
pub struct Hypothetical {
    /// Which tables it was made with.
    pub data_version: String,
    /// As asked.
    pub hardware: Hardware,
    /// As asked.
    pub circumstances: Circumstances,
    /// GPUs, CPUs, memory, the rest; never none.
    pub parts: Vec<HypotheticalPart>,
    /// Their sum.
    pub energy: Figure<Joules>,
    /// Times PUE and intensity.
    pub emissions: Figure<Grams>,
    /// Water, embodied emissions, emissions per unit, equivalences.
    pub beyond: BeyondElectricity,
}
