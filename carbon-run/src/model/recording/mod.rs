//! Everything that was observed of a run, as plain data. Shell modules append to it and nothing else; the report is a
//! pure function of it ([`super::assemble`]).
//!
//! On disk a recording is JSON lines: one [`Head`], any number of [`Observation`]s, one [`Tail`]. A launcher that is
//! killed leaves a file without its tail, whose observations are still good.

mod beyond;
mod choices;
mod domain;
mod gpu;
mod host;
mod intensity_series;
mod live;
mod observation;
mod phase;
mod power;
mod tail;

pub use beyond::{Beyond, EmbodiedMachine, FunctionalUnit, WaterUse};
pub use choices::{Choices, FigureFrom, IdlePolicy, MixPart, Place};
pub use domain::{
    CpuPowerModel, Domain, DomainKind, DomainSource, Origin, RamPowerModel, Ranged, Source, TickSize,
};
pub use gpu::{
    GPU_IN_PACKAGE, Gpu, GpuIdlePower, GpuLook, GpuSample, GpuSlice, GpuUser, GpuVendor, Gpus, NO_GPU, Whose,
};
pub use host::{AccountingFacts, Backend, CpuGroup, Declined, Host};
pub use intensity_series::{BadSeries, IntensitySeries, IntensityStep, SeriesFacts};
pub use live::{LiveFacts, LiveIntensity, LiveProvider, LiveStep};
pub use observation::{BusyTime, CpuUsage, MemoryUse, Observation, Reading, UsageAfter};
pub use phase::{LONGEST_PHASE_NAME, NoMark, PhaseMark, PhaseStep, phase_name};
pub use power::{
    CalibratedDomain, CalibratedGpu, CalibratedPower, Calibration, Conditions, CurvePoint, KnownPower,
    Learned, LearnedDomain,
};
pub use tail::{Closing, Exit, ProcessUse, Survivor, Tail, Unlisted};

use serde::{Deserialize, Serialize};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The version of this shape. Fields are added, never renamed or moved.
pub const SCHEMA: &str = "carbon-run/recording/1";

/// A whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// What was known before the command started.
    pub head: Head,
    /// The samples, in order of time. The first was taken before the command's first instruction.
    pub observations: Vec<Observation>,
    /// What was known once it had ended; absent when the launcher did not live to write it.
    pub tail: Option<Tail>,
}

/// What was known before the command started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// [`SCHEMA`].
    pub schema: String,
    /// The version of carbon-run that recorded.
    pub carbon_run_version: String,
    /// A random UUID (version 4).
    pub run_id: String,
    /// The run inside which this one was started, by its run id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<String>,
    /// `--project`, if one was given.
    pub project: Option<String>,
    /// `--experiment-id`, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment_id: Option<String>,
    /// The command and its arguments, byte for byte.
    pub command: Vec<Arg>,
    /// When the command was started: wall clock, nanoseconds since 1970-01-01T00:00:00Z.
    pub started_at_unix_ns: i64,
    /// Offset of local time from UTC at that moment, in seconds east.
    pub utc_offset_s: i32,
    /// The machine.
    pub host: Host,
    /// Who counted CPU time, and why nobody better did.
    pub accounting: AccountingFacts,
    /// The CPUs, in groups that share a package (and die, and kind of core). Usage is recorded per group.
    pub groups: Vec<CpuGroup>,
    /// The energy domains; readings are recorded in this order.
    pub domains: Vec<Domain>,
    /// The GPUs; `None` in recordings of versions that did not look for any.
    #[serde(default)]
    pub gpus: Option<Gpus>,
    /// How the person wants the books kept.
    pub choices: Choices,
    /// What went wrong or is worth knowing before the start.
    pub notes: Vec<Note>,
    /// What was known of this host's power.
    #[serde(default)]
    pub power: KnownPower,
}

/// One command-line argument, which need not be UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arg {
    /// Valid UTF-8.
    Text(String),
    /// Any other bytes.
    Bytes(Vec<u8>),
}

impl From<&OsStr> for Arg {
    fn from(arg: &OsStr) -> Self {
        arg.to_str().map_or_else(
            || Self::Bytes(arg.as_bytes().to_vec()),
            |text| Self::Text(text.to_owned()),
        )
    }
}

impl Arg {
    /// The argument as the command received it.
    #[must_use]
    pub fn to_os_string(&self) -> OsString {
        match self {
            Self::Text(text) => OsString::from(text),
            Self::Bytes(bytes) => OsString::from_vec(bytes.clone()),
        }
    }

    /// The argument for people: invalid bytes become U+FFFD.
    #[must_use]
    pub fn lossy(&self) -> String {
        self.to_os_string().to_string_lossy().into_owned()
    }
}

/// Something that the reader of the report should know.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Note {
    /// A stable name of the matter, as `powercap-unreadable`.
    pub code: String,
    /// What happened: lower case, no full stop, literals in backticks.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether figures are worse for it (a warning) or not (information).
    pub degrades: bool,
}
