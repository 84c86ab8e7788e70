//! What a time series of carbon intensity says of a stretch of time.
//!
//! A value holds from its time until the next one's: grid operators publish means over the period that begins at the
//! time that they state. Time before the first value, and after the last one has held as long as values of this series
//! typically do, is not covered; [`Outside`] says what is taken for it.

use super::recording::{IntensitySeries, Ranged};
use super::units::GramsPerKwh;

/// Nearest values beyond the end of a series may be off by this part of themselves, at least: a judgement.
const BEYOND: f64 = 0.5;

/// What is taken for time that a series does not cover.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outside {
    /// The average of the place that was named.
    Place(Ranged<GramsPerKwh>),
    /// The value nearest in time, with a range over all values of the series, and at least half of it either way.
    Nearest,
}

/// A stretch of time, in the light of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// The mean over time; the range is from the lowest to the highest that held in it, for energy may have been drawn at any
    /// moment of it.
    pub intensity: Ranged<GramsPerKwh>,
    /// The lowest and the highest value that held in it.
    pub values: (GramsPerKwh, GramsPerKwh),
    /// Nanoseconds of it that the series does not cover.
    pub uncovered_ns: u64,
}

impl IntensitySeries {
    /// Whether a moment of the wall clock (nanoseconds since 1970-01-01T00:00:00Z) is covered.
    #[must_use]
    pub fn covers(&self, unix_ns: i64) -> bool {
        let first = self.steps().first().map_or(i64::MAX, |step| step.from_unix_ns);
        (first..self.facts().until_unix_ns).contains(&unix_ns)
    }

    /// From one moment of the wall clock to another, in nanoseconds since 1970-01-01T00:00:00Z. Of no time at all, what
    /// holds at that moment.
    #[must_use]
    pub fn between(&self, from: i64, to: i64, outside: &Outside) -> Stretch {
        let to = to.max(from);
        let mut sum = Sum::default();
        // The last step that began before, and those that begin within.
        let after = self.steps().partition_point(|step| step.from_unix_ns <= from);
        let mut at = from;
        if let (0, Some(first)) = (after, self.steps().first()) {
            let end = first.from_unix_ns.min(to);
            sum.add(self.beyond(first.g_per_kwh, outside), span(at, end), false);
            at = end;
        }
        let mut next = self.steps().iter().skip(after.saturating_sub(1)).peekable();
        while let Some(step) = next.next() {
            let begins = step.from_unix_ns;
            if begins >= to && begins > from {
                break;
            }
            let holds_until = next
                .peek()
                .map_or(self.facts().until_unix_ns, |next| next.from_unix_ns);
            if at < holds_until {
                let end = holds_until.min(to);
                sum.add(exactly(step.g_per_kwh), span(at, end), true);
                at = end;
            }
            if next.peek().is_none() && (at < to || sum.is_empty()) {
                sum.add(self.beyond(step.g_per_kwh, outside), span(at, to), false);
            }
        }
        sum.stretch()
    }

    fn beyond(&self, nearest: GramsPerKwh, outside: &Outside) -> Ranged<GramsPerKwh> {
        match outside {
            Outside::Place(average) => *average,
            Outside::Nearest => {
                let value = nearest.get();
                let facts = self.facts();
                Ranged {
                    low: GramsPerKwh::clamped((value * (1.0 - BEYOND)).min(facts.lowest_g_per_kwh.get())),
                    value: nearest,
                    high: GramsPerKwh::clamped((value * (1.0 + BEYOND)).max(facts.highest_g_per_kwh.get())),
                }
            }
        }
    }
}

pub(super) fn exactly(value: GramsPerKwh) -> Ranged<GramsPerKwh> {
    Ranged {
        low: value,
        value,
        high: value,
    }
}

/// Nanoseconds from one moment to a later one.
pub(super) fn span(from: i64, to: i64) -> u64 {
    u64::try_from(i128::from(to) - i128::from(from)).unwrap_or(0)
}

/// Pieces of a stretch.
#[derive(Debug, Default)]
pub(super) struct Sum {
    ns: u64,
    uncovered_ns: u64,
    product: f64,
    /// Lowest and highest edge, lowest and highest value.
    extremes: Option<[GramsPerKwh; 4]>,
}

impl Sum {
    pub(super) fn is_empty(&self) -> bool {
        self.extremes.is_none()
    }

    pub(super) fn add(&mut self, piece: Ranged<GramsPerKwh>, ns: u64, covered: bool) {
        self.ns += ns;
        self.uncovered_ns += if covered { 0 } else { ns };
        self.product += piece.value.get() * ns as f64;
        let [low, high, least, most] =
            self.extremes
                .unwrap_or([piece.low, piece.high, piece.value, piece.value]);
        self.extremes = Some([
            lesser(low, piece.low),
            greater(high, piece.high),
            lesser(least, piece.value),
            greater(most, piece.value),
        ]);
    }

    pub(super) fn stretch(self) -> Stretch {
        let [low, high, least, most] = self.extremes.unwrap_or_default();
        let value = if self.ns > 0 {
            GramsPerKwh::clamped(self.product / self.ns as f64)
        } else {
            least
        };
        Stretch {
            intensity: Ranged {
                low,
                // Rounding must not lead out of what the mean is made of.
                value: lesser(greater(value, least), most),
                high,
            },
            values: (least, most),
            uncovered_ns: self.uncovered_ns,
        }
    }
}

/// The lesser of two.
pub(super) fn lesser(one: GramsPerKwh, other: GramsPerKwh) -> GramsPerKwh {
    if other < one { other } else { one }
}

/// The greater of two.
pub(super) fn greater(one: GramsPerKwh, other: GramsPerKwh) -> GramsPerKwh {
    if other > one { other } else { one }
}

#[cfg(test)]
#[path = "intensity_series_tests.rs"]
mod tests;
