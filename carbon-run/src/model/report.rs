//! What every output sees. Built only by [`super::assemble`].

mod beyond;
mod calibrated;
mod hypothetical;
mod intensity;
mod phases;

pub use beyond::{BeyondElectricity, Embodied, Equivalence, SoftwareCarbonIntensity, Water};
pub use calibrated::{Calibrated, GpuOutcome};
pub use hypothetical::{Circumstances, Hardware, Hypothetical, HypotheticalPart};
pub use intensity::{CloudPlace, Intensity, IntensityOverTime, LiveReport};
pub use phases::{Phase, PhaseFigures, Phases};

use super::recording::{
    AccountingFacts, Arg, DomainKind, Exit, FigureFrom, Gpu, Host, IdlePolicy, Note, Origin, ProcessUse,
    Ranged, Survivor, Unlisted,
};
use super::units::{CpuTime, Grams, Joules, MicroJoules, Share, Watts};
use serde::Serialize;
use std::time::Duration;

/// A finished run: every figure with its origin and its range.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunReport {
    /// The version of carbon-run that recorded the run.
    pub carbon_run_version: String,
    /// Which tables of factors this report was made with.
    pub data_version: String,
    /// A random UUID (version 4).
    pub run_id: String,
    /// The run inside which this one was started: that one's figures have this one's in them.
    pub inside: Option<String>,
    /// `--project`.
    pub project: Option<String>,
    /// `--experiment-id`.
    pub experiment_id: Option<String>,
    /// The command and its arguments.
    pub command: Vec<Arg>,
    /// Wall clock at the start, nanoseconds since 1970-01-01T00:00:00Z.
    pub started_at_unix_ns: i64,
    /// Offset of local time from UTC, in seconds east.
    pub utc_offset_s: i32,
    /// From the command's first moment to its end, on the monotonic clock.
    pub duration: Duration,
    /// How it ended; `None` when the launcher did not live to see it.
    pub exit: Option<Exit>,
    /// The job's on-CPU time, the whole tree; `None` where nobody counted.
    pub cpu_time: Option<CpuTime>,
    /// On-CPU time of everybody else, the kernel's threads and interrupts included, on the whole machine.
    pub others_cpu_time: Option<CpuTime>,
    /// Time that was nobody's of those who were on.
    pub taken: TimeTaken,
    /// Processes that were ever members of the job.
    pub process_count: Option<u64>,
    /// Who counted, and why nobody better did.
    pub accounting: AccountingFacts,
    /// The job's energy.
    pub energy: JobEnergy,
    /// The policy behind [`Self::energy`].
    pub idle_policy: IdlePolicy,
    /// Every domain's books.
    pub domains: Vec<DomainReport>,
    /// The GPUs, in the order of the recording.
    pub gpus: Vec<GpuReport>,
    /// What the phases that the job marked used of it.
    pub phases: Phases,
    /// The electricity.
    pub intensity: Intensity,
    /// Facility energy per IT energy.
    pub pue: f64,
    /// Who says so; `None` where nobody does and it is 1.
    pub pue_from: Option<FigureFrom>,
    /// The job's energy, times PUE, times intensity. Absent when the energy is.
    pub emissions: Figure<Grams>,
    /// Water, embodied emissions, emissions per functional unit.
    pub beyond: BeyondElectricity,
    /// The machine.
    pub host: Host,
    /// How far to trust all this.
    pub quality: Quality,
    /// The job's busiest processes, busiest first.
    pub processes: Vec<ProcessUse>,
    /// What `processes` leaves out.
    pub unlisted: Unlisted,
    /// Members that outlived the command.
    pub survivors: Vec<Survivor>,
    /// The job's mean proportional set size while it ran, in bytes; `None` when nobody looked.
    pub mean_memory_bytes: Option<u64>,
}

/// Time that was nobody's of those who were on, on the whole machine. `None` where the accounting cannot tell it apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TimeTaken {
    /// In interrupts; in the ledger's line `kernel`.
    pub interrupts: Option<CpuTime>,
    /// What of that came while the job was on.
    pub interrupts_in_job: Option<CpuTime>,
    /// Kept by a hypervisor; in no line of the ledger.
    pub stolen: Option<CpuTime>,
}

