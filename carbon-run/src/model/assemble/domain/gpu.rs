//! A domain that is a GPU: its books are split by the GPU's users.

use super::{DomainBooks, Look, Meter};
use crate::model::assemble::gpu::GpuBooks;
use crate::model::assemble::gpu_idle::gpu_idle_before;
use crate::model::counter::Step;
use crate::model::recording::{Choices, Head, IdlePolicy, Reading};
use crate::model::report::GpuReport;

impl DomainBooks {
    /// The books of a GPU, where the domain `at` is one.
    pub(super) fn with_gpu(mut self, at: usize, head: &Head) -> Self {
        let Some(gpus) = &head.gpus else { return self };
        let gpu = gpus.devices.iter().find(|gpu| gpu.domain == Some(at));
        if let (Meter::Read { gauge, .. }, Some(gpu)) = (&self.meter, gpu) {
            let idle = gpu_idle_before(gpu, head);
            self.meter = Meter::Gpu(Box::new(GpuBooks::new(gauge.clone().stepping(), gpu, gpus, idle)));
        }
        self
    }

    /// Enters the next reading of a GPU.
    pub(super) fn observe_gpu(&mut self, reading: &Reading, look: &Look<'_>, choices: &Choices) {
        let Meter::Gpu(gpu) = &mut self.meter else { return };
        let energy = match gpu.gauge.step(reading, look.slept) {
            Step::Missing(reason) => {
                self.failed.get_or_insert((reason, 0)).1 += 1;
                None
            }
            Step::Reset { reason, .. } => {
                self.resets.get_or_insert((reason, 0)).1 += 1;
                None
            }
            Step::First | Step::Slept => None,
            Step::Energy { energy, from, to, .. } => {
                self.known += to.since(from);
                if let Some(intensity) = look.supply.between(from, to) {
                    self.gathered.add(energy.joules().get(), intensity);
                }
                let (parts, known) = &mut self.gathered_in;
                *known += to.since(from);
                parts.gather(&look.phases.between(from, to), energy);
                Some((energy, to.since(from)))
            }
        };
        if let Some(books) = gpu.observe(energy, look.gpu, choices) {
            self.enter_gathered(&books, look.phases);
        }
    }

    /// What is to be said of it as a GPU.
    pub(in crate::model::assemble) fn gpu(&self, wanted: IdlePolicy) -> Option<GpuReport> {
        match &self.meter {
            Meter::Gpu(gpu) => Some(gpu.report(wanted)),
            Meter::Read { .. } | Meter::CpuModel { .. } | Meter::RamModel { .. } => None,
        }
    }
}
