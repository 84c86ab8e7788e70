//! The kernel's `power` PMU: RAPL energy of Intel and AMD packages, counted by perf.
//!
//! The kernel reads the registers itself, before they can go round, and keeps a sum of 64 bits in units of 2^-32 J
//! (arch/x86/events/rapl.c): there is no wrap to undo. It is the same energy as powercap's, so that both are never
//! added, and one is held against the other (`meter/witness.rs`).
//!
//! Everything below the descriptor is the kernel's, everything above is here, and the two meet in [`open_event`] alone:
//! what describes the PMU is read below a system root, and tests hand in descriptors of their own, from which the same
//! code reads the same 8 bytes.

mod event;
mod notes;
mod pmu;
mod survey;

mod scale;

pub use event::{EventSpec, open_event};
pub use survey::survey;

use super::Meter;
use super::copies::{self, Listed};
use super::watch::Pair;
use super::whereabouts::Whereabouts;
use crate::model::recording::{
    CpuGroup, Domain, DomainKind, DomainSource, Note, Origin, Reading, Source, TickSize,
};
use crate::model::units::Moment;
use event::Count;
use pmu::{Energy, Pmu};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Starts a count, as [`open_event`] does.
pub type Opener<'a> = dyn FnMut(&EventSpec) -> io::Result<OwnedFd> + 'a;

/// What [`Perf::open`] found.
#[derive(Debug)]
pub struct Opened {
    /// The meter; `None` where no package can be counted.
    pub meter: Option<Perf>,
    /// What is not counted, and why. Nothing where there is no such PMU.
    pub notes: Vec<Note>,
}

/// The counts of this machine's packages.
#[derive(Debug)]
pub struct Perf {
    domains: Vec<Domain>,
    counts: Vec<Count>,
    pairs: Vec<Pair>,
    notes: Vec<Note>,
}

/// A count that could not be started.
#[derive(Debug)]
struct Failed {
    name: String,
    summed: bool,
    error: io::Error,
}

/// A count that is running.
#[derive(Debug)]
struct Gauge {
    name: String,
    kind: DomainKind,
    at: Whereabouts,
    groups: Vec<usize>,
    tick: TickSize,
    count: Count,
    copy: bool,
}

/// What is to be counted of the package (or die) of one CPU.
struct Wanted<'a> {
    energy: &'a Energy,
    cpu: u32,
    at: Whereabouts,
}

impl Perf {
    /// Starts to count what the PMU described under `sysroot` has; `opener` is [`open_event`], except in tests. `groups`
    /// are the CPUs as the recording lists them; with no groups every domain feeds all CPUs.
    ///
    /// Takes two system calls a count, and some milliseconds where a package has several of the same kind.
    #[must_use]
    pub fn open(sysroot: &Path, groups: &[CpuGroup], opener: &mut Opener<'_>) -> Opened {
        let mut notes = Vec::new();
        let pmu = match pmu::find(sysroot) {
            Ok(Some(pmu)) => pmu,
            Ok(None) => return Opened { meter: None, notes },
            Err(error) => {
                notes.push(notes::garbled(&error));
                return Opened { meter: None, notes };
            }
        };
        let mut gauges = Vec::new();
        let mut failed = Vec::new();
        for wanted in wanted(&pmu, groups, &mut notes) {
            match start(&pmu, &wanted, groups, opener) {
                Ok(gauge) => gauges.push(gauge),
                Err(error) => failed.push(error),
            }
        }
        notes.extend(notes::failures(&failed));
        if !gauges.iter().any(|gauge| gauge.kind == DomainKind::Package) {
            return Opened { meter: None, notes };
        }
        let pairs = copies::count_once(&mut gauges, groups, Source::Perf, &mut notes);
        let meter = Self {
            domains: gauges.iter().map(domain).collect(),
            counts: gauges.into_iter().map(|gauge| gauge.count).collect(),
            pairs,
            notes: Vec::new(),
        };
        Opened {
            meter: Some(meter),
            notes,
        }
    }
}

impl Meter for Perf {
    /// There is a package among them.
    fn domains(&self) -> &[Domain] {
        &self.domains
    }

