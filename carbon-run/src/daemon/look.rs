//! One sampler for everybody: CPU time of all jobs at once, and the meters beside it.

use super::budget::{Budget, Rate};
use super::jobs::Book;
use super::peer::Peer;
use crate::accounting::ebpf::Snapshot;
use crate::accounting::is_apart;
use crate::meter::Meters;
use crate::model::recording::{Domain, DomainSource, Note, Reading, TickSize, UsageAfter};
use crate::model::units::Moment;
use crate::wire::Observed;
use std::time::Duration;

/// A look that is no older will do for a sample in the middle of a job: its time is that of the look.
const RECENT: Duration = Duration::from_millis(50);

/// Who asks at the same time as another gets the same look.
const SAME: Duration = Duration::from_millis(1);

/// To how many microjoules, and microwatts, readings are rounded down for all but root. A counter steps by 15 to 61 of them every
/// millisecond; single ones of those steps tell of other people's instructions and data (PLATYPUS, IEEE S&P 2021,
/// CVE-2020-8694).
const COARSE: u64 = 1_000;

/// How often a user other than root may have the meters read at a moment of their choice: at a job's start and end.
const FRESH: Rate = Rate {
    burst: 40,
    per_second: 10,
};

/// The last look.
struct Look {
    snapshot: Snapshot,
    readings: Vec<Reading>,
    after: Option<Snapshot>,
}

/// Looks at the machine, as seldom as will do.
pub(super) struct Looks {
    meters: Meters,
    domains: Vec<Domain>,
    last: Option<Look>,
    fresh: Budget,
    notes: Vec<Note>,
    clock: fn() -> Moment,
}

impl Looks {
    pub(super) fn new(meters: Meters, clock: fn() -> Moment) -> Self {
        Self {
            domains: meters.domains(),
            meters,
            last: None,
            fresh: Budget::new(FRESH),
            notes: Vec::new(),
            clock,
        }
    }

    /// To how many microjoules this client's readings are rounded.
    pub(super) fn coarse_uj(&self, peer: &Peer) -> Option<u64> {
        (peer.uid != 0).then_some(COARSE)
    }

    /// The meters' notes that were not told yet.
    pub(super) fn notes_since(&self, told: &mut usize) -> Vec<Note> {
        let new = self.notes.get(*told..).unwrap_or_default().to_vec();
        *told = self.notes.len();
        new
    }

    /// What a job is to know. Who may not have the meters read now gets the last reading, and CPU time of now.
    pub(super) fn observe(
        &mut self,
        book: &mut Book,
        job: u32,
        peer: &Peer,
        now_wanted: bool,
        now: Moment,
    ) -> Observed {
        let age = self.last.as_ref().map(|look| now.since(look.snapshot.at));
        let within = |most: Duration| age.is_some_and(|age| age <= most);
        let look = if now_wanted {
            !within(SAME) && (peer.uid == 0 || !within(RECENT) || self.fresh.take(peer.uid, 1, now))
        } else {
            !within(RECENT)
        };
        if look {
            self.look(book);
        }
        let unread = now_wanted && !look && !within(SAME);
        let Some(last) = &self.last else {
            // A look was taken just now.
            return self.nothing(now);
        };
        let current = unread.then(|| book.jobs.snapshot());
        let snapshot = current.as_ref().unwrap_or(&last.snapshot);
        let after = last.after.as_ref().filter(|_| !unread);
        Observed {
            at: snapshot.at,
            usage: book.jobs.usage(job, snapshot),
            readings: self.told(&last.readings, peer),
            after: after.map(|after| UsageAfter {
                at: after.at,
                usage: book.jobs.usage(job, after),
            }),
            notes: Vec::new(),
        }
    }

    fn nothing(&self, at: Moment) -> Observed {
        Observed {
            at,
            usage: Vec::new(),
            readings: vec![Reading::Failed("not read".to_owned()); self.domains.len()],
            after: None,
            notes: Vec::new(),
        }
    }

    fn look(&mut self, book: &mut Book) {
        let begun = (self.clock)();
        let snapshot = book.jobs.snapshot();
        let sampled = (self.clock)();
        let mut clock = self.clock;
        let mut readings = Vec::new();
        for meter in &mut self.meters.meters {
            readings.extend(meter.read(&mut clock));
            self.notes.extend(meter.take_notes());
        }
        let (sampling, reading) = (sampled.since(begun), (self.clock)().since(sampled));
        let after = is_apart(sampling, reading).then(|| book.jobs.snapshot());
        self.last = Some(Look {
            snapshot,
            readings,
            after,
        });
    }

    fn told(&self, readings: &[Reading], peer: &Peer) -> Vec<Reading> {
        let Some(coarse) = self.coarse_uj(peer) else {
            return readings.to_vec();
        };
        let domains = self.domains.iter().map(|domain| &domain.source);
        readings
            .iter()
            .zip(domains)
            .map(|(reading, source)| coarsened(reading, source, coarse))
            .collect()
    }
}

/// A reading rounded down to a multiple of so many microjoules or microwatts.
fn coarsened(reading: &Reading, source: &DomainSource, coarse: u64) -> Reading {
    let down = |value: u64, step: u64| value - value % step.max(1);
    match (reading, source) {
        (Reading::Ticks { ticks, at }, DomainSource::Counter { tick, .. }) => Reading::Ticks {
            ticks: down(*ticks, ticks_of(*tick, coarse)),
            at: *at,
        },
        (Reading::Power { microwatts, at }, _) => Reading::Power {
            microwatts: down(*microwatts, coarse),
            at: *at,
        },
        (other, _) => other.clone(),
    }
}

/// How many ticks are so many microjoules, rounded up.
fn ticks_of(tick: TickSize, microjoules: u64) -> u64 {
    let ticks = u128::from(microjoules) * u128::from(tick.ticks);
    let ticks = ticks.div_ceil(u128::from(tick.microjoules.max(1)));
    u64::try_from(ticks).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(microjoules: u64, ticks: u64) -> DomainSource {
        DomainSource::Counter {
            tick: TickSize { microjoules, ticks },
            wraps_at: None,
            max_power: None,
        }
    }

    fn told(ticks: u64, source: &DomainSource) -> u64 {
        let reading = Reading::Ticks { ticks, at: Moment(3) };
        let Reading::Ticks { ticks, at } = coarsened(&reading, source, 1_000) else {
            panic!("a counter's reading became another one");
        };
        assert_eq!(at, Moment(3));
        ticks
    }

    #[test]
    fn a_counter_is_told_in_millijoules_whatever_its_ticks_are_worth() {
        assert_eq!(told(1_234_567, &counter(1, 1)), 1_234_000);
        // 2^-14 J a tick, as most processors count: 61.035 uJ, so that 17 ticks are a bit more than a millijoule.
        assert_eq!(told(1_000, &counter(15_625, 256)), 986);
        // Ticks of 65 mJ are coarse by themselves.
        assert_eq!(told(77, &counter(65_536, 1)), 77);
    }

    #[test]
    fn power_is_told_in_milliwatts_and_a_failure_as_it_is() {
        let reading = Reading::Power {
            microwatts: 35_400_999,
            at: Moment(1),
        };
        let told = coarsened(&reading, &counter(1, 1), 1_000);
        assert!(matches!(
            told,
            Reading::Power {
                microwatts: 35_400_000,
                ..
            }
        ));
        let failed = Reading::Failed("gone".to_owned());
        assert_eq!(coarsened(&failed, &counter(1, 1), 1_000), failed);
    }
}
