//! What of a domain's books only the end tells.

use super::{DomainBooks, Meter};
use crate::model::assemble::carbon::Blend;
use crate::model::assemble::phases::{PhaseBooks, Piece, Remade};
use crate::model::assemble::ram::MemoryBooks;
use crate::model::attribution::Books;
use crate::model::recording::{DomainSource, Head, IdlePolicy};
use crate::model::report::Ledger;
use crate::model::units::{MicroJoules, Watts};
use std::time::Duration;

impl DomainBooks {
    /// Computes what can only be known at the end.
    pub(in crate::model::assemble) fn close(
        &mut self,
        memory: &MemoryBooks,
        duration: Duration,
        head: &Head,
        phases: &PhaseBooks,
    ) {
        if matches!(self.meter, Meter::Read { .. }) {
            self.settle(head);
        }
        if let Meter::Gpu(gpu) = &mut self.meter {
            let books = gpu.close(&head.choices);
            self.idle = gpu.idle_power();
            if let Some(books) = books {
                self.enter_gathered(&books, phases);
            }
        }
        let (Meter::RamModel { job, refused }, DomainSource::RamModel(model)) =
            (&mut self.meter, &self.domain.source)
        else {
            return;
        };
        *refused = memory.unreadable() > 0;
        if let Some(energy) = memory.energy(model) {
            *job = Some(energy);
            self.carbon = memory.carbon();
            self.known = duration;
            let energy = MicroJoules((energy.value.get() * 1e6).round() as u64);
            self.phases = memory.phases(energy);
            let ledger = Ledger {
                measured: energy,
                job: energy,
                kernel: Some(MicroJoules::ZERO),
                ..Ledger::default()
            };
            self.books = Books {
                ledger,
                ..Books::default()
            };
        }
    }

    /// Energy that was gathered has been split: the books, and the phases that it was gathered in. What is split at once has one
    /// mean intensity, whoever used it.
    pub(super) fn enter_gathered(&mut self, books: &Books, phases: &PhaseBooks) {
        self.books.add(books);
        let (parts, known) = std::mem::take(&mut self.gathered_in);
        let intensity = std::mem::take(&mut self.gathered).mean();
        if let Some(mean) = intensity {
            self.carbon.add(books.ledger.job_total().joules().get(), mean);
        }
        let piece = Piece {
            books,
            sight: None,
            intensity,
            known,
        };
        self.share(&parts, &piece, phases);
    }

    /// The books were kept under the baseline that was known before. Where the run has shown another one, they are made
    /// again under that, for the whole run.
    fn settle(&mut self, head: &Head) {
        let settled = self.idle.settled(&self.evidence, &self.domain, head);
        if let (Some(power), true) = (settled.watts(), settled.watts() != self.idle.watts()) {
            let policy = head.choices.idle_policy;
            self.books = self.evidence.books(power, policy, self.allocated);
            self.remade = Some(Remade {
                power: power.get(),
                policy,
                allocated: self.allocated,
            });
            self.remix(power, policy);
        }
        self.idle = settled;
    }

    /// The job's energy is another one under another baseline, and its mean intensity with it.
    fn remix(&mut self, power: Watts, policy: IdlePolicy) {
        let mean = self.evidence.intensity(power, policy, self.allocated);
        self.carbon = Blend::default();
        if let Some(mean) = mean {
            self.carbon.add(self.job_energy().get(), mean);
        }
    }
}
