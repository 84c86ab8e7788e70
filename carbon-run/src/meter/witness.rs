//! A meter, and another one that shows the same energy by another way and is read beside it. Only the first is recorded.
//!
//! Comparing takes time, and a launch has none to give: it is done while the run goes on. Both are compared over windows
//! of a second, in which the steps of the counters (1 ms) and the time between two readings weigh little, and only
//! several windows in a row make a disagreement. A run shorter than that is not checked.

use super::Meter;
use crate::model::counter::{Counter, Step};
use crate::model::recording::{Domain, Note, Reading};
use crate::model::units::{Joules, MicroJoules, Moment};
use std::time::Duration;

/// The time over which energies are compared.
const WINDOW: Duration = Duration::from_secs(1);

/// How far both may be apart, in percent of the larger. Two ways to one register differ by the time between two readings
/// only; a wrong unit (server DRAM has one of its own) makes a factor of two and more.
const APART_PERCENT: u128 = 5;

/// Windows in a row after which it is no accident.
const IN_A_ROW: u32 = 3;

/// Two meters of the same energy.
pub(super) struct Witnessed {
    meter: Box<dyn Meter>,
    witness: Box<dyn Meter>,
    /// What they are called in notes.
    names: (&'static str, &'static str),
    compared: Vec<Compared>,
    notes: Vec<Note>,
}

/// A domain that both have.
struct Compared {
    name: String,
    /// By position among the domains of either.
    at: (usize, usize),
    /// To start again with.
    fresh: (Counter, Counter),
    counters: (Counter, Counter),
    sums: (MicroJoules, MicroJoules),
    elapsed: Duration,
    apart: u32,
    told: bool,
}

impl Witnessed {
    /// Domains are the same when they are summed, of the same kind, and feed the same CPUs.
    pub(super) fn new(
        meter: Box<dyn Meter>,
        witness: Box<dyn Meter>,
        names: (&'static str, &'static str),
    ) -> Self {
        let compared = meter
            .domains()
            .iter()
            .enumerate()
            .filter_map(|(one, domain)| {
                let other = witness.domains().iter().position(|other| same(domain, other))?;
                Compared::new((one, domain), (other, witness.domains().get(other)?))
            })
            .collect();
        Self {
            meter,
            witness,
            names,
            compared,
            notes: Vec::new(),
        }
    }
}

/// Whether both mean the same energy.
pub(super) fn same(one: &Domain, other: &Domain) -> bool {
    one.summed && other.summed && one.kind == other.kind && one.groups == other.groups
}

impl Meter for Witnessed {
    fn domains(&self) -> &[Domain] {
        self.meter.domains()
    }

    fn read(&mut self, now: &mut dyn FnMut() -> Moment) -> Vec<Reading> {
        let readings = self.meter.read(now);
        let seen = self.witness.read(now);
        for compared in &mut self.compared {
            let (one, other) = compared.at;
            if let (Some(one), Some(other)) = (readings.get(one), seen.get(other)) {
                self.notes.extend(compared.check(one, other, self.names));
            }
        }
        readings
    }

    fn take_notes(&mut self) -> Vec<Note> {
        let mut notes = self.meter.take_notes();
        notes.append(&mut self.notes);
        notes
    }

    fn shortest_wrap(&self) -> Option<Duration> {
        self.meter.shortest_wrap()
    }
}

impl Compared {
    fn new((one, domain): (usize, &Domain), (other, witness): (usize, &Domain)) -> Option<Self> {
        let fresh = (Counter::of(&domain.source)?, Counter::of(&witness.source)?);
        Some(Self {
            name: domain.name.clone(),
            at: (one, other),
            counters: fresh.clone(),
            fresh,
            sums: (MicroJoules::ZERO, MicroJoules::ZERO),
            elapsed: Duration::ZERO,
            apart: 0,
            told: false,
        })
    }

    /// Takes in a reading of either; a note when they part, once.
    fn check(&mut self, one: &Reading, other: &Reading, names: (&str, &str)) -> Option<Note> {
        let steps = (
            self.counters.0.step(one, false),
            self.counters.1.step(other, false),
        );
        match steps {
            (
                Step::Energy { energy, from, to, .. },
                Step::Energy {
                    energy: witnessed, ..
                },
            ) => {
                self.sums.0 += energy;
                self.sums.1 += witnessed;
                self.elapsed += to.since(from);
            }
            (Step::First, Step::First) => return None,
            // What one has and the other has not cannot be compared: from here on again.
            _ => {
                self.counters = self.fresh.clone();
                self.close();
                return None;
            }
        }
        if self.elapsed < WINDOW {
            return None;
        }
        let (sums, elapsed) = (self.sums, self.elapsed);
        self.close();
        self.apart = if are_apart(sums) { self.apart + 1 } else { 0 };
        let parted = self.apart >= IN_A_ROW;
        (parted && !std::mem::replace(&mut self.told, true)).then(|| self.note(sums, elapsed, names))
    }

