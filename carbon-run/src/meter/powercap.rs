//! The kernel's powercap tree: RAPL energy counters of Intel and AMD packages, in microjoules.
//!
//! What is summed: every `package` and `dram` zone. `core` and `uncore` lie inside their package and `psys` contains
//! everything, so these are recorded and never added. `intel-rapl-mmio` shows the counters of `intel-rapl` again and is
//! used only for what that does not give. One counter that is listed once per die is counted once.

mod limits;
mod notes;
mod place;
mod survey;
mod zone;

pub use notes::NONE;
pub use survey::{SurveyError, Zone, survey};

use super::Meter;
use super::copies::{self, Listed};
use super::sysfs::{CounterFile, ReadError};
use super::watch::Pair;
use super::whereabouts::Whereabouts;
use crate::model::counter::UNKNOWN_CEILING_UW;
use crate::model::recording::{
    CpuGroup, Domain, DomainKind, DomainSource, Note, Origin, Reading, Source, TickSize,
};
use crate::model::units::Moment;
use place::Placed;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// What [`Powercap::open`] found.
#[derive(Debug)]
pub struct Opened {
    /// The meter; `None` where there is no package counter that can be read.
    pub meter: Option<Powercap>,
    /// What is not measured, and why.
    pub notes: Vec<Note>,
}

/// The counters of this machine, held open.
#[derive(Debug)]
pub struct Powercap {
    domains: Vec<Domain>,
    files: Vec<CounterFile>,
    pairs: Vec<Pair>,
    notes: Vec<Note>,
}

/// A zone whose counter has been read.
#[derive(Debug)]
struct Gauge {
    zone: Placed,
    file: CounterFile,
    copy: bool,
}

impl Listed for Gauge {
    fn summed(&self) -> Option<(DomainKind, Whereabouts)> {
        self.zone.is_summed().then_some((self.zone.kind, self.zone.at))
    }

    fn name(&self) -> &str {
        &self.zone.name
    }

    fn tick(&self) -> TickSize {
        TickSize::MICROJOULE
    }

    fn look(&mut self) -> Option<u64> {
        self.file.read().ok()
    }

    fn is_a_copy(&mut self) {
        self.copy = true;
    }

    fn feeds(&mut self, groups: Vec<usize>) {
        self.zone.groups = groups;
    }
}

impl Powercap {
    /// Opens the counters under `sysroot` (`/` for this machine). `groups` are the CPUs as the recording lists them;
    /// with no groups every domain feeds all CPUs.
    ///
    /// Takes a few system calls a zone. Only where a package has several counters of the same kind (one per die) it
    /// watches these for some steps first, a few milliseconds and at most 25.
    #[must_use]
    pub fn open(sysroot: &Path, groups: &[CpuGroup]) -> Opened {
        let mut notes = Vec::new();
        let found = match zone::find(sysroot) {
            Ok(found) => found,
            Err(error) => {
                notes.push(notes::unlistable(&error));
                return Opened { meter: None, notes };
            }
        };
        if found.is_empty() {
            notes.push(notes::absent(&zone::class_dir(sysroot)));
            return Opened { meter: None, notes };
        }
        let placed = place::place(&found, groups, &mut notes);
        let (mut gauges, failed) = open_zones(placed);
        notes.extend(notes::failures(&failed));
        let packages = gauges
            .iter()
            .filter(|gauge| gauge.zone.kind == DomainKind::Package)
            .count();
        if packages == 0 {
            if failed.is_empty() {
                notes.push(notes::absent(&zone::class_dir(sysroot)));
            }
            return Opened { meter: None, notes };
        }
        let missing = missing(&gauges, &failed, groups);
        if !missing.is_empty() {
            notes.push(notes::partial(packages, &missing));
        }
        let pairs = copies::count_once(&mut gauges, groups, Source::Powercap, &mut notes);
        name_once(&mut gauges);
        let domains = gauges.iter().map(|gauge| domain(gauge, &mut notes)).collect();
        let meter = Self {
            domains,
            files: gauges.into_iter().map(|gauge| gauge.file).collect(),
            pairs,
            notes: Vec::new(),
        };
        Opened {
            meter: Some(meter),
            notes,
        }
    }
}

impl Meter for Powercap {
    /// There is a package among them.
    fn domains(&self) -> &[Domain] {
        &self.domains
    }

