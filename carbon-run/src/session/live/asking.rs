//! The thread that asks: once a period, less often where it is refused, and never twice what another run has just been told.

use super::cache;
use crate::grid::{GridError, Question, TIMEOUT};
use crate::http::Client;
use crate::model::recording::{LiveStep, Note};
use crate::session::clocks;
use std::path::Path;
use std::sync::mpsc::Sender;
use std::time::Duration;

/// After a first failure, doubled with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// A provider that does not have the next value yet is asked again after this.
const LATE: Duration = Duration::from_secs(300);

/// What came of it.
pub(super) enum Heard {
    /// A value.
    Value(LiveStep),
    /// Nothing, and why.
    Failed(Note),
}

/// Asks until nobody listens any more, or asking cannot help.
pub(super) fn ask_for_ever(question: &Question, cache: Option<&Path>, to: &Sender<Heard>) {
    let client = Client::new(TIMEOUT);
    let mut failures = 0;
    let mut newest = None;
    loop {
        let (now, _) = clocks::wall();
        let told = cache::fresh_or(cache, question.provider.period(), now, || {
            question.ask(&client, now)
        });
        let pause = match told {
            Ok(step) => {
                failures = 0;
                let late = newest == Some(step.from_unix_ns);
                newest = Some(step.from_unix_ns);
                if to.send(Heard::Value(step)).is_err() {
                    return;
                }
                if late {
                    LATE
                } else {
                    until_next(step.from_unix_ns, question.provider.period(), clocks::wall().0)
                }
            }
            Err(error) => {
                tracing::debug!(%error, "no live carbon intensity");
                let last = error.is_final();
                let asked_for = error.retry_after();
                if to.send(Heard::Failed(note(question, &error))).is_err() || last {
                    return;
                }
                failures += 1;
                after_failure(failures, asked_for)
            }
        };
        std::thread::sleep(pause.saturating_add(jitter()));
    }
}

fn note(question: &Question, error: &GridError) -> Note {
    Note {
        code: "live-failed".to_owned(),
        message: format!(
            "no carbon intensity came from {}: {error}",
            question.provider.title()
        ),
        hint: error.hint(),
        degrades: true,
    }
}

/// A minute after the next value is due.
fn until_next(from_unix_ns: i64, period: Duration, now: i64) -> Duration {
    let period_ns = i64::try_from(period.as_nanos()).unwrap_or(i64::MAX);
    let due = from_unix_ns
        .saturating_add(period_ns)
        .saturating_add(60_000_000_000);
    let left = u64::try_from(due.saturating_sub(now)).unwrap_or(0);
    Duration::from_nanos(left).max(period / 12)
}

fn after_failure(failures: u32, asked_for: Option<Duration>) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(10));
    doubled.max(asked_for.unwrap_or_default()).min(LONGEST_PAUSE)
}

/// Up to 20 s, so that the jobs of a whole cluster do not ask at the same second.
fn jitter() -> Duration {
    let random = uuid::Uuid::new_v4().as_u128() % 20_000;
    Duration::from_millis(u64::try_from(random).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn the_next_question_is_a_minute_after_the_next_value_is_due_and_never_at_once() {
        let hour = Duration::from_secs(3600);
        assert_eq!(until_next(0, hour, 600 * SECOND), Duration::from_secs(3060));
        assert_eq!(until_next(0, hour, 7200 * SECOND), Duration::from_secs(300));
    }

    #[test]
    fn who_refuses_is_asked_less_and_less_and_when_they_say() {
        let pause = |failures| after_failure(failures, None).as_secs();
        assert_eq!((pause(1), pause(2), pause(3)), (30, 60, 120));
        assert_eq!(pause(50), 3600);
        assert_eq!(after_failure(1, Some(Duration::from_secs(90))).as_secs(), 90);
        assert_eq!(
            after_failure(1, Some(Duration::from_secs(90_000))).as_secs(),
            3600
        );
        assert!(jitter() < Duration::from_secs(20));
    }
}
