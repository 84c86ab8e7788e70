//! Every sensor of power or energy and whether it can be read, for `doctor`.

use super::chip::{self, Role};
use super::{notes, sensor};
use crate::meter::sysfs::CounterFile;
use std::path::Path;

/// All sensors; one line that says so where there are none. Reads each that would be used once.
#[must_use]
pub fn survey(sysroot: &Path) -> Vec<crate::meter::Sensor> {
    let nothing = |failure: String, remedy: Option<&str>| {
        vec![crate::meter::Sensor {
            name: "hwmon".to_owned(),
            gives: String::new(),
            failure: Some(failure),
            remedy: remedy.map(str::to_owned),
        }]
    };
    let sensors = match sensor::find(sysroot) {
        Ok(sensors) if sensors.is_empty() => {
            let class = sensor::class_dir(sysroot);
            let failure = format!("no sensor of power or energy under `{}`", class.display());
            return nothing(failure, None);
        }
        Ok(sensors) => sensors,
        Err(error) => return nothing(error.to_string(), notes::remedy(&error)),
    };
    sensors
        .into_iter()
        .map(|sensor| {
            let role = chip::role(&sensor.chip, sensor.label.as_deref());
            let error = match role {
                Role::Part { .. } => CounterFile::new(sensor.path.clone()).read().err(),
                Role::Unused(_) => None,
            };
            let label = sensor.label.as_deref().unwrap_or("no label").to_owned();
            crate::meter::Sensor {
                name: format!("{} {}", sensor.hwmon, sensor.channel),
                gives: match role {
                    Role::Part { .. } => format!("{label} ({}), used where there is no RAPL", sensor.chip),
                    Role::Unused(why) => format!("{label} ({}), not used: {why}", sensor.chip),
                },
                remedy: error.as_ref().and_then(notes::remedy).map(str::to_owned),
                failure: error.map(|error| error.to_string()),
            }
        })
        .collect()
}
