//! Carbon intensity that changes with time.

use crate::model::units::GramsPerKwh;
use serde::{Deserialize, Serialize};

/// A time series of carbon intensity, as a step function: each value holds from its time on, until the next one's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct IntensitySeries {
    written: Written,
}

/// A value, and from when on it holds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct IntensityStep {
    /// Wall clock, nanoseconds since 1970-01-01T00:00:00Z.
    pub from_unix_ns: i64,
    /// gCO2eq per kWh.
    pub g_per_kwh: GramsPerKwh,
}

/// What is to be said of a whole series besides its values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesFacts {
    /// What the file is called, without its directories.
    pub source: String,
    /// `lifecycle` or `direct`, where the file says so; else `unstated`.
    pub boundary: String,
    /// The lowest value of the whole file.
    pub lowest_g_per_kwh: GramsPerKwh,
    /// The highest value of the whole file.
    pub highest_g_per_kwh: GramsPerKwh,
    /// Until when the last value holds: wall clock, nanoseconds since 1970-01-01T00:00:00Z.
    pub until_unix_ns: i64,
}

/// As it stands in a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Written {
    #[serde(flatten)]
    facts: SeriesFacts,
    steps: Vec<IntensityStep>,
}

/// Steps that make no series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSeries {
    /// There is no step.
    #[error("a series of carbon intensity without a value")]
    Empty,
    /// A step does not come after the one before it, or the last does not end after it began.
    #[error("a series of carbon intensity that is not in order of time")]
    Order,
}

impl IntensitySeries {
    /// A series from its steps, in order of time.
    ///
    /// # Errors
    /// When there are none, when two have the same time or a later one stands first, or when the last one ends before it
    /// begins.
    pub fn new(facts: SeriesFacts, steps: Vec<IntensityStep>) -> Result<Self, BadSeries> {
        let last = steps.last().ok_or(BadSeries::Empty)?;
        let mut pairs = steps.iter().zip(steps.iter().skip(1));
        if last.from_unix_ns >= facts.until_unix_ns
            || !pairs.all(|(one, next)| one.from_unix_ns < next.from_unix_ns)
        {
            return Err(BadSeries::Order);
        }
        Ok(Self {
            written: Written { facts, steps },
        })
    }

    /// What is to be said of it besides its values.
    #[must_use]
    pub fn facts(&self) -> &SeriesFacts {
        &self.written.facts
    }

    /// The steps, in order of time; never none.
    #[must_use]
    pub fn steps(&self) -> &[IntensityStep] {
        &self.written.steps
    }

    /// What of it matters from a moment of the wall clock on (nanoseconds since 1970-01-01T00:00:00Z): the step that holds
    /// then, or the nearest to it, and all that come later.
    #[must_use]
    pub fn since(mut self, unix_ns: i64) -> Self {
        let later = |step: &IntensityStep| step.from_unix_ns <= unix_ns;
        let before = self.written.steps.partition_point(later).saturating_sub(1);
        self.written.steps.drain(..before);
        self
    }
}

impl TryFrom<Written> for IntensitySeries {
    type Error = BadSeries;

    fn try_from(written: Written) -> Result<Self, BadSeries> {
        Self::new(written.facts, written.steps)
    }
}

impl From<IntensitySeries> for Written {
    fn from(series: IntensitySeries) -> Self {
        series.written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(times: &[i64], until: i64) -> Result<IntensitySeries, BadSeries> {
        let g_per_kwh = GramsPerKwh::ZERO;
        let facts = SeriesFacts {
            source: "grid.csv".to_owned(),
            boundary: "unstated".to_owned(),
            lowest_g_per_kwh: g_per_kwh,
            highest_g_per_kwh: g_per_kwh,
            until_unix_ns: until,
        };
        let step = |from_unix_ns: &i64| IntensityStep {
            from_unix_ns: *from_unix_ns,
            g_per_kwh,
        };
        IntensitySeries::new(facts, times.iter().map(step).collect())
    }

    #[test]
    fn steps_stand_in_order_of_time_and_are_never_none() {
        assert_eq!(series(&[], 9), Err(BadSeries::Empty));
        for (times, until) in [(&[1, 1][..], 9), (&[2, 1], 9), (&[1, 2], 2), (&[1], 0)] {
            assert_eq!(series(times, until), Err(BadSeries::Order), "{times:?} {until}");
        }
        assert!(series(&[-5, 1, 2], 3).is_ok());
    }

    #[test]
    fn a_recording_that_was_written_by_hand_is_held_to_that_too() {
        let good = serde_json::to_string(&series(&[1, 2], 3).unwrap()).unwrap();
        assert_eq!(
            serde_json::from_str::<IntensitySeries>(&good).unwrap(),
            series(&[1, 2], 3).unwrap()
        );
        for (right, wrong) in [
            ("\"until_unix_ns\":3", "\"until_unix_ns\":2"),
            ("\"g_per_kwh\":0.0", "\"g_per_kwh\":-1"),
            ("\"from_unix_ns\":1", "\"from_unix_ns\":2"),
        ] {
            let bad = good.replacen(right, wrong, 1);
            assert_ne!(bad, good);
            assert!(serde_json::from_str::<IntensitySeries>(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_came_before_the_start_is_left_out_but_for_the_value_that_holds_there() {
        let since = |unix_ns: i64| {
            let kept = series(&[10, 20, 30], 40).unwrap().since(unix_ns);
            let times = kept.steps().iter().map(|step| step.from_unix_ns);
            times.collect::<Vec<_>>()
        };
        assert_eq!(since(9), [10, 20, 30]);
        assert_eq!(since(10), [10, 20, 30]);
        assert_eq!(since(19), [10, 20, 30]);
        assert_eq!(since(20), [20, 30]);
        assert_eq!(since(35), [30]);
        assert_eq!(since(99), [30]);
    }
}
