//! Several jobs on one program: who is which, and what each has had.

mod kept;
mod views;

pub use kept::KeptJob;

use super::clock::monotonic_ns;
use super::engine::{Engine, Room};
use super::processes::Processes;
use super::snapshot::{Snapshot, plus};
use super::{EbpfError, group, pins};
use crate::model::recording::CpuGroup;
use carbon_common::{Process, TaskState, owner};
use kept::{on_cpu, words};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::Duration;

/// A launcher that was still armed when its job was released may be in the middle of making a child, which is counted at the end of
/// that (`copy_process`, some microseconds with preemption off): so long a number is not given again.
const SETTLED_NS: u64 = 20_000_000;

/// The program, attached, and the jobs that it counts.
pub struct Jobs {
    engine: Engine,
    jobs: BTreeMap<u32, Job>,
    /// The first owner that has never been a job's.
    never: u32,
    living: RefCell<Option<Listed>>,
    /// For how many nanoseconds such a list will do.
    list_lasts_ns: u64,
}

/// Living processes of all jobs, by serial number.
struct Listed {
    /// When: nanoseconds of `CLOCK_MONOTONIC`.
    at_ns: u64,
    living: Vec<(u64, Process)>,
}

/// A job.
#[derive(Default)]
struct Job {
    kept: KeptJob,
    processes: Processes,
    /// What its launcher was before it was armed.
    launcher: Option<TaskState>,
    /// When it was said that nobody wants to know of it any more, in nanoseconds of `CLOCK_MONOTONIC`: its number is free once the last
    /// task is.
    released: Option<u64>,
    /// Somebody may still be armed for it whom we do not know: its number is never given to another job, or that one would get
    /// their children.
    reserved: bool,
}

impl Jobs {
    /// Loads the program, attaches it, and enters who is on each CPU. `own` stands for carbon-run itself.
    ///
    /// # Errors
    /// When a right is missing, or the kernel is too old or has no BTF.
    pub fn start(
        groups: &[CpuGroup],
        siblings: &[Option<u32>],
        room: Room,
        own: BorrowedFd<'_>,
    ) -> Result<Self, EbpfError> {
        let mut engine = Engine::load(groups, siblings, room)?;
        engine.enter(own, &belongs_to(owner::OWN))?;
        engine.start()?;
        Ok(Self::over(engine))
    }

    /// As [`Self::start`], or goes on with what an earlier one left in `pins`, a directory in a BPF file system: then
    /// [`Self::resume`] has to be called for each job that it had. Says which it was.
    ///
    /// # Errors
    /// As [`Self::start`], and when nothing can be kept there.
    pub fn start_pinned(
        groups: &[CpuGroup],
        siblings: &[Option<u32>],
        room: Room,
        own: BorrowedFd<'_>,
        pins: &Path,
    ) -> Result<(Self, Continued), EbpfError> {
        let place = pins::place(pins, room);
        if let Some(engine) = Engine::pinned(groups, room, &place)? {
            engine.enter(own, &belongs_to(owner::OWN))?;
            return Ok((Self::over(engine), Continued::Yes));
        }
        pins::clear(pins);
        let mut engine = Engine::load(groups, siblings, room)?;
        engine.enter(own, &belongs_to(owner::OWN))?;
        engine.start()?;
        engine.loaded.pin(pins, &place)?;
        Ok((Self::over(engine), Continued::No))
    }

    fn over(engine: Engine) -> Self {
        Self {
            engine,
            jobs: BTreeMap::new(),
            never: owner::FIRST_JOB,
            living: RefCell::default(),
            list_lasts_ns: 0,
        }
    }

    /// Lists of living processes may be so old: those who ask at the same time get the same one.
    pub fn share_lists(&mut self, lasts: Duration) {
        self.list_lasts_ns = u64::try_from(lasts.as_nanos()).unwrap_or(u64::MAX);
    }

