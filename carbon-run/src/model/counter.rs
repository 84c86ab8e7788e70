//! From absolute counter readings to energy per interval: wraps undone, resets and sleep left out, gaps bridged.
//!
//! A counter that went down has either wrapped or been reset, and only the power that a wrap would imply tells the two
//! apart. The rule is one-sided on purpose: an interval whose energy is in doubt is dropped and said to be dropped.

use super::recording::{DomainSource, Reading, TickSize};
use super::units::{MicroJoules, Moment, Watts};
use std::time::Duration;

/// Microwatts above which a difference is not believed when nothing says how much the domain can draw: 1.2 kW, twice
/// and more what server packages are specified at (500 W for the largest EPYC and Xeon of 2024).
pub const UNKNOWN_CEILING_UW: u64 = 1_200_000_000;

/// How many times its stated maximum a domain may seem to draw before the reading is disbelieved. Packages exceed their
/// specified power for seconds (turbo), never by a factor of two over a sampling interval.
const HEADROOM: u64 = 2;

/// Counters step: RAPL about every 1 ms (Khan et al., RAPL in Action, 2018), so that two readings a microsecond
/// apart can differ by a whole step. Plausible energy is therefore allowed this much time on top of the interval.
const STEP_SLACK: Duration = Duration::from_millis(10);

/// What an interval between two readings of a counter gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The first good reading: a baseline, no energy yet.
    First,
    /// Energy since the last good reading. After failed readings the interval reaches back over the gap.
    Energy {
        /// In whole microjoules; fractions of a tick are carried to the next interval.
        energy: MicroJoules,
        /// The last good reading.
        from: Moment,
        /// This one.
        to: Moment,
        /// Whether the counter started again at 0 in between.
        wrapped: bool,
    },
    /// The interval's energy is not known; this reading is the new baseline.
    Reset {
        /// The last good reading.
        from: Moment,
        /// This one.
        to: Moment,
        /// Why the difference was not believed.
        reason: ResetReason,
    },
    /// The machine slept since the last good reading, and what the counter did then is not known; this reading is the
    /// new baseline.
    Slept,
    /// No reading, and why. The baseline stays.
    Missing(String),
}

/// Why the difference of two readings is no energy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResetReason {
    /// The counter went down, and a wrap would imply more power than the domain can draw.
    Decreased,
    /// The counter went down, and where it wraps is not known.
    UnknownRange,
    /// The counter went up by more than the domain can draw.
    Implausible,
    /// So much time passed that the counter may have wrapped more often than can be seen.
    GapTooLong,
    /// The reading is older than the last one.
    OutOfOrder,
    /// A power that nobody could read for a while, and that nothing counted meanwhile.
    Unseen,
}

/// Follows one counter from reading to reading.
#[derive(Debug, Clone)]
pub struct Counter {
    tick: TickSize,
    wraps_at: Option<u64>,
    /// Microwatts above which a difference is not believed.
    ceiling_uw: u64,
    last: Option<(u64, Moment)>,
    slept: bool,
    /// How much later than the energy the counter may move.
    slack: Duration,
    /// Numerator of the fraction of a microjoule not handed out yet, over `tick.ticks`.
    remainder: u128,
}

impl Counter {
    /// A counter of `tick`s that starts again at 0 after `wraps_at` of them, of a domain that draws at most
    /// `max_power`; [`UNKNOWN_CEILING_UW`] is assumed where that is not known (or 0).
    #[must_use]
    pub fn new(tick: TickSize, wraps_at: Option<u64>, max_power: Option<Watts>) -> Self {
        let ceiling_uw = max_power
            .map(Watts::microwatts)
            .filter(|&microwatts| microwatts > 0)
            .map_or(UNKNOWN_CEILING_UW, |max| max.saturating_mul(HEADROOM));
        Self {
            tick,
            wraps_at,
            ceiling_uw,
            last: None,
            slept: false,
            slack: STEP_SLACK,
            remainder: 0,
        }
    }

