//! The flags on who says the electricity's carbon intensity while the run goes on.

use super::flags::{switch, value};
use super::offered::{Offered, live_providers};
use crate::settings::{Key, Layer};
use clap::Args;
use std::ffi::OsString;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Asked of a network, only if you say so")]
pub(super) struct Live {
    /// Ask the cloud that this machine is in for its region
    ///
    /// Where no place is named and no file says it (cloud-init's does): the metadata service of AWS (IMDSv2), Azure or Google Cloud, an address of the
    /// link, once for as long as the machine runs, with 300 ms to answer.
    #[arg(long)]
    cloud_metadata: bool,
    /// Ask a provider for the electricity's carbon intensity
    ///
    /// Off unless it is said: otherwise nothing is asked of any network. The command never waits for an answer; where none comes, the average
    /// of the country or region stands in, and the report says so. The token is read from CARBON_RUN_LIVE_TOKEN or `live-token` in a
    /// config file.
    #[arg(long, value_name = "PROVIDER", value_parser = Offered(live_providers))]
    live: Option<OsString>,
    /// Zone of the electricity, as the provider names it
    ///
    /// Without it that of --country, --region or --cloud-region, where it is certain. Of `uk` a region's number or the first half of a
    /// postcode.
    #[arg(long, value_name = "ZONE")]
    live_zone: Option<OsString>,
    /// Address in place of the provider's own; of `generic` the whole address, with {zone} in it
    #[arg(long, value_name = "URL")]
    live_url: Option<OsString>,
    /// Where the value is in the answer of `generic`, in gCO2eq per kWh: a JSON pointer, as /data/0/intensity
    #[arg(long, value_name = "POINTER")]
    live_value: Option<OsString>,
    /// Where its time is: a JSON pointer to RFC 3339 or to seconds since 1970
    #[arg(long, value_name = "POINTER")]
    live_time: Option<OsString>,
}

impl Live {
    pub(super) fn say(&self, layer: &mut Layer) {
        switch(layer, Key::CloudMetadata, self.cloud_metadata);
        value(layer, Key::Live, self.live.as_ref());
        value(layer, Key::LiveZone, self.live_zone.as_ref());
        value(layer, Key::LiveUrl, self.live_url.as_ref());
        value(layer, Key::LiveValue, self.live_value.as_ref());
        value(layer, Key::LiveTime, self.live_time.as_ref());
    }
}
