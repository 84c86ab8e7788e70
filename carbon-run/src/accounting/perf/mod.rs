//! The second rung: the kernel's clock of tasks, `perf_event_open`, inherited by all that the command makes. Needs no
//! right where `perf_event_paranoid` is 2 or less, which is the kernel's own default.
//!
//! What it misses, all of which the family's account (`wait4`, /proc) has: it ends before a process gives its memory
//! back (`do_exit` calls `perf_event_exit_task` first), a tenth to a third of what a very short process uses; it begins
//! at the exec; and it ends where a set-user-id program begins (`begin_new_exec`, fs/exec.c), for all descendants of
//! that. Both accounts are never too much, so the larger is taken.

mod event;
mod room;

use super::family::{Family, Look};
use super::job_time::{JobTime, shared_out};
use super::machine::{Machine, MachineError, Window};
use super::{Accounting, AccountingError, Closing, Sample, now};
use crate::model::recording::{Backend, CpuGroup, Note, Whose};
use crate::model::units::CpuTime;
use event::Event;
use room::Room;
use std::io;
use std::path::Path;

/// With more CPUs than this, packages are told apart by where the job's threads are seen. An event per CPU is inherited
/// by every process and thread that is made, at some 3 us of CPU time each (METHOD.md): more would cost the job more than
/// the last percent of the split is worth.
const MOST_CPUS: usize = 64;

const PARANOID: &str = "/proc/sys/kernel/perf_event_paranoid";

/// The task clock cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PerfError {
    /// Not for us, by the kernel's setting.
    #[error("the kernel lets only the privileged count (`{PARANOID}` is {0})")]
    Paranoid(i32),
    /// Not for us, although the setting would allow it.
    #[error("perf_event_open is not permitted")]
    Refused,
    /// The kernel has no such thing.
    #[error("the kernel has no perf events: {0}")]
    Missing(#[source] io::Error),
    /// Anything else.
    #[error("cannot open the kernel's task clock: {0}")]
    Open(#[source] io::Error),
    /// It was open, and fails now.
    #[error("cannot read the kernel's task clock: {0}")]
    Read(#[source] io::Error),
    /// The machine's own counters.
    #[error(transparent)]
    Machine(#[from] MachineError),
}

impl PerfError {
    /// What to do about it, where something can be done.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Paranoid(_) => Some(
                "as root `sysctl kernel.perf_event_paranoid=2`, or run it as root, or once `sudo setcap \
                 cap_perfmon+ep` on the binary",
            ),
            Self::Refused => Some(
                "a container's system call filter forbids it: start the container with `--cap-add PERFMON`",
            ),
            Self::Missing(_) => Some("needs a kernel built with CONFIG_PERF_EVENTS"),
            Self::Open(_) | Self::Read(_) | Self::Machine(_) => None,
        }
    }

    fn opening(error: io::Error, paranoid: Option<i32>) -> Self {
        match error.raw_os_error() {
            Some(libc::EACCES | libc::EPERM) => match paranoid {
                Some(level) if level > 2 => Self::Paranoid(level),
                Some(_) | None => Self::Refused,
            },
            Some(libc::ENOSYS | libc::ENOENT | libc::EOPNOTSUPP) => Self::Missing(error),
            _ => Self::Open(error),
        }
    }
}

/// The task clock of the job.
pub struct Perf {
    /// On whichever CPU.
    anywhere: Event,
    places: Places,
    /// What the clock has told of each group so far, and what of that nobody stole.
    told: Vec<CpuTime>,
    counted: Vec<CpuTime>,
    family: Family,
    machine: Machine,
    job: JobTime,
}

/// How it is known where the job ran.
enum Places {
    /// There is one group.
    One,
    /// By an event on each CPU, with the group that it is in.
    Counted(Vec<(usize, Event)>),
    /// By where its threads are seen; why not better.
    Seen(String),
}

impl Places {
    fn open(groups: &[CpuGroup]) -> Self {
        let cpus: usize = groups.iter().map(|group| group.cpus.len()).sum();
        if groups.len() < 2 {
            return Self::One;
        }
        if cpus > MOST_CPUS {
            return Self::Seen(format!(
                "an event on each of {cpus} CPUs would slow the job's forks down"
            ));
        }
        match Self::on_each(groups, cpus) {
            Ok(events) => Self::Counted(events),
            Err(error) => Self::Seen(error.to_string()),
        }
    }

