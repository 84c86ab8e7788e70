//! The last rung, for which no right is needed: the family below carbon-run, and /proc/stat for the others.

use super::family::Family;
use super::job_time::JobTime;
use super::machine::{Machine, MachineError};
use super::{Accounting, AccountingError, Closing, Sample, now};
use crate::model::recording::{Backend, CpuGroup, Note, Whose};
use crate::model::units::CpuTime;

/// Subreaper, /proc and rusage.
pub struct Procfs {
    family: Family,
    machine: Machine,
    job: JobTime,
}

impl Procfs {
    /// Takes the machine's counters as they are now.
    ///
    /// # Errors
    /// When /proc/stat cannot be read.
    pub fn open(groups: &[CpuGroup]) -> Result<Self, MachineError> {
        Ok(Self {
            family: Family::open(groups),
            machine: Machine::open(groups)?,
            job: JobTime::new(groups.len()),
        })
    }
}

impl Accounting for Procfs {
    fn backend(&self) -> Backend {
        Backend::Procfs
    }

    fn tells_groups_apart(&self) -> bool {
        self.job.groups().len() < 2
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
        self.job.reach(seen.total, &seen.weights);
        let at = now();
        self.machine.look()?;
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
        let note = Note {
            code: "procfs-accounting".to_owned(),
            message:
                "CPU time comes from /proc and rusage: exact for processes that were waited for, sampled \
                      every interval for the others"
                    .to_owned(),
            hint: None,
            degrades: false,
        };
        Closing {
            notes: vec![note],
            ..self.family.closing(child, self.job.total())
        }
    }
}
