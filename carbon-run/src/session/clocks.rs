//! The clocks: monotonic for durations, boot time to see the machine sleep, wall clock for stamps.

use crate::model::units::Moment;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

fn nanoseconds(clock: ClockId) -> u64 {
    // These clocks exist on every Linux that carbon-run runs on (clock_gettime(2)).
    clock_gettime(clock).map_or(0, |now| {
        let seconds = u64::try_from(now.tv_sec()).unwrap_or(0);
        let rest = u64::try_from(now.tv_nsec()).unwrap_or(0);
        seconds.saturating_mul(1_000_000_000).saturating_add(rest)
    })
}

/// Now, on `CLOCK_MONOTONIC`.
pub(super) fn now() -> Moment {
    Moment(nanoseconds(ClockId::CLOCK_MONOTONIC))
}

/// Now, on `CLOCK_MONOTONIC`, and on the wall clock in nanoseconds since 1970.
pub(super) fn both() -> (Moment, i64) {
    let wall = i64::try_from(nanoseconds(ClockId::CLOCK_REALTIME)).unwrap_or(i64::MAX);
    (now(), wall)
}

/// CPU time of this thread so far.
pub(super) fn own_cpu() -> Duration {
    Duration::from_nanos(nanoseconds(ClockId::CLOCK_THREAD_CPUTIME_ID))
}

/// How long the machine has slept since it was started: `CLOCK_BOOTTIME` goes on while it sleeps, `CLOCK_MONOTONIC`
/// does not.
pub(super) fn slept_ns() -> u64 {
    difference(
        || nanoseconds(ClockId::CLOCK_MONOTONIC),
        || nanoseconds(ClockId::CLOCK_BOOTTIME),
    )
}

/// How far `ahead` is of `clock`. The two cannot be read at once, and whoever loses the CPU in between would see them
/// apart by a whole time slice, which looks like sleep. Every error makes the difference larger, so that the smallest of
/// a few is the best; the first that took no time to speak of is good enough.
fn difference(mut clock: impl FnMut() -> u64, mut ahead: impl FnMut() -> u64) -> u64 {
    const TRIES: usize = 10;
    const AT_ONCE_NS: u64 = 20_000;
    let mut best = u64::MAX;
    for _ in 0..TRIES {
        let before = clock();
        let further = ahead();
        let after = clock();
        best = best.min(further.saturating_sub(before));
        if after.saturating_sub(before) < AT_ONCE_NS {
            break;
        }
    }
    best
}

/// Wall clock in nanoseconds since 1970, and the offset of local time from UTC in seconds east.
pub(super) fn wall() -> (i64, i32) {
    let now = Timestamp::now();
    let offset = local_zone().to_offset(now).seconds();
    (i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX), offset)
}

/// The zone of local time: what `TZ` names, else /etc/localtime, else UTC (tzset(3)). The file is read by itself where
/// that will do: to look a name up, the whole zone database is listed first, which takes a millisecond of a launch.
fn local_zone() -> TimeZone {
    if std::env::var_os("TZ").is_some() {
        return TimeZone::system();
    }
    std::fs::read("/etc/localtime")
        .ok()
        .and_then(|bytes| TimeZone::tzif("local", &bytes).ok())
        .unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// A machine that has slept for a second, with a pause before each reading of a clock.
    fn slept_with(pauses_ns: &[u64]) -> u64 {
        let now = Cell::new(0_u64);
        let pauses = Cell::new(pauses_ns);
        let pass = || {
            if let Some((first, rest)) = pauses.get().split_first() {
                now.set(now.get() + first);
                pauses.set(rest);
            }
            now.get()
        };
        difference(pass, || pass() + 1_000_000_000)
    }

    #[test]
    fn a_launcher_that_lost_the_cpu_between_two_clocks_did_not_sleep() {
        let slice = 12_000_000;
        for lost in [
            &[0, 100, 100][..],
            &[0, slice, 100, 100, 100, 100],
            &[0, slice, slice, slice, slice, slice, 0, 100, 100],
            &[slice, 100, slice, slice, 100, slice],
        ] {
            let slept = slept_with(lost);
            assert!(
                (1_000_000_000..1_000_020_000).contains(&slept),
                "{lost:?}: {slept}"
            );
        }
    }

    #[test]
    fn a_launcher_that_never_keeps_the_cpu_gives_the_best_it_has_and_ends() {
        let slept = slept_with(&[7_000_000; 30]);
        assert_eq!(slept, 1_007_000_000);
    }

    #[test]
    fn a_machine_that_is_awake_does_not_seem_to_sleep() {
        let before = slept_ns();
        let after = slept_ns();
        assert!(after.abs_diff(before) < 1_000_000, "{before} {after}");
    }

    #[test]
    fn the_local_zone_read_by_itself_is_the_systems() {
        let now = Timestamp::now();
        assert_eq!(local_zone().to_offset(now), TimeZone::system().to_offset(now));
    }
}