    fn close(&mut self) {
        self.sums = (MicroJoules::ZERO, MicroJoules::ZERO);
        self.elapsed = Duration::ZERO;
    }

    fn note(
        &self,
        (one, other): (MicroJoules, MicroJoules),
        elapsed: Duration,
        (meter, witness): (&str, &str),
    ) -> Note {
        let watts = |energy: Joules| energy.get() / elapsed.as_secs_f64();
        Note {
            code: "meters-part".to_owned(),
            message: format!(
                "{meter} and {witness} do not agree on `{}` ({:.2} W and {:.2} W over the same time): the figures are \
                 those of {meter}",
                self.name,
                watts(one.joules()),
                watts(other.joules()),
            ),
            hint: Some("report this with what `carbon-run doctor --json` says".to_owned()),
            degrades: true,
        }
    }
}

fn are_apart((one, other): (MicroJoules, MicroJoules)) -> bool {
    u128::from(one.0.abs_diff(other.0)) * 100 > u128::from(one.0.max(other.0)) * APART_PERCENT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::recording::{DomainKind, DomainSource, Origin, Source, TickSize};

    /// Shows a counter by a function of the number of the reading, of which there are ten a second.
    struct Shown {
        domains: Vec<Domain>,
        reading: u64,
        counter: fn(u64) -> Option<u64>,
    }

    impl Shown {
        fn boxed(tick: TickSize, counter: fn(u64) -> Option<u64>) -> Box<dyn Meter> {
            let domain = Domain {
                name: "package-0".to_owned(),
                kind: DomainKind::Package,
                origin: Origin::Measured(Source::Powercap),
                groups: vec![0],
                summed: true,
                source: DomainSource::Counter {
                    tick,
                    wraps_at: Some(1_000_000_000),
                    max_power: None,
                },
            };
            Box::new(Self {
                domains: vec![domain],
                reading: 0,
                counter,
            })
        }
    }

    impl Meter for Shown {
        fn domains(&self) -> &[Domain] {
            &self.domains
        }

        fn read(&mut self, _now: &mut dyn FnMut() -> Moment) -> Vec<Reading> {
            self.reading += 1;
            let at = Moment(self.reading * 100_000_000);
            vec![(self.counter)(self.reading).map_or_else(
                || Reading::Failed("gone".to_owned()),
                |ticks| Reading::Ticks { ticks, at },
            )]
        }
    }

    /// The codes of the notes of a minute, and that the readings are those of the first alone.
    fn codes(one: fn(u64) -> Option<u64>, other: fn(u64) -> Option<u64>) -> Vec<String> {
        let halves = TickSize {
            microjoules: 1,
            ticks: 2,
        };
        let meter = Shown::boxed(halves, one);
        let mut both = Witnessed::new(
            meter,
            Shown::boxed(TickSize::MICROJOULE, other),
            ("perf", "powercap"),
        );
        for reading in 1..=600 {
            let readings = both.read(&mut || Moment(0));
            let expected = one(reading).map(|ticks| Reading::Ticks {
                ticks,
                at: Moment(reading * 100_000_000),
            });
            assert_eq!(readings.first(), expected.as_ref());
        }
        both.take_notes().into_iter().map(|note| note.code).collect()
    }

    /// 100 W.
    const POWER: u64 = 10_000_000;

    #[test]
    fn two_ways_to_one_register_agree_also_when_one_wraps_and_lags() {
        let alike = codes(
            |reading| Some(2 * POWER * reading),
            |reading| Some((POWER * reading - POWER / 100 * (reading % 2)) % 1_000_000_000),
        );
        assert_eq!(alike, [""; 0]);
    }

    #[test]
    fn meters_that_part_by_more_than_five_percent_are_told_of_once() {
        let parted = codes(
            |reading| Some(2 * POWER * reading),
            |reading| Some(POWER * reading * 94 / 100 % 1_000_000_000),
        );
        assert_eq!(parted, ["meters-part"]);
        let near = codes(
            |reading| Some(2 * POWER * reading),
            |reading| Some(POWER * reading * 96 / 100 % 1_000_000_000),
        );
        assert_eq!(near, [""; 0]);
    }

    #[test]
    fn a_burst_at_the_edge_of_a_window_and_a_reading_that_failed_are_no_disagreement() {
        let burst = codes(
            |reading| Some(2 * POWER * (reading + 2 * (reading / 20))),
            |reading| Some(POWER * (reading + 2 * ((reading - 1) / 20)) % 1_000_000_000),
        );
        assert_eq!(burst, [""; 0]);
        let failing = codes(
            |reading| Some(2 * POWER * reading),
            |reading| (reading % 7 > 0).then_some(POWER * reading % 1_000_000_000),
        );
        assert_eq!(failing, [""; 0]);
    }
}
