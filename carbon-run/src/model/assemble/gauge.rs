//! What is read of a meter: a counter of energy, or a power that has to be integrated.

use super::uncertainty::Parts;
use crate::model::counter::{Counter, ResetReason, Step};
use crate::model::integral::Integral;
use crate::model::recording::{DomainSource, Reading};
use crate::model::report::Ledger;
use crate::model::units::{MicroJoules, Watts};
use std::time::Duration;

/// What is read of a meter.
#[derive(Debug, Clone)]
pub enum Gauge {
    /// Energy since some moment.
    Counter(Counter),
    /// With the time over which the meter averages.
    Power(Integral, Duration),
}

/// GPUs update their counters every 20 to 100 ms (Yang et al., Part-time Power Measurements, arXiv 2312.02741), so that
/// two readings close together can differ by such a step.
const GPU_STEP: Duration = Duration::from_millis(200);

impl Gauge {
    /// The same of a GPU.
    #[must_use]
    pub fn stepping(self) -> Self {
        match self {
            Self::Counter(counter) => Self::Counter(counter.stepping(GPU_STEP)),
            Self::Power(..) => self,
        }
    }

    /// A meter of power that averages over that long; one that says nothing of it shows the moment.
    pub(super) fn power(max_power: Option<Watts>, averages_over: Option<Duration>) -> Self {
        Self::Power(Integral::new(max_power), averages_over.unwrap_or_default())
    }

    /// Of a domain's source; `None` for models, which have no meter.
    #[must_use]
    pub fn of(source: &DomainSource) -> Option<Self> {
        match source {
            DomainSource::Power {
                max_power,
                averages_over,
            } => Some(Self::power(*max_power, *averages_over)),
            DomainSource::Counter { .. } | DomainSource::CpuModel(_) | DomainSource::RamModel(_) => {
                Counter::of(source).map(Self::Counter)
            }
        }
    }

    /// Takes the next reading. `slept` says whether the machine slept since the previous call.
    pub fn step(&mut self, reading: &Reading, slept: bool) -> Step {
        match self {
            Self::Counter(counter) => counter.step(reading, slept),
            Self::Power(integral, _) => integral.step(reading, slept),
        }
    }

    /// What a meter of power leaves open of the job's energy, in joules, beyond a counter's steps: its figure is as old as
    /// it averages, at both ends, and what happened between two readings is not seen. The job has its share of the
    /// latter.
    pub(super) fn blur(&self, ledger: &Ledger, known: Duration) -> Parts {
        let (job, measured) = (ledger.job_total(), ledger.measured);
        let Self::Power(integral, averages_over) = self else {
            return Parts::default();
        };
        if job == MicroJoules::ZERO || known.is_zero() {
            return Parts::default();
        }
        let power = measured.joules().get() / known.as_secs_f64();
        let share = job.joules().get() / measured.joules().get();
        Parts {
            timing: averages_over.as_secs_f64() * power + integral.doubt() * share,
            ..Parts::default()
        }
    }
}

/// Why an interval is left out.
pub(super) fn explain(reason: ResetReason) -> &'static str {
    match reason {
        ResetReason::Decreased => "the counter fell by more than a wrap explains",
        ResetReason::UnknownRange => "the counter fell, and its range is not known",
        ResetReason::Implausible => "the counter rose by more than the hardware can draw",
        ResetReason::GapTooLong => "too much time passed to tell how often the counter wrapped",
        ResetReason::OutOfOrder => "the readings are out of order",
        ResetReason::Unseen => "its power could not be read for a while",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::units::Moment;

    #[test]
    fn a_meter_of_power_is_late_by_what_it_averages_and_blind_between_two_readings() {
        let mut gauge = Gauge::power(None, Some(Duration::from_millis(50)));
        for (second, watts) in [(0, 60), (1, 100), (2, 60), (3, 60)] {
            let reading = Reading::Power {
                microwatts: watts * 1_000_000,
                at: Moment(second * 1_000_000_000),
            };
            gauge.step(&reading, false);
        }
        // 80 + 80 + 60 J in 3 s; a quarter of them is the job's.
        let ledger = Ledger {
            measured: MicroJoules(220_000_000),
            job: MicroJoules(55_000_000),
            ..Ledger::default()
        };
        let timing = gauge.blur(&ledger, Duration::from_secs(3)).timing;
        let late = 0.05 * 220.0 / 3.0;
        let blind = 800.0_f64.sqrt() * 0.25;
        assert!((timing - late - blind).abs() < 1e-9, "{timing}");
    }
}
