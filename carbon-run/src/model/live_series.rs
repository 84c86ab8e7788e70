//! What live values say of a stretch of time.
//!
//! A value holds from its time until the next one's, for twice its period at most: the next one is often published a little late, and a
//! value that is older than that says nothing of now.

use super::intensity_series::{Outside, Stretch, Sum, exactly, span};
use super::recording::{LiveIntensity, LiveStep, Ranged};
use super::units::GramsPerKwh;

/// What stands in where no value holds and no place is known: the nearest, which may be off by this part of itself. A judgement.
const BEYOND: f64 = 0.5;

impl LiveIntensity {
    /// Adds a value. What came before it holds no longer than until it begins.
    pub fn add(&mut self, step: LiveStep) {
        if step.until_unix_ns <= step.from_unix_ns {
            return;
        }
        self.steps.retain(|known| known.from_unix_ns < step.from_unix_ns);
        if let Some(last) = self.steps.last_mut() {
            last.until_unix_ns = last.until_unix_ns.min(step.from_unix_ns);
        }
        self.steps.push(step);
    }

    /// Whether a moment of the wall clock (nanoseconds since 1970-01-01T00:00:00Z) is covered.
    #[must_use]
    pub fn covers(&self, unix_ns: i64) -> bool {
        self.steps
            .iter()
            .any(|step| (step.from_unix_ns..step.until_unix_ns).contains(&unix_ns))
    }

    /// From one moment of the wall clock to another, in nanoseconds since 1970-01-01T00:00:00Z. `None` where no value is known
    /// at all and no place stands in.
    #[must_use]
    pub fn between(&self, from: i64, to: i64, outside: &Outside) -> Option<Stretch> {
        let to = to.max(from);
        let mut sum = Sum::default();
        let mut at = from;
        for step in &self.steps {
            if step.until_unix_ns <= at || (step.from_unix_ns >= to && to > from) {
                continue;
            }
            let begins = step.from_unix_ns.max(at);
            if begins > at {
                sum.add(self.beyond(at, outside)?, span(at, begins.min(to)), false);
            }
            let ends = step.until_unix_ns.min(to);
            if begins <= ends {
                sum.add(exactly(step.g_per_kwh), span(begins, ends), true);
                at = ends;
            }
            if at >= to {
                break;
            }
        }
        if at < to || sum.is_empty() {
            sum.add(self.beyond(at, outside)?, span(at, to), false);
        }
        Some(sum.stretch())
    }

    fn beyond(&self, at: i64, outside: &Outside) -> Option<Ranged<GramsPerKwh>> {
        match outside {
            Outside::Place(average) => Some(*average),
            Outside::Nearest => {
                let distance = |step: &&LiveStep| {
                    let before = i128::from(step.from_unix_ns) - i128::from(at);
                    let after = i128::from(at) - i128::from(step.until_unix_ns);
                    before.max(after)
                };
                let value = self.steps.iter().min_by_key(distance)?.g_per_kwh;
                Some(Ranged {
                    low: GramsPerKwh::clamped(value.get() * (1.0 - BEYOND)),
                    value,
                    high: GramsPerKwh::clamped(value.get() * (1.0 + BEYOND)),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::recording::LiveFacts;

    const HOUR: i64 = 3_600_000_000_000;

    fn live(steps: &[(i64, i64, f64)]) -> LiveIntensity {
        let facts = LiveFacts {
            provider: "test".to_owned(),
            zone: "FR".to_owned(),
            boundary: "lifecycle".to_owned(),
            flow: "consumption".to_owned(),
            marginal: false,
        };
        let mut live = LiveIntensity {
            facts,
            steps: Vec::new(),
        };
        for (from, until, value) in steps {
            live.add(LiveStep {
                from_unix_ns: from * HOUR,
                until_unix_ns: until * HOUR,
                g_per_kwh: GramsPerKwh::clamped(*value),
                estimated: false,
            });
        }
        live
    }

    fn average() -> Outside {
        Outside::Place(exactly(GramsPerKwh::clamped(100.0)))
    }

    #[track_caller]
    fn mean(live: &LiveIntensity, from: i64, to: i64, wanted: f64, uncovered_hours: i64) {
        let found = live.between(from * HOUR, to * HOUR, &average()).unwrap();
        assert!((found.intensity.value.get() - wanted).abs() < 1e-9, "{found:?}");
        assert_eq!(found.uncovered_ns, u64::try_from(uncovered_hours * HOUR).unwrap());
    }

    #[test]
    fn a_value_holds_until_the_next_one_and_a_gap_is_the_places() {
        let live = live(&[(10, 12, 40.0), (11, 13, 60.0), (20, 22, 80.0)]);
        mean(&live, 10, 11, 40.0, 0);
        mean(&live, 10, 12, 50.0, 0);
        mean(&live, 12, 13, 60.0, 0);
        mean(&live, 12, 14, 80.0, 1);
        mean(&live, 8, 9, 100.0, 1);
        mean(
            &live,
            8,
            22,
            (2.0 * 100.0 + 40.0 + 2.0 * 60.0 + 7.0 * 100.0 + 2.0 * 80.0) / 14.0,
            9,
        );
        mean(&live, 22, 24, 100.0, 2);
        mean(&live, 11, 11, 60.0, 0);
        mean(&live, 30, 30, 100.0, 0);
    }

    #[test]
    fn without_a_place_the_nearest_value_stands_in_with_a_wide_range() {
        let live = live(&[(10, 12, 40.0)]);
        let found = live.between(14 * HOUR, 15 * HOUR, &Outside::Nearest).unwrap();
        let Ranged { low, value, high } = found.intensity;
        assert_eq!([low, value, high], [20.0, 40.0, 60.0].map(GramsPerKwh::clamped));
        assert!(!live.covers(14 * HOUR) && live.covers(11 * HOUR));
    }

    #[test]
    fn nothing_known_anywhere_is_nothing() {
        assert_eq!(live(&[]).between(0, HOUR, &Outside::Nearest), None);
        mean(&live(&[]), 0, 1, 100.0, 1);
    }

    #[test]
    fn a_value_that_corrects_an_earlier_one_takes_its_place() {
        let live = live(&[(10, 12, 40.0), (11, 13, 60.0), (11, 13, 70.0)]);
        assert_eq!(live.steps.len(), 2);
        mean(&live, 11, 12, 70.0, 0);
    }
}
