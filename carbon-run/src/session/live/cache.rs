//! What a provider has said, kept for the next run: a thousand short ones are one question.

use crate::grid::{GridError, Question};
use crate::model::recording::LiveStep;
use crate::sink::change_file;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// The version of the file's shape. Fields are added, never renamed or moved.
const SCHEMA: &str = "carbon-run/live/1";
/// More than this is none of our files.
const LARGEST: u64 = 1 << 20;
/// A day of hourly values, and two.
const MOST: usize = 48;

#[derive(Serialize, Deserialize)]
struct Kept {
    schema: String,
    steps: Vec<LiveStep>,
}

/// The name of the file: of provider, zone and address, without saying any of a private address.
pub(super) fn name(question: &Question) -> String {
    let asked = format!(
        "{}\0{}\0{:?}",
        question.zone,
        question.base.as_deref().unwrap_or_default(),
        question.pointers
    );
    let id = uuid::Uuid::from_u128(fnv(asked.as_bytes()));
    format!("live-{}-{}.json", question.provider.name(), id.simple())
}

/// FNV-1a of 128 bits (draft-eastlake-fnv): no more than a name has to be kept apart.
fn fnv(bytes: &[u8]) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(OFFSET, |hash, byte| {
        (hash ^ u128::from(*byte)).wrapping_mul(PRIME)
    })
}

/// What is kept; a file that cannot be read or is none of ours is as good as none.
pub(super) fn read(path: &Path) -> Option<Vec<LiveStep>> {
    let mut bytes = Vec::new();
    File::open(path)
        .ok()?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .ok()?;
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Option<Vec<LiveStep>> {
    let kept: Kept = serde_json::from_slice(bytes).ok()?;
    (kept.schema == SCHEMA).then_some(kept.steps)
}

/// The newest kept value, where the next one is not due yet; else what `ask` is told, which is kept. Runs that need one at the same time
/// wait for the one that asks.
///
/// # Errors
/// As `ask`.
pub(super) fn fresh_or(
    path: Option<&Path>,
    period: Duration,
    now: i64,
    ask: impl Fn() -> Result<LiveStep, GridError>,
) -> Result<LiveStep, GridError> {
    let Some(path) = path else {
        return ask();
    };
    let period_ns = i64::try_from(period.as_nanos()).unwrap_or(i64::MAX);
    let current = |steps: Option<Vec<LiveStep>>| {
        let newest = steps?.into_iter().max_by_key(|step| step.from_unix_ns)?;
        let due = newest.from_unix_ns.saturating_add(period_ns);
        (newest.from_unix_ns <= now && now < due).then_some(newest)
    };
    if let Some(step) = current(read(path)) {
        return Ok(step);
    }
    let mut told = None;
    let kept = change_file(path, |old| {
        let steps = old.and_then(parse).unwrap_or_default();
        if let Some(step) = current(Some(steps.clone())) {
            told = Some(Ok(step));
            return None;
        }
        let answer = ask();
        let written = answer.as_ref().ok().and_then(|step| with(steps, *step));
        told = Some(answer);
        written
    });
    if let Err(error) = kept {
        tracing::debug!(%error, "live carbon intensities are not kept");
    }
    // Who could not take the lock, or write, asks without.
    told.or_else(|| current(read(path)).map(Ok)).unwrap_or_else(ask)
}

fn with(mut steps: Vec<LiveStep>, step: LiveStep) -> Option<Vec<u8>> {
    steps.retain(|known| known.from_unix_ns != step.from_unix_ns);
    steps.push(step);
    steps.sort_by_key(|step| step.from_unix_ns);
    let surplus = steps.len().saturating_sub(MOST);
    steps.drain(..surplus);
    serde_json::to_vec(&Kept {
        schema: SCHEMA.to_owned(),
        steps,
    })
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::units::GramsPerKwh;
    use std::sync::atomic::{AtomicU32, Ordering};

    const HOUR: i64 = 3_600_000_000_000;

    fn step(hour: i64) -> LiveStep {
        LiveStep {
            from_unix_ns: hour * HOUR,
            until_unix_ns: (hour + 2) * HOUR,
            g_per_kwh: GramsPerKwh::clamped(42.0),
            estimated: false,
        }
    }

    #[test]
    fn of_many_runs_at_once_one_asks_and_the_next_hour_is_asked_for_anew() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state/live-uk-1.json");
        let asked = AtomicU32::new(0);
        let ask = |hour| {
            let question = || {
                asked.fetch_add(1, Ordering::Relaxed);
                Ok(step(hour))
            };
            let now = hour * HOUR + HOUR / 2;
            fresh_or(Some(&path), Duration::from_secs(3600), now, question).unwrap()
        };
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert_eq!(ask(10), step(10)));
            }
        });
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert_eq!(ask(11), step(11));
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        assert_eq!(read(&path).unwrap(), [step(10), step(11)]);
    }

    #[test]
    fn what_fails_is_not_kept_and_garbage_is_as_good_as_nothing() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("live.json");
        std::fs::write(&path, b"{\"schema\":\"other\"}").unwrap();
        let hour = Duration::from_secs(3600);
        let failed = fresh_or(Some(&path), hour, HOUR, || Err(GridError::Future));
        assert_eq!(failed, Err(GridError::Future));
        assert_eq!(read(&path), None);
        assert_eq!(fresh_or(Some(&path), hour, HOUR, || Ok(step(1))), Ok(step(1)));
        assert_eq!(fresh_or(None, hour, HOUR, || Ok(step(1))), Ok(step(1)));
    }

    #[test]
    fn no_more_than_two_days_are_kept() {
        let steps = (0..100).map(step).collect();
        let kept = parse(&with(steps, step(100)).unwrap()).unwrap();
        assert_eq!((kept.len(), kept[47]), (48, step(100)));
    }
}
