//! Every card and whether it can be measured, for `doctor`.

use super::card;
use super::notes;
use super::sensor::{NoSensor, Quantity, Sensor};
use std::path::Path;

/// What `doctor` says of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// `card0 (PCI 1002:744c, amdgpu)`.
    pub name: String,
    /// What is known of it, and from which file.
    pub gives: String,
    /// Why it cannot be measured, lower case; `None` when it can, or need not be.
    pub failure: Option<String>,
}

/// The cards of amdgpu, i915 and xe under `sysroot` (`/` for this machine), in the order of their PCI addresses.
///
/// Reads each meter once.
///
/// # Errors
/// For people, when the directory of cards is there and cannot be listed.
pub fn survey(sysroot: &Path) -> Result<Vec<Device>, String> {
    let cards = card::find(sysroot)?;
    Ok(cards
        .iter()
        .map(|card| {
            let sensor = Sensor::of(card);
            let gives = match &sensor {
                Ok(sensor) => {
                    let quantity = match (sensor.quantity, sensor.package_only) {
                        (Quantity::Power, _) => "power",
                        (Quantity::Energy, false) => "energy",
                        (Quantity::Energy, true) => "energy of the GPU's package",
                    };
                    let whose = if card.integrated {
                        " of the processor it is part of, told and not added,"
                    } else {
                        ""
                    };
                    format!("{quantity}{whose} from {}", sensor.file.display())
                }
                Err(_) if card.integrated => {
                    "part of the processor: its energy is in the package's".to_owned()
                }
                Err(_) => String::new(),
            };
            let failure = match sensor {
                Ok(_) => None,
                Err(_) if card.integrated => None,
                Err(NoSensor::None) => Some("the driver shows neither energy nor power".to_owned()),
                Err(NoSensor::Unreadable(error)) => Some(error),
            };
            Device {
                name: notes::shown(card),
                gives,
                failure,
            }
        })
        .collect())
}
