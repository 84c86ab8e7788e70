//! Water, embodied emissions, emissions per functional unit, and what they are like.

use super::energy::EmissionsRange;
use crate::model::recording::FigureFrom;
use crate::model::report::{self, BeyondElectricity, Figure};
use crate::model::units::Grams;
use serde::Serialize;

/// What stands beside the emissions of the electricity; what was not asked for and is not known has no field.
#[derive(Serialize)]
pub(in crate::output) struct Beyond<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    water: Option<Water<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embodied: Option<Embodied<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sci: Option<Sci<'a>>,
    equivalences: Vec<Equivalence<'a>>,
}

#[derive(Serialize)]
struct Water<'a> {
    litres: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    litres_reason: Option<&'a str>,
    l_per_kwh: f64,
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    year: Option<u16>,
}

#[derive(Serialize)]
struct Embodied<'a> {
    #[serde(flatten)]
    mass: Mass<'a>,
    /// Of the whole machine.
    machine_kg: f64,
    machine_low_kg: f64,
    machine_high_kg: f64,
    lifetime_years: f64,
    share: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    share_reason: Option<&'static str>,
    share_by: &'static str,
    basis: &'a str,
}

#[derive(Serialize)]
struct Mass<'a> {
    emissions_g: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    emissions_g_reason: Option<&'a str>,
    emissions_range_g: Option<EmissionsRange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    emissions_range_g_reason: Option<&'a str>,
}

/// Software carbon intensity (ISO/IEC 21031).
#[derive(Serialize)]
struct Sci<'a> {
    amount: f64,
    unit: &'a str,
    /// Operational and embodied, per one of them.
    g_per_unit: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    g_per_unit_reason: Option<&'a str>,
    range_g_per_unit: Option<EmissionsRange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    range_g_per_unit_reason: Option<&'a str>,
}

#[derive(Serialize)]
struct Equivalence<'a> {
    key: &'a str,
    amount: f64,
    unit: &'a str,
    source: &'a str,
    year: u16,
}

impl<'a> From<&'a Figure<Grams>> for Mass<'a> {
    fn from(mass: &'a Figure<Grams>) -> Self {
        Self {
            emissions_g: mass.value().map(Grams::get),
            emissions_g_reason: mass.reason(),
            emissions_range_g: mass.ranged().map(EmissionsRange::from),
            emissions_range_g_reason: mass.reason(),
        }
    }
}

impl<'a> From<&'a BeyondElectricity> for Beyond<'a> {
    fn from(beyond: &'a BeyondElectricity) -> Self {
        Self {
            water: beyond.water.as_ref().map(Water::from),
            embodied: beyond.embodied.as_ref().map(Embodied::from),
            sci: beyond.sci.as_ref().map(Sci::from),
            equivalences: beyond
                .equivalences
                .iter()
                .map(|like| Equivalence {
                    key: &like.key,
                    amount: like.amount,
                    unit: &like.unit,
                    source: &like.source,
                    year: like.year,
                })
                .collect(),
        }
    }
}

impl<'a> From<&'a report::Water> for Water<'a> {
    fn from(water: &'a report::Water) -> Self {
        Self {
            litres: water.amount.value().map(|litres| litres.get()),
            litres_reason: water.amount.reason(),
            l_per_kwh: water.l_per_kwh,
            source: water.from.who(),
            year: FigureFrom::year(&water.from),
        }
    }
}

impl<'a> From<&'a report::Embodied> for Embodied<'a> {
    fn from(embodied: &'a report::Embodied) -> Self {
        Self {
            mass: Mass::from(&embodied.emissions),
            machine_kg: embodied.machine.value.get() / 1e3,
            machine_low_kg: embodied.machine.low.get() / 1e3,
            machine_high_kg: embodied.machine.high.get() / 1e3,
            lifetime_years: embodied.lifetime_years,
            share: embodied.share.map(|share| share.get()),
            share_reason: embodied
                .share
                .is_none()
                .then_some("the job's part of the machine was not counted"),
            share_by: embodied.share_by,
            basis: &embodied.basis,
        }
    }
}

impl<'a> From<&'a report::SoftwareCarbonIntensity> for Sci<'a> {
    fn from(sci: &'a report::SoftwareCarbonIntensity) -> Self {
        Self {
            amount: sci.unit.amount,
            unit: &sci.unit.name,
            g_per_unit: sci.per_unit.value().map(Grams::get),
            g_per_unit_reason: sci.per_unit.reason(),
            range_g_per_unit: sci.per_unit.ranged().map(EmissionsRange::from),
            range_g_per_unit_reason: sci.per_unit.reason(),
        }
    }
}