    /// A new job, inside the one that `launcher` belongs to, if any. `None` where there is no room for it; [`Self::tidy`] makes some.
    ///
    /// # Errors
    /// When the kernel does not tell whose the launcher is.
    pub fn open(&mut self, launcher: BorrowedFd<'_>) -> Result<Option<u32>, EbpfError> {
        let parent = self
            .engine
            .state_of(launcher)?
            .map(|state| state.owner)
            .filter(|owner| self.jobs.contains_key(owner));
        let free = (owner::FIRST_JOB..self.engine.owners()).find(|number| !self.jobs.contains_key(number));
        let Some(number) = free else {
            return Ok(None);
        };
        self.never = self.never.max(number + 1);
        self.engine.forget_census(number);
        let before = self.snapshot().of(&[number]);
        let kept = KeptJob {
            parent,
            before: before.iter().map(words).collect(),
            ..KeptJob::default()
        };
        self.jobs.insert(
            number,
            Job {
                kept,
                ..Job::default()
            },
        );
        Ok(Some(number))
    }

    /// Goes on with a job of the program that was started before this one. Its ended processes are not known one by one, and whether its
    /// launcher is armed neither, until [`Self::reclaim`].
    pub fn resume(&mut self, number: u32, kept: KeptJob) {
        self.never = self.never.max(number + 1);
        let job = Job {
            kept,
            reserved: true,
            ..Job::default()
        };
        self.jobs.insert(number, job);
    }

