//! NVIDIA GPUs, by the driver's management library (NVML): energy or power of each device, and who uses it.
//!
//! Nothing is loaded where no driver shows itself. Loading and `nvmlInit` take some 10 to 50 ms, and seconds where the
//! driver has to wake the devices first (no persistence daemon).

mod device;
mod library;
mod privilege;
mod slices;
mod survey;
mod users;

pub use library::NvmlError;
pub use survey::{Survey, survey};

use super::Meter;
use crate::model::recording::{
    Domain, DomainKind, DomainSource, Gpu, GpuLook, NO_GPU, Note, Origin, Reading, Source, TickSize,
};
use crate::model::units::Moment;
use device::Gauge;
use nvml_wrapper::Nvml as Library;
use std::path::Path;
use std::time::Duration;
use users::Users;

/// The power that a device shows is an average of at least 25 ms, renewed every 20 to 100 ms (Yang et al., Part-time
/// Power Measurements, arXiv 2312.02741): between two readings of it lies no more than that.
const POWER_EVERY: Duration = Duration::from_millis(100);

/// What [`Nvml::open`] found.
#[derive(Debug)]
pub struct Opened {
    /// The meter; `None` without a device.
    pub meter: Option<Nvml>,
    /// Why there is none.
    pub absent: Option<String>,
    /// What is not measured, and why.
    pub notes: Vec<Note>,
}

/// The library, and the devices behind it.
#[derive(Debug)]
pub struct Nvml {
    library: Library,
    domains: Vec<Domain>,
    /// In the order of the domains: NVML's number of the device, and what is read of it.
    gauges: Vec<(u32, Gauge)>,
    gpus: Vec<Gpu>,
    /// In the order of the devices.
    users: Vec<Users>,
}

impl Nvml {
    /// Opens the library: `stated`, or the driver's own where `sysroot` shows a driver.
    #[must_use]
    pub fn open(sysroot: &Path, stated: Option<&Path>) -> Opened {
        let nothing = |reason: String, notes| Opened {
            meter: None,
            absent: Some(reason),
            notes,
        };
        let mut notes = Vec::new();
        let library = match library::load(sysroot, stated) {
            Ok(Some(library)) => library,
            Ok(None) => return nothing(NO_GPU.to_owned(), notes),
            Err(error) => {
                notes.push(library::unusable(&error));
                return nothing(error.to_string(), notes);
            }
        };
        let count = match library.device_count() {
            Ok(0) => return nothing(NO_GPU.to_owned(), notes),
            Ok(count) => count,
            Err(error) => {
                let error = NvmlError::from(error);
                notes.push(library::unusable(&error));
                return nothing(error.to_string(), notes);
            }
        };
        let mut meter = Self {
            library,
            domains: Vec::new(),
            gauges: Vec::new(),
            gpus: Vec::new(),
            users: Vec::new(),
        };
        for index in 0..count {
            meter.add(index, &mut notes);
        }
        if meter.gpus.is_empty() {
            return nothing("no GPU can be read".to_owned(), notes);
        }
        let absent = meter.domains.is_empty();
        Opened {
            meter: Some(meter),
            absent: absent.then(|| "no GPU tells its energy or its power".to_owned()),
            notes,
        }
    }

    /// Adds a device. One that fails keeps none of the others from being read.
    fn add(&mut self, index: u32, notes: &mut Vec<Note>) {
        let name = format!("gpu-{index}");
        let device = match self.library.device_by_index(index) {
            Ok(device) => device,
            Err(error) => {
                notes.push(device::unusable(&name, &error));
                return;
            }
        };
        let mut gpu = device::facts(&self.library, &device, index);
        match device::gauge(&device) {
            Ok(gauge) => {
                let max_power = device::max_power(&device);
                gpu.domain = Some(self.domains.len());
                self.gauges.push((index, gauge));
                self.domains.push(Domain {
                    name,
                    kind: DomainKind::Gpu,
                    origin: Origin::Measured(Source::Nvml),
                    groups: Vec::new(),
                    summed: true,
                    source: match gauge {
                        Gauge::Energy => DomainSource::Counter {
                            tick: TickSize {
                                microjoules: 1_000,
                                ticks: 1,
                            },
                            wraps_at: None,
                            max_power,
                        },
                        Gauge::Power => DomainSource::Power {
                            max_power,
                            averages_over: None,
                        },
                    },
                });
            }
            Err(error) => notes.push(device::unmetered(&name, &error)),
        }
        self.users.push(Users::new(&device, index));
        self.gpus.push(gpu);
    }
}

impl Meter for Nvml {
    fn domains(&self) -> &[Domain] {
        &self.domains
    }

    fn read(&mut self, now: &mut dyn FnMut() -> Moment) -> Vec<Reading> {
        self.gauges
            .iter()
            .map(|(index, gauge)| device::read(&self.library, *index, *gauge, now))
            .collect()
    }

    fn gpus(&self) -> &[Gpu] {
        &self.gpus
    }

    fn look(&mut self, now: &mut dyn FnMut() -> Moment) -> Vec<GpuLook> {
        self.users
            .iter_mut()
            .map(|users| users.look(&self.library, now))
            .collect()
    }

    fn longest_pause(&self) -> Option<Duration> {
        let powers = |(_, gauge): &(u32, Gauge)| matches!(gauge, Gauge::Power);
        self.gauges.iter().any(powers).then_some(POWER_EVERY)
    }
}
