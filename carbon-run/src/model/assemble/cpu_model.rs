//! Energy of CPUs without a meter: linear in their busy share, between idle and full (METHOD.md, "CPU model").

use crate::model::attribution::Books;
use crate::model::recording::{CpuPowerModel, CpuUsage, Ranged};
use crate::model::units::{Joules, MicroJoules, Watts};
use crate::model::usage::WindowUsage;
use std::time::Duration;

/// A model at work.
#[derive(Debug, Clone)]
pub(super) struct CpuModelBooks {
    model: CpuPowerModel,
    /// Weight of a CPU's nanosecond when every CPU is busy, in thousandths: with SMT, less than 1000.
    full_permille: u32,
    /// Numerator of the part of a microjoule not handed out yet, over the last window's denominator.
    remainder: u128,
}

impl CpuModelBooks {
    pub(super) fn new(model: CpuPowerModel, full_permille: u32) -> Self {
        Self {
            model,
            full_permille,
            remainder: 0,
        }
    }

    pub(super) fn idle(&self) -> Watts {
        self.model.idle.value
    }

    /// The energy of a window and its length. In microwatts and nanoseconds, so in 1e-15 J, over the number of CPUs:
    ///
    /// `E = (idle * all + (full - idle) * busy / full_weight) / CPUs`
    pub(super) fn energy(
        &mut self,
        window: &WindowUsage,
        usage: &[CpuUsage],
        groups: &[usize],
    ) -> (MicroJoules, Duration) {
        let cpus: u128 = if groups.is_empty() {
            usage.iter().map(|row| u128::from(row.online)).sum()
        } else {
            groups
                .iter()
                .filter_map(|group| usage.get(*group))
                .map(|row| u128::from(row.online))
                .sum()
        };
        let cpus = cpus.max(1);
        let idle = u128::from(self.model.idle.value.microwatts());
        let full = u128::from(self.model.full.value.microwatts()).max(idle);
        let full_weight = u128::from(self.full_permille.max(1));
        let all = u128::from(window.all_ns);
        // Rounding may let the busy weight pass the CPUs' time by a little; power does not pass full.
        let busy = (window.busy() / full_weight).min(all);
        let scale = 1_000_000_000 * cpus;
        let femtojoules = idle * all + (full - idle) * busy + self.remainder;
        self.remainder = femtojoules % scale;
        let energy = MicroJoules(u64::try_from(femtojoules / scale).unwrap_or(u64::MAX));
        (
            energy,
            Duration::from_nanos(u64::try_from(all / cpus).unwrap_or(u64::MAX)),
        )
    }

    /// The job's energy at the corners of the model: `E = idle * (A - W) + full * W`, where A is the job's part of the
    /// baseline in seconds and W its dynamic part in seconds at full power, both from the books.
    pub(super) fn job_range(&self, books: &Books) -> Ranged<Joules> {
        let CpuPowerModel { idle, full, .. } = &self.model;
        let value = books.ledger.job_total().joules();
        let dynamic = full.value.get() - idle.value.get();
        let seconds = |energy: MicroJoules, power: f64| {
            if power > 0.0 {
                energy.joules().get() / power
            } else {
                0.0
            }
        };
        let a = seconds(books.ledger.job_idle, idle.value.get());
        let w = seconds(books.ledger.job, dynamic);
        let at = |idle: Watts, full: Watts| {
            let full = full.get().max(idle.get());
            idle.get() * (a - w) + full * w
        };
        let corners = [
            at(idle.low, full.low),
            at(idle.high, full.low),
            at(idle.low, full.high),
            at(idle.high, full.high),
        ];
        let low = corners.iter().copied().fold(value.get(), f64::min);
        let high = corners.iter().copied().fold(value.get(), f64::max);
        Ranged {
            low: Joules::clamped(low),
            value,
            high: Joules::clamped(high),
        }
    }
}