    /// The launcher of a job that was gone on with is known again. If it was armed, it was killed or is past the start of its command:
    /// its children are its own from now on.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn reclaim(&mut self, job: u32, launcher: BorrowedFd<'_>) -> Result<(), EbpfError> {
        let Some(entry) = self.jobs.get_mut(&job) else {
            return Ok(());
        };
        if let Some(state) = self.engine.state_of(launcher)?
            && state.heirs == job
        {
            self.engine.enter(
                launcher,
                &TaskState {
                    heirs: state.owner,
                    ..state
                },
            )?;
        }
        entry.reserved = false;
        Ok(())
    }

    /// What has to be known of a job to resume it.
    #[must_use]
    pub fn kept(&self, job: u32) -> Option<&KeptJob> {
        self.jobs.get(&job).map(|job| &job.kept)
    }

    /// The jobs there are.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        self.jobs.keys().copied()
    }

    /// From here on, processes that the main thread of `launcher` makes are the job's. It stays whose it was.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn arm(&mut self, job: u32, launcher: BorrowedFd<'_>) -> Result<(), EbpfError> {
        let known = self.engine.state_of(launcher)?;
        let state = known.unwrap_or(belongs_to(owner::OWN));
        let Some(entry) = self.jobs.get_mut(&job) else {
            return Ok(());
        };
        let before = *entry.launcher.get_or_insert(state);
        self.engine.enter(
            launcher,
            &TaskState {
                heirs: job,
                ran_ns: state.ran_ns,
                ..before
            },
        )
    }

    /// The job's first process has been made: what the launcher makes from here on is whose it was before.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn disarm(&mut self, job: u32, launcher: BorrowedFd<'_>) -> Result<(), EbpfError> {
        let before = self.jobs.get_mut(&job).and_then(|job| job.launcher.take());
        let Some(before) = before else {
            return Ok(());
        };
        let now = self.engine.state_of(launcher)?.unwrap_or(before);
        self.engine.enter(
            launcher,
            &TaskState {
                ran_ns: now.ran_ns,
                ..before
            },
        )
    }

    /// A task that runs already and what it makes from now on are the job's.
    pub(super) fn adopt(
        &mut self,
        job: u32,
        task: BorrowedFd<'_>,
        state: &TaskState,
        is_process: bool,
    ) -> Result<(), EbpfError> {
        match self.engine.enter(task, state) {
            Ok(()) => {
                self.engine.count_in(job, is_process);
                Ok(())
            }
            // It has just ended.
            Err(EbpfError::Arm(error)) if error.raw_os_error() != Some(libc::EPERM) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What runs in a control group, and in those below it, is the job's, unless it is another's. Who comes later is, too, after the
    /// next call.
    ///
    /// # Errors
    /// When the group cannot be read.
    pub fn adopt_group(&mut self, job: u32, group: &Path) -> Result<(), EbpfError> {
        group::enter_all(self, job, group)
    }

    /// Whose a process is; `None`: nobody's that we know.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn owner_of(&self, process: BorrowedFd<'_>) -> Result<Option<u32>, EbpfError> {
        Ok(self.engine.state_of(process)?.map(|state| state.owner))
    }

    /// Nobody wants to know of this job any more. Its number stays its own until its last task is freed.
    pub fn release(&mut self, job: u32) {
        if let Some(job) = self.jobs.get_mut(&job) {
            job.released.get_or_insert_with(monotonic_ns);
        }
    }

    /// Takes in who has ended, and gives back the numbers of jobs that are over.
    pub fn tidy(&mut self) -> Tidied {
        self.drain();
        let now = monotonic_ns();
        let over: Vec<u32> = self
            .jobs
            .iter()
            .filter(|(number, job)| {
                let census = self.engine.census(**number);
                let settled = job
                    .released
                    .is_some_and(|at| now.saturating_sub(at) >= SETTLED_NS);
                settled && !job.reserved && census.tasks == census.freed
            })
            .map(|(number, _)| *number)
            .collect();
        let mut changed = Vec::new();
        if !over.is_empty() {
            let snapshot = self.engine.snapshot(self.never);
            for number in &over {
                changed.extend(self.retire(*number, &snapshot));
            }
        }
        changed.retain(|number| self.jobs.contains_key(number));
        Tidied { over, changed }
    }

    /// What a job had goes to the one inside which it ran; what still runs inside it runs inside that one. Says of which other jobs
    /// something else has to be known from now on.
    fn retire(&mut self, number: u32, snapshot: &Snapshot) -> Vec<u32> {
        let time = self.own_time(number, snapshot);
        let processes = self.engine.census(number).processes;
        let children: Vec<u32> = self.children(number).collect();
        let Some(job) = self.jobs.remove(&number) else {
            return Vec::new();
        };
        let mut changed = children;
        for child in &changed {
            if let Some(child) = self.jobs.get_mut(child) {
                child.kept.parent = job.kept.parent;
            }
        }
        changed.extend(job.kept.parent);
        let Some(outer) = job.kept.parent.and_then(|parent| self.jobs.get_mut(&parent)) else {
            return changed;
        };
        outer.kept.inside.resize(time.len(), [0; 4]);
        for (sum, more) in outer.kept.inside.iter_mut().zip(time) {
            *sum = words(&plus(on_cpu(*sum), more));
        }
        outer.kept.inside_processes += processes + job.kept.inside_processes;
        outer.processes.take_in(job.processes);
        changed
    }

    fn drain(&mut self) {
        let jobs = &mut self.jobs;
        self.engine.records.drain(|process| ended(jobs, process));
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }
}

/// What has come of [`Jobs::tidy`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Jobs that are over, whose numbers are free.
    pub over: Vec<u32>,
    /// Jobs of which [`Jobs::kept`] says something else now.
    pub changed: Vec<u32>,
}

/// Whether counts of an earlier program were gone on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continued {
    /// They were: nobody's time is missing.
    Yes,
    /// All counts begin now.
    No,
}

fn ended(jobs: &mut BTreeMap<u32, Job>, process: &Process) {
    if let Some(job) = jobs.get_mut(&process.owner) {
        job.processes.ended(process);
    }
}

const fn belongs_to(owner: u32) -> TaskState {
    TaskState {
        owner,
        heirs: owner,
        process: 0,
        ran_ns: 0,
    }
}
