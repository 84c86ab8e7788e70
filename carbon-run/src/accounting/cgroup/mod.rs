//! The third rung: a control group of the job's own. What the scheduler charges to it is exact, for every descendant,
//! and in version 1 is told for each CPU. It does not follow who moves to another group (a service manager does that to
//! whom `sudo` or `systemd-run` starts); the family's account has those that are reaped, and the larger is taken.
//!
//! The job's first process enters by itself, between fork and exec: carbon-run is never in the group, so nothing of its
//! own is charged to the job, and there is no moment at which killing it would leave it in the wrong place.

mod group;
mod hierarchy;

use super::family::Family;
use super::job_time::{JobTime, shared_out};
use super::machine::{Machine, MachineError};
use super::{Accounting, AccountingError, Closing, Sample, group_of, now};
use crate::model::recording::{Backend, CpuGroup, Note, Whose};
use crate::model::units::CpuTime;
use group::{Group, Removal};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// There is no group for the job.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// Neither version 1's `cpuacct` nor version 2.
    #[error("no control group hierarchy that counts CPU time is mounted")]
    None,
    /// A new group would be outside of another controller's limits.
    #[error(
        "`cpuacct` is mounted together with `{0}`, whose limits would not hold for a group of the job's own"
    )]
    Together(String),
    /// Our own group is not in what is mounted.
    #[error("carbon-run's own control group `{}` is outside of what is mounted here", .0.display())]
    Elsewhere(PathBuf),
    /// Our own group has threads of one process in different groups.
    #[error("below `{}`, which is threaded, there are no groups for processes", .0.display())]
    Threaded(PathBuf),
    /// The job could not run anything in real time.
    #[error("in a control group of its own the job could run nothing in real time")]
    RealTime,
    /// No new group.
    #[error("cannot make the control group `{}`: {source}", .path.display())]
    Create {
        /// Its directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nobody can be put into it.
    #[error("cannot open `{}`: {source}", .path.display())]
    Join {
        /// The file that lists who is in.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It does not tell.
    #[error("cannot read `{}`: {source}", .path.display())]
    Read {
        /// The file that counts.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The machine's own counters.
    #[error(transparent)]
    Machine(#[from] MachineError),
}

impl CgroupError {
    /// What to do about it, where something can be done.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Create { source, .. } | Self::Join { source, .. } => match source.raw_os_error() {
                Some(libc::EACCES | libc::EPERM) => Some(
                    "run it as root, or in a group that is delegated to you: `systemd-run --user --scope carbon-run ...`",
                ),
                Some(libc::EROFS) => {
                    Some("mount the container's control groups writable, or run carbon-run outside of it")
                }
                _ => None,
            },
            Self::None => Some("mount cgroup2 on /sys/fs/cgroup"),
            Self::Together(_)
            | Self::Elsewhere(_)
            | Self::Threaded(_)
            | Self::RealTime
            | Self::Read { .. }
            | Self::Machine(_) => None,
        }
    }
}

/// The job's own control group.
pub struct Cgroup {
    groups: Vec<CpuGroup>,
    group: Group,
    /// What it has told of each group of CPUs so far.
    told: Vec<CpuTime>,
    family: Family,
    machine: Machine,
    job: JobTime,
    notes: Vec<Note>,
}

