//! One sample of everything: meters, CPU time, memory.

use super::{GpuLook, LiveStep, PhaseMark};
use crate::model::units::{CpuTime, Moment};
use serde::{Deserialize, Serialize};

/// One sample of everything. Counters are absolute; nothing is subtracted before the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// When the CPU-time counters were read.
    pub at: Moment,
    /// `CLOCK_BOOTTIME - CLOCK_MONOTONIC` in nanoseconds: grows only while the machine sleeps.
    pub slept_ns: u64,
    /// One per domain, in the order of [`super::Head::domains`].
    pub readings: Vec<Reading>,
    /// One per group, in the order of [`super::Head::groups`].
    pub usage: Vec<CpuUsage>,
    /// The same once more, after the meters, where reading them took so long that who ran may have changed meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_after: Option<UsageAfter>,
    /// The job's memory, where this sample looked.
    pub memory: Option<MemoryUse>,
    /// One per GPU, in the order of [`super::Gpus::devices`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<GpuLook>,
    /// Looks at the job's memory alone, since the sample before this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memory_before: Vec<MemoryUse>,
    /// Carbon intensities that came since the sample before this one. None is of time before that sample.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub live: Vec<LiveStep>,
    /// What the job said of its phases since the sample before this one, in the order in which it came.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<PhaseMark>,
}

/// CPU time after the meters were read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageAfter {
    /// When.
    pub at: Moment,
    /// One per group, in the order of [`super::Head::groups`].
    pub usage: Vec<CpuUsage>,
}

/// What a domain's meter said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// The raw counter, and when it was read.
    Ticks {
        /// The counter, absolute.
        ticks: u64,
        /// When.
        at: Moment,
    },
    /// What a meter of power showed, and when it was read. The model integrates it.
    Power {
        /// Microwatts, as the meter states them.
        microwatts: u64,
        /// When.
        at: Moment,
    },
    /// It could not be read; why.
    Failed(String),
    /// The domain is a model and has no meter.
    Modelled,
}

impl Reading {
    /// When it was made; a reading that failed, or a model's, was never made.
    #[must_use]
    pub const fn at(&self) -> Option<Moment> {
        match self {
            Self::Ticks { at, .. } | Self::Power { at, .. } => Some(*at),
            Self::Failed(_) | Self::Modelled => None,
        }
    }
}

/// On-CPU time of a group of CPUs since accounting began, per class and absolute.
/// With all classes known, the sum over the classes, [`Self::interrupts`] and [`Self::stolen`] is the time that the CPUs
/// were online.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CpuUsage {
    /// CPUs of the group that are online now.
    pub online: u32,
    /// Nobody: the idle task.
    pub idle: CpuTime,
    /// The job.
    pub job: BusyTime,
    /// Everybody else; with the kernel's threads in it where [`Self::kernel`] is `None`.
    pub others: BusyTime,
    /// Kernel threads; `None` where the backend cannot tell them from others.
    pub kernel: Option<BusyTime>,
    /// carbon-run.
    pub own: BusyTime,
    /// In interrupts, whoever was on; `None` where they are not told apart from who was on.
    #[serde(default)]
    pub interrupts: Option<BusyTime>,
    /// What of [`Self::interrupts`] came while the job was on.
    #[serde(default)]
    pub interrupts_in_job: CpuTime,
    /// What a hypervisor kept from these CPUs: nobody's. `None` where it is not told apart from who was on.
    #[serde(default)]
    pub stolen: Option<CpuTime>,
}

/// Busy time in two columns, because two busy siblings of one core draw less than two cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BusyTime {
    /// With the sibling hardware thread idle, or without one.
    pub alone: CpuTime,
    /// With the sibling hardware thread busy.
    pub shared: CpuTime,
}

impl BusyTime {
    /// Both columns.
    #[must_use]
    pub fn total(self) -> CpuTime {
        self.alone + self.shared
    }
}

/// The memory of the job's living processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryUse {
    /// When it was looked at.
    pub at: Moment,
    /// Proportional set size, summed: shared pages count once. Bytes. The middle of [`Self::range`] where there is one.
    pub pss_bytes: u64,
    /// The least and the most that it may be, in bytes, where it was not read but inferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<(u64, u64)>,
    /// Resident sets, summed: shared pages count in each. Bytes. What a look has that has nothing closer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident_bytes: Option<u64>,
    /// Processes that could not be looked at.
    pub unreadable: u32,
}
