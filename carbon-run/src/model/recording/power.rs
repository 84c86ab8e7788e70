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
    /// By domain.
    pub domains: Vec<CalibratedDomain>,
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
