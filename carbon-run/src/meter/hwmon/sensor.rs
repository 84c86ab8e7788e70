//! Finding the sensors of power and energy (Documentation/hwmon/sysfs-interface.rst).

use crate::meter::sysfs::{self, ReadError};
use crate::model::units::Watts;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a sensor shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Quantity {
    /// Microwatts.
    Power,
    /// Microjoules since some time.
    Energy,
}

/// A sensor.
#[derive(Debug, Clone)]
pub(super) struct Sensor {
    /// The chip's directory: `hwmon3`.
    pub(super) hwmon: String,
    /// The chip's `name`.
    pub(super) chip: String,
    pub(super) quantity: Quantity,
    /// What the file is called: `power1_average`.
    pub(super) channel: String,
    pub(super) path: PathBuf,
    /// `power1_label`, or `power1_oem_info` of ACPI's meters.
    pub(super) label: Option<String>,
    /// `power1_average_interval`.
    pub(super) averages_over: Option<Duration>,
    /// `power1_cap_max` or `power1_max`.
    pub(super) max_power: Option<Watts>,
}

/// Where the kernel keeps the chips.
pub(super) fn class_dir(sysroot: &Path) -> PathBuf {
    sysroot.join("sys/class/hwmon")
}

/// Every sensor of power or energy, chip by chip. A chip that does not say its name has none.
///
/// # Errors
/// When the directory is there and cannot be listed.
pub(super) fn find(sysroot: &Path) -> Result<Vec<Sensor>, ReadError> {
    let class = class_dir(sysroot);
    let mut chips = BTreeMap::new();
    let entries = match fs::read_dir(&class) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ReadError::io(class, &error)),
    };
    for entry in entries.flatten() {
        if let Some(name) = entry.file_name().to_str()
            && let Some(number) = name
                .strip_prefix("hwmon")
                .and_then(|digits| digits.parse::<u32>().ok())
        {
            chips.insert(number, (name.to_owned(), entry.path()));
        }
    }
    Ok(chips
        .into_values()
        .flat_map(|(hwmon, dir)| sensors(&hwmon, &dir))
        .collect())
}

/// Drivers that are older than hwmon's own registration keep their files in the device's directory.
fn sensors(hwmon: &str, dir: &Path) -> Vec<Sensor> {
    let device = dir.join("device");
    let Ok(chip) = sysfs::text(&dir.join("name")).or_else(|_| sysfs::text(&device.join("name"))) else {
        return Vec::new();
    };
    [dir, device.as_path()]
        .into_iter()
        .map(|dir| {
            channels(dir)
                .into_iter()
                .map(|found| sensor(hwmon, &chip, dir, found))
        })
        .find(|sensors| sensors.len() > 0)
        .map(Iterator::collect)
        .unwrap_or_default()
}

/// The sensors in a directory by quantity and number. Of one that shows both its mean and its momentary power, the mean.
fn channels(dir: &Path) -> BTreeMap<(Quantity, u32), &'static str> {
    let mut found = BTreeMap::new();
    let Ok(entries) = fs::read_dir(dir) else {
        return found;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some((stem, what)) = name.to_str().and_then(|name| name.split_once('_')) else {
            continue;
        };
        let numbered = |prefix: &str| {
            stem.strip_prefix(prefix)
                .and_then(|digits| digits.parse::<u32>().ok())
        };
        match (numbered("power"), numbered("energy"), what) {
            (Some(number), _, "average") => {
                found.insert((Quantity::Power, number), "average");
            }
            (Some(number), _, "input") => {
                found.entry((Quantity::Power, number)).or_insert("input");
            }
            (_, Some(number), "input") => {
                found.insert((Quantity::Energy, number), "input");
            }
            _ => {}
        }
    }
    found
}

fn sensor(
    hwmon: &str,
    chip: &str,
    dir: &Path,
    ((quantity, number), what): ((Quantity, u32), &'static str),
) -> Sensor {
    let stem = match quantity {
        Quantity::Power => format!("power{number}"),
        Quantity::Energy => format!("energy{number}"),
    };
    let beside = |what: &str| dir.join(format!("{stem}_{what}"));
    let positive = |what: &str| sysfs::number(&beside(what)).ok().filter(|&number| number > 0);
    let of_power = |what: &str| (quantity == Quantity::Power).then(|| positive(what)).flatten();
    let channel = format!("{stem}_{what}");
    Sensor {
        hwmon: hwmon.to_owned(),
        chip: chip.to_owned(),
        quantity,
        path: dir.join(&channel),
        channel,
        label: sysfs::text(&beside("label"))
            .or_else(|_| sysfs::text(&beside("oem_info")))
            .ok(),
        averages_over: (what == "average")
            .then(|| positive("average_interval"))
            .flatten()
            .map(Duration::from_millis),
        max_power: of_power("cap_max")
            .or_else(|| of_power("max"))
            .map(|microwatts| Watts::clamped(microwatts as f64 / 1e6)),
    }
}