    /// The same of a counter that is updated only so often.
    #[must_use]
    pub fn stepping(self, slack: Duration) -> Self {
        Self { slack, ..self }
    }

    /// The counter that a domain's source describes; `None` for models, which have none.
    #[must_use]
    pub fn of(source: &DomainSource) -> Option<Self> {
        match source {
            DomainSource::Counter {
                tick,
                wraps_at,
                max_power,
            } => Some(Self::new(*tick, *wraps_at, *max_power)),
            DomainSource::Power { .. } | DomainSource::CpuModel(_) | DomainSource::RamModel(_) => None,
        }
    }

    /// Takes the next reading. `slept` says whether the machine slept since the previous call, whatever that one gave.
    pub fn step(&mut self, reading: &Reading, slept: bool) -> Step {
        self.slept |= slept;
        match reading {
            Reading::Ticks { ticks, at } => self.good(*ticks, *at),
            Reading::Failed(reason) => Step::Missing(reason.clone()),
            Reading::Power { .. } => Step::Missing("a power where a counter was expected".to_owned()),
            Reading::Modelled => Step::Missing("a model where a counter was expected".to_owned()),
        }
    }

    fn good(&mut self, ticks: u64, at: Moment) -> Step {
        let slept = std::mem::take(&mut self.slept);
        let Some((last, from)) = self.last.replace((ticks, at)) else {
            return Step::First;
        };
        if slept {
            return Step::Slept;
        }
        match self.difference(last, from, ticks, at) {
            Ok((difference, wrapped)) => Step::Energy {
                energy: self.hand_out(difference),
                from,
                to: at,
                wrapped,
            },
            Err(reason) => Step::Reset { from, to: at, reason },
        }
    }

    /// Ticks from one reading to the next and whether the counter wrapped, or why that is not known.
    fn difference(
        &self,
        last: u64,
        from: Moment,
        ticks: u64,
        to: Moment,
    ) -> Result<(u64, bool), ResetReason> {
        if to < from {
            return Err(ResetReason::OutOfOrder);
        }
        let elapsed = to.since(from);
        let (difference, wrapped) = match (ticks.checked_sub(last), self.wraps_at) {
            (Some(difference), _) => (difference, false),
            (None, None) => return Err(ResetReason::UnknownRange),
            (None, Some(wraps_at)) => {
                // A reading at or above the modulus is none of this counter's.
                let left = wraps_at.checked_sub(last).filter(|&left| left > 0);
                (left.ok_or(ResetReason::Decreased)?.saturating_add(ticks), true)
            }
        };
        if !self.plausible(difference.into(), elapsed) {
            return Err(if wrapped {
                ResetReason::Decreased
            } else {
                ResetReason::Implausible
            });
        }
        if let Some(wraps_at) = self.wraps_at
            && self.plausible(u128::from(difference) + u128::from(wraps_at), elapsed)
        {
            return Err(ResetReason::GapTooLong);
        }
        Ok((difference, wrapped))
    }

    /// Whether the domain can have drawn that many ticks' worth in that time.
    fn plausible(&self, ticks: u128, elapsed: Duration) -> bool {
        let time_ns = (elapsed + self.slack).as_nanos();
        let limit_uj = u128::from(self.ceiling_uw).saturating_mul(time_ns) / 1_000_000_000;
        // Rounded down, so that a limit below one tick still lets none through.
        let energy_uj = ticks.saturating_mul(self.tick.microjoules.into()) / self.per();
        energy_uj <= limit_uj
    }

    /// Ticks to microjoules; what does not make a whole one is kept for the next time.
    fn hand_out(&mut self, ticks: u64) -> MicroJoules {
        let total = self.remainder + u128::from(ticks) * u128::from(self.tick.microjoules);
        self.remainder = total % self.per();
        MicroJoules(u64::try_from(total / self.per()).unwrap_or(u64::MAX))
    }

    fn per(&self) -> u128 {
        u128::from(self.tick.ticks.max(1))
    }
}

#[cfg(test)]
mod tests;
