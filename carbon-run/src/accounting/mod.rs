//! Who ran, and for how long: on-CPU time of the job, of others, of the kernel and of carbon-run itself.
//!
//! The rungs of the ladder share one trait, [`Accounting`]. The best that works is used, and the report says which one
//! that is and why no better one was.

pub mod cgroup;
pub mod daemon;
pub mod ebpf;
mod family;
mod job_time;
mod ladder;
pub mod machine;
pub mod perf;
pub mod proc_files;
pub mod procfs;

pub use ladder::{Opened, open};
pub use proc_files::in_initial_namespace as in_initial_pid_namespace;

pub use crate::model::recording::Closing;
use crate::model::recording::{Backend, CpuGroup, CpuUsage, Whose};
use crate::model::units::{CpuTime, Moment};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

/// Counts the job's time and everybody else's.
pub trait Accounting {
    /// Which rung this is.
    fn backend(&self) -> Backend;

    /// Whether the job's time is counted in each group of CPUs. Otherwise it is shared out over them by where the job's
    /// threads are seen.
    fn tells_groups_apart(&self) -> bool {
        true
    }

    /// Whether the job's orphans have to become carbon-run's children, for what `wait4` tells of them.
    fn adopts_orphans(&self) -> bool {
        false
    }

    /// A file into which the job's first process has to write `0` before it becomes the command, closed on exec.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn entrance(&self) -> Result<Option<OwnedFd>, AccountingError> {
        Ok(None)
    }

    /// From here on, processes that the calling thread makes are the job's.
    ///
    /// # Errors
    /// When the kernel refuses; then nothing must be started, for it would not be counted.
    fn arm(&mut self) -> Result<(), AccountingError>;

    /// The job's first process has been made: what carbon-run makes from here on is its own again.
    ///
    /// # Errors
    /// When the kernel refuses; carbon-run's own threads would then count as the job's.
    fn disarm(&mut self, child: u32) -> Result<(), AccountingError>;

    /// What runs in the control group `group`, a path below `/sys/fs/cgroup`, and in those below it, is the job's, too, unless it is
    /// another job's. Who comes to it later is after the next call.
    ///
    /// # Errors
    /// When the group is not there, is not this user's to give, or this rung follows descendants only.
    fn adopt(&mut self, _group: &Path) -> Result<(), AccountingError> {
        Err(AccountingError::DescendantsOnly(self.backend().name()))
    }

    /// Everybody's time up to now, in-flight time included; one row per group.
    ///
    /// # Errors
    /// When the counters cannot be read.
    fn sample(&mut self) -> Result<Sample, AccountingError>;

    /// Another sample, right after the meters were read: by default only where that was `slow`, so that who ran may have changed
    /// since the first one. `None` where it would tell no more.
    fn sample_after(&mut self, slow: bool) -> Option<Sample> {
        if slow { self.sample().ok() } else { None }
    }

    /// The command has ended: the next sample is the one that the totals rest on.
    fn expect_last(&mut self) {}

    /// A child of carbon-run's has been reaped, the command itself or an orphan of the job, and `wait4` told its time
    /// and that of those it had waited for. Only rungs that rest on it care.
    fn reaped(&mut self, _pid: u32, _cpu: CpuTime) {}

    /// Process ids (as carbon-run sees them) of the job's living processes.
    fn members(&mut self) -> Vec<u32>;

    /// Whose the processes with these numbers are or were, as a driver gives the numbers: members that have ended count
    /// as long as they are remembered.
    fn whose(&mut self, pids: &[u32]) -> Vec<Whose> {
        let living = self.members();
        pids.iter()
            .map(|pid| {
                if living.contains(pid) {
                    Whose::Job
                } else {
                    Whose::Others
                }
            })
            .collect()
    }

    /// How many of the job's tasks (threads included, where they are known) still live.
    fn living(&mut self) -> u64;

    /// What can be said at the end. `child` is the direct child's process id, which has been reaped.
    fn close(&mut self, child: u32) -> Closing;
}

/// One look at everybody's time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// When.
    pub at: Moment,
    /// One per group, in the groups' order.
    pub usage: Vec<CpuUsage>,
}

/// Accounting that does not work.
#[derive(Debug, thiserror::Error)]
pub enum AccountingError {
    /// The daemon rung.
    #[error(transparent)]
    Daemon(#[from] daemon::DaemonError),
    /// This rung knows no control groups of others.
    #[error("`{0}` accounting counts descendants of the command only")]
    DescendantsOnly(&'static str),
    /// A control group cannot be counted.
    #[error("{0}")]
    Group(String),
    /// The eBPF rung.
    #[error(transparent)]
    Ebpf(#[from] ebpf::EbpfError),
    /// The perf rung.
    #[error(transparent)]
    Perf(#[from] perf::PerfError),
    /// The control group rung.
    #[error(transparent)]
    Cgroup(#[from] cgroup::CgroupError),
    /// The machine's own counters, which all rungs but the first rest on.
    #[error(transparent)]
    Machine(#[from] machine::MachineError),
}

impl AccountingError {
    /// What to do about it, where something can be done.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Daemon(error) => error.remedy(),
            Self::Ebpf(error) => error.remedy(),
            Self::Perf(error) => error.remedy(),
            Self::Cgroup(error) => error.remedy(),
            Self::DescendantsOnly(_) => Some("it takes the daemon, or root for eBPF"),
            Self::Machine(_) | Self::Group(_) => None,
        }
        .map(str::to_owned)
    }
}

/// The group of a CPU; the first where it is in none.
fn group_of(groups: &[CpuGroup], cpu: u32) -> usize {
    groups
        .iter()
        .position(|group| group.cpus.contains(&cpu))
        .unwrap_or(0)
}

/// Now, on `CLOCK_MONOTONIC`.
#[must_use]
pub fn now() -> Moment {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).map_or(Moment(0), |now| {
        Moment(
            u64::try_from(now.tv_sec()).unwrap_or(0) * 1_000_000_000
                + u64::try_from(now.tv_nsec()).unwrap_or(0),
        )
    })
}

/// Meters that are read within this time of the CPU time are read at once: counters themselves step every millisecond.
const AT_ONCE: Duration = Duration::from_micros(200);

/// Whether so much time went by while the meters were read, be it by slow meters or because somebody else had the CPU, that
/// who ran may have changed, and another look at CPU time would tell: not if that takes longer itself.
#[must_use]
pub fn is_apart(sampling: Duration, reading: Duration) -> bool {
    reading > AT_ONCE.max(sampling)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_looked_at_again_only_after_slow_readings_and_where_that_tells_more() {
        let us = Duration::from_micros;
        assert!(!is_apart(us(5), us(20)));
        assert!(is_apart(us(5), us(900)));
        assert!(!is_apart(us(3_000), us(900)), "a walk through /proc");
    }
}
