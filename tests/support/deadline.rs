//! Waiting for something that will happen, or has gone wrong.

use std::time::{Duration, Instant};

/// Far more than anything takes, for machines that are busy with something else.
const LIMIT: Duration = Duration::from_secs(60);

/// Waits until `probe` finds something.
///
/// # Panics
/// When it does not within a minute; `what` was awaited.
pub(crate) fn until_some<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(start.elapsed() < LIMIT, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until `probe` holds.
///
/// # Panics
/// When it does not within a minute; `what` was awaited.
pub(crate) fn until(what: &str, mut probe: impl FnMut() -> bool) {
    until_some(what, || probe().then_some(()));
}
