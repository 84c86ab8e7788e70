//! The eBPF rung: exact, per CPU, every descendant, and everybody else from the same hook and the same clock.

mod bpf;
mod btf_file;
mod clock;
mod engine;
mod failure;
mod gone;
mod group;
mod jobs;
mod kernel_btf;
mod load;
mod mapped;
mod numbers;
mod online;
pub mod pidfd;
mod pins;
mod processes;
mod records;
mod snapshot;

use super::{Accounting, AccountingError, Closing, Sample};
use crate::accounting::proc_files;
use crate::model::recording::{Backend, CpuGroup, ProcessUse, Survivor, Whose};
use carbon_common::{MAX_PROCESSES, map, program};
pub use engine::Room;
pub use failure::EbpfError;
pub use group::checked as checked_group;
pub use jobs::{Continued, Jobs, KeptJob, Tidied};
use numbers::Numbers;
pub use pins::remove_all as unpin;
pub use snapshot::Snapshot;
use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Attached in this order: membership before the switch.
const TRACEPOINTS: [&str; 5] = [
    program::NEWTASK,
    program::EXEC,
    program::EXIT,
    program::FREE,
    program::SWITCH,
];

/// Members of the kernel's structs whose offsets the kernel side wants.
const MEMBERS: [(&str, &str); 6] = [
    ("task_struct", "flags"),
    ("task_struct", "pid"),
    ("task_struct", "tgid"),
    ("task_struct", "se"),
    ("sched_entity", "sum_exec_runtime"),
    ("sched_entity", "prev_sum_exec_runtime"),
];

/// Members that say how much of a CPU's time was stolen or went to interrupts. Some kernels lack some of them.
const OPTIONAL_MEMBERS: [(&str, &str); 4] = [
    ("sched_entity", "cfs_rq"),
    ("cfs_rq", "rq"),
    ("rq", "prev_steal_time_rq"),
    ("rq", "prev_irq_time"),
];

/// A launcher has one job.
const ROOM: Room = Room {
    jobs: 1,
    processes: MAX_PROCESSES,
};

/// The eBPF program on the scheduler, attached, for the one job of a launcher.
pub struct Ebpf {
    jobs: Jobs,
    job: u32,
    own: OwnedFd,
    numbers: Numbers,
}

impl Ebpf {
    /// Loads and attaches the program, and enters who is on each CPU.
    ///
    /// # Errors
    /// When a right is missing, or the kernel is too old or has no BTF.
    pub fn open(groups: &[CpuGroup], siblings: &[Option<u32>]) -> Result<Self, EbpfError> {
        Self::start(groups, siblings).map_err(EbpfError::plain)
    }

    fn start(groups: &[CpuGroup], siblings: &[Option<u32>]) -> Result<Self, EbpfError> {
        let own = pidfd::own().map_err(EbpfError::Arm)?;
        let mut jobs = Jobs::start(groups, siblings, ROOM, own.as_fd())?;
        let job = jobs.open(own.as_fd())?.ok_or(EbpfError::NoRoom)?;
        Ok(Self {
            jobs,
            job,
            own,
            numbers: Numbers::here(),
        })
    }

    /// Members that are in /proc under these numbers.
    fn members_here(&self) -> Vec<u32> {
        match self.numbers {
            Numbers::Shared => self.living().map(|process| process.pid).collect(),
            Numbers::Translated => {
                let tasks = self.jobs.engine().loaded.map(map::TASKS);
                tasks.map_or_else(|_| Vec::new(), |tasks| numbers::translated(tasks, self.job))
            }
            Numbers::Unknown => Vec::new(),
        }
    }

    fn living(&self) -> impl Iterator<Item = ProcessUse> {
        self.jobs.living_processes(self.job).into_iter()
    }

    /// Members that still run. Where /proc cannot be asked, they are named as the kernel side knows them.
    fn survivors(&self, child: u32) -> Vec<Survivor> {
        if self.jobs.living(self.job) == 0 {
            return Vec::new();
        }
        if self.numbers == Numbers::Unknown {
            return self
                .living()
                .map(|ProcessUse { pid, comm, .. }| Survivor { pid, comm })
                .collect();
        }
        self.members_here()
            .into_iter()
            .filter(|pid| *pid != child)
            .filter_map(|pid| {
                Some(Survivor {
                    pid,
                    comm: proc_files::living_name(Path::new("/"), pid)?,
                })
            })
            .collect()
    }
}

impl Accounting for Ebpf {
    fn backend(&self) -> Backend {
        Backend::Ebpf
    }

    fn arm(&mut self) -> Result<(), AccountingError> {
        Ok(self.jobs.arm(self.job, self.own.as_fd())?)
    }

    fn disarm(&mut self, _child: u32) -> Result<(), AccountingError> {
        Ok(self.jobs.disarm(self.job, self.own.as_fd())?)
    }

    fn adopt(&mut self, group: &Path) -> Result<(), AccountingError> {
        let group = checked_group(group, nix::unistd::geteuid().as_raw()).map_err(AccountingError::Group)?;
        Ok(self.jobs.adopt_group(self.job, &group)?)
    }

    fn sample(&mut self) -> Result<Sample, AccountingError> {
        let snapshot = self.jobs.snapshot();
        Ok(Sample {
            at: snapshot.at,
            usage: self.jobs.usage(self.job, &snapshot),
        })
    }

    fn members(&mut self) -> Vec<u32> {
        self.members_here()
    }

    fn whose(&mut self, pids: &[u32]) -> Vec<Whose> {
        let translated = self.numbers != Numbers::Shared;
        let here = if translated {
            self.members_here().into_iter().collect()
        } else {
            HashSet::new()
        };
        self.jobs.whose(self.job, pids, &here)
    }

    fn living(&mut self) -> u64 {
        self.jobs.living(self.job)
    }

    fn close(&mut self, child: u32) -> Closing {
        let survivors = self.survivors(child);
        Closing {
            survivors,
            ..self.jobs.close(self.job)
        }
    }
}
