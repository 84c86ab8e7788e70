//! The power of this machine with nothing to do, and over load. Nothing is kept before all of it is known.

mod look;
mod spin;

use super::clocks;
use super::power_store::PowerStore;
use crate::host::activity::{ActivityError, Busy, ProcessTimes, process_times};
use crate::host::{self, HostError};
use crate::meter;
use crate::model::calibration::{Middle, quiet_below};
use crate::model::recording::{CalibratedDomain, Calibration, CurvePoint, DomainKind, Note};
use crate::model::units::Watts;
use crate::settings::Settings;
use crate::sink::SinkError;
use look::{Gauged, Window};
use spin::Spinning;
use std::path::PathBuf;
use std::time::Duration;

/// Quiet windows that the idle power is the middle of.
const WINDOWS: u32 = 10;
/// Windows that may not be quiet before it is given up.
const PATIENCE: u32 = 5;
/// A load is looked at for so long, after the first moments of it.
const UNDER_LOAD: Duration = Duration::from_secs(1);
const SETTLE: Duration = Duration::from_millis(200);
/// Tries for one load.
const TRIES: u32 = 3;
/// Processes that are named.
const NAMED: usize = 5;
/// Loads of a large package are thinned out beyond this.
const EVERY_LOAD_TO: usize = 8;

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// Power over load, too.
    pub curve: bool,
    /// How long to look at the idle machine.
    pub length: Duration,
}

/// What was measured, and where it is kept.
#[derive(Debug)]
pub struct Made {
    /// What was measured.
    pub calibration: Calibration,
    /// The file.
    pub path: PathBuf,
}

/// Why nothing was measured. Nothing was kept, either.
#[derive(Debug, thiserror::Error)]
pub enum NotCalibrated {
    /// No counter can be read.
    #[error("there is no energy meter to calibrate: {reason}")]
    NoMeter {
        /// Why.
        reason: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// Somebody is at work.
    #[error(
        "the machine is not quiet: {busy:.2} CPUs are busy, at most {allowed:.2} may be{}",
        names(processes)
    )]
    Busy {
        /// Busy CPUs, without our own.
        busy: f64,
        /// How many may be.
        allowed: f64,
        /// By whom, where a process can be named.
        processes: Vec<Busy>,
    },
    /// A domain could not be read.
    #[error("`{domain}` could not be read while the machine was quiet")]
    Unread {
        /// Its name.
        domain: String,
    },
    /// A CPU could not be kept busy.
    #[error("CPU {cpu} cannot be kept busy: {source}")]
    Spin {
        /// Its number.
        cpu: u32,
        /// Why.
        source: std::io::Error,
    },
    /// The CPUs cannot be told.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Nobody says how busy they are.
    #[error(transparent)]
    Activity(#[from] ActivityError),
    /// There is no place for it.
    #[error(transparent)]
    Sink(#[from] SinkError),
}

fn names(processes: &[Busy]) -> String {
    let named: Vec<String> = processes
        .iter()
        .map(|one| format!("`{}` ({}) used {:.2} s", one.name, one.pid, one.seconds))
        .collect();
    if named.is_empty() {
        String::new()
    } else {
        format!("; {}", named.join(", "))
    }
}

impl NotCalibrated {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoMeter { hint, .. } => hint.clone(),
            Self::Busy { processes, .. } if processes.is_empty() => {
                Some("wait until nothing runs; it may be the kernel, or many short processes".to_owned())
            }
            Self::Busy { .. } => Some("stop them, or try again when they have ended".to_owned()),
            Self::Unread { .. } => Some("`carbon-run doctor` looks at each counter".to_owned()),
            Self::Spin { .. } => {
                Some("calibrate where every CPU may be used, outside of any cpuset".to_owned())
            }
            Self::Sink(error) => error
                .hint()
                .or_else(|| Some("name a directory with `--state-dir`".to_owned())),
            Self::Host(_) | Self::Activity(_) => None,
        }
    }

    /// Whether it is nobody's fault and may go well another time.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }
}

/// Measures and keeps it.
///
/// # Errors
/// When there is no meter, the machine is not quiet, or what was measured cannot be kept.
pub fn calibrate(settings: &Settings, wish: Wish) -> Result<Made, NotCalibrated> {
    let sysroot = &settings.sysroot;
    let facts = host::probe(sysroot);
    let topology = host::topology(sysroot)?;
    let opened = meter::open(sysroot, &topology.groups);
    if opened.meters.is_empty() {
        return Err(no_meter(&opened.notes));
    }
    let cpus = topology.online().count() as f64;
    let mut gauged = Gauged::new(opened.meters, sysroot);
    let idle = quiet_windows(&mut gauged, wish.length / WINDOWS, quiet_below(cpus))?;
    let mut domains = middles(&gauged, &idle)?;
    if wish.curve {
        for order in spin::orders(&topology) {
            climb(&mut gauged, &mut domains, &order, &topology, quiet_below(cpus))?;
        }
    }
    let (at_unix_ns, _) = clocks::wall();
    let calibration = Calibration {
        at_unix_ns,
        conditions: host::conditions(sysroot, &facts),
        domains,
        gpus: Vec::new(),
    };
    let path = PowerStore::of(settings).keep(&calibration)?;
    Ok(Made { calibration, path })
}

fn no_meter(notes: &[Note]) -> NotCalibrated {
    let first = notes.first();
    NotCalibrated::NoMeter {
        reason: first.map_or_else(|| "none was found".to_owned(), |note| note.message.clone()),
        hint: first
            .and_then(|note| note.hint.clone())
            .or_else(|| Some("`carbon-run doctor` says how to get a meter".to_owned())),
    }
}

