//! The flags on what is wanted beyond the emissions of the electricity.

use super::flags::value;
use crate::settings::{Key, Layer};
use clap::Args;
use std::ffi::OsString;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Beyond the electricity's emissions")]
pub(super) struct Beyond {
    /// Water that the facility uses, in litres per kWh of its computers
    ///
    /// The water usage effectiveness of the data centre (ISO/IEC 30134-9). By default what the provider of a cloud region publishes.
    #[arg(long, value_name = "L_PER_KWH", allow_negative_numbers = true)]
    wue: Option<OsString>,
    /// Add the job's part of making the machine: kilograms of CO2eq of the whole machine, or `auto`
    ///
    /// `auto` is a rule of thumb for a server and its GPUs with a wide range; better is the maker's product carbon footprint. The job's
    /// part is that of its time in the machine's life, times what of the machine it had or used.
    #[arg(long, value_name = "KG", allow_negative_numbers = true)]
    embodied: Option<OsString>,
    /// Years for which the machine is used, 4 unless it is said
    #[arg(long, value_name = "YEARS", allow_negative_numbers = true)]
    lifetime: Option<OsString>,
    /// What the run makes, as `60000 images`: emissions for each of them
    ///
    /// The software carbon intensity, ((E * I) + M) / R (ISO/IEC 21031), with --embodied auto unless it is said.
    #[arg(long, value_name = "N UNIT")]
    functional_unit: Option<OsString>,
}

impl Beyond {
    pub(super) fn say(&self, layer: &mut Layer) {
        value(layer, Key::Wue, self.wue.as_ref());
        value(layer, Key::Embodied, self.embodied.as_ref());
        value(layer, Key::Lifetime, self.lifetime.as_ref());
        value(layer, Key::FunctionalUnit, self.functional_unit.as_ref());
    }
}