impl Cgroup {
    /// Makes a group below carbon-run's own, in the hierarchy that tells most.
    ///
    /// # Errors
    /// When there is none in which it may.
    pub fn open(groups: &[CpuGroup]) -> Result<Self, CgroupError> {
        let mut why = CgroupError::None;
        for hierarchy in hierarchy::find(Path::new("/")) {
            match hierarchy.and_then(|hierarchy| Group::create(&hierarchy)) {
                Ok(group) => {
                    return Ok(Self {
                        groups: groups.to_vec(),
                        group,
                        told: vec![CpuTime::ZERO; groups.len()],
                        family: Family::open(groups),
                        machine: Machine::open(groups)?,
                        job: JobTime::new(groups.len()),
                        notes: Vec::new(),
                    });
                }
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    /// What the group has told, per group of CPUs; `weights` say where, if it does not.
    fn tell(&mut self, weights: &[CpuTime]) -> Result<Vec<CpuTime>, CgroupError> {
        let usage = self.group.usage()?;
        let mut told = vec![CpuTime::ZERO; self.groups.len()];
        if self.group.is_per_cpu() {
            for (cpu, time) in (0..).zip(usage) {
                if let Some(told) = told.get_mut(group_of(&self.groups, cpu)) {
                    *told += time;
                }
            }
        } else {
            let so_far: CpuTime = self.told.iter().copied().sum();
            let more = usage.into_iter().sum::<CpuTime>().since(so_far);
            let nowhere = weights.iter().all(|weight| *weight == CpuTime::ZERO);
            let parts = shared_out(more, if nowhere { &self.told } else { weights });
            told = self
                .told
                .iter()
                .zip(parts)
                .map(|(told, part)| *told + part)
                .collect();
        }
        let more = told
            .iter()
            .zip(&self.told)
            .map(|(now, before)| now.since(*before));
        let more = more.collect();
        self.told = told;
        Ok(more)
    }

    fn farewell(&mut self) {
        let path = self.group.path().display().to_string();
        let (code, message, degrades) = match self.group.remove() {
            Removal::Gone(0) => return,
            Removal::Gone(moved) => (
                "cgroup-survivors",
                format!(
                    "{moved} of the job's processes go on in carbon-run's own control group: the job's is removed"
                ),
                false,
            ),
            Removal::Left => (
                "cgroup-left",
                format!("the job's control group `{path}` is left behind: somebody is still in it"),
                true,
            ),
        };
        let hint = degrades.then(|| format!("`rmdir {path}` once they have ended"));
        self.notes.push(Note {
            code: code.to_owned(),
            message,
            hint,
            degrades,
        });
    }
}

impl Accounting for Cgroup {
    fn backend(&self) -> Backend {
        Backend::Cgroup
    }

    fn tells_groups_apart(&self) -> bool {
        self.groups.len() < 2 || self.group.is_per_cpu()
    }

    fn adopts_orphans(&self) -> bool {
        true
    }

    fn entrance(&self) -> Result<Option<OwnedFd>, AccountingError> {
        Ok(Some(self.group.entrance()?))
    }

    fn arm(&mut self) -> Result<(), AccountingError> {
        Ok(())
    }

    fn disarm(&mut self, child: u32) -> Result<(), AccountingError> {
        if child != 0 && self.group.is_unused() {
            self.notes.push(Note {
                code: "cgroup-not-entered".to_owned(),
                message: format!(
                    "the command could not enter its control group `{}`: its CPU time comes from /proc and rusage",
                    self.group.path().display()
                ),
                hint: None,
                degrades: true,
            });
        }
        Ok(())
    }

    fn sample(&mut self) -> Result<Sample, AccountingError> {
        let seen = self.family.look();
        let more = self.tell(&seen.weights)?;
        let at = now();
        self.machine.look()?;
        let told: CpuTime = self.told.iter().copied().sum();
        let unseen = more.iter().all(|more| *more == CpuTime::ZERO);
        let weights = if unseen { seen.weights } else { more };
        self.job.reach(told.max(seen.total), &weights);
        let usage = self.machine.rows(at, self.job.groups());
        Ok(Sample { at, usage })
    }

    fn reaped(&mut self, _pid: u32, cpu: CpuTime) {
        self.family.reaped(cpu);
    }

    fn members(&mut self) -> Vec<u32> {
        self.family.members()
    }

    fn whose(&mut self, pids: &[u32]) -> Vec<Whose> {
        self.family.whose(pids)
    }

    fn living(&mut self) -> u64 {
        self.family.living()
    }

    fn close(&mut self, child: u32) -> Closing {
        self.farewell();
        let mut message =
            "CPU time comes from a control group of the job's own; others' from /proc/stat, in clock ticks"
                .to_owned();
        if !self.tells_groups_apart() {
            message.push_str("; which package it was on is sampled");
        }
        let mut notes = vec![Note {
            code: "cgroup-accounting".to_owned(),
            message,
            hint: None,
            degrades: false,
        }];
        notes.append(&mut self.notes);
        Closing {
            notes,
            ..self.family.closing(child, self.job.total())
        }
    }
}
