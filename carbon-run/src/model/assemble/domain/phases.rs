//! A domain's books by the phases of the job.

use super::{DomainBooks, Meter};
use crate::model::assemble::phases::{Parts, PhaseBooks, Piece, Remade, Slice, Slices};
use crate::model::assemble::uncertainty::{self, Parts as Errors};
use crate::model::recording::Ranged;
use crate::model::units::{GramsPerKwh, MicroJoules};

impl DomainBooks {
    /// Shares a window out among the phases that were on in it.
    pub(super) fn share(&mut self, parts: &Parts, piece: &Piece<'_>, phases: &PhaseBooks) {
        self.phases.enter(parts, &phases.partly_open(parts), piece);
    }

    pub(in crate::model::assemble) fn phases(&self) -> &Slices {
        &self.phases
    }

    /// The job's energy here.
    pub(in crate::model::assemble) fn job_microjoules(&self) -> MicroJoules {
        self.books.ledger.job_total()
    }

    /// Each account's microjoules of the job's energy here.
    pub(in crate::model::assemble) fn microjoules_of_phases(&self) -> Vec<u64> {
        self.phases.microjoules(self.job_microjoules(), self.remade)
    }

    /// The mean intensity of a phase's energy; `None` where it does not change with time, or there is no energy.
    pub(in crate::model::assemble) fn intensity_of_phase(&self, sums: &Slice) -> Option<Ranged<GramsPerKwh>> {
        match self.remade {
            None => sums.blend.mean(),
            Some(Remade {
                power,
                policy,
                allocated,
            }) => sums.sight.tinted.mean(power, policy, allocated),
        }
    }

    /// The parts of the range of a phase's figure, in joules. What is systematic is as large a part of it as of the job's; what
    /// baseline and neighbours leave open is its own, and the counter's steps count once for each time that it was entered.
    pub(in crate::model::assemble) fn parts_of_phase(
        &self,
        sums: &Slice,
        energy: MicroJoules,
        times: u64,
        doubt: f64,
    ) -> Errors {
        let job = self.parts();
        let part = |part: f64, whole: f64| if whole > 0.0 { (part / whole).max(0.0) } else { 0.0 };
        let energy = energy.joules().get();
        let share = part(energy, self.job_energy().get());
        let ledger = &self.books.ledger;
        let mine = part(sums.job as f64 / 1e6, ledger.job.joules().get());
        let steps = if energy > 0.0 {
            job.timing * (times.max(1) as f64).sqrt()
        } else {
            0.0
        };
        let scaled = Errors {
            meter_low: job.meter_low * share,
            meter_high: job.meter_high * share,
            timing: steps.hypot(doubt.sqrt()),
            idle: job.idle * share,
            attribution_low: job.attribution_low * mine,
            attribution_high: job.attribution_high * mine,
            unattributed: job.unattributed * share,
        };
        if !matches!(self.meter, Meter::Read { .. }) {
            return scaled;
        }
        let power = self.idle.watts().map_or(0.0, crate::model::units::Watts::get);
        let contest = &sums.sight.contest;
        let (dynamic, if_busy) = match self.remade {
            Some(_) => (contest.dynamic(power), power * contest.seconds()),
            None => (sums.job as f64 / 1e6, sums.job_idle_if_busy as f64 / 1e6),
        };
        let lever = (energy - dynamic - if_busy).abs();
        let (low, high) = uncertainty::split(dynamic, contest.contention(power).get(), contest.bounds(power));
        let drawn = sums.sight.tinted.power();
        let on_average = part(ledger.measured.joules().get(), self.known.as_secs_f64());
        let steeper = if on_average > 0.0 { drawn / on_average } else { 1.0 };
        Errors {
            timing: (steps * steeper).hypot(doubt.sqrt()),
            idle: lever * uncertainty::of_idle(self.idle),
            attribution_low: low,
            attribution_high: high,
            ..scaled
        }
    }
}
