//! Sensors of power and energy below `/sys/class/hwmon`: processors without RAPL (NVIDIA Grace, Ampere), and AMD's
//! `amd_energy`.
//!
//! Most show power, which the model integrates; how long a sensor averages is recorded with it. What each means is in
//! `chip.rs`; of a sensor that contains another only one is summed.

mod chip;
mod notes;
mod place;
mod sensor;
mod survey;

pub use survey::survey;

use super::Meter;
use super::sysfs::CounterFile;
use crate::model::recording::{
    CpuGroup, Domain, DomainKind, DomainSource, Note, Origin, Reading, Source, TickSize,
};
use crate::model::units::{Moment, Watts};
use chip::Part;
use place::{Meant, Placed};
use sensor::Quantity;
use std::collections::BTreeSet;
use std::path::Path;

/// A module draws more than any package (2.7 kW for two GPUs and a Grace, GB200's specification).
const MODULE_AT_MOST_W: f64 = 3_000.0;

/// What [`Hwmon::open`] found.
#[derive(Debug)]
pub struct Opened {
    /// The meter; `None` where no sensor of a CPU package can be read.
    pub meter: Option<Hwmon>,
    /// What is not measured, and why. Nothing where there are no such sensors.
    pub notes: Vec<Note>,
}

/// The sensors of this machine's packages, held open.
#[derive(Debug)]
pub struct Hwmon {
    domains: Vec<Domain>,
    files: Vec<(Quantity, CounterFile)>,
    memory_inside: bool,
}

impl Hwmon {
    /// Opens the sensors under `sysroot` (`/` for this machine). `groups` are the CPUs as the recording lists them; with
    /// no groups every domain feeds all CPUs.
    #[must_use]
    pub fn open(sysroot: &Path, groups: &[CpuGroup]) -> Opened {
        let mut notes = Vec::new();
        let sensors = match sensor::find(sysroot) {
            Ok(sensors) => sensors,
            Err(error) => {
                notes.push(notes::unlistable(&error));
                return Opened { meter: None, notes };
            }
        };
        let (mut readable, mut files) = (Vec::new(), Vec::new());
        for placed in place::place(sensors) {
            let mut file = CounterFile::new(placed.sensor.path.clone());
            match file.read() {
                Ok(_) => {
                    files.push((placed.sensor.quantity, file));
                    readable.push(placed);
                }
                Err(error) => notes.push(notes::failed(&placed, &error)),
            }
        }
        let mut meter = Self {
            domains: Vec::new(),
            files: Vec::new(),
            memory_inside: false,
        };
        let mut with_memory = Vec::new();
        let meant = place::mean(&readable, groups);
        for ((placed, meant), file) in readable.iter().zip(meant).zip(files) {
            let Some(meant) = meant else {
                notes.push(notes::unmapped(placed));
                continue;
            };
            if placed.part == Part::SocketWithMemory {
                with_memory.push(format!("`{}`", meant.name));
            }
            meter.domains.push(domain(placed, meant));
            meter.files.push(file);
        }
        let is_package = |domain: &&Domain| domain.kind == DomainKind::Package;
        let fed: BTreeSet<usize> = meter
            .domains
            .iter()
            .filter(is_package)
            .flat_map(|domain| domain.groups.iter().copied())
            .collect();
        if !meter.domains.iter().any(|domain| is_package(&domain)) {
            return Opened { meter: None, notes };
        }
        let missing: BTreeSet<u32> = groups
            .iter()
            .zip(0..)
            .filter(|(_, position)| !fed.contains(position))
            .map(|(group, _)| group.package)
            .collect();
        if !missing.is_empty() {
            let names: Vec<String> = missing
                .iter()
                .map(|package| format!("`package-{package}`"))
                .collect();
            notes.push(notes::partial(&names));
        }
        if !with_memory.is_empty() {
            notes.push(notes::memory_inside(&with_memory));
            meter.memory_inside = true;
        }
        Opened {
            meter: Some(meter),
            notes,
        }
    }

    /// Whether a package's figure has its memory in it.
    #[must_use]
    pub fn memory_inside(&self) -> bool {
        self.memory_inside
    }
}

impl Meter for Hwmon {
    /// There is a package among them.
    fn domains(&self) -> &[Domain] {
        &self.domains
    }

    /// One system call a sensor. One that fails is opened again at the next call.
    fn read(&mut self, now: &mut dyn FnMut() -> Moment) -> Vec<Reading> {
        self.files
            .iter_mut()
            .map(|(quantity, file)| match (file.read(), *quantity) {
                (Ok(microwatts), Quantity::Power) => Reading::Power {
                    microwatts,
                    at: now(),
                },
                (Ok(ticks), Quantity::Energy) => Reading::Ticks { ticks, at: now() },
                (Err(error), Quantity::Power | Quantity::Energy) => Reading::Failed(error.to_string()),
            })
            .collect()
    }
}

fn domain(placed: &Placed, meant: Meant) -> Domain {
    let sensor = &placed.sensor;
    let most = (placed.part == Part::Module).then(|| Watts::clamped(MODULE_AT_MOST_W));
    Domain {
        name: meant.name,
        kind: meant.kind,
        origin: Origin::Measured(Source::Hwmon),
        groups: meant.groups,
        summed: meant.summed,
        source: match sensor.quantity {
            Quantity::Power => DomainSource::Power {
                max_power: sensor.max_power.or(most),
                averages_over: sensor.averages_over,
            },
            // The driver sums up in 64 bits, so that a decrease is a reset.
            Quantity::Energy => DomainSource::Counter {
                tick: TickSize::MICROJOULE,
                wraps_at: None,
                max_power: None,
            },
        },
    }
}