    fn on_each(groups: &[CpuGroup], cpus: usize) -> io::Result<Vec<(usize, Event)>> {
        let room = Room::make(cpus)?;
        let mut events = Vec::with_capacity(cpus);
        for (index, group) in groups.iter().enumerate() {
            for cpu in &group.cpus {
                match room.open(*cpu) {
                    Ok(event) => events.push((index, event)),
                    // It went offline. What runs on it later is in the event on whichever CPU.
                    Err(error) if error.raw_os_error() == Some(libc::ENODEV) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(events)
    }

    /// `total` per group.
    fn told(&self, total: CpuTime, seen: &Look, so_far: &[CpuTime]) -> io::Result<Vec<CpuTime>> {
        match self {
            Self::One => Ok(vec![total]),
            Self::Counted(events) => {
                let mut told = vec![CpuTime::ZERO; so_far.len()];
                for (group, event) in events {
                    if let Some(told) = told.get_mut(*group) {
                        *told += event.read()?;
                    }
                }
                // On CPUs that have come online since.
                let elsewhere = total.since(told.iter().copied().sum());
                let parts = shared_out(elsewhere, &told);
                Ok(told
                    .into_iter()
                    .zip(parts)
                    .map(|(told, part)| told + part)
                    .collect())
            }
            Self::Seen(_) => {
                let more = total.since(so_far.iter().copied().sum());
                let nowhere = seen.weights.iter().all(|weight| *weight == CpuTime::ZERO);
                let parts = shared_out(more, if nowhere { so_far } else { &seen.weights });
                Ok(so_far
                    .iter()
                    .zip(parts)
                    .map(|(told, part)| *told + part)
                    .collect())
            }
        }
    }
}

impl Perf {
    /// Opens the clock on the calling thread, whose children will be the job.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn open(groups: &[CpuGroup]) -> Result<Self, PerfError> {
        let anywhere = Event::open(None).map_err(|error| PerfError::opening(error, paranoid()))?;
        Ok(Self {
            anywhere,
            places: Places::open(groups),
            told: vec![CpuTime::ZERO; groups.len()],
            counted: vec![CpuTime::ZERO; groups.len()],
            family: Family::open(groups),
            machine: Machine::open(groups)?,
            job: JobTime::new(groups.len()),
        })
    }

    /// The clock counts on while a hypervisor has the CPU; that time is nobody's.
    fn count(&mut self, told: Vec<CpuTime>, windows: &[Window]) -> Vec<CpuTime> {
        let mut more = Vec::with_capacity(told.len());
        for (index, now) in told.iter().enumerate() {
            let delta = now.since(self.told.get(index).copied().unwrap_or_default());
            let window = windows.get(index).copied().unwrap_or_default();
            let delta = window.not_stolen(delta);
            if let Some(counted) = self.counted.get_mut(index) {
                *counted += delta;
            }
            more.push(delta);
        }
        self.told = told;
        more
    }
}

impl Accounting for Perf {
    fn backend(&self) -> Backend {
        Backend::Perf
    }

    fn tells_groups_apart(&self) -> bool {
        !matches!(self.places, Places::Seen(_))
    }

    fn adopts_orphans(&self) -> bool {
        true
    }

    fn arm(&mut self) -> Result<(), AccountingError> {
        Ok(())
    }

    fn disarm(&mut self, _child: u32) -> Result<(), AccountingError> {
        Ok(())
    }

    fn sample(&mut self) -> Result<Sample, AccountingError> {
        let seen = self.family.look();
        let total = self.anywhere.read().map_err(PerfError::Read)?;
        let told = self
            .places
            .told(total, &seen, &self.told)
            .map_err(PerfError::Read)?;
        let at = now();
        let windows = self.machine.look()?;
        let more = self.count(told, &windows);
        let counted: CpuTime = self.counted.iter().copied().sum();
        let unseen = more.iter().all(|more| *more == CpuTime::ZERO);
        let weights = if unseen { seen.weights } else { more };
        self.job.reach(counted.max(seen.total), &weights);
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
        let mut message =
            "CPU time comes from the kernel's task clock, or from /proc and rusage where those have \
                           more: the ends of short processes, set-user-id programs"
                .to_owned();
        if let Places::Seen(why) = &self.places {
            message = format!("{message}; which package it was on is sampled ({why})");
        }
        let note = Note {
            code: "perf-accounting".to_owned(),
            message,
            hint: None,
            degrades: false,
        };
        Closing {
            notes: vec![note],
            ..self.family.closing(child, self.job.total())
        }
    }
}

fn paranoid() -> Option<i32> {
    std::fs::read_to_string(Path::new(PARANOID))
        .ok()?
        .trim()
        .parse()
        .ok()
}
