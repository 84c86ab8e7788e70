//! What of a job is kept for whoever goes on with its counts.

use carbon_common::OnCpu;
use serde::{Deserialize, Serialize};

/// What of a job the kernel does not know, and whoever goes on with its counts has to be told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptJob {
    /// The job inside which its launcher runs.
    pub parent: Option<u32>,
    /// What had its number before it had, by group of CPUs; four counts of nanoseconds, in [`OnCpu`]'s order.
    pub(super) before: Vec<[u64; 4]>,
    /// What jobs inside it had that are over.
    pub(super) inside: Vec<[u64; 4]>,
    /// How many processes those had.
    pub(super) inside_processes: u64,
}

pub(super) const fn words(time: &OnCpu) -> [u64; 4] {
    [
        time.alone_ns,
        time.shared_ns,
        time.interrupted_alone_ns,
        time.interrupted_shared_ns,
    ]
}

pub(super) const fn on_cpu(
    [alone_ns, shared_ns, interrupted_alone_ns, interrupted_shared_ns]: [u64; 4],
) -> OnCpu {
    OnCpu {
        alone_ns,
        shared_ns,
        interrupted_alone_ns,
        interrupted_shared_ns,
    }
}
