//! The power of this machine with nothing to do, and over load. Nothing is kept before all of it is known.

mod gpus;
mod look;
mod refusal;
mod spin;

pub use refusal::NotCalibrated;

use super::clocks;
use super::power_store::PowerStore;
use crate::host;
use crate::host::activity::{ProcessTimes, process_times};
use crate::launch::sheltered;
use crate::meter::{self, GpuMeters, Meters};
use crate::model::calibration::{Middle, quiet_below};
use crate::model::gpu_calibration::gathered;
use crate::model::recording::{CalibratedDomain, CalibratedGpu, Calibration, CurvePoint, DomainKind, Note};
use crate::model::report::{Calibrated, GpuOutcome};
use crate::model::units::Watts;
use crate::settings::Settings;
use look::{Gauged, Window};
use spin::Spinning;
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
    /// The CPUs with their memory, which have to be quiet for that, or GPUs alone.
    pub cpus: bool,
    /// Power over load, too.
    pub curve: bool,
    /// How long to look at the idle machine.
    pub length: Duration,
}

/// Measures and keeps it.
///
/// # Errors
/// When there is no meter, the machine is not quiet, or what was measured cannot be kept.
pub fn calibrate(settings: &Settings, wish: Wish) -> Result<Calibrated, NotCalibrated> {
    let sysroot = &settings.sysroot;
    let facts = host::probe(sysroot);
    let topology = host::topology(sysroot)?;
    let opened = if wish.cpus {
        sheltered(|| meter::open(sysroot, &topology.groups))
    } else {
        Meters::default()
    };
    let graphics = sheltered(|| meter::open_gpus(sysroot, settings.nvml_library.as_deref()));
    let with_cpus = !opened.meters.is_empty();
    if !with_cpus && (wish.curve || !gpus::have_meters(&graphics)) {
        return Err(no_meter(wish, &opened.notes, &graphics));
    }
    let mut gauged = Gauged::new(opened.meters, graphics.meters, sysroot);
    let cpus = topology.online().count() as f64;
    // Whatever the CPUs do, the GPUs' power is their own.
    let allowed = if with_cpus {
        quiet_below(cpus)
    } else {
        f64::INFINITY
    };
    let windows = quiet_windows(&mut gauged, wish.length / WINDOWS, allowed)?;
    let (at_unix_ns, _) = clocks::wall();
    let conditions = host::conditions(sysroot, &facts);
    let mut gpus = gpus::outcomes(&gauged, &windows, conditions.kernel.as_deref(), at_unix_ns);
    let mut domains = middles(&gauged, &windows, allowed)?;
    if domains.is_empty() && gpus.iter().all(|gpu| gpu.left_out.is_some()) {
        return Err(NotCalibrated::NoIdleGpu { gpus });
    }
    if wish.curve {
        for order in spin::orders(&topology) {
            climb(&mut gauged, &mut domains, &order, &topology, allowed)?;
        }
    }
    let calibration = Calibration {
        at_unix_ns,
        conditions,
        domains,
        gpus: measured(&gpus),
    };
    let store = PowerStore::of(settings);
    let path = store.keep(&calibration)?;
    let known = store.known(calibration.conditions.clone()).calibration;
    complete(&mut gpus, known.as_ref());
    let notes = graphics.notes.into_iter().filter(|note| note.degrades);
    Ok(Calibrated {
        calibration,
        gpus,
        notes: notes.collect(),
        path,
    })
}

/// What is to be kept of the GPUs.
fn measured(gpus: &[GpuOutcome]) -> Vec<CalibratedGpu> {
    let measured = gpus.iter().filter(|gpu| gpu.left_out.is_none());
    measured.map(|gpu| gpu.gpu.clone()).collect()
}

/// What was not measured this time may have been before.
fn complete(gpus: &mut [GpuOutcome], known: Option<&Calibration>) {
    for one in gpus {
        let same = |kept: &&CalibratedGpu| kept.device == one.gpu.device && kept.name == one.gpu.name;
        let kept = known.and_then(|known| known.gpus.iter().find(same));
        if let Some(all) = gathered([&one.gpu].into_iter().chain(kept)).pop() {
            one.gpu = all;
        }
    }
}

fn no_meter(wish: Wish, notes: &[Note], graphics: &GpuMeters) -> NotCalibrated {
    let first = if wish.cpus { notes.first() } else { None };
    let of_gpus = graphics.notes.iter().filter(|note| note.degrades);
    let said: Vec<&str> = first
        .into_iter()
        .chain(of_gpus)
        .map(|note| note.message.as_str())
        .collect();
    let reason = match (said.as_slice(), wish.cpus) {
        ([], true) => "none was found".to_owned(),
        ([], false) => graphics
            .absent
            .clone()
            .unwrap_or_else(|| "no GPU was found".to_owned()),
        _ => said.join("; "),
    };
    NotCalibrated::NoMeter {
        reason,
        hint: first
            .or_else(|| graphics.notes.iter().find(|note| note.degrades))
            .and_then(|note| note.hint.clone())
            .or_else(|| Some("`carbon-run doctor` says how to get a meter".to_owned())),
    }
}

/// Windows in a row, until there are enough in which nobody but ourselves was at work on the CPUs.
fn quiet_windows(gauged: &mut Gauged, length: Duration, allowed: f64) -> Result<Vec<Window>, NotCalibrated> {
    let before = process_times(gauged.sysroot());
    let mut windows: Vec<Window> = Vec::new();
    let (mut quiet, mut noisy, mut busiest) = (0, 0, 0.0_f64);
    while quiet < WINDOWS {
        let window = gauged.look(length)?;
        let others = window.others();
        windows.push(window);
        if others < allowed {
            quiet += 1;
            continue;
        }
        noisy += 1;
        busiest = busiest.max(others);
        if noisy >= PATIENCE {
            return Err(busy(gauged, &before, busiest, allowed));
        }
    }
    Ok(windows)
}

fn busy(gauged: &Gauged, before: &ProcessTimes, busy: f64, allowed: f64) -> NotCalibrated {
    NotCalibrated::Busy {
        busy,
        allowed,
        processes: process_times(gauged.sysroot()).busiest_since(before, std::process::id(), NAMED),
    }
}

/// The middle over the quiet windows of each domain but the GPUs'.
fn middles(
    gauged: &Gauged,
    windows: &[Window],
    allowed: f64,
) -> Result<Vec<CalibratedDomain>, NotCalibrated> {
    let quiet: Vec<&Window> = windows
        .iter()
        .filter(|window| window.others() < allowed)
        .collect();
    let mut domains = Vec::new();
    let of_cpus = gauged.domains().iter().enumerate();
    for (number, domain) in of_cpus.filter(|(_, domain)| domain.kind != DomainKind::Gpu) {
        let powers: Vec<f64> = quiet.iter().filter_map(|window| window.power(number)).collect();
        let Some(middle) = Middle::of(&powers).filter(|_| powers.len() * 2 > quiet.len()) else {
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
}
