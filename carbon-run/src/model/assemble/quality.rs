//! How far to trust a report: what was lost, left out, or is worth a word.

use super::domain::DomainBooks;
use super::{Assembler, gpu_idle, idle, note, totals};
use crate::model::recording::{Note, Tail};
use crate::model::report::Quality;
use crate::model::units::{CpuTime, Share};
use std::time::Duration;

impl Assembler {
    pub(super) fn quality(
        &self,
        tail: Option<&Tail>,
        totals: &totals::Totals,
        duration: Duration,
    ) -> Quality {
        let mut notes = self.head.notes.clone();
        notes.extend(idle::notes(&self.head));
        notes.extend(gpu_idle::notes(&self.head));
        notes.extend(self.domains.iter().flat_map(DomainBooks::notes));
        notes.extend(self.supply.notes());
        notes.extend(self.phases.notes());
        if self.slept > Duration::ZERO {
            notes.push(note(
                "slept",
                format!(
                    "the machine slept for {:.0} s during the run; its energy is left out",
                    self.slept.as_secs_f64()
                ),
                None,
            ));
        }
        let unreadable = self.memory.unreadable();
        if unreadable > 0 {
            notes.push(note(
                "memory-unreadable",
                format!("the memory of {unreadable} processes of the job could not be read and is left out"),
                None,
            ));
        }
        let lost = tail.map_or(0, |tail| tail.lost);
        if lost > 0 {
            notes.push(note(
                "lost",
                format!("the accounting lost {lost} tasks of the job; the job's figures are too low"),
                None,
            ));
        }
        // The kernel's rusage has the interrupts in it that came while the job was on, unless it counts them itself.
        let interrupts = self.taken().interrupts_in_job.unwrap_or_default();
        let counted = CpuTime(self.window().job_ns);
        notes.extend(tail.and_then(|tail| short_of_rusage(tail, counted, interrupts)));
        if tail.is_none() {
            notes.push(note(
                "no-tail",
                "the recording ends before the command did; figures cover what was recorded".to_owned(),
                None,
            ));
        }
        notes.extend(tail.iter().flat_map(|tail| tail.notes.clone()));
        Quality {
            lost,
            coverage: self.coverage(duration),
            wraps: self.domains.iter().map(DomainBooks::wraps).sum(),
            resets: self.domains.iter().map(DomainBooks::resets).sum(),
            slept: self.slept,
            notes,
            uncertainty: totals.uncertainty,
        }
    }

    fn coverage(&self, duration: Duration) -> Share {
        self.domains
            .iter()
            .filter(|books| books.is_summed() && books.is_metered())
            .map(|books| books.coverage(duration))
            .fold(None, |least: Option<Share>, one| match least {
                Some(least) if least <= one => Some(least),
                _ => Some(one),
            })
            .unwrap_or(Share::NONE)
    }
}

/// A second witness, for nothing: what `wait4` told of the command and of those it had waited for is part of the job's
/// time, so that the job cannot have less. Ticks and microseconds allow for one percent and ten milliseconds.
fn short_of_rusage(tail: &Tail, counted: CpuTime, interrupts: CpuTime) -> Option<Note> {
    let told = tail.rusage_cpu?;
    let slack = CpuTime(told.0 / 100 + 10_000_000);
    (told > counted + interrupts + slack).then(|| {
        note(
            "cpu-time-short",
            format!(
                "the accounting counted {:.3} s of the job, the kernel's rusage {:.3} s; the job's figures are too low",
                counted.seconds(),
                told.seconds()
            ),
            Some("report this as a bug, with a recording (`--record FILE`)".to_owned()),
        )
    })
}
