//! Whether what was taken for one counter, or for two, goes on behaving like it during the run.

use crate::model::recording::{Note, Reading, Source, TickSize};
use crate::model::units::Moment;
use std::time::Duration;

/// Intervals of exactly equal energy after which two counters can no longer be taken for two.
const ALIKE: u32 = 5;
/// The driver cuts nanojoules to microjoules.
const ROUNDING_UJ: u64 = 1;
/// Copies are read one after the other and may step in between: this much energy a microsecond at most, in microjoules...
const CEILING_UJ_PER_US: u64 = crate::model::counter::UNKNOWN_CEILING_UW / 1_000_000;
/// ...over the time between the two readings and two steps of the counter, one at each end.
const STEPS: Duration = Duration::from_millis(2);

/// Two domains of one package, by position among the domains.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) one: usize,
    pub(super) other: usize,
    pub(super) names: (String, String),
    /// Whether `other` was taken for a copy of `one`.
    pub(super) copy: bool,
    source: Source,
    tick: TickSize,
    state: State,
}

#[derive(Debug, Default)]
struct State {
    first: Option<(u64, u64)>,
    last: Option<(u64, u64)>,
    alike: u32,
    told: bool,
}

impl Pair {
    /// `source` is who reads them, `tick` what one of their ticks is worth.
    pub(super) fn new(
        (one, other): (usize, usize),
        names: (String, String),
        copy: bool,
        (source, tick): (Source, TickSize),
    ) -> Self {
        Self {
            one,
            other,
            names,
            copy,
            source,
            tick,
            state: State::default(),
        }
    }

    /// Takes in a row of readings; a note when the pair is not what it was taken for, once.
    pub(super) fn check(&mut self, readings: &[Reading]) -> Option<Note> {
        let ((one, at), (other, later)) = (
            self.energy(readings, self.one)?,
            self.energy(readings, self.other)?,
        );
        let (last_one, last_other) = self.state.last.replace((one, other)).unwrap_or((one, other));
        let first = *self.state.first.get_or_insert((one, other));
        let (Some(of_one), Some(of_other)) = (one.checked_sub(last_one), other.checked_sub(last_other))
        else {
            // A wrap or a reset: start again from here.
            self.state.first = Some((one, other));
            return None;
        };
        let wrong = if self.copy {
            let skew = later.since(at).max(at.since(later)) + STEPS;
            let allowed = u64::try_from(skew.as_micros())
                .unwrap_or(u64::MAX)
                .saturating_mul(CEILING_UJ_PER_US);
            one.saturating_sub(first.0)
                .abs_diff(other.saturating_sub(first.1))
                > allowed
        } else {
            if of_one > 0 && of_one.abs_diff(of_other) <= ROUNDING_UJ {
                self.state.alike += 1;
            } else if of_one > 0 || of_other > 0 {
                self.state.alike = 0;
            }
            self.state.alike >= ALIKE
        };
        (wrong && !std::mem::replace(&mut self.state.told, true)).then(|| self.note())
    }

    /// Microjoules, cut to whole ones, and when they were read.
    fn energy(&self, readings: &[Reading], domain: usize) -> Option<(u64, Moment)> {
        match readings.get(domain)? {
            Reading::Ticks { ticks, at } => Some((self.tick.microjoules(*ticks), *at)),
            Reading::Power { .. } | Reading::Failed(_) | Reading::Modelled => None,
        }
    }

    fn note(&self) -> Note {
        let (one, other) = &self.names;
        let (code, message) = if self.copy {
            (
                "mirror-parted",
                format!(
                    "`{other}` was taken for a copy of `{one}` and has gone its own way: its energy is not in the figures"
                ),
            )
        } else {
            (
                "mirror-late",
                format!(
                    "`{one}` and `{other}` move as one counter would: their energy may have been counted twice"
                ),
            )
        };
        Note {
            code: format!("{}-{code}", self.source.name()),
            message,
            hint: None,
            degrades: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(copy: bool, rows: impl IntoIterator<Item = (u64, u64)>) -> Vec<String> {
        let names = ("package-0-die-0".to_owned(), "package-0-die-1".to_owned());
        let mut pair = Pair::new((0, 1), names, copy, (Source::Powercap, TickSize::MICROJOULE));
        let mut now = 0;
        rows.into_iter()
            .filter_map(|(one, other)| {
                now += 100_000_000;
                let readings = [(one, now), (other, now + 10_000)].map(|(ticks, at)| Reading::Ticks {
                    ticks,
                    at: Moment(at),
                });
                pair.check(&readings).map(|note| note.code)
            })
            .collect()
    }

    #[test]
    fn two_counters_that_keep_gaining_the_same_are_told_of_once() {
        let rows = (0..20).map(|row: u64| (row * row * 1_000_003, 42 + row * row * 1_000_003));
        assert_eq!(code(false, rows), ["powercap-mirror-late"]);
    }

    #[test]
    fn two_counters_of_their_own_are_not() {
        let rows = (0..20).map(|row: u64| (row * 1_000_003, row * 1_000_003 + row / 3 * 50));
        assert_eq!(code(false, rows), [""; 0]);
    }

    #[test]
    fn a_copy_that_parts_is_told_of_once_and_one_that_lags_by_a_step_is_not() {
        let lagging = (0..40).map(|row: u64| {
            (
                row * 20_000_000,
                row * 20_000_000 - row % 2 * row.min(1) * 200_000,
            )
        });
        assert_eq!(code(true, lagging), [""; 0]);
        let wrapping = [
            (99_000_000, 99_000_000),
            (1_000_000, 99_999_000),
            (21_000_000, 21_000_000),
        ];
        assert_eq!(code(true, wrapping), [""; 0]);
        let parting = (0..40).map(|row: u64| (row * 20_000_000, row * 21_000_000));
        assert_eq!(code(true, parting), ["powercap-mirror-parted"]);
    }
}
