//! What was known of this host's power before the run: what `carbon-run calibrate` measured, and what earlier runs saw.
//! The same shapes are the files of the store.

use super::DomainKind;
use crate::model::units::Watts;
use serde::{Deserialize, Serialize};

/// What was known of this host's power, as it was stored. The report decides what of it applies.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KnownPower {
    /// The circumstances of this run, to hold the stored ones against.
    pub conditions: Conditions,
    /// What `carbon-run calibrate` measured.
    pub calibration: Option<Calibration>,
    /// The lowest power that earlier runs saw.
    pub learned: Option<Learned>,
}

/// What power depends on besides load. What could not be read is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conditions {
    /// `uname -r`.
    pub kernel: Option<String>,
    /// cpufreq's governor of the first CPU, as `schedutil`.
    pub governor: Option<String>,
    /// `model name` of /proc/cpuinfo.
    pub cpu_model: Option<String>,
    /// Online logical CPUs.
    pub cpus: Option<u32>,
    /// The root that the hardware files were read below, where that is not `/`.
    pub sysroot: Option<String>,
}

/// What `carbon-run calibrate` measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// When it was made: wall clock, nanoseconds since 1970-01-01T00:00:00Z.
    pub at_unix_ns: i64,
    /// Under which circumstances.
    pub conditions: Conditions,
    /// By domain; empty where no meter of the CPUs could be read.
    pub domains: Vec<CalibratedDomain>,
    /// GPUs, those of earlier calibrations too, whose figures have their own dates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<CalibratedGpu>,
}

/// What a GPU draws with nothing to do. Both figures need not be of the same day: a machine is seldom in both states.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibratedGpu {
    /// Its UUID, else its PCI address.
    pub device: String,
    /// As [`super::Gpu::name`]: in a slot there may be another card one day.
    #[serde(default)]
    pub name: Option<String>,
    /// With no context on it.
    #[serde(default)]
    pub deep: Option<CalibratedPower>,
    /// With a context on it that does nothing.
    #[serde(default)]
    pub resident: Option<CalibratedPower>,
}

/// The power of a device in one of its idle states.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibratedPower {
    /// Median over the windows.
    pub watts: Watts,
    /// Half-width around the median in which nineteen of twenty windows lie, in watts.
    pub spread: Watts,
    /// How many windows that rests on.
    pub windows: u32,
    /// When: wall clock, nanoseconds since 1970-01-01T00:00:00Z.
    pub at_unix_ns: i64,
    /// The driver that it was measured under, as far as updates matter: `nvidia 580`, `amdgpu 6.12`.
    #[serde(default)]
    pub driver: Option<String>,
}

/// A domain's power with nothing to do, and over load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibratedDomain {
    /// As [`super::Domain::name`].
    pub name: String,
    /// What it covers.
    pub kind: DomainKind,
    /// Median over quiet windows.
    pub idle: Watts,
    /// Half-width around the median in which nineteen of twenty windows lie.
    pub spread: Watts,
    /// How many windows that rests on.
    pub windows: u32,
    /// Power over load, ascending; empty where it was not measured.
    #[serde(default)]
    pub curve: Vec<CurvePoint>,
}

/// A load and the power under it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Busy CPUs whose sibling was idle, or that have none: CPU seconds per second.
    pub alone: f64,
    /// Busy CPUs whose sibling was busy, too.
    pub shared: f64,
    /// Mean power.
    pub power: Watts,
}

/// The lowest power that runs have seen on this host while next to nothing was running.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Learned {
    /// Under which circumstances.
    pub conditions: Conditions,
    /// By domain.
    pub domains: Vec<LearnedDomain>,
}

/// The lowest power of a domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LearnedDomain {
    /// As [`super::Domain::name`].
    pub name: String,
    /// Mean over a window of at least a second.
    pub power: Watts,
    /// Busy CPUs in that window.
    pub busy_cpus: f64,
    /// When: wall clock, nanoseconds since 1970-01-01T00:00:00Z.
    pub at_unix_ns: i64,
}
