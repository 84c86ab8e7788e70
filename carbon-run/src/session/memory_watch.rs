//! When the job's memory is looked at, and how closely (METHOD.md, "RAM model").

use super::clocks;
use crate::meter::memory::{self, Closeness};
use crate::model::recording::MemoryUse;
use crate::model::units::Moment;
use std::time::Duration;

/// Close looks may cost this part of the time, and glances as much again. For a close one the kernel walks the page tables
/// of every member, and holds up their page faults meanwhile.
const COST: u32 = 200;
const WHILE_YOUNG: Duration = Duration::from_millis(100);
const USUAL: Duration = Duration::from_secs(10);
/// A run's memory is looked at more often while it is younger than this.
const YOUNG: Duration = Duration::from_secs(10);

/// Ages at which a glance is taken, so that a job of a few milliseconds is seen at all. The first comes when a small
/// program has been loaded; the last ones lead over to the first close look.
const GLANCES: [Duration; 5] = [
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(12),
    Duration::from_millis(30),
    Duration::from_millis(60),
];
/// A glance that takes longer than this (a job of very many processes) is the last one.
const QUICK: Duration = Duration::from_millis(1);

/// The looks so far.
#[derive(Debug, Default)]
pub(super) struct MemoryWatch {
    close_due: Moment,
    glance_due: Moment,
    /// How many of [`GLANCES`] are over.
    glanced: usize,
    glances: Vec<MemoryUse>,
}

impl MemoryWatch {
    /// A close look where one is due, else a glance.
    pub(super) fn look(&mut self, started: Moment, members: impl FnOnce() -> Vec<u32>) -> Option<MemoryUse> {
        let before = clocks::now();
        let closeness = if before >= self.close_due {
            Closeness::Close
        } else if before >= self.glance_due {
            Closeness::Glance
        } else {
            return None;
        };
        let begun = clocks::own_cpu();
        let seen = memory::look(&members(), closeness);
        // Not by the wall's clock: a busy machine makes no look dearer.
        let cost = clocks::own_cpu().saturating_sub(begun) * COST;
        let after = clocks::now();
        self.glanced = GLANCES.len();
        let usual = if after.since(started) < YOUNG {
            WHILE_YOUNG
        } else {
            USUAL
        };
        match closeness {
            Closeness::Close => self.close_due = later(after, usual.max(cost)),
            Closeness::Glance => self.glance_due = later(after, cost),
        }
        entry(seen, after)
    }

    /// From now to the next glance; for ever when there is none to come.
    pub(super) fn until_glance(&self, started: Moment) -> Duration {
        GLANCES.get(self.glanced).map_or(Duration::MAX, |age| {
            age.saturating_sub(clocks::now().since(started))
        })
    }

    /// A glance: cheap, and less exact.
    pub(super) fn glance(&mut self, members: impl FnOnce() -> Vec<u32>) {
        let begun = clocks::own_cpu();
        let seen = memory::look(&members(), Closeness::Glance);
        let after = clocks::now();
        self.glanced = if clocks::own_cpu().saturating_sub(begun) > QUICK {
            GLANCES.len()
        } else {
            self.glanced + 1
        };
        self.glances.extend(entry(seen, after));
    }

    /// The glances since the last time.
    pub(super) fn take_glances(&mut self) -> Vec<MemoryUse> {
        std::mem::take(&mut self.glances)
    }
}

fn later(moment: Moment, by: Duration) -> Moment {
    let nanoseconds = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
    Moment(moment.0.saturating_add(nanoseconds))
}

/// At the end nobody is left, which says nothing about the time before. Who is there but not to be read is said.
fn entry(seen: memory::Seen, at: Moment) -> Option<MemoryUse> {
    (seen.high_bytes > 0 || seen.unreadable > 0).then(|| MemoryUse {
        at,
        pss_bytes: seen.low_bytes.midpoint(seen.high_bytes),
        resident_bytes: (seen.resident_bytes > 0).then_some(seen.resident_bytes),
        range: (seen.low_bytes < seen.high_bytes).then_some((seen.low_bytes, seen.high_bytes)),
        unreadable: seen.unreadable,
    })
}
