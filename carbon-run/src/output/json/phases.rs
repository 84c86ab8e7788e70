//! The phases that the job marked.

use super::energy::{EmissionsRange, EnergyRange, JobEnergy};
use super::run::NOT_COUNTED;
use crate::model::report::{self, RunReport};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Phase<'a> {
    name: &'a str,
    /// Its name after those of the phases around it, from the outermost in.
    path: &'a [String],
    times: u64,
    open_at_end: bool,
    /// With the phases inside of it.
    #[serde(flatten)]
    whole: Figures<'a>,
    /// Without them: while it was the innermost that was open.
    own: Figures<'a>,
}

#[derive(Serialize)]
pub(super) struct Figures<'a> {
    duration_s: f64,
    cpu_time_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_time_s_reason: Option<&'static str>,
    energy_j: JobEnergy<'a>,
    energy_range_j: Option<EnergyRange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    energy_range_j_reason: Option<&'a str>,
    emissions_g: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    emissions_g_reason: Option<&'a str>,
    emissions_range_g: Option<EmissionsRange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    emissions_range_g_reason: Option<&'a str>,
    /// Part of that time for which the energy is known.
    coverage: f64,
}

impl<'a> Phase<'a> {
    pub(super) fn all(report: &'a RunReport) -> Vec<Self> {
        let phase = |phase: &'a report::Phase| Self {
            name: phase.name(),
            path: &phase.path,
            times: phase.times,
            open_at_end: phase.open_at_end,
            whole: Figures::from(&phase.whole),
            own: Figures::from(&phase.own),
        };
        report.phases.list.iter().map(phase).collect()
    }
}

impl<'a> From<&'a report::PhaseFigures> for Figures<'a> {
    fn from(figures: &'a report::PhaseFigures) -> Self {
        let (total, emissions) = (&figures.energy.total, &figures.emissions);
        Self {
            duration_s: figures.duration.as_secs_f64(),
            cpu_time_s: figures.cpu_time.map(|time| time.seconds()),
            cpu_time_s_reason: figures.cpu_time.is_none().then_some(NOT_COUNTED),
            energy_j: JobEnergy::from(&figures.energy),
            energy_range_j: total.ranged().map(EnergyRange::from),
            energy_range_j_reason: total.reason(),
            emissions_g: emissions.value().map(|mass| mass.get()),
            emissions_g_reason: emissions.reason(),
            emissions_range_g: emissions.ranged().map(EmissionsRange::from),
            emissions_range_g_reason: emissions.reason(),
            coverage: figures.coverage.get(),
        }
    }
}
