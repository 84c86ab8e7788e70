//! A look at all meters and all CPUs over a window of time.

use crate::host::Topology;
use crate::host::activity::{ActivityError, CpuTimes, cpu_times};
use crate::meter::Meter;
use crate::model::assemble::gauge::Gauge;
use crate::model::counter::Step;
use crate::model::recording::{Domain, DomainKind, Gpu, GpuLook};
use crate::session::clocks;
use nix::time::{ClockId, clock_gettime};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A meter of power is read this often, and no counter of a package goes round in it.
const STEP: Duration = Duration::from_millis(100);

/// A driver takes milliseconds of CPU time for a reading of a GPU's counter, and as many for a list of its users, which would
/// be taken for the idle machine's. So that is done before and after the CPUs are looked at, and meanwhile no more often
/// than this: work leaves samples, and no counter of a GPU goes round in it.
const SELDOM: Duration = Duration::from_secs(10);

/// When a meter is read beside at both ends of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rhythm {
    /// Every [`STEP`].
    Often,
    /// Every [`SELDOM`].
    Seldom,
}

/// A meter with what has been read of it.
struct Watched {
    meter: Box<dyn Meter>,
    rhythm: Rhythm,
    /// The number of its first domain.
    first: usize,
    /// In the order of its domains.
    gauges: Vec<Option<Gauge>>,
}

/// The meters with what has been read of each.
pub(super) struct Gauged {
    watched: Vec<Watched>,
    domains: Vec<Domain>,
    /// With the numbers of their domains here.
    gpus: Vec<Gpu>,
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
    /// Looks at the users by GPU; the first is that at which the window begins.
    looks: Vec<Vec<GpuLook>>,
}

impl Gauged {
    pub(super) fn new(cpus: Vec<Box<dyn Meter>>, graphics: Vec<Box<dyn Meter>>, sysroot: &Path) -> Self {
        let often = cpus.into_iter().map(|meter| (meter, Rhythm::Often));
        // Power has to be integrated.
        let graphics = graphics.into_iter().map(|meter| match meter.longest_pause() {
            Some(_) => (meter, Rhythm::Often),
            None => (meter, Rhythm::Seldom),
        });
        let mut gauged = Self {
            watched: Vec::new(),
            domains: Vec::new(),
            gpus: Vec::new(),
            sysroot: sysroot.to_owned(),
        };
        for (meter, rhythm) in often.chain(graphics) {
            gauged.add(meter, rhythm);
        }
        gauged
    }

    fn add(&mut self, meter: Box<dyn Meter>, rhythm: Rhythm) {
        let first = self.domains.len();
        let gauge = |domain: &Domain| match (Gauge::of(&domain.source), domain.kind) {
            (Some(gauge), DomainKind::Gpu) => Some(gauge.stepping()),
            (gauge, _) => gauge,
        };
        self.gpus.extend(meter.gpus().iter().cloned().map(|mut gpu| {
            gpu.domain = gpu.domain.map(|domain| domain + first);
            gpu
        }));
        self.domains.extend(meter.domains().to_vec());
        self.watched.push(Watched {
            gauges: meter.domains().iter().map(gauge).collect(),
            meter,
            rhythm,
            first,
        });
    }

    pub(super) fn domains(&self) -> &[Domain] {
        &self.domains
    }

    pub(super) fn gpus(&self) -> &[Gpu] {
        &self.gpus
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
            looks: vec![Vec::new(); self.gpus.len()],
            ..Window::default()
        };
        self.ask(&mut window.looks);
        self.read(Rhythm::Seldom, None);
        self.read(Rhythm::Often, None);
        let (cpus, own, started) = (cpu_times(&self.sysroot)?, own_time(), Instant::now());
        let until = started + length;
        let mut asked = started;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            std::thread::sleep(left.min(STEP));
            self.read(Rhythm::Often, Some(&mut window.drawn));
            if left <= STEP {
                break;
            }
            if asked.elapsed() >= SELDOM {
                self.read(Rhythm::Seldom, Some(&mut window.drawn));
                self.ask(&mut window.looks);
                asked = Instant::now();
            }
        }
        let after: CpuTimes = cpu_times(&self.sysroot)?;
        window.busy = after.since(&cpus);
        window.own = (own_time() - own).max(0.0);
        window.seconds = started.elapsed().as_secs_f64();
        self.read(Rhythm::Seldom, Some(&mut window.drawn));
        self.ask(&mut window.looks);
        Ok(window)
    }

    /// Looks at the users of every GPU.
    fn ask(&mut self, looks: &mut [Vec<GpuLook>]) {
        let meters = self.watched.iter_mut().map(|watched| &mut watched.meter);
        let now = meters.flat_map(|meter| meter.look(&mut clocks::now));
        for (look, looks) in now.zip(looks) {
            looks.push(look);
        }
    }

    /// Reads the meters of a rhythm; what was drawn since the last reading is added up where it is wanted.
    fn read(&mut self, rhythm: Rhythm, mut drawn: Option<&mut Vec<(f64, f64)>>) {
        for watched in self.watched.iter_mut().filter(|watched| watched.rhythm == rhythm) {
            let readings = watched.meter.read(&mut clocks::now);
            for (number, (reading, gauge)) in readings.iter().zip(&mut watched.gauges).enumerate() {
                let step = gauge.as_mut().map(|gauge| gauge.step(reading, false));
                let slot = drawn
                    .as_mut()
                    .and_then(|drawn| drawn.get_mut(watched.first + number));
                if let (Some(Step::Energy { energy, from, to, .. }), Some(slot)) = (step, slot) {
                    slot.0 += energy.joules().get();
                    slot.1 += to.since(from).as_secs_f64();
                }
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

    /// The looks at the users of a GPU, in order.
    pub(super) fn looks_at(&self, gpu: usize) -> &[GpuLook] {
        self.looks.get(gpu).map_or(&[], Vec::as_slice)
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
            looks: Vec::new(),
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
