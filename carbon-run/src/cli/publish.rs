//! The flags that say who is told of a run besides the person, and those of `carbon-run publish`.

use super::flags::{State, value};
use super::offered::{Offered, webhook_formats};
use crate::settings::{Key, Layer};
use clap::{Args, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;

/// Who is told. Secrets are no flags: everybody can read those in /proc.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Publishing, after the command has ended")]
pub(super) struct Receivers {
    /// Tell a server of CodeCarbon, as https://api.codecarbon.io
    ///
    /// A run and its emissions, under --experiment-id. The project's token is CARBON_RUN_CODECARBON_TOKEN, or `codecarbon-token` in a
    /// config file. Runs of less than a second are not told: that server counts whole seconds.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    codecarbon_api: Option<OsString>,
    /// Write metrics for node_exporter's textfile collector, as DIR/carbon-run.prom
    ///
    /// The file is replaced as a whole, and has the last run that wrote it.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    prometheus_file: Option<OsString>,
    /// Push metrics to a Prometheus Pushgateway
    ///
    /// As job `carbon-run`, with this host as `instance` and the project, where there is one, as `project`.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    prometheus_push: Option<OsString>,
    /// User of the Pushgateway, where it asks for one
    ///
    /// The password is CARBON_RUN_PROMETHEUS_PASSWORD, or `prometheus-password` in a config file.
    #[arg(long, value_name = "NAME")]
    prometheus_user: Option<OsString>,
    /// POST the JSON report to an address
    ///
    /// With a bearer token where CARBON_RUN_WEBHOOK_TOKEN, or `webhook-token` in a config file, has one.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    webhook: Option<OsString>,
    /// What the webhook gets [default: report]
    #[arg(long, value_name = "FORMAT", value_parser = Offered(webhook_formats))]
    webhook_format: Option<OsString>,
    /// Time for all receivers together, 100ms to 5m [default: 5s]
    ///
    /// carbon-run stays that long after the command's end at most. What was not taken by then is kept, and `carbon-run publish` sends it.
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true)]
    publish_timeout: Option<OsString>,
}

impl Receivers {
    pub(super) fn say(&self, layer: &mut Layer) {
        value(layer, Key::CodecarbonApi, self.codecarbon_api.as_ref());
        value(layer, Key::PrometheusFile, self.prometheus_file.as_ref());
        value(layer, Key::PrometheusPush, self.prometheus_push.as_ref());
        value(layer, Key::PrometheusUser, self.prometheus_user.as_ref());
        value(layer, Key::Webhook, self.webhook.as_ref());
        value(layer, Key::WebhookFormat, self.webhook_format.as_ref());
        value(layer, Key::PublishTimeout, self.publish_timeout.as_ref());
    }
}

/// The options of `publish`.
#[derive(Debug, Clone, Default, Args)]
pub struct Publish {
    /// Recordings, as --record writes them; without any, what earlier runs could not deliver
    #[arg(value_name = "RECORDING", value_hint = ValueHint::FilePath)]
    pub recordings: Vec<PathBuf>,
    /// List what could not be delivered, and send nothing
    #[arg(long)]
    pub list: bool,
    #[command(flatten)]
    receivers: Receivers,
    #[command(flatten)]
    state: State,
}

impl Publish {
    /// What the command line says.
    #[must_use]
    pub fn layer(&self) -> Layer {
        let mut layer = Layer::default();
        self.receivers.say(&mut layer);
        value(&mut layer, Key::StateDir, self.state.state_dir.as_ref());
        layer
    }
}
