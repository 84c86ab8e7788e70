//! The machine that is played.

use crate::StandInError;
use crate::counter::Model;
use std::collections::BTreeSet;
use std::time::Duration;

/// A little over 262 kJ, as with Intel's usual unit. Not the driver's exact figure for that unit, from which a reader may
/// conclude that the counter's unit is 61 µJ: this one steps in microjoules.
const USUAL_RANGE_UJ: u64 = 262_143_999_999;

/// The machine that is played.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// Package 0 and on. Together they have every online CPU of the real machine, each once.
    pub packages: Vec<PackageSpec>,
    /// The pace of the counters.
    pub update_every: Duration,
}

/// A package.
#[derive(Debug, Clone, PartialEq)]
pub struct PackageSpec {
    /// Real CPUs, by number.
    pub cpus: Vec<u32>,
    /// Watts with nothing to do.
    pub idle_w: f64,
    /// Watts that each busy CPU adds.
    pub watts_per_busy_cpu: f64,
    /// Which CPUs are hardware threads of one core; `None`: as on the real machine, and each draws for itself.
    pub smt: Option<SmtSpec>,
    /// A `dram` subzone.
    pub dram: Option<DramSpec>,
    /// `max_energy_range_uj`; the counter starts again at 0 one microjoule after it. `None`: no such file.
    pub range_uj: Option<u64>,
    /// What the counter shows at the start.
    pub start_uj: u64,
    /// `constraint_0_max_power_uw`, in watts. `None`: no such file.
    pub max_power_w: Option<f64>,
}

/// Cores of two hardware threads, which are real CPUs.
#[derive(Debug, Clone, PartialEq)]
pub struct SmtSpec {
    /// The two threads of each core; CPUs of the package, each in one core at most.
    pub cores: Vec<[u32; 2]>,
    /// What a core with both threads busy draws, in thousandths of what it draws with one: 1000 to 2000. Half of it is each
    /// thread's.
    pub both_busy_permille: u64,
}

/// The memory of a package; the range is the package's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DramSpec {
    /// Watts with nothing to do.
    pub idle_w: f64,
    /// Watts that each busy CPU of the package adds.
    pub watts_per_busy_cpu: f64,
}

impl Spec {
    /// A machine of these packages, whose counters step every millisecond as RAPL's do.
    #[must_use]
    pub const fn new(packages: Vec<PackageSpec>) -> Self {
        Self {
            packages,
            update_every: Duration::from_millis(1),
        }
    }

    /// The dynamic energy in microjoules, by package and without DRAM, of somebody who was on the CPUs for that long, given
    /// in nanoseconds by CPU number ([`crate::JobGroup::busy_ns`]). Not for packages with [`SmtSpec`], where it depends on
    /// what the sibling did meanwhile: [`crate::StandIn::follow`] sees that.
    ///
    /// # Errors
    /// When a power of the specification is negative or no number.
    pub fn dynamic_uj(&self, busy_ns: &[u64]) -> Result<Vec<u64>, StandInError> {
        self.packages
            .iter()
            .map(|package| {
                let model = Model::new(0.0, package.watts_per_busy_cpu)?;
                Ok(model.energy_uj(0, of_cpus(busy_ns, &package.cpus)))
            })
            .collect()
    }

    pub(crate) fn check(&self, online: &BTreeSet<u32>) -> Result<(), StandInError> {
        let mut given = BTreeSet::new();
        for cpu in self.packages.iter().flat_map(|package| &package.cpus) {
            if !given.insert(*cpu) {
                return Err(StandInError::Spec(format!("CPU {cpu} belongs to two packages")));
            }
        }
        for package in &self.packages {
            let threads: Vec<u32> = package.smt.iter().flat_map(|smt| smt.cores.concat()).collect();
            let alone: BTreeSet<&u32> = threads.iter().collect();
            if alone.len() != threads.len() || threads.iter().any(|cpu| !package.cpus.contains(cpu)) {
                return Err(StandInError::Spec(format!(
                    "{threads:?} are no cores of the CPUs {:?}",
                    package.cpus
                )));
            }
        }
        if given != *online {
            return Err(StandInError::Spec(format!(
                "the packages have the CPUs {given:?}, online are {online:?}"
            )));
        }
        Ok(())
    }
}

impl PackageSpec {
    /// A package without DRAM, with the usual range and no stated maximum, that starts at 1,000 J.
    #[must_use]
    pub fn new(cpus: impl Into<Vec<u32>>, idle_w: f64, watts_per_busy_cpu: f64) -> Self {
        Self {
            cpus: cpus.into(),
            idle_w,
            watts_per_busy_cpu,
            smt: None,
            dram: None,
            range_uj: Some(USUAL_RANGE_UJ),
            start_uj: 1_000_000_000,
            max_power_w: None,
        }
    }
}

/// The sum over some CPUs of what is listed by CPU number.
pub(crate) fn of_cpus(by_cpu: &[u64], cpus: &[u32]) -> u64 {
    cpus.iter()
        .filter_map(|&cpu| by_cpu.get(usize::try_from(cpu).ok()?))
        .sum()
}

/// Whole microwatts.
pub(crate) fn microwatts(watts: f64) -> Result<u64, StandInError> {
    if (0.0..=1e9).contains(&watts) {
        Ok((watts * 1e6).round() as u64)
    } else {
        Err(StandInError::Spec(format!("{watts} is not a number of watts")))
    }
}
