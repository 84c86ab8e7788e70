//! What is said of where the electricity comes from, the same for a run and for a replay.

use super::value::BadValue;
use super::{Chosen, Key};
use std::path::PathBuf;

/// `--country` and its kin. The tables know whether there is such a place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlaceSettings {
    /// `--country`, as it was written.
    pub country: Option<String>,
    /// `--region`, as it was written.
    pub region: Option<String>,
    /// `--cloud-provider`, as it was written.
    pub cloud_provider: Option<String>,
    /// `--cloud-region`, as it was written.
    pub cloud_region: Option<String>,
    /// `--energy-mix`: sources of energy and how much of each, at least 0 and not all of them nothing.
    pub energy_mix: Option<Vec<(String, f64)>>,
    /// `--intensity`: gCO2eq per kWh, finite and at least 0.
    pub intensity: Option<f64>,
    /// `--intensity-file`: the carbon intensity as time goes by.
    pub intensity_file: Option<PathBuf>,
}

impl PlaceSettings {
    pub(super) fn from(chosen: &Chosen<'_>) -> Result<Self, BadValue> {
        Ok(Self {
            country: chosen.read(Key::Country, |value| value.text())?,
            region: chosen.read(Key::Region, |value| value.text())?,
            cloud_provider: chosen.read(Key::CloudProvider, |value| value.text())?,
            cloud_region: chosen.read(Key::CloudRegion, |value| value.text())?,
            energy_mix: chosen.read(Key::EnergyMix, |value| value.energy_mix())?,
            intensity: chosen.read(Key::Intensity, |value| value.number(0.0))?,
            intensity_file: chosen.read(Key::IntensityFile, |value| value.path())?,
        })
    }

    /// A setting as it would be written in a config file.
    pub(super) fn written(&self, key: Key) -> Option<String> {
        let mix = self.energy_mix.as_ref().map(|mix| {
            let parts: Vec<_> = mix
                .iter()
                .map(|(source, amount)| format!("{source}={amount}"))
                .collect();
            parts.join(",")
        });
        let file = self.intensity_file.as_ref();
        let written = [
            (Key::Country, self.country.clone()),
            (Key::Region, self.region.clone()),
            (Key::CloudProvider, self.cloud_provider.clone()),
            (Key::CloudRegion, self.cloud_region.clone()),
            (Key::EnergyMix, mix),
            (
                Key::Intensity,
                self.intensity.map(|intensity| intensity.to_string()),
            ),
            (Key::IntensityFile, file.map(|path| path.display().to_string())),
        ];
        written.into_iter().find(|(written, _)| *written == key)?.1
    }
}
