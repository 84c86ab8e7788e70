//! From elapsed and busy time to what the counters show.

use crate::StandInError;
use crate::core::Core;
use crate::counter::{Counter, Fault, Model};
use crate::cpuacct::{self, Usage};
use crate::spec::{PackageSpec, Spec, of_cpus};
use crate::tree;
use std::path::Path;
use std::time::{Duration, Instant};

/// What the counters have gained since the start, by package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// Time since the start.
    pub elapsed: Duration,
    /// Package energy in microjoules, cut to whole ones.
    pub energy_uj: Vec<u64>,
    /// DRAM energy in microjoules, cut to whole ones; `None` for a package without.
    pub dram_uj: Vec<Option<u64>>,
    /// Busy time of the package's CPUs in nanoseconds, everybody's.
    pub busy_ns: Vec<u64>,
    /// The longest that the counters have stood still. Two readings are uncertain by what was drawn in that time.
    pub longest_stand: Duration,
    /// CPU time of the stand-in's own thread; part of `busy_ns`.
    pub own_time: Duration,
}

#[derive(Debug)]
pub(crate) struct Engine {
    usage: Usage,
    started: Instant,
    usage_at_start: Vec<u64>,
    packages: Vec<Package>,
    followed: Option<Followed>,
    elapsed: Duration,
    longest_stand: Duration,
    own_time: Duration,
}

/// A job whose energy is counted.
#[derive(Debug)]
struct Followed {
    usage: Usage,
    at_start: Vec<u64>,
}

#[derive(Debug)]
struct Package {
    cpus: Vec<u32>,
    busy_ns: u64,
    /// The followed job's part of that.
    job_ns: u64,
    /// Empty where each CPU draws for itself.
    cores: Vec<Core>,
    zone: Zone,
    dram: Option<Zone>,
}

#[derive(Debug)]
struct Zone {
    model: Model,
    energy_uj: u64,
    counter: Counter,
}

impl Engine {
    /// Takes the counters that [`tree::build`] made room for, at their starting values.
    pub(crate) fn start(dir: &Path, spec: &Spec) -> Result<Self, StandInError> {
        let packages = spec
            .packages
            .iter()
            .enumerate()
            .map(|(number, package)| Package::start(dir, number, package))
            .collect::<Result<_, _>>()?;
        let usage = Usage::of(&cpuacct::mount()?)?;
        Ok(Self {
            started: Instant::now(),
            usage_at_start: usage.read()?,
            usage,
            packages,
            followed: None,
            elapsed: Duration::ZERO,
            longest_stand: Duration::ZERO,
            own_time: Duration::ZERO,
        })
    }

    /// Brings every counter up to now.
    pub(crate) fn update(&mut self) -> Result<(), StandInError> {
        let usage = self.usage.read()?;
        let busy_ns = since(&usage, &self.usage_at_start);
        let elapsed = self.started.elapsed();
        let job_ns = match &self.followed {
            Some(job) => since(&job.usage.read()?, &job.at_start),
            None => Vec::new(),
        };
        let step_ns = nanoseconds(elapsed.saturating_sub(self.elapsed));
        for package in &mut self.packages {
            package.busy_ns = of_cpus(&busy_ns, &package.cpus);
            package.job_ns = of_cpus(&job_ns, &package.cpus);
            for core in &mut package.cores {
                core.step(step_ns, &busy_ns, &job_ns);
            }
            let [drawing_ns, _] = package.drawing_ns();
            for zone in std::iter::once(&mut package.zone).chain(&mut package.dram) {
                zone.energy_uj = zone.model.energy_uj(nanoseconds(elapsed), drawing_ns);
                zone.counter.show(zone.energy_uj)?;
            }
        }
        self.longest_stand = self.longest_stand.max(elapsed.saturating_sub(self.elapsed));
        self.elapsed = elapsed;
        Ok(())
    }

    pub(crate) fn own_time_is(&mut self, time: Option<Duration>) {
        self.own_time = time.unwrap_or(self.own_time);
    }

