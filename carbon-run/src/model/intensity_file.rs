//! A time series of carbon intensity in a file (`--intensity-file FILE`).
//!
//! CSV with a header, by commas or by semicolons, or JSON: an array of objects, an object with one such array in it, or an
//! object a line. Columns and members are found by their names, of which case, spaces and punctuation do not matter:
//!
//! | column | names |
//! |---|---|
//! | time | `time`, `timestamp`, `datetime`, `start`, `from`; with `utc` in the name, times need no offset |
//! | intensity | `g_per_kwh`, `intensity`, and whatever has `carbon intensity` or `gCO2` and `kWh` in it, as `Carbon intensity gCO₂eq/kWh (Life cycle)` of Electricity Maps' exports |
//!
//! Of several intensities the lifecycle one is taken, then one that does not say what it is, then the direct one. Other
//! columns are not looked at. Rows may stand in any order.

mod columns;
mod csv;
mod json;

use super::recording::{IntensitySeries, IntensityStep, SeriesFacts};
use super::units::GramsPerKwh;
use columns::Boundary;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// For so long the value of a file with one row holds: most grids' figures are of hours.
const ALONE_NS: i64 = 3_600_000_000_000;

/// A file that is no time series of carbon intensity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct IntensityFileError {
    file: String,
    line: u64,
    problem: String,
}

impl IntensityFileError {
    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        "the file is CSV with the columns `time,g_per_kwh`, or JSON with such members, and times as `2026-11-26T14:00:00Z`"
    }
}

/// A row that cannot be used: its line, from 1, and what is wrong with it.
type Wrong = (u64, String);

/// A file's text as a series. `file` is what it is called in messages, `source` in the report.
///
/// # Errors
/// The first line that is wrong, with what is wrong with it.
pub fn parse(file: &str, source: &str, text: &[u8]) -> Result<IntensitySeries, IntensityFileError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let rows = match text.trim_ascii_start().first() {
        Some(b'[' | b'{') => json::rows(text),
        _ => csv::rows(text),
    };
    rows.and_then(|rows| rows.series(source))
        .map_err(|(line, problem)| IntensityFileError {
            file: file.to_owned(),
            line,
            problem,
        })
}

/// What was read so far.
struct Rows {
    boundary: Boundary,
    /// Whether times without an offset are UTC.
    utc: bool,
    /// By time; with the line of each.
    values: BTreeMap<i64, (GramsPerKwh, u64)>,
}

impl Rows {
    const fn new(boundary: Boundary, utc: bool) -> Self {
        Self {
            boundary,
            utc,
            values: BTreeMap::new(),
        }
    }

    fn enter(&mut self, line: u64, time: &str, value: GramsPerKwh) -> Result<(), Wrong> {
        let unix_ns = self.moment(time).map_err(|problem| (line, problem))?;
        match self.values.entry(unix_ns) {
            Entry::Vacant(place) => {
                place.insert((value, line));
                Ok(())
            }
            Entry::Occupied(there) if there.get().0 == value => Ok(()),
            Entry::Occupied(there) => {
                let (other, at) = there.get();
                Err((
                    line,
                    format!(
                        "`{time}` has {} g/kWh here and {} in line {at}",
                        value.get(),
                        other.get()
                    ),
                ))
            }
        }
    }

    fn moment(&self, text: &str) -> Result<i64, String> {
        let stamp = match text.parse::<Timestamp>() {
            Ok(stamp) => stamp,
            Err(_) => match text.parse::<DateTime>() {
                Ok(local) if self.utc => local
                    .to_zoned(TimeZone::UTC)
                    .map_err(|_| format!("`{text}` is out of range"))?
                    .timestamp(),
                Ok(_) => {
                    return Err(format!(
                        "`{text}` has no offset from UTC; write `{text}Z` if it is UTC, or `{text}+01:00`"
                    ));
                }
                Err(_) if text.is_empty() => return Err("the time is empty".to_owned()),
                Err(_) => return Err(format!("`{text}` is no time of ISO 8601")),
            },
        };
        i64::try_from(stamp.as_nanosecond()).map_err(|_| format!("`{text}` is out of range"))
    }

    fn series(self, source: &str) -> Result<IntensitySeries, Wrong> {
        let none = || (1, "there is no row with a value".to_owned());
        let steps: Vec<IntensityStep> = self
            .values
            .iter()
            .map(|(from_unix_ns, (g_per_kwh, _))| IntensityStep {
                from_unix_ns: *from_unix_ns,
                g_per_kwh: *g_per_kwh,
            })
            .collect();
        let mut values: Vec<GramsPerKwh> = steps.iter().map(|step| step.g_per_kwh).collect();
        values.sort_by(|one, other| one.get().total_cmp(&other.get()));
        let (Some(lowest), Some(highest), Some(last)) = (values.first(), values.last(), steps.last()) else {
            return Err(none());
        };
        let facts = SeriesFacts {
            source: source.to_owned(),
            boundary: self.boundary.name().to_owned(),
            lowest_g_per_kwh: *lowest,
            highest_g_per_kwh: *highest,
            until_unix_ns: last.from_unix_ns.saturating_add(spacing(&steps)),
        };
        IntensitySeries::new(facts, steps).map_err(|error| (1, error.to_string()))
    }
}

/// The typical time between two rows: the median.
fn spacing(steps: &[IntensityStep]) -> i64 {
    let mut spaces: Vec<i64> = steps
        .iter()
        .zip(steps.iter().skip(1))
        .map(|(one, next)| next.from_unix_ns.saturating_sub(one.from_unix_ns))
        .collect();
    spaces.sort_unstable();
    spaces
        .get(spaces.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or(ALONE_NS)
}

/// A number of g/kWh.
fn grams(value: f64, written: &str) -> Result<GramsPerKwh, String> {
    GramsPerKwh::new(value)
        .map_err(|_| format!("`{written}` is not a number of gCO2eq per kWh of at least 0"))
}

#[cfg(test)]
#[path = "intensity_file_tests.rs"]
mod tests;
