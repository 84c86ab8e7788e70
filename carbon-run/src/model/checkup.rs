//! What a machine lets carbon-run measure, and the remedy for the rest: what `doctor` says.

use super::recording::{CpuPowerModel, Host, Note, RamPowerModel};
use serde::Serialize;

/// The version of the JSON form. Fields are added, never renamed or moved.
pub const SCHEMA: &str = "carbon-run/checkup/1";

/// A machine's check-up.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checkup {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The version of carbon-run that looked.
    pub carbon_run_version: String,
    /// The machine.
    pub host: Host,
    /// CPU packages by the numbers of their CPUs, as `package 0: 0-3`.
    pub packages: Vec<String>,
    /// Every way to count CPU time, best first; the first that works is used.
    pub accounting: Vec<Check>,
    /// Every energy counter that was found.
    pub meters: Vec<Check>,
    /// Every GPU that was found.
    pub gpus: Vec<Check>,
    /// The idle power that a run would start with, of every summed counter.
    pub idle_power: Vec<IdleCheck>,
    /// What stands in where there is no CPU meter; `None` where there is one.
    pub cpu_model: Option<CpuPowerModel>,
    /// What stands in where there is no memory meter; `None` where there is one.
    pub ram_model: Option<RamPowerModel>,
    /// The electricity under the settings in force, as `458 g/kWh, World`.
    pub electricity: String,
    /// Whether a place was named for it.
    pub place_named: bool,
    /// Where the rows of runs would go, and whether they could.
    pub table: Check,
    /// Every setting that is not a default: `country = FR (environment)`.
    pub settings: Vec<String>,
    /// What CodeCarbon's configuration says and means nothing here: `tracking_mode (~/.codecarbon.config:3): why`.
    pub unused: Vec<String>,
    /// What is wrong with the settings, and no reason not to start.
    pub notes: Vec<Note>,
}

/// What is known of a domain's power with nothing to do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IdleCheck {
    /// The domain: `package-0`.
    pub name: String,
    /// Of a GPU: `resident`, with a context on it that does nothing, or `deep`, with none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
    /// How it is known: `given`, `calibrated`, `learned`, `unknown`.
    pub basis: &'static str,
    /// Watts; `None` where nothing is known.
    pub watts: Option<f64>,
    /// Half-width within which the truth is believed to lie, in watts.
    pub spread_watts: Option<f64>,
    /// When it was measured: nanoseconds since 1970-01-01T00:00:00Z.
    pub as_of_unix_ns: Option<i64>,
}

/// One thing that works or does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What: `ebpf`, `package-0`.
    pub name: String,
    /// What it gives when it works.
    pub gives: String,
    /// Why it does not work; `None` when it does.
    pub failure: Option<String>,
    /// What to do about that.
    pub remedy: Option<String>,
}

impl Check {
    /// Whether it works.
    #[must_use]
    pub fn works(&self) -> bool {
        self.failure.is_none()
    }
}
