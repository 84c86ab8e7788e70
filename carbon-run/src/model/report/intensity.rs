//! Carbon intensity as every output sees it.

use crate::model::recording::{MixPart, Ranged};
use crate::model::units::{GramsPerKwh, Share};
use serde::Serialize;

/// The electricity's carbon intensity with its pedigree.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Intensity {
    /// gCO2eq per kWh, with its range.
    pub value: Ranged<GramsPerKwh>,
    /// The place's code: `FRA`, `CA-QC`, `WORLD`; `user` for `--intensity`, and for a time series without a place.
    pub place: String,
    /// The place's name: `France`.
    pub name: String,
    /// Publisher and edition, as `Ember, Yearly Electricity Data (2026 release)`; the file of a time series.
    pub source: String,
    /// The year that the figure describes.
    pub year: Option<u16>,
    /// `lifecycle` or `direct`; `unstated` for `--intensity`, and for a time series that does not say.
    pub boundary: String,
    /// `production` or `consumption`; `unstated` for `--intensity` and for a time series.
    pub flow: String,
    /// `location-average`, `energy-mix`, `time-series`, `live-average`, `live-marginal`, or `user`.
    pub method: String,
    /// Licence of the figure (SPDX), where it has one.
    pub licence: Option<String>,
    /// Whether nobody said where, so that the world average stands in.
    pub assumed: bool,
    /// The cloud region, where the place is one: [`Self::place`] is then the grid that it is on.
    pub cloud: Option<CloudPlace>,
    /// What the electricity is made of, where the person says that.
    pub mix: Vec<MixPart>,
    /// Who said it while the run went on, where somebody did.
    pub live: Option<LiveReport>,
    /// Of a time series, of which [`Self::value`] is the mean by the job's energy.
    pub over_time: Option<IntensityOverTime>,
}

/// What a time series of intensity was while the run went on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct IntensityOverTime {
    /// The lowest value that was used.
    pub lowest: GramsPerKwh,
    /// The highest value that was used.
    pub highest: GramsPerKwh,
    /// Part of the run's time that the series covers.
    pub covered: Share,
}

/// A region of a cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CloudPlace {
    /// `aws`, `azure`, `gcp`.
    pub provider: String,
    /// As the provider writes it: `eu-west-3`.
    pub region: String,
    /// Where that is: `Paris`.
    pub location: String,
}

/// A provider of live values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LiveReport {
    /// `Electricity Maps`.
    pub provider: String,
    /// As the provider names it.
    pub zone: String,
    /// Whether it called any of its values an estimate.
    pub estimated: bool,
}