    /// One system call a counter. One that fails is opened again at the next call.
    fn read(&mut self, now: &mut dyn FnMut() -> Moment) -> Vec<Reading> {
        let readings: Vec<Reading> = self
            .files
            .iter_mut()
            .map(|file| match file.read() {
                Ok(ticks) => Reading::Ticks { ticks, at: now() },
                Err(error) => Reading::Failed(error.to_string()),
            })
            .collect();
        self.notes
            .extend(self.pairs.iter_mut().filter_map(|pair| pair.check(&readings)));
        readings
    }

    fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// At one and a half times the stated maximum power of a domain (1.2 kW where none is stated).
    fn shortest_wrap(&self) -> Option<Duration> {
        self.domains
            .iter()
            .filter_map(|domain| match &domain.source {
                DomainSource::Counter {
                    wraps_at, max_power, ..
                } => {
                    let watts = max_power
                        .map(|max| max.get() * 1.5)
                        .filter(|&watts| watts > 0.0)
                        .unwrap_or(UNKNOWN_CEILING_UW as f64 / 1e6);
                    Duration::try_from_secs_f64((*wraps_at)? as f64 / 1e6 / watts).ok()
                }
                DomainSource::Power { .. } | DomainSource::CpuModel(_) | DomainSource::RamModel(_) => None,
            })
            .min()
    }
}

/// Reads each zone once. The memory-mapped copies are tried only for what the registers did not give, and only the
/// failures that leave something unmeasured are told.
fn open_zones(placed: Vec<Placed>) -> (Vec<Gauge>, Vec<(Placed, ReadError)>) {
    let mut gauges: Vec<Gauge> = Vec::new();
    let mut failed: Vec<(Placed, ReadError)> = Vec::new();
    for zone in placed {
        let is_covered = |gauge: &Gauge| !gauge.zone.is_mmio() && gauge.zone.is_of(&zone);
        if zone.is_mmio() && gauges.iter().any(is_covered) {
            continue;
        }
        let mut file = CounterFile::new(zone.dir.join("energy_uj"));
        match file.read() {
            Ok(_) => {
                if zone.is_mmio() {
                    failed.retain(|(other, _)| !other.is_of(&zone));
                }
                gauges.push(Gauge {
                    zone,
                    file,
                    copy: false,
                });
            }
            // A zone without a counter (powercap allows power only) measures nothing and misses nothing, unless it is
            // the package.
            Err(error) if error.is_absent() && zone.kind != DomainKind::Package => {}
            Err(error) => {
                if !(zone.is_mmio() && failed.iter().any(|(other, _)| other.is_of(&zone))) {
                    failed.push((zone, error));
                }
            }
        }
    }
    (gauges, failed)
}

/// Packages that have CPUs and no counter that can be read.
fn missing(gauges: &[Gauge], failed: &[(Placed, ReadError)], groups: &[CpuGroup]) -> Vec<String> {
    let is_package = |zone: &Placed| zone.kind == DomainKind::Package;
    let mut missing: Vec<String> = failed
        .iter()
        .filter(|(zone, _)| is_package(zone))
        .map(|(zone, _)| zone.name.clone())
        .collect();
    let listed: BTreeSet<u32> = gauges
        .iter()
        .map(|gauge| &gauge.zone)
        .chain(failed.iter().map(|(zone, _)| zone))
        .filter(|zone| is_package(zone))
        .filter_map(|zone| zone.at.package)
        .collect();
    let populated: BTreeSet<u32> = groups.iter().map(|group| group.package).collect();
    missing.extend(
        populated
            .difference(&listed)
            .map(|package| format!("package-{package}")),
    );
    missing
}

/// Two zones of one name get their directory's name added, so that a report's lines can be told apart.
fn name_once(gauges: &mut [Gauge]) {
    let mut taken = BTreeSet::new();
    for Gauge { zone, .. } in gauges {
        if !taken.insert(zone.name.clone()) {
            zone.name = format!("{} ({})", zone.name, zone.id);
        }
    }
}

fn domain(gauge: &Gauge, notes: &mut Vec<Note>) -> Domain {
    let zone = &gauge.zone;
    let wraps_at = limits::wraps_at(&zone.dir)
        .map_err(|error| notes.push(limits::range_unknown(&zone.name, &error)))
        .ok();
    Domain {
        name: zone.name.clone(),
        kind: zone.kind,
        origin: Origin::Measured(Source::Powercap),
        groups: zone.groups.clone(),
        summed: zone.is_summed() && !gauge.copy,
        source: DomainSource::Counter {
            tick: TickSize::MICROJOULE,
            wraps_at,
            max_power: limits::max_power(&zone.dir),
        },
    }
}
