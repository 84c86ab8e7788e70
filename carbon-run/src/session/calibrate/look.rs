//! A look at all meters and all CPUs over a window of time.

use crate::host::Topology;
use crate::host::activity::{ActivityError, CpuTimes, cpu_times};
use crate::meter::Meter;
use crate::model::assemble::gauge::Gauge;
use crate::model::counter::Step;
use crate::model::recording::Domain;
use crate::session::clocks;
use nix::time::{ClockId, clock_gettime};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A meter of power is read this often, and no counter goes round in it.
const STEP: Duration = Duration::from_millis(100);

/// The meters with what has been read of each.
pub(super) struct Gauged {
    meters: Vec<Box<dyn Meter>>,
    domains: Vec<Domain>,
    gauges: Vec<Option<Gauge>>,
    sysroot: PathBuf,
}

/// What happened in a window.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    seconds: f64,
    /// Busy seconds by CPU.
    busy: BTreeMap<u32, f64>,
    /// CPU seconds of this process.
    own: f64,
    /// Joules and seconds by domain.
    drawn: Vec<(f64, f64)>,
}

impl Gauged {
    pub(super) fn new(meters: Vec<Box<dyn Meter>>, sysroot: &Path) -> Self {
        let domains: Vec<Domain> = meters.iter().flat_map(|meter| meter.domains().to_vec()).collect();
        Self {
            gauges: domains.iter().map(|domain| Gauge::of(&domain.source)).collect(),
            domains,
            meters,
            sysroot: sysroot.to_owned(),
        }
    }

    pub(super) fn domains(&self) -> &[Domain] {
        &self.domains
    }

    pub(super) fn sysroot(&self) -> &Path {
        &self.sysroot
    }

    /// The CPUs that a domain feeds.
    pub(super) fn cpus_of(&self, domain: usize, topology: &Topology) -> Vec<u32> {
        let Some(domain) = self.domains.get(domain) else {
            return Vec::new();
        };
        let fed = |number: usize| domain.groups.is_empty() || domain.groups.contains(&number);
        let groups = topology.groups.iter().enumerate();
        groups
            .filter(|(number, _)| fed(*number))
            .flat_map(|(_, group)| group.cpus.iter().copied())
            .collect()
    }

    /// Looks for so long.
    pub(super) fn look(&mut self, length: Duration) -> Result<Window, ActivityError> {
        let mut window = Window {
            drawn: vec![(0.0, 0.0); self.domains.len()],
            ..Window::default()
        };
        self.read(None);
        let (cpus, own, started) = (cpu_times(&self.sysroot)?, own_time(), Instant::now());
        let until = started + length;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            std::thread::sleep(left.min(STEP));
            self.read(Some(&mut window.drawn));
            if left <= STEP {
                break;
            }
        }
        let after: CpuTimes = cpu_times(&self.sysroot)?;
        window.busy = after.since(&cpus);
        window.own = (own_time() - own).max(0.0);
        window.seconds = started.elapsed().as_secs_f64();
        Ok(window)
    }

    /// Reads every meter; what was drawn since the last reading is added up where it is wanted.
    fn read(&mut self, mut drawn: Option<&mut Vec<(f64, f64)>>) {
        let readings = self
            .meters
            .iter_mut()
            .flat_map(|meter| meter.read(&mut clocks::now));
        for (number, (reading, gauge)) in readings.zip(&mut self.gauges).enumerate() {
            let step = gauge.as_mut().map(|gauge| gauge.step(&reading, false));
            if let Some(Step::Energy { energy, from, to, .. }) = step
                && let Some(slot) = drawn.as_mut().and_then(|drawn| drawn.get_mut(number))
            {
                slot.0 += energy.joules().get();
                slot.1 += to.since(from).as_secs_f64();
            }
        }
    }
}

impl Window {
    /// Mean watts of a domain; `None` where it could not be read for most of the time.
    pub(super) fn power(&self, domain: usize) -> Option<f64> {
        let (joules, seconds) = self.drawn.get(domain).copied()?;
        (seconds > self.seconds / 2.0).then(|| joules / seconds)
    }

    /// Busy CPUs, without this process.
    pub(super) fn others(&self) -> f64 {
        let busy: f64 = self.busy.values().sum();
        (busy - self.own).max(0.0) / self.seconds.max(f64::MIN_POSITIVE)
    }

    /// Busy CPUs among some: those beside an idle sibling, and those beside a busy one. Two siblings that are each busy for
    /// part of the time are taken to be so at the same time.
    pub(super) fn columns(&self, cpus: &[u32], siblings: &[Option<u32>]) -> (f64, f64) {
        let share = |cpu: u32| {
            let busy = self.busy.get(&cpu).copied().unwrap_or(0.0);
            (busy / self.seconds.max(f64::MIN_POSITIVE)).min(1.0)
        };
        let (mut alone, mut shared) = (0.0, 0.0);
        for &cpu in cpus {
            let beside = siblings.get(cpu as usize).copied().flatten().map_or(0.0, share);
            shared += share(cpu).min(beside);
            alone += (share(cpu) - beside).max(0.0);
        }
        (alone, shared)
    }
}

/// CPU seconds of this process and all its threads.
fn own_time() -> f64 {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(0.0, |time| Duration::from(time).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn siblings_that_are_busy_together_go_to_the_second_column() {
        let window = Window {
            seconds: 2.0,
            busy: [(0, 2.0), (1, 1.0), (2, 2.0), (3, 0.0)].into(),
            own: 4.0,
            drawn: vec![(60.0, 2.0), (1.0, 0.5)],
        };
        let siblings = [Some(1), Some(0), Some(3), Some(2)];
        let (alone, shared) = window.columns(&[0, 1, 2, 3], &siblings);
        assert!((alone - 1.5).abs() < 1e-12 && (shared - 1.0).abs() < 1e-12);
        let (alone, shared) = window.columns(&[0, 2], &[]);
        assert!((alone - 2.0).abs() < 1e-12 && shared.abs() < 1e-12);
        assert!((window.others() - 0.5).abs() < 1e-12);
        assert_eq!(
            (window.power(0), window.power(1), window.power(2)),
            (Some(30.0), None, None)
        );
    }
}
