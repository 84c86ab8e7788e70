//! Which file of a card's hwmon directory says what it draws.
//!
//! - amdgpu: `power1_average` and on newer cards `power1_input`, microwatts of the whole ASIC
//!   (Documentation/gpu/amdgpu/thermal.rst). It counts no energy there.
//! - i915 and xe: `energyN_input`, microjoules (Documentation/ABI/testing/sysfs-driver-intel-i915-hwmon and
//!   sysfs-driver-intel-xe-hwmon): of the card where that is measured, else of its package, without memory and board.

use super::card::{Card, Driver};
use super::file;
use crate::model::recording::{DomainSource, TickSize};
use crate::model::units::Watts;
use std::path::{Path, PathBuf};

/// Channels that xe can have.
const CHANNELS: std::ops::RangeInclusive<u32> = 1..=4;

/// What a file shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantity {
    /// Microjoules since the driver was loaded, in 64 bits: the driver adds up the register's 32 bits itself
    /// (`hwm_energy` in i915_hwmon.c, `xe_hwmon_energy_get` in xe_hwmon.c).
    Energy,
    /// Microwatts.
    Power,
}

/// A card's meter.
#[derive(Debug)]
pub(super) struct Sensor {
    card: Card,
    pub(super) file: PathBuf,
    pub(super) quantity: Quantity,
    /// Whether only the package on the card is measured.
    pub(super) package_only: bool,
    max_power: Option<Watts>,
    /// For a counter whose device sleeps.
    last: Option<u64>,
}

/// Why a card has no meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoSensor {
    /// Its driver shows none.
    None,
    /// There is one, and it cannot be read.
    Unreadable(String),
}

impl Sensor {
    /// The best one of a card that can be read.
    pub(super) fn of(card: &Card) -> Result<Self, NoSensor> {
        let hwmon = card.hwmon.as_ref().ok_or(NoSensor::None)?;
        let candidates = match card.driver {
            // The mean over what the firmware averages misses less between two readings than an instant does.
            Driver::Amdgpu => ["power1_average", "power1_input"]
                .map(|name| (name.to_owned(), false))
                .to_vec(),
            Driver::I915 | Driver::Xe => energies(hwmon),
        };
        let mut why = NoSensor::None;
        for (name, package_only) in candidates {
            let mut sensor = Self {
                card: card.clone(),
                file: hwmon.join(name),
                quantity: match card.driver {
                    Driver::Amdgpu => Quantity::Power,
                    Driver::I915 | Driver::Xe => Quantity::Energy,
                },
                package_only,
                max_power: max_power(card.driver, hwmon, package_only),
                last: None,
            };
            if !sensor.file.exists() {
                continue;
            }
            match sensor.read() {
                Ok(_) => return Ok(sensor),
                Err(_) if card.sleeps() => return Ok(sensor),
                Err(error) if why == NoSensor::None => why = NoSensor::Unreadable(error),
                Err(_) => {}
            }
        }
        Err(why)
    }

    /// How its readings are to be taken.
    pub(super) fn source(&self) -> DomainSource {
        match self.quantity {
            Quantity::Energy => DomainSource::Counter {
                tick: TickSize::MICROJOULE,
                wraps_at: None,
                max_power: self.max_power,
            },
            Quantity::Power => DomainSource::Power {
                max_power: self.max_power,
                averages_over: None,
            },
        }
    }

    /// Microjoules or microwatts now. A card that the kernel has put to sleep is left to sleep: its counter stands where
    /// it was, and it draws nothing.
    pub(super) fn read(&mut self) -> Result<u64, String> {
        if self.card.sleeps() {
            return match (self.quantity, self.last) {
                (Quantity::Power, _) => Ok(0),
                (Quantity::Energy, Some(last)) => Ok(last),
                (Quantity::Energy, None) => Err(format!(
                    "card{} sleeps and has not been read yet",
                    self.card.number
                )),
            };
        }
        let value = file::number(&self.file)?;
        self.last = Some(value);
        Ok(value)
    }
}

/// The energy files of an Intel card and whether each is the package's, best first: the card's, one that does not say,
/// the package's.
fn energies(hwmon: &Path) -> Vec<(String, bool)> {
    let mut found: Vec<(u8, String, bool)> = CHANNELS
        .filter_map(|channel| {
            let label = file::text(&hwmon.join(format!("energy{channel}_label"))).ok();
            // xe's second channel is the package also where it has no label.
            let (rank, package_only) = match label.as_deref() {
                Some("card") => (0, false),
                None => (1, channel == 2),
                Some("pkg") => (2, true),
                Some(_) => return None,
            };
            Some((rank, format!("energy{channel}_input"), package_only))
        })
        .collect();
    found.sort();
    found
        .into_iter()
        .map(|(_, name, package)| (name, package))
        .collect()
}

/// The largest of the limits that it is held to; 0 there means that there is none.
fn max_power(driver: Driver, hwmon: &Path, package_only: bool) -> Option<Watts> {
    let names: &[&str] = match (driver, package_only) {
        (Driver::Amdgpu, _) => &["power1_cap", "power1_cap_max"],
        (Driver::I915 | Driver::Xe, false) => &["power1_max", "power1_rated_max", "power1_cap"],
        (Driver::I915 | Driver::Xe, true) => &["power2_max", "power2_rated_max", "power2_cap"],
    };
    let limits = names
        .iter()
        .filter_map(|name| file::number(&hwmon.join(name)).ok());
    let most = limits.max().filter(|&microwatts| microwatts > 0)?;
    Some(Watts::clamped(most as f64 / 1e6))
}