    pub(crate) fn truth(&self) -> Truth {
        let energy = |zone: &Zone| zone.energy_uj;
        Truth {
            elapsed: self.elapsed,
            energy_uj: self
                .packages
                .iter()
                .map(|package| package.zone.energy_uj)
                .collect(),
            dram_uj: self
                .packages
                .iter()
                .map(|package| package.dram.as_ref().map(energy))
                .collect(),
            busy_ns: self.packages.iter().map(|package| package.busy_ns).collect(),
            longest_stand: self.longest_stand,
            own_time: self.own_time,
        }
    }

    /// Counts the energy of that job from now on, and of no other.
    pub(crate) fn follow(&mut self, usage: Usage) -> Result<(), StandInError> {
        let at_start = usage.read()?;
        self.unfollow()?;
        self.followed = Some(Followed { usage, at_start });
        Ok(())
    }

    /// The followed job's dynamic energy up to now, by package.
    pub(crate) fn unfollow(&mut self) -> Result<Vec<u64>, StandInError> {
        self.update()?;
        self.followed = None;
        let energy = |package: &mut Package| {
            let [_, job_ns] = package.drawing_ns();
            package.cores.iter_mut().for_each(Core::forget_job);
            package.zone.model.energy_uj(0, job_ns)
        };
        Ok(self.packages.iter_mut().map(energy).collect())
    }

    pub(crate) fn fault(&mut self, zone: &str, fault: Fault) -> Result<(), StandInError> {
        self.update()?;
        let zone = self.zone(zone)?;
        zone.counter.fault(fault, zone.energy_uj)
    }

    pub(crate) fn heal(&mut self, zone: &str) -> Result<(), StandInError> {
        self.update()?;
        let zone = self.zone(zone)?;
        zone.counter.heal(zone.energy_uj)
    }

    fn zone(&mut self, name: &str) -> Result<&mut Zone, StandInError> {
        self.packages
            .iter_mut()
            .flat_map(|package| std::iter::once(&mut package.zone).chain(&mut package.dram))
            .find(|zone| zone.counter.zone == name)
            .ok_or_else(|| StandInError::NoZone(name.to_owned()))
    }
}

/// What each CPU has gained.
fn since(now: &[u64], then: &[u64]) -> Vec<u64> {
    let gained = |(now, then): (&u64, &u64)| now.saturating_sub(*then);
    now.iter().zip(then).map(gained).collect()
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Package {
    /// Nanoseconds of one CPU that draw what all of them drew, and what the followed job did.
    fn drawing_ns(&self) -> [u64; 2] {
        if self.cores.is_empty() {
            return [self.busy_ns, self.job_ns];
        }
        self.cores
            .iter()
            .map(Core::busy_ns)
            .fold([0, 0], |[all, job], [more, more_job]| {
                [all + more, job + more_job]
            })
    }

    fn start(dir: &Path, number: usize, spec: &PackageSpec) -> Result<Self, StandInError> {
        let zone = |name: String, model: Model| -> Result<Zone, StandInError> {
            let path = tree::zone_dir(dir, &name).join("energy_uj");
            let counter = Counter::create(name, path, spec.start_uj, spec.range_uj)?;
            Ok(Zone {
                model,
                energy_uj: 0,
                counter,
            })
        };
        let dram = spec.dram.map(|dram| {
            zone(
                tree::dram_zone(number),
                Model::new(dram.idle_w, dram.watts_per_busy_cpu)?,
            )
        });
        Ok(Self {
            cpus: spec.cpus.clone(),
            busy_ns: 0,
            job_ns: 0,
            cores: spec
                .smt
                .iter()
                .flat_map(|smt| {
                    smt.cores
                        .iter()
                        .map(|core| Core::new(*core, smt.both_busy_permille))
                })
                .collect(),
            zone: zone(
                tree::package_zone(number),
                Model::new(spec.idle_w, spec.watts_per_busy_cpu)?,
            )?,
            dram: dram.transpose()?,
        })
    }
}
