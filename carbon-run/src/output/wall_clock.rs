//! The run's moments on the calendar.

use crate::model::report::RunReport;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// A moment with the local time's offset from UTC at the start of the run.
pub(super) struct LocalMoment {
    at: Timestamp,
    offset: Offset,
}

impl LocalMoment {
    /// RFC 3339 with the offset: `2026-01-31T14:03:07.25+01:00`.
    pub(super) fn rfc3339(&self) -> String {
        self.at.display_with_offset(self.offset).to_string()
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub(super) fn unix_seconds(&self) -> f64 {
        self.at.as_millisecond() as f64 / 1e3
    }

    /// Local time to the second, without a zone: `2026-01-31T14:03:07`.
    pub(super) fn without_zone(&self) -> String {
        let local: DateTime = self.offset.to_datetime(self.at);
        local.strftime("%Y-%m-%dT%H:%M:%S").to_string()
    }
}

/// When the command was started.
pub(super) fn start(report: &RunReport) -> LocalMoment {
    local(report, i128::from(report.started_at_unix_ns))
}

/// When it ended. The run's duration is monotonic and leaves out the time that the machine slept; the wall does not.
pub(super) fn end(report: &RunReport) -> LocalMoment {
    let passed = report.duration.saturating_add(report.quality.slept).as_nanos();
    let passed = i128::try_from(passed).unwrap_or(i128::MAX);
    local(
        report,
        i128::from(report.started_at_unix_ns).saturating_add(passed),
    )
}

/// Another moment, nanoseconds since 1970, to the second and in UTC: `2026-01-31T13:03:07Z`.
pub(super) fn utc(unix_ns: i64) -> String {
    let at = Timestamp::from_nanosecond(i128::from(unix_ns)).unwrap_or(Timestamp::MAX);
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Its day: `2026-01-31`.
pub(super) fn day(unix_ns: i64) -> String {
    utc(unix_ns).chars().take(10).collect()
}

fn local(report: &RunReport, unix_ns: i128) -> LocalMoment {
    LocalMoment {
        at: Timestamp::from_nanosecond(unix_ns).unwrap_or(Timestamp::MAX),
        offset: Offset::from_seconds(report.utc_offset_s).unwrap_or(Offset::UTC),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::example;
    use std::time::Duration;

    #[test]
    fn moments_are_local_to_the_run_and_sleep_counts_on_the_wall() {
        let mut report = example::measured();
        assert_eq!(start(&report).rfc3339(), "2025-10-09T10:53:20.25+02:00");
        assert_eq!(end(&report).without_zone(), "2025-10-09T10:54:32");
        report.quality.slept = Duration::from_secs(60);
        assert_eq!(end(&report).without_zone(), "2025-10-09T10:55:32");
    }

    #[test]
    fn a_moment_off_the_calendar_does_not_end_the_program() {
        let mut report = example::measured();
        report.duration = Duration::MAX;
        report.utc_offset_s = i32::MAX;
        assert!(end(&report).without_zone().starts_with("9999-12-30"));
    }
}
