//! The flags of `carbon-run estimate`.

use super::beyond::Beyond;
use super::place::Place;
use crate::settings::Layer;
use clap::Args;

/// The options of `estimate`.
#[derive(Debug, Clone, Default, Args)]
pub struct Estimate {
    /// GPU, as `A100`, `H100 PCIe` or `RTX 4090`
    #[arg(long, value_name = "MODEL")]
    pub gpu: Option<String>,
    /// How many of them, 1 unless it is said
    #[arg(long, value_name = "N", requires = "gpu", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub gpus: Option<u32>,
    /// CPU, as `AMD EPYC 7763` or `Xeon Gold 6330`
    #[arg(long, value_name = "MODEL")]
    pub cpu: Option<String>,
    /// How many sockets with it, 1 unless it is said
    #[arg(long, value_name = "N", requires = "cpu", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub sockets: Option<u32>,
    /// Memory in GiB
    #[arg(long, value_name = "GIB", value_parser = amount)]
    pub memory: Option<f64>,
    /// Power of anything else, in watts
    #[arg(long, value_name = "W", value_parser = amount)]
    pub watts: Option<f64>,
    /// For how many hours
    #[arg(long, value_name = "HOURS", value_parser = amount)]
    pub hours: f64,
    /// What of that time GPUs and CPUs are busy, in per cent [default: 100]
    #[arg(long, visible_alias = "utilization", value_name = "PERCENT", value_parser = percentage)]
    pub utilisation: Option<f64>,
    /// Answer in JSON on stdout
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    beyond: Beyond,
}

impl Estimate {
    /// What the command line says of place and facility.
    #[must_use]
    pub fn layer(&self) -> Layer {
        let mut layer = Layer::default();
        self.place.say(&mut layer);
        self.beyond.say(&mut layer);
        layer
    }
}

fn amount(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(amount) if amount.is_finite() && amount >= 0.0 => Ok(amount),
        _ => Err("it has to be a number of at least 0".to_owned()),
    }
}

fn percentage(text: &str) -> Result<f64, String> {
    match amount(text.trim_end_matches('%')) {
        Ok(percent) if percent <= 100.0 => Ok(percent),
        _ => Err("it has to be a number from 0 to 100".to_owned()),
    }
}
