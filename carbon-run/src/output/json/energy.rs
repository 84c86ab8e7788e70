//! The job's energy three times over, by the same keys: the figures, their ranges, their origins.

use crate::model::recording::{Origin, Ranged};
use crate::model::report::{self, Figure};
use crate::model::units::{Grams, Joules};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct JobEnergy<'a> {
    total: Option<f64>,
    cpu: Option<f64>,
    ram: Option<f64>,
    gpu: Option<f64>,
    #[serde(flatten)]
    reasons: Reasons<'a>,
}

#[derive(Serialize)]
pub(super) struct EnergyRanges<'a> {
    total: Option<EnergyRange>,
    cpu: Option<EnergyRange>,
    ram: Option<EnergyRange>,
    gpu: Option<EnergyRange>,
    #[serde(flatten)]
    reasons: Reasons<'a>,
}

#[derive(Serialize)]
struct Reasons<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    total_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ram_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gpu_reason: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct EnergyOrigins<'a> {
    total: FigureOrigin<'a>,
    cpu: FigureOrigin<'a>,
    ram: FigureOrigin<'a>,
    gpu: FigureOrigin<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FigureOrigin<'a> {
    Measured(&'static str),
    Estimated(&'a str),
    Absent(&'a str),
}

/// Joules.
#[derive(Serialize)]
pub(super) struct EnergyRange {
    low: f64,
    high: f64,
}

/// Grams of CO2eq.
#[derive(Serialize)]
pub(super) struct EmissionsRange {
    low: f64,
    high: f64,
}

impl<'a> From<&'a report::JobEnergy> for JobEnergy<'a> {
    fn from(energy: &'a report::JobEnergy) -> Self {
        let joules = |figure: &Figure<Joules>| figure.value().map(Joules::get);
        Self {
            total: joules(&energy.total),
            cpu: joules(&energy.cpu),
            ram: joules(&energy.ram),
            gpu: joules(&energy.gpu),
            reasons: Reasons::from(energy),
        }
    }
}

impl<'a> From<&'a report::JobEnergy> for EnergyRanges<'a> {
    fn from(energy: &'a report::JobEnergy) -> Self {
        let range = |figure: &Figure<Joules>| figure.ranged().map(EnergyRange::from);
        Self {
            total: range(&energy.total),
            cpu: range(&energy.cpu),
            ram: range(&energy.ram),
            gpu: range(&energy.gpu),
            reasons: Reasons::from(energy),
        }
    }
}

impl<'a> From<&'a report::JobEnergy> for Reasons<'a> {
    fn from(energy: &'a report::JobEnergy) -> Self {
        Self {
            total_reason: energy.total.reason(),
            cpu_reason: energy.cpu.reason(),
            ram_reason: energy.ram.reason(),
            gpu_reason: energy.gpu.reason(),
        }
    }
}

impl<'a> From<&'a report::JobEnergy> for EnergyOrigins<'a> {
    fn from(energy: &'a report::JobEnergy) -> Self {
        Self {
            total: FigureOrigin::of(&energy.total),
            cpu: FigureOrigin::of(&energy.cpu),
            ram: FigureOrigin::of(&energy.ram),
            gpu: FigureOrigin::of(&energy.gpu),
        }
    }
}

impl<'a> FigureOrigin<'a> {
    fn of(figure: &'a Figure<Joules>) -> Self {
        match figure {
            Figure::Known { origin, .. } => Self::from(origin),
            Figure::Absent(reason) => Self::Absent(reason),
        }
    }
}

impl<'a> From<&'a Origin> for FigureOrigin<'a> {
    fn from(origin: &'a Origin) -> Self {
        match origin {
            Origin::Measured(source) => Self::Measured(source.name()),
            Origin::Estimated(model) => Self::Estimated(model),
            Origin::Absent(reason) => Self::Absent(reason),
        }
    }
}

impl From<Ranged<Joules>> for EnergyRange {
    fn from(ranged: Ranged<Joules>) -> Self {
        Self {
            low: ranged.low.get(),
            high: ranged.high.get(),
        }
    }
}

impl From<Ranged<Grams>> for EmissionsRange {
    fn from(ranged: Ranged<Grams>) -> Self {
        Self {
            low: ranged.low.get(),
            high: ranged.high.get(),
        }
    }
}
