//! What the machine used: cumulative energy counters and meters of power, read raw. Nothing is subtracted, unwrapped or
//! integrated here.

mod choice;
mod copies;
pub mod drm;
pub mod hwmon;
pub mod memory;
mod mirror;
pub mod nvml;
pub mod perf;
pub mod powercap;
mod sysfs;
mod watch;
mod whereabouts;
mod witness;

use crate::model::recording::{CpuGroup, Domain, DomainKind, Gpu, GpuLook, NO_GPU, Note, Reading};
use crate::model::units::Moment;
use std::path::Path;
use std::time::Duration;

/// Reads the energy or the power of some domains.
pub trait Meter {
    /// The domains, in the order of the readings. They do not change while the meter lives.
    fn domains(&self) -> &[Domain];

    /// Reads every domain, and stamps each reading with `now()` right after it. One that fails is
    /// [`Reading::Failed`] with the reason, does not hinder the others, and is tried again at the next call.
    fn read(&mut self, now: &mut dyn FnMut() -> Moment) -> Vec<Reading>;

    /// The GPUs behind its domains; [`Gpu::domain`] counts this meter's domains. They do not change while the meter lives.
    fn gpus(&self) -> &[Gpu] {
        &[]
    }

    /// Looks at the users of each GPU, in the order of [`Self::gpus`]. Whose they are is not the meter's to know and is
    /// left unknown. One look goes on where the last one ended.
    fn look(&mut self, _now: &mut dyn FnMut() -> Moment) -> Vec<GpuLook> {
        Vec::new()
    }

    /// The longest time between two readings with which its figures are still good; `None`: any.
    fn longest_pause(&self) -> Option<Duration> {
        None
    }

    /// What the readings so far have shown to be other than it was taken for at the start. Gives each note once.
    fn take_notes(&mut self) -> Vec<Note> {
        Vec::new()
    }

    /// The shortest time in which a counter can go round. Readings should be less than half of it apart. `None` where
    /// none goes round, or no range is known.
    fn shortest_wrap(&self) -> Option<Duration> {
        None
    }
}

/// The meters of this machine.
#[derive(Default)]
pub struct Meters {
    /// In the order in which the recording lists their domains.
    pub meters: Vec<Box<dyn Meter>>,
    /// What is not measured, and why.
    pub notes: Vec<Note>,
    /// Whether a package's figure has its memory in it, so that no other figure of memory may be added.
    pub memory_inside: bool,
}

/// What `doctor` says of something that shows energy or power.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sensor {
    /// What it is called on this machine: `perf energy-pkg on CPU 0`, `hwmon3 power1_average`.
    pub name: String,
    /// What it gives.
    pub gives: String,
    /// Why it cannot be read, lower case; `None` when it can.
    pub failure: Option<String>,
    /// What to do about that.
    pub remedy: Option<String>,
}

impl Meters {
    fn of(meter: Box<dyn Meter>, notes: Vec<Note>) -> Self {
        Self {
            meters: vec![meter],
            notes,
            memory_inside: false,
        }
    }

    /// Of the models that stand in for meters, those that add nothing that is measured already.
    #[must_use]
    pub fn without_inside(&self, mut modelled: Vec<Domain>) -> Vec<Domain> {
        modelled.retain(|domain| !(self.memory_inside && domain.kind == DomainKind::Dram));
        modelled
    }

    /// Everybody's domains, in the order of the readings.
    #[must_use]
    pub fn domains(&self) -> Vec<Domain> {
        self.meters
            .iter()
            .flat_map(|meter| meter.domains().to_vec())
            .collect()
    }

    /// The shortest time in which any counter can go round.
    #[must_use]
    pub fn shortest_wrap(&self) -> Option<Duration> {
        self.meters.iter().filter_map(|meter| meter.shortest_wrap()).min()
    }
}

/// The meters of this machine's GPUs.
#[derive(Default)]
pub struct GpuMeters {
    /// In the order in which the recording lists their domains.
    pub meters: Vec<Box<dyn Meter>>,
    /// Why there is none.
    pub absent: Option<String>,
    /// What is not measured, and why.
    pub notes: Vec<Note>,
}

/// Opens what there is of GPUs under `sysroot`; `nvml` names NVIDIA's library where it is not to be searched for.
#[must_use]
pub fn open_gpus(sysroot: &Path, nvml: Option<&Path>) -> GpuMeters {
    let opened = nvml::Nvml::open(sysroot, nvml);
    let mut meters: Vec<Box<dyn Meter>> = Vec::new();
    if let Some(nvml) = opened.meter {
        meters.push(Box::new(nvml));
    }
    let cards = drm::Drm::open(sysroot);
    let absent = match opened.absent.as_deref() {
        Some(NO_GPU) => cards.absent,
        _ => opened.absent,
    };
    if let Some(drm) = cards.meter {
        meters.push(Box::new(drm));
    }
    GpuMeters {
        meters,
        absent,
        notes: opened.notes.into_iter().chain(cards.notes).collect(),
    }
}

/// Opens what there is under `sysroot` (`/` for this machine). `groups` are the CPUs as the recording lists them.
///
/// perf is preferred, for its counts never go round, and powercap is read beside it to see that both agree; then
/// powercap alone; then hwmon.
#[must_use]
pub fn open(sysroot: &Path, groups: &[CpuGroup]) -> Meters {
    open_with(sysroot, groups, &mut perf::open_event)
}

/// As [`open`], with another way to start the counts of perf: the seam at which tests hand in descriptors of their own.
#[must_use]
pub fn open_with(sysroot: &Path, groups: &[CpuGroup], opener: &mut perf::Opener<'_>) -> Meters {
    choice::choose(
        perf::Perf::open(sysroot, groups, opener),
        powercap::Powercap::open(sysroot, groups),
        || hwmon::Hwmon::open(sysroot, groups),
    )
}