/// Windows in which nobody but ourselves was at work.
fn quiet_windows(gauged: &mut Gauged, length: Duration, allowed: f64) -> Result<Vec<Window>, NotCalibrated> {
    let before = process_times(gauged.sysroot());
    let mut quiet: Vec<Window> = Vec::new();
    let (mut noisy, mut busiest) = (0, 0.0_f64);
    while quiet.len() < WINDOWS as usize {
        let window = gauged.look(length)?;
        if window.others() < allowed {
            quiet.push(window);
            continue;
        }
        noisy += 1;
        busiest = busiest.max(window.others());
        if noisy >= PATIENCE {
            return Err(busy(gauged, &before, busiest, allowed));
        }
    }
    Ok(quiet)
}

fn busy(gauged: &Gauged, before: &ProcessTimes, busy: f64, allowed: f64) -> NotCalibrated {
    NotCalibrated::Busy {
        busy,
        allowed,
        processes: process_times(gauged.sysroot()).busiest_since(before, std::process::id(), NAMED),
    }
}

/// Each domain's middle.
fn middles(gauged: &Gauged, windows: &[Window]) -> Result<Vec<CalibratedDomain>, NotCalibrated> {
    let mut domains = Vec::new();
    for (number, domain) in gauged.domains().iter().enumerate() {
        let powers: Vec<f64> = windows.iter().filter_map(|window| window.power(number)).collect();
        let Some(middle) = Middle::of(&powers).filter(|_| powers.len() * 2 > windows.len()) else {
            if domain.summed {
                return Err(NotCalibrated::Unread {
                    domain: domain.name.clone(),
                });
            }
            continue;
        };
        domains.push(CalibratedDomain {
            name: domain.name.clone(),
            kind: domain.kind,
            idle: Watts::clamped(middle.value),
            spread: Watts::clamped(middle.spread),
            windows: u32::try_from(powers.len()).unwrap_or(u32::MAX),
            curve: Vec::new(),
        });
    }
    Ok(domains)
}

/// Keeps more and more CPUs of a package busy, in that order, and looks at each load.
fn climb(
    gauged: &mut Gauged,
    domains: &mut [CalibratedDomain],
    order: &[u32],
    topology: &host::Topology,
    allowed: f64,
) -> Result<(), NotCalibrated> {
    let mut points: Vec<Vec<CurvePoint>> = domains
        .iter()
        .map(|domain| {
            vec![CurvePoint {
                alone: 0.0,
                shared: 0.0,
                power: domain.idle,
            }]
        })
        .collect();
    for load in loads(order.len()) {
        let busy = order.get(..load).unwrap_or(order);
        let window = under_load(gauged, busy, allowed)?;
        for (domain, points) in domains.iter().zip(&mut points) {
            let Some(number) = gauged.domains().iter().position(|one| one.name == domain.name) else {
                continue;
            };
            let cpus = gauged.cpus_of(number, topology);
            let (alone, shared) = window.columns(&cpus, &topology.siblings);
            if let Some(power) = window.power(number) {
                points.push(CurvePoint {
                    alone,
                    shared,
                    power: Watts::clamped(power),
                });
            }
        }
    }
    for (domain, points) in domains.iter_mut().zip(points) {
        let number = gauged.domains().iter().position(|one| one.name == domain.name);
        let cpus = number
            .map(|number| gauged.cpus_of(number, topology))
            .unwrap_or_default();
        let own = !cpus.is_empty() && cpus.iter().all(|cpu| order.contains(cpu));
        if own && matches!(domain.kind, DomainKind::Package | DomainKind::Dram) {
            domain.curve = points;
        }
    }
    Ok(())
}

/// 1, 2, 3, ... 8, and then steps of about an eighth.
fn loads(most: usize) -> Vec<usize> {
    let mut loads = Vec::new();
    let mut load = 1;
    while load < most {
        loads.push(load);
        load += if load < EVERY_LOAD_TO {
            1
        } else {
            load / EVERY_LOAD_TO
        };
    }
    loads.push(most);
    loads
}

fn under_load(gauged: &mut Gauged, busy_cpus: &[u32], allowed: f64) -> Result<Window, NotCalibrated> {
    let before = process_times(gauged.sysroot());
    let spinning = Spinning::on(busy_cpus)?;
    let mut busiest = 0.0_f64;
    for _ in 0..TRIES {
        std::thread::sleep(SETTLE);
        let window = gauged.look(UNDER_LOAD)?;
        // Ticks of so many CPUs add up to more than a quarter of one.
        if window.others() < allowed + 0.02 * busy_cpus.len() as f64 {
            return Ok(window);
        }
        busiest = busiest.max(window.others());
    }
    drop(spinning);
    Err(busy(gauged, &before, busiest, allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_load_of_a_small_package_and_some_of_a_large_one() {
        assert_eq!(loads(1), [1]);
        assert_eq!(loads(4), [1, 2, 3, 4]);
        let large = loads(256);
        assert!(large.len() < 48 && large.last() == Some(&256), "{large:?}");
        assert!(large.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn who_is_busy_is_named_and_a_refusal_without_a_name_has_its_remedy_too() {
        let refusal = |processes| NotCalibrated::Busy {
            busy: 1.5,
            allowed: 0.1,
            processes,
        };
        let named = refusal(vec![Busy {
            pid: 42,
            name: "rustc".to_owned(),
            seconds: 3.25,
        }]);
        assert_eq!(
            named.to_string(),
            "the machine is not quiet: 1.50 CPUs are busy, at most 0.10 may be; `rustc` (42) used 3.25 s"
        );
        assert!(named.hint().is_some() && named.is_busy());
        assert!(!refusal(Vec::new()).to_string().contains(';'));
        assert!(
            refusal(Vec::new())
                .hint()
                .is_some_and(|hint| hint.contains("kernel"))
        );
    }
}