/// A figure with its range, or the reason why there is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Figure<T> {
    /// `low <= value <= high`.
    Known {
        /// The figure and its range.
        ranged: Ranged<T>,
        /// Measured, or by which model. A sum with any estimate in it is an estimate.
        origin: Origin,
    },
    /// Why there is none.
    Absent(String),
}

impl<T: Copy> Figure<T> {
    /// The figure, where there is one.
    pub fn value(&self) -> Option<T> {
        match self {
            Self::Known { ranged, .. } => Some(ranged.value),
            Self::Absent(_) => None,
        }
    }

    /// The figure and its range, where there is one.
    pub fn ranged(&self) -> Option<Ranged<T>> {
        match self {
            Self::Known { ranged, .. } => Some(*ranged),
            Self::Absent(_) => None,
        }
    }

    /// Why there is none, where there is none.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Known { .. } => None,
            Self::Absent(reason) => Some(reason),
        }
    }
}

/// The job's energy: dynamic part plus its part of the baseline under the policy in force.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobEnergy {
    /// Sum over summed domains.
    pub total: Figure<Joules>,
    /// CPU packages.
    pub cpu: Figure<Joules>,
    /// Memory.
    pub ram: Figure<Joules>,
    /// GPUs.
    pub gpu: Figure<Joules>,
}

/// What is to be said of a GPU besides its books.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GpuReport {
    /// The device. [`Gpu::domain`] is an index into [`RunReport::domains`].
    pub gpu: Gpu,
    /// What says which devices are the job's.
    pub allocated_by: Option<String>,
    /// The policy behind the job's part of its baseline.
    pub idle_policy: IdlePolicy,
    /// The least power that is known of it with no context on it: stated, calibrated, or seen.
    pub deep_idle: Option<Watts>,
    /// How that was measured, where it was by `carbon-run calibrate`.
    pub deep_found: Option<FoundIdle>,
}

/// A domain's books over the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DomainReport {
    /// `package-0`, `dram-0`, `cpu-model`, `ram-model`.
    pub name: String,
    /// What it covers.
    pub kind: DomainKind,
    /// Where its figures come from; absent when no reading could be used.
    pub origin: Origin,
    /// For people: the basis of a model, as `AMD EPYC 7763, TDP 280 W`; `None` for a meter.
    pub basis: Option<String>,
    /// Whether it counts towards the totals.
    pub summed: bool,
    /// Who gets which microjoules; the six lines add up to `measured` exactly.
    pub ledger: Ledger,
    /// What the job's part of the baseline would be under each policy, in [`IdlePolicy::ALL`]'s order.
    pub job_idle_by_policy: [MicroJoules; 5],
    /// The job's lines (`job + job_idle`) with their range.
    pub job_range: Ranged<Joules>,
    /// What was taken for the baseline power.
    pub idle_power: IdlePower,
    /// The lowest power while next to nothing ran, where the run had such a time.
    pub lowest_quiet: Option<QuietPower>,
    /// Part of the run's time for which the domain's energy is known.
    pub coverage: Share,
}

/// Where the baseline power of a domain came from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub enum IdlePower {
    /// `--idle-power`, `--gpu-idle-power`.
    Given(Watts),
    /// By measurement, on this host or in this run.
    Found(FoundIdle),
    /// A baseline that the measured power fell below proves itself too high: the lowest power seen.
    Lowered {
        /// As stated or found.
        given: Watts,
        /// As used.
        used: Watts,
        /// Where `given` was found; `None` when it was stated.
        found: Option<FoundIdle>,
    },
    /// The model's own.
    Model(Watts),
    /// Not known: anything between nothing and all of the energy; the headline assumes half.
    Unknown,
}

/// A baseline power that was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FoundIdle {
    /// How.
    pub basis: IdleBasis,
    /// The power.
    pub power: Watts,
    /// Half-width within which the truth is believed to lie, 19 times of 20.
    pub spread: Watts,
    /// When: wall clock, nanoseconds since 1970-01-01T00:00:00Z. The start of the run for what the run itself showed.
    pub as_of_unix_ns: i64,
}

/// How a baseline power was measured, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IdleBasis {
    /// By `carbon-run calibrate`, in quiet windows.
    Calibrated,
    /// The lowest power seen on this host while next to nothing ran.
    Learned,
    /// Where a line through power over load of this run meets no load.
    Regression,
}

