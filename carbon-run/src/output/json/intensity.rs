//! The electricity: its intensity with its pedigree.

use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
pub(super) struct Intensity<'a> {
    g_per_kwh: f64,
    low_g_per_kwh: f64,
    high_g_per_kwh: f64,
    place: &'a str,
    name: &'a str,
    source: &'a str,
    year: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    year_reason: Option<&'static str>,
    boundary: &'a str,
    flow: &'a str,
    method: &'a str,
    licence: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    licence_reason: Option<&'static str>,
    /// Whether nobody said where, so that the world average stands in.
    assumed: bool,
    /// Of a cloud region alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    cloud: Option<Cloud<'a>>,
    /// Of an energy mix alone: the parts of its sources.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    mix: BTreeMap<&'a str, f64>,
    /// Of a live provider alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<Live<'a>>,
    /// Of a time series alone: what it was while the run went on.
    #[serde(skip_serializing_if = "Option::is_none")]
    over_time: Option<OverTime>,
}

#[derive(Serialize)]
struct Cloud<'a> {
    provider: &'a str,
    region: &'a str,
    location: &'a str,
}

#[derive(Serialize)]
struct Live<'a> {
    provider: &'a str,
    zone: &'a str,
    /// Whether the provider called any of its values an estimate.
    estimated: bool,
}

#[derive(Serialize)]
struct OverTime {
    lowest_g_per_kwh: f64,
    highest_g_per_kwh: f64,
    /// Part of the run's time that the series covers.
    covered: f64,
}

impl<'a> From<&'a crate::model::report::Intensity> for Intensity<'a> {
    fn from(intensity: &'a crate::model::report::Intensity) -> Self {
        Self {
            g_per_kwh: intensity.value.value.get(),
            low_g_per_kwh: intensity.value.low.get(),
            high_g_per_kwh: intensity.value.high.get(),
            place: &intensity.place,
            name: &intensity.name,
            source: &intensity.source,
            year: intensity.year,
            year_reason: intensity.year.is_none().then_some("the source states none"),
            boundary: &intensity.boundary,
            flow: &intensity.flow,
            method: &intensity.method,
            licence: intensity.licence.as_deref(),
            licence_reason: intensity.licence.is_none().then_some("the source states none"),
            assumed: intensity.assumed,
            cloud: intensity.cloud.as_ref().map(|cloud| Cloud {
                provider: &cloud.provider,
                region: &cloud.region,
                location: &cloud.location,
            }),
            mix: intensity
                .mix
                .iter()
                .map(|part| (part.source.as_str(), part.share))
                .collect(),
            live: intensity.live.as_ref().map(|live| Live {
                provider: &live.provider,
                zone: &live.zone,
                estimated: live.estimated,
            }),
            over_time: intensity.over_time.map(|over_time| OverTime {
                lowest_g_per_kwh: over_time.lowest.get(),
                highest_g_per_kwh: over_time.highest.get(),
                covered: over_time.covered.get(),
            }),
        }
    }
}
