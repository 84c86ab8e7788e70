//! One look at everything: accounting, meters, memory.

use super::memory_watch::MemoryWatch;
use super::{clocks, gpus};
use crate::accounting::{Accounting, AccountingError, Closing, Sample, is_apart};
use crate::meter::Meter;
use crate::model::recording::{Note, Observation, Reading, UsageAfter};
use crate::model::units::{CpuTime, Moment};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

/// Everything that is looked at.
pub(super) struct Observer {
    accounting: Box<dyn Accounting>,
    /// In the order of their domains in the recording.
    meters: Vec<Box<dyn Meter>>,
    /// Domains without a meter, which come last.
    modelled: usize,
    /// Where the job's memory is wanted.
    memory: Option<MemoryWatch>,
    groups: Vec<Wanted>,
    notes: Vec<Note>,
}

/// A control group that the person wants counted, and why it never was.
struct Wanted {
    path: PathBuf,
    refused: Option<AccountingError>,
    found: bool,
}

impl Observer {
    pub(super) fn new(
        accounting: Box<dyn Accounting>,
        meters: Vec<Box<dyn Meter>>,
        modelled: usize,
        memory: bool,
    ) -> Self {
        Self {
            accounting,
            meters,
            modelled,
            memory: memory.then(MemoryWatch::default),
            groups: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// With control groups whose processes are the job's, too.
    pub(super) fn with_groups(mut self, groups: &[PathBuf]) -> Self {
        let wanted = groups.iter().map(|path| Wanted {
            path: path.clone(),
            refused: None,
            found: false,
        });
        self.groups = wanted.collect();
        self
    }

    pub(super) fn adopts_orphans(&self) -> bool {
        self.accounting.adopts_orphans()
    }

    pub(super) fn entrance(&self) -> Result<Option<OwnedFd>, AccountingError> {
        self.accounting.entrance()
    }

    pub(super) fn arm(&mut self) -> Result<(), AccountingError> {
        self.accounting.arm()
    }

    pub(super) fn disarm(&mut self, child: u32) -> Result<(), AccountingError> {
        self.accounting.disarm(child)
    }

    pub(super) fn reaped(&mut self, pid: u32, cpu: CpuTime) {
        self.accounting.reaped(pid, cpu);
    }

    /// The command has ended: the next look is the last.
    pub(super) fn expect_last(&mut self) {
        self.accounting.expect_last();
    }

    pub(super) fn living(&mut self) -> u64 {
        self.accounting.living()
    }

    pub(super) fn note(&mut self, code: &str, message: String) {
        self.notes.push(Note {
            code: code.to_owned(),
            message,
            hint: None,
            degrades: true,
        });
    }

    /// What has turned out since the start.
    pub(super) fn take_notes(&mut self) -> Vec<Note> {
        let never = self.groups.iter_mut().filter(|group| !group.found);
        let never = never.filter_map(|group| {
            let refused = group.refused.take()?;
            Some(Note {
                code: "cgroup-not-counted".to_owned(),
                message: format!(
                    "the control group `{}` was not counted: {refused}",
                    group.path.display()
                ),
                hint: refused.remedy(),
                degrades: true,
            })
        });
        let meters = self.meters.iter_mut().flat_map(|meter| meter.take_notes());
        self.notes.drain(..).chain(never).chain(meters).collect()
    }

    /// Looks at everything, counters next to each other in time. `started` is the job's start; before it there is no
    /// memory to look at.
    pub(super) fn observe(&mut self, started: Moment) -> Result<Observation, Note> {
        let (look, slept_ns) = awake(clocks::slept_ns, || self.look());
        let Look {
            sample,
            readings,
            usage_after,
        } = look?;
        // Once only: a look goes on where the last one ended.
        let gpus = gpus::look(&mut self.meters, self.accounting.as_mut(), &mut clocks::now);
        let memory = if started == Moment(0) {
            None
        } else {
            let accounting = &mut self.accounting;
            let watch = self.memory.as_mut();
            watch.and_then(|watch| watch.look(started, || accounting.members()))
        };
        let memory_before = self.memory.as_mut().map(MemoryWatch::take_glances);
        Ok(Observation {
            at: sample.at,
            slept_ns,
            readings,
            usage: sample.usage,
            usage_after,
            memory,
            gpus,
            memory_before: memory_before.unwrap_or_default(),
            live: Vec::new(),
            marks: Vec::new(),
        })
    }

    fn look(&mut self) -> Result<Look, Note> {
        for group in &mut self.groups {
            match self.accounting.adopt(&group.path) {
                Ok(()) => group.found = true,
                Err(error) => group.refused = Some(error),
            }
        }
        let begun = clocks::now();
        let sample = self.accounting.sample().map_err(|error| Note {
            code: "accounting-failed".to_owned(),
            message: error.to_string(),
            hint: error.remedy(),
            degrades: true,
        })?;
        let sampled = clocks::now();
        let mut readings: Vec<Reading> = self
            .meters
            .iter_mut()
            .flat_map(|meter| meter.read(&mut clocks::now))
            .collect();
        let slow = is_apart(sampled.since(begun), clocks::now().since(sampled));
        // Without it the look is as good as it was.
        let usage_after = self.accounting.sample_after(slow).map(|later| UsageAfter {
            at: later.at,
            usage: later.usage,
        });
        readings.extend(std::iter::repeat_n(Reading::Modelled, self.modelled));
        Ok(Look {
            sample,
            readings,
            usage_after,
        })
    }

    /// From now to the next glance at the job's memory alone.
    pub(super) fn until_glance(&self, started: Moment) -> Duration {
        let watch = self.memory.as_ref();
        watch.map_or(Duration::MAX, |watch| watch.until_glance(started))
    }

    /// A glance at the job's memory alone, which goes into the next observation.
    pub(super) fn glance(&mut self) {
        let accounting = &mut self.accounting;
        if let Some(watch) = &mut self.memory {
            watch.glance(|| accounting.members());
        }
    }

    pub(super) fn close(&mut self, child: u32) -> Closing {
        self.accounting.close(child)
    }
}

/// CPU time and meters.
struct Look {
    sample: Sample,
    readings: Vec<Reading>,
    usage_after: Option<UsageAfter>,
}

/// Looks, and says how long the machine had slept by then. Had it slept in the middle, it would not be known on which side of
/// that a reading was made: it is looked at again.
fn awake<T>(mut slept_ns: impl FnMut() -> u64, mut look: impl FnMut() -> T) -> (T, u64) {
    /// What two looks at two clocks are apart.
    const AWAKE_NS: u64 = 1_000_000;
    const TRIES: usize = 3;
    let mut before = slept_ns();
    let (mut seen, mut after) = (look(), slept_ns());
    for _ in 1..TRIES {
        if after.saturating_sub(before) <= AWAKE_NS {
            break;
        }
        before = after;
        (seen, after) = (look(), slept_ns());
    }
    (seen, after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::recording::{Backend, Domain};

    #[test]
    fn a_machine_that_slept_during_a_look_is_looked_at_again() {
        for (clock, looks) in [(vec![5, 900_005], 1), (vec![5, 9_000_000, 9_000_003], 2)] {
            let mut slept = clock.clone().into_iter();
            let mut looked = 0;
            let (seen, slept_ns) = awake(
                || slept.next().unwrap(),
                || {
                    looked += 1;
                    looked
                },
            );
            assert_eq!((seen, Some(slept_ns)), (looks, clock.last().copied()));
        }
        let mut hours = 0;
        let restless = || {
            hours += 1;
            hours * 3_600_000_000_000
        };
        assert_eq!(awake(restless, || ()).1, 4 * 3_600_000_000_000, "it ends");
    }

    /// Looks at nobody.
    struct Nobody;

    impl Accounting for Nobody {
        fn backend(&self) -> Backend {
            Backend::Ebpf
        }
        fn arm(&mut self) -> Result<(), AccountingError> {
            Ok(())
        }
        fn disarm(&mut self, _: u32) -> Result<(), AccountingError> {
            Ok(())
        }
        fn sample(&mut self) -> Result<Sample, AccountingError> {
            Ok(Sample {
                at: clocks::now(),
                usage: Vec::new(),
            })
        }
        fn members(&mut self) -> Vec<u32> {
            Vec::new()
        }
        fn living(&mut self) -> u64 {
            0
        }
        fn close(&mut self, _: u32) -> Closing {
            Closing::default()
        }
    }

    /// Takes so long for a reading.
    struct Slow(Duration);

    impl Meter for Slow {
        fn domains(&self) -> &[Domain] {
            &[]
        }
        fn read(&mut self, now: &mut dyn FnMut() -> Moment) -> Vec<Reading> {
            let (until, at) = (now().0 + self.0.as_nanos() as u64, &mut Moment(0));
            while at.0 < until {
                *at = now();
            }
            vec![Reading::Ticks { ticks: 1, at: *at }]
        }
    }

    #[test]
    fn the_readings_of_a_slow_meter_lie_between_two_looks_at_cpu_time() {
        let meters: Vec<Box<dyn Meter>> = vec![Box::new(Slow(Duration::from_millis(20)))];
        let mut observer = Observer::new(Box::new(Nobody), meters, 0, false);
        // A machine that takes the CPU away for 20 ms between two clocks, every time, does not exist.
        let seen = (0..20).find_map(|_| {
            let look = observer.observe(Moment(0)).ok()?;
            let read = look.readings.first()?.at()?;
            look.usage_after.map(|after| (look.at, read, after.at))
        });
        let (before, read, after) = seen.unwrap();
        assert!(before < read && read <= after, "{before:?} {read:?} {after:?}");
    }
}
