//! What energy is known of, where from, and what a reading of it is worth.

use crate::model::units::Watts;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Something whose energy is known or modelled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Domain {
    /// As the report shows it: `package-0`, `dram-0`, `psys`, `cpu-model`, `ram-model`.
    pub name: String,
    /// What it covers.
    pub kind: DomainKind,
    /// Where its figures come from.
    pub origin: Origin,
    /// Indices into [`super::Head::groups`] of the CPUs that it feeds. Empty: all of them.
    pub groups: Vec<usize>,
    /// Whether the report adds it up. `core` and `uncore` lie inside `package`, `psys` contains everything.
    pub summed: bool,
    /// How the numbers of its readings are to be taken.
    pub source: DomainSource,
}

/// What a domain covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DomainKind {
    /// A CPU package (or one die of it): cores, caches, memory controller.
    Package,
    /// The DRAM of a package; lies outside the package.
    Dram,
    /// Cores; inside package.
    Core,
    /// Integrated graphics and the like; inside package.
    Uncore,
    /// The whole platform; contains every other.
    Psys,
    /// A GPU.
    Gpu,
}

/// How a domain's energy comes about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DomainSource {
    /// A cumulative hardware counter.
    Counter {
        /// What one tick is worth.
        tick: TickSize,
        /// Number of ticks after which the counter starts again at 0; `None`: not known, so a decrease cannot be undone.
        wraps_at: Option<u64>,
        /// The most that this domain can draw, for telling a wrap from a reset.
        max_power: Option<Watts>,
    },
    /// A meter that shows power and counts no energy.
    Power {
        /// The most that this domain can draw, where it is known; a reading beyond it is not believed.
        max_power: Option<Watts>,
        /// Over how long the meter averages before it shows a value: its figure is about that much old.
        averages_over: Option<Duration>,
    },
    /// Power as a linear function of the busy share of the domain's CPUs; no readings.
    CpuModel(CpuPowerModel),
    /// Power per byte of the job's memory; no readings, the observations' [`super::MemoryUse`] is used.
    RamModel(RamPowerModel),
}

/// The worth of a counter's tick, as a fraction so that no rounding accumulates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickSize {
    /// This many microjoules...
    pub microjoules: u64,
    /// ...per this many ticks (at least 1).
    pub ticks: u64,
}

impl TickSize {
    /// powercap's `energy_uj`: one microjoule a tick.
    pub const MICROJOULE: Self = Self {
        microjoules: 1,
        ticks: 1,
    };

    /// Whole microjoules of that many ticks; what is beyond all numbers is the largest of them.
    #[must_use]
    pub fn microjoules(self, ticks: u64) -> u64 {
        let product = u128::from(ticks) * u128::from(self.microjoules);
        u64::try_from(product / u128::from(self.ticks.max(1))).unwrap_or(u64::MAX)
    }
}

/// A value with the range in which the truth is believed to lie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ranged<T> {
    /// The lowest that is believed possible.
    pub low: T,
    /// The best estimate.
    pub value: T,
    /// The highest that is believed possible.
    pub high: T,
}

/// Watts of the domain's CPUs, all of them together, between idle and fully busy. Linear in between (METHOD.md).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CpuPowerModel {
    /// With nothing to do.
    pub idle: Ranged<Watts>,
    /// With every CPU busy.
    pub full: Ranged<Watts>,
    /// Where these come from, for people: `AMD EPYC 7763, TDP 280 W` or `AMD Zen 4, per vCPU`.
    pub basis: String,
}

/// Watts per GiB (2^30 bytes) of the job's resident memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RamPowerModel {
    /// Watts per GiB.
    pub per_gib: Ranged<Watts>,
    /// Watts per module of memory, where modules are guessed from the job's memory: the energy is then by these, and
    /// [`Self::per_gib`] gives the range alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_module: Option<Watts>,
    /// Where these come from, for people.
    pub basis: String,
}

/// Provenance, carried to the last output cell.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Read from a meter.
    Measured(Source),
    /// Computed by a documented model; the name of the model.
    Estimated(String),
    /// Not known, and why. Absent is not 0.
    Absent(String),
}

/// The meters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The kernel's powercap tree (`intel-rapl`, also on AMD).
    Powercap,
    /// NVIDIA's management library.
    Nvml,
    /// The kernel's `power` PMU, by perf_event_open(2): the same registers, summed up by the kernel in 64 bits.
    Perf,
    /// A sensor of power or energy below `/sys/class/hwmon`.
    Hwmon,
}

impl Source {
    /// As it is written in JSON, and for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Powercap => "powercap",
            Self::Nvml => "nvml",
            Self::Perf => "perf",
            Self::Hwmon => "hwmon",
        }
    }
}
