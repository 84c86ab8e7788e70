//! The flags on where the electricity comes from.

use super::flags::value;
use crate::settings::{Key, Layer};
use clap::{Args, ValueHint};
use std::ffi::OsString;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Place")]
pub(super) struct Place {
    /// Country of the electricity: ISO code or English name
    ///
    /// `FR`, `FRA` and `France` are the same, in any case. Without a place the world average is used, and named as such: a
    /// place is never guessed. A place given here replaces all of one in the environment or in a config file.
    #[arg(long, value_name = "COUNTRY")]
    country: Option<OsString>,
    /// Region of the electricity: ISO 3166-2 code, as CA-QC
    #[arg(long, value_name = "REGION")]
    region: Option<OsString>,
    /// Cloud provider: aws, azure or gcp; beside --cloud-region
    #[arg(long, value_name = "PROVIDER")]
    cloud_provider: Option<OsString>,
    /// Region of the cloud, as eu-west-3
    ///
    /// The electricity is that of the state or country that it is in, and --pue what the provider publishes of it.
    #[arg(long, value_name = "REGION")]
    cloud_region: Option<OsString>,
    /// What the electricity is made of, as nuclear=65,hydro=12,wind=10,gas=13
    ///
    /// Weighted with the lifecycle emissions of each source (IPCC AR5). Sources: biomass, coal, csp, gas, geothermal, hydro, nuclear,
    /// ocean, oil, solar, solar-rooftop, wind, wind-offshore. Amounts in any unit. Wins over every place.
    #[arg(long, value_name = "MIX")]
    energy_mix: Option<OsString>,
    /// Carbon intensity of the electricity, in gCO2eq per kWh
    ///
    /// Wins over an energy mix, which wins over a cloud region, a region and a country. Not beside --intensity-file.
    #[arg(long, value_name = "G_PER_KWH", allow_negative_numbers = true)]
    intensity: Option<OsString>,
    /// Carbon intensity as time goes by, from a file
    ///
    /// CSV or JSON with the columns time and g_per_kwh, or an export of Electricity Maps. Times have an offset from UTC. Each
    /// value holds until the next one's time. Time that the file does not cover has the average of the region or country,
    /// where one is given, else the nearest value.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    intensity_file: Option<OsString>,
    /// Energy of the whole facility per energy of its computers
    ///
    /// By default what the provider of a cloud region publishes of it, else 1. The power usage effectiveness of the data centre, at least 1 (ISO/IEC 30134-2).
    #[arg(long, value_name = "RATIO", allow_negative_numbers = true)]
    pue: Option<OsString>,
}

impl Place {
    pub(super) fn say(&self, layer: &mut Layer) {
        value(layer, Key::Country, self.country.as_ref());
        value(layer, Key::Region, self.region.as_ref());
        value(layer, Key::CloudProvider, self.cloud_provider.as_ref());
        value(layer, Key::CloudRegion, self.cloud_region.as_ref());
        value(layer, Key::EnergyMix, self.energy_mix.as_ref());
        value(layer, Key::Intensity, self.intensity.as_ref());
        value(layer, Key::IntensityFile, self.intensity_file.as_ref());
        value(layer, Key::Pue, self.pue.as_ref());
    }
}