impl IdleBasis {
    /// As it is written in JSON and for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calibrated => "calibrated",
            Self::Learned => "learned",
            Self::Regression => "regression",
        }
    }
}

/// A stated baseline, relative: temperature and C-states move it by about this much from day to day.
const STATED_SPREAD: f64 = 0.10;

impl IdlePower {
    /// The power that was taken, where one is known.
    #[must_use]
    pub const fn watts(self) -> Option<Watts> {
        match self {
            Self::Given(power) | Self::Model(power) | Self::Lowered { used: power, .. } => Some(power),
            Self::Found(found) => Some(found.power),
            Self::Unknown => None,
        }
    }

    /// Half-width around [`Self::watts`] within which the truth is believed to lie; `None` where nothing is known, or
    /// where the model has a range of its own. What proved wrong may be wrong by as much again.
    #[must_use]
    pub fn spread(self) -> Option<Watts> {
        let stated = |power: Watts| Watts::clamped(power.get() * STATED_SPREAD);
        match self {
            Self::Given(power) => Some(stated(power)),
            Self::Found(found) => Some(found.spread),
            Self::Lowered { given, used, found } => {
                let before = found.map_or(stated(given), |found| found.spread);
                Some(before + Watts::clamped(given.get() - used.get()))
            }
            Self::Model(_) | Self::Unknown => None,
        }
    }

    /// How it is known, as it is written in JSON.
    #[must_use]
    pub const fn basis(self) -> &'static str {
        match self {
            Self::Given(_) => "given",
            Self::Found(found) => found.basis.name(),
            Self::Lowered { .. } => "lowered",
            Self::Model(_) => "model",
            Self::Unknown => "unknown",
        }
    }

    /// How it was measured, where it was.
    #[must_use]
    pub const fn found(self) -> Option<FoundIdle> {
        match self {
            Self::Found(found) => Some(found),
            Self::Lowered { found, .. } => found,
            Self::Given(_) | Self::Model(_) | Self::Unknown => None,
        }
    }
}

/// Mean power over a window of at least a second in which next to nothing ran.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct QuietPower {
    /// The power.
    pub power: Watts,
    /// Busy CPUs in that window.
    pub busy_cpus: f64,
}

/// Who gets which microjoules of a domain. The lines add up to `measured`, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Ledger {
    /// What the meter said.
    pub measured: MicroJoules,
    /// The job's dynamic part.
    pub job: MicroJoules,
    /// The job's part of the baseline.
    pub job_idle: MicroJoules,
    /// Everybody else's dynamic part.
    pub others: MicroJoules,
    /// The part of `others` that may be the job's as well: a GPU's users that nothing tells apart.
    pub unattributed: MicroJoules,
    /// The dynamic part of kernel threads; `None` where the accounting cannot tell them from others.
    pub kernel: Option<MicroJoules>,
    /// carbon-run's own.
    pub own: MicroJoules,
    /// The rest of the baseline.
    pub idle: MicroJoules,
}

impl Ledger {
    /// The sum of the six lines.
    #[must_use]
    pub fn sum(&self) -> MicroJoules {
        self.job + self.job_idle + self.others + self.kernel.unwrap_or_default() + self.own + self.idle
    }

    /// The job's energy.
    #[must_use]
    pub fn job_total(&self) -> MicroJoules {
        self.job + self.job_idle
    }
}

/// How far to trust the report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quality {
    /// Events that the accounting lost.
    pub lost: u64,
    /// Part of the run's time for which every summed domain's energy is known.
    pub coverage: Share,
    /// Counter wraps that were undone.
    pub wraps: u64,
    /// Intervals dropped because a counter was reset.
    pub resets: u64,
    /// Time that the machine slept during the run.
    pub slept: Duration,
    /// Everything worth telling, in order; those with `degrades` make the report unclean.
    pub notes: Vec<Note>,
    /// What the range of the total is made of, each as a fraction of the total.
    pub uncertainty: Uncertainty,
}

/// The parts of the range, relative to the job's total energy (METHOD.md). Combined by quadrature.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Uncertainty {
    /// The meter's own, or the model's.
    pub meter: f64,
    /// Start and end fall between two updates of the counter.
    pub timing: f64,
    /// The baseline power.
    pub idle: f64,
    /// Time-only weights.
    pub attribution: f64,
}
