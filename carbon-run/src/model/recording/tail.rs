//! What is known once a run has ended.

use super::Note;
use crate::model::units::{CpuTime, Moment};
use serde::{Deserialize, Serialize};

/// What was known once the run had ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tail {
    /// The command's first moment.
    pub started: Moment,
    /// When it ended.
    pub ended: Moment,
    /// How it ended.
    pub exit: Exit,
    /// Processes that were ever members of the job (threads are not counted); `None` where the backend misses some.
    pub process_count: Option<u64>,
    /// CPU time of the job's processes as `wait4` told it: the direct child and its reaped descendants.
    pub rusage_cpu: Option<CpuTime>,
    /// The most resident memory that any of those had at a time, in bytes, as `wait4` told it.
    #[serde(default)]
    pub peak_rss_bytes: Option<u64>,
    /// The job's processes: the busiest, at most a few hundred.
    pub processes: Vec<ProcessUse>,
    /// The job's time that `processes` does not list.
    pub unlisted: Unlisted,
    /// Members still running when the command ended.
    pub survivors: Vec<Survivor>,
    /// Events that the accounting lost: failed map updates. 0 is what the figures rest on.
    pub lost: u64,
    /// What went wrong or is worth knowing, in order.
    pub notes: Vec<Note>,
}

/// What accounting can say at a run's end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// Processes that were ever members; `None`: not known.
    pub process_count: Option<u64>,
    /// The busiest processes.
    pub processes: Vec<ProcessUse>,
    /// What that list leaves out.
    pub unlisted: Unlisted,
    /// Members that outlive the command.
    pub survivors: Vec<Survivor>,
    /// Events that were lost.
    pub lost: u64,
    /// What the reader should know.
    pub notes: Vec<Note>,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// `exit(code)`.
    Code(i32),
    /// By a signal, with its number.
    Signal(i32),
}

/// CPU time of one process of the job, all its threads together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessUse {
    /// Process id in the initial PID namespace (eBPF) or in carbon-run's own (the other rungs).
    pub pid: u32,
    /// Who created it.
    pub parent: u32,
    /// The kernel's 15-byte name of it, last seen; invalid bytes replaced.
    pub comm: String,
    /// On-CPU time.
    pub on_cpu: CpuTime,
}

/// What a bounded list leaves out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unlisted {
    /// How many processes.
    pub processes: u64,
    /// Their on-CPU time.
    pub on_cpu: CpuTime,
}

/// A member that outlived the command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survivor {
    /// Its process id.
    pub pid: u32,
    /// Its name.
    pub comm: String,
}
