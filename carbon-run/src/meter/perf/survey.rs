//! Every count of the `power` PMU and whether it can be had, for `doctor`.

use super::{EventSpec, Opener, notes, pmu};
use crate::meter::Sensor;
use crate::model::recording::CpuGroup;
use std::path::Path;

/// All counts, package by package; one line that says so where there are none. Starts each count once.
#[must_use]
pub fn survey(sysroot: &Path, groups: &[CpuGroup], opener: &mut Opener<'_>) -> Vec<Sensor> {
    let directory = pmu::directory(sysroot);
    let mut sensors = match pmu::find(sysroot) {
        Ok(Some(pmu)) => super::wanted(&pmu, groups, &mut Vec::new())
            .iter()
            .map(|wanted| {
                let spec = EventSpec {
                    pmu_type: pmu.kind,
                    config: wanted.energy.config,
                    cpu: wanted.cpu,
                };
                let failure = opener(&spec).and_then(|fd| super::Count::new(fd).read()).err();
                Sensor {
                    name: format!("perf {} on CPU {}", wanted.energy.event, wanted.cpu),
                    gives: format!("{}, without wraps", super::name(wanted.energy.kind, wanted.at)),
                    remedy: failure.as_ref().and_then(notes::remedy).map(str::to_owned),
                    failure: failure.as_ref().map(notes::said),
                }
            })
            .collect(),
        Ok(None) => vec![Sensor {
            name: "perf".to_owned(),
            gives: String::new(),
            failure: Some(format!("there is no `power` PMU, `{}`", directory.display())),
            remedy: Some(notes::NONE.to_owned()),
        }],
        Err(error) => vec![Sensor {
            name: "perf".to_owned(),
            gives: String::new(),
            failure: Some(error.to_string()),
            remedy: None,
        }],
    };
    if let Some(cores) = pmu::cores_counted(sysroot) {
        sensors.push(Sensor {
            name: "perf energy-core".to_owned(),
            gives: format!(
                "{cores} cores, one by one: not read, for they lie inside the packages and each would be interrupted"
            ),
            failure: None,
            remedy: None,
        });
    }
    sensors
}