    /// One system call a count, which asks a CPU of the package.
    fn read(&mut self, now: &mut dyn FnMut() -> Moment) -> Vec<Reading> {
        let readings: Vec<Reading> = self
            .counts
            .iter()
            .map(|count| match count.read() {
                Ok(ticks) => Reading::Ticks { ticks, at: now() },
                Err(error) => Reading::Failed(notes::said(&error)),
            })
            .collect();
        self.notes
            .extend(self.pairs.iter_mut().filter_map(|pair| pair.check(&readings)));
        readings
    }

    fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }
}

impl Listed for Gauge {
    fn summed(&self) -> Option<(DomainKind, Whereabouts)> {
        is_summed(self.kind).then_some((self.kind, self.at))
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn tick(&self) -> TickSize {
        self.tick
    }

    fn look(&mut self) -> Option<u64> {
        self.count.read().ok()
    }

    fn is_a_copy(&mut self) {
        self.copy = true;
    }

    fn feeds(&mut self, groups: Vec<usize>) {
        self.groups = groups;
    }
}

/// Package by package, each with all its energies. Where a package has several CPUs in the mask, each counts for its die.
fn wanted<'a>(pmu: &'a Pmu, groups: &[CpuGroup], notes: &mut Vec<Note>) -> Vec<Wanted<'a>> {
    let place = |cpu: u32| groups.iter().find(|group| group.cpus.contains(&cpu));
    let mut wanted = Vec::new();
    for (&cpu, position) in pmu.cpus.iter().zip(0..) {
        let at = match place(cpu) {
            Some(group) => {
                let several = |other: &&u32| place(**other).is_some_and(|one| one.package == group.package);
                let dies = pmu.cpus.iter().filter(several).count();
                Whereabouts {
                    package: Some(group.package),
                    die: (dies > 1).then_some(group.die),
                }
            }
            None if groups.is_empty() => Whereabouts::package(position),
            None => {
                notes.push(notes::unmapped(cpu));
                continue;
            }
        };
        wanted.extend(pmu.energies.iter().map(|energy| Wanted { energy, cpu, at }));
    }
    wanted
}

fn start(
    pmu: &Pmu,
    wanted: &Wanted<'_>,
    groups: &[CpuGroup],
    opener: &mut Opener<'_>,
) -> Result<Gauge, Failed> {
    let Wanted { energy, cpu, at } = *wanted;
    let name = name(energy.kind, at);
    let spec = EventSpec {
        pmu_type: pmu.kind,
        config: energy.config,
        cpu,
    };
    let count = opener(&spec).map(Count::new).map_err(|error| Failed {
        name: name.clone(),
        summed: is_summed(energy.kind),
        error,
    })?;
    let fed = if energy.kind == DomainKind::Psys {
        Whereabouts::PLATFORM
    } else {
        at
    };
    Ok(Gauge {
        name,
        kind: energy.kind,
        at,
        groups: fed.feeds(groups).unwrap_or_default(),
        tick: energy.tick,
        count,
        copy: false,
    })
}

/// Whether the energy lies outside that of every other domain.
const fn is_summed(kind: DomainKind) -> bool {
    matches!(kind, DomainKind::Package | DomainKind::Dram)
}

/// As powercap's domains are called.
fn name(kind: DomainKind, at: Whereabouts) -> String {
    match kind {
        DomainKind::Package => at.name("package"),
        DomainKind::Dram => at.name("dram"),
        DomainKind::Core => at.name("core"),
        DomainKind::Uncore => at.name("uncore"),
        DomainKind::Psys if at.package == Some(0) => "psys".to_owned(),
        DomainKind::Psys => at.name("psys"),
        DomainKind::Gpu => at.name("gpu"),
    }
}

fn domain(gauge: &Gauge) -> Domain {
    Domain {
        name: gauge.name.clone(),
        kind: gauge.kind,
        origin: Origin::Measured(Source::Perf),
        groups: gauge.groups.clone(),
        summed: is_summed(gauge.kind) && !gauge.copy,
        source: DomainSource::Counter {
            tick: gauge.tick,
            wraps_at: None,
            max_power: None,
        },
    }
}
