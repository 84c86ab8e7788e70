//! What looking at GPUs for a while says of their idle power, and what becomes of what was kept before
//! (METHOD.md, "Idle power of GPUs").
//!
//! A device idles in two states that draw differently: with no context on it (deep), and with one that does nothing
//! (resident), which keeps clocks and memory up. A window counts for a state in which the device was all the time.

use super::calibration::{Middle, series};
use super::recording::{CalibratedGpu, CalibratedPower, Calibration, Gpu, GpuLook, GpuUser, GpuVendor};
use super::report::GpuOutcome;
use super::units::Watts;
use std::collections::BTreeSet;

/// Fewer windows than this have no middle worth the name.
const LEAST: usize = 3;

/// Devices that are kept, those that are gone included; a host has sixteen at most, and they are seldom changed.
const MOST: usize = 256;

/// Processes that are named.
const NAMED: usize = 5;

/// What happened on a device in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doing {
    /// Nobody held a context at any look.
    Deep,
    /// Somebody held one at every look, and nobody worked.
    Resident,
    /// Contexts came or went, and nobody worked.
    Changing,
    /// Somebody worked: the processes, as far as the driver tells.
    Working(BTreeSet<u32>),
    /// Nobody can tell: why.
    Unseen(String),
}

/// A device over one window.
#[derive(Debug, Clone, PartialEq)]
pub struct GpuWindow {
    /// What happened on it.
    pub doing: Doing,
    /// Its mean power, in watts; `None` where it could not be read for most of the time.
    pub power: Option<f64>,
}

/// What the looks at a device in a window say; the first is that at which the window begins, and what it tells of work is
/// of the time before.
#[must_use]
pub fn in_window(looks: &[GpuLook]) -> Doing {
    let Some((first, later)) = looks.split_first() else {
        return Doing::Unseen("it was not looked at".to_owned());
    };
    if let Some(reason) = looks.iter().find_map(|look| look.failed.as_deref()) {
        return Doing::Unseen(format!("its users cannot be listed: {reason}"));
    }
    if looks.iter().any(|look| look.unseen) {
        return Doing::Unseen("processes that may not be looked at may use it".to_owned());
    }
    let (mut working, mut worked) = (BTreeSet::new(), false);
    let mut before = first;
    for look in later {
        worked |= look.busy_percent.is_some_and(|percent| percent > 0);
        let who = look.users.iter().filter(|user| has_worked(user, before));
        working.extend(who.map(|user| user.pid));
        before = look;
    }
    if worked || !working.is_empty() {
        return Doing::Working(working);
    }
    let held = looks.iter().filter(|look| holders(look).next().is_some()).count();
    let counted = later
        .iter()
        .all(|look| look.busy_percent.is_some() || holders(look).all(|user| user.engine_ns.is_some()));
    match held {
        0 => Doing::Deep,
        _ if !counted => Doing::Unseen("the driver does not say whether it works".to_owned()),
        all if all == looks.len() => Doing::Resident,
        _ => Doing::Changing,
    }
}

fn holders(look: &GpuLook) -> impl Iterator<Item = &GpuUser> {
    look.users.iter().filter(|user| user.holds)
}

/// Whether a process has worked since the look before. Who was not there then began at 0.
fn has_worked(user: &GpuUser, before: &GpuLook) -> bool {
    let same = |other: &&GpuUser| other.pid == user.pid && other.slice == user.slice;
    let then = before.users.iter().find(same).and_then(|user| user.engine_ns);
    user.samples.iter().any(|sample| sample.percent > 0)
        || user.engine_ns.is_some_and(|now| now > then.unwrap_or(0))
}

/// What windows in a row say of a device that is called `name`. `counts` is whether its meter is a counter, which does not
/// work where it stands still; `kernel` is `uname -r`, and `at_unix_ns` the time of day.
#[must_use]
pub fn outcome(
    name: &str,
    gpu: &Gpu,
    windows: &[GpuWindow],
    counts: bool,
    kernel: Option<&str>,
    at_unix_ns: i64,
) -> GpuOutcome {
    let measured = |state: &Doing| {
        let powers = powers(windows, state);
        let middle = Middle::of(&powers).filter(|_| powers.len() >= LEAST)?;
        let still = counts && middle.value <= 0.0;
        (!still).then(|| CalibratedPower {
            watts: Watts::clamped(middle.value),
            spread: Watts::clamped(middle.spread),
            windows: u32::try_from(powers.len()).unwrap_or(u32::MAX),
            at_unix_ns,
            driver: driver_of(gpu, kernel),
        })
    };
    let device = gpu.uuid.as_ref().or(gpu.pci.as_ref());
    let known_again = |power: Option<CalibratedPower>| power.filter(|_| device.is_some());
    let deep = known_again(measured(&Doing::Deep));
    let resident = known_again(measured(&Doing::Resident));
    let left_out = match (&deep, &resident) {
        (None, None) if device.is_none() => {
            Some("it has neither a UUID nor a PCI address to know it again by".to_owned())
        }
        (None, None) => Some(obstacle(windows)),
        (Some(_), _) | (_, Some(_)) => None,
    };
    let reason = |power: &Option<CalibratedPower>, otherwise: &str| {
        let missing = power.is_none();
        missing.then(|| left_out.clone().unwrap_or_else(|| otherwise.to_owned()))
    };
    GpuOutcome {
        name: name.to_owned(),
        deep_reason: reason(&deep, "somebody held a context"),
        resident_reason: reason(&resident, "nobody held a context"),
        gpu: CalibratedGpu {
            device: device.cloned().unwrap_or_default(),
            name: gpu.name.clone(),
            deep,
            resident,
        },
        left_out,
    }
}

/// The powers of the windows that count for a state. After another state clocks come down only by and by, so that a
/// window counts where the one before it was of the same.
fn powers(windows: &[GpuWindow], state: &Doing) -> Vec<f64> {
    let before = std::iter::once(None).chain(windows.iter().map(Some));
    windows
        .iter()
        .zip(before)
        .filter(|(window, before)| {
            window.doing == *state && before.is_none_or(|before| before.doing == *state)
        })
        .filter_map(|(window, _)| window.power)
        .collect()
}

/// Why no state has enough windows.
fn obstacle(windows: &[GpuWindow]) -> String {
    let all = windows.len();
    let mut working = BTreeSet::new();
    let mut worked = 0;
    for window in windows {
        if let Doing::Working(pids) = &window.doing {
            working.extend(pids.iter().copied());
            worked += 1;
        }
    }
    if worked > 0 {
        let who: Vec<String> = working.iter().take(NAMED).map(u32::to_string).collect();
        let who = match who.as_slice() {
            [] => "somebody".to_owned(),
            [one] => format!("process {one}"),
            several => format!("processes {}", several.join(", ")),
        };
        return format!("{who} worked on it in {worked} of {all} windows");
    }
    let unseen = windows.iter().find_map(|window| match &window.doing {
        Doing::Unseen(why) => Some(why.clone()),
        Doing::Deep | Doing::Resident | Doing::Changing | Doing::Working(_) => None,
    });
    if let Some(why) = unseen {
        return why;
    }
    let unread = windows.iter().filter(|window| window.power.is_none()).count();
    if unread > 0 {
        return format!("its power could not be read in {unread} of {all} windows");
    }
    let settled = |window: &GpuWindow| windows.first().is_some_and(|first| first.doing == window.doing);
    if windows.iter().all(settled) && windows.iter().all(|window| window.doing != Doing::Changing) {
        "its counter stands still".to_owned()
    } else {
        "contexts came and went".to_owned()
    }
}

/// The driver as far as updates matter to a device's power: an NVIDIA driver's branch; the kernel's drivers go with the
/// kernel.
#[must_use]
pub fn driver_of(gpu: &Gpu, kernel: Option<&str>) -> Option<String> {
    let driver = gpu.driver.as_deref()?;
    match gpu.vendor {
        GpuVendor::Nvidia => Some(format!("nvidia {}", driver.split('.').next()?)),
        GpuVendor::Amd | GpuVendor::Intel => Some(format!("{driver} {}", series(kernel)?)),
    }
}

impl CalibratedGpu {
    /// Whether this device is meant.
    #[must_use]
    pub fn is_of(&self, gpu: &Gpu) -> bool {
        let device = gpu.uuid.as_ref().or(gpu.pci.as_ref());
        device == Some(&self.device) && gpu.name == self.name
    }
}

/// What becomes of a stored calibration when another one is made. Of each GPU the newer figure of each state is kept, also
/// of one that is gone; and what was known of the CPUs, where they were not measured this time. What is below another
/// system root is another machine.
#[must_use]
pub fn merged(old: Option<Calibration>, new: &Calibration) -> Calibration {
    let Some(old) = old.filter(|old| old.conditions.sysroot == new.conditions.sysroot) else {
        return new.clone();
    };
    let gpus = gathered([&new.gpus, &old.gpus].into_iter().flatten());
    let with_cpus = if new.domains.is_empty() && !old.domains.is_empty() {
        old
    } else {
        new.clone()
    };
    Calibration { gpus, ..with_cpus }
}

/// Of each device the newest figure of each state. Of two of one time the first counts.
#[must_use]
pub fn gathered<'a>(all: impl Iterator<Item = &'a CalibratedGpu>) -> Vec<CalibratedGpu> {
    let mut gpus: Vec<CalibratedGpu> = Vec::new();
    for one in all {
        let full = gpus.len() >= MOST;
        let same = |gpu: &&mut CalibratedGpu| gpu.device == one.device && gpu.name == one.name;
        match gpus.iter_mut().find(same) {
            Some(gpu) => {
                newer(&mut gpu.deep, one.deep.as_ref());
                newer(&mut gpu.resident, one.resident.as_ref());
            }
            None if full => {}
            None => gpus.push(one.clone()),
        }
    }
    gpus
}

fn newer(kept: &mut Option<CalibratedPower>, other: Option<&CalibratedPower>) {
    let later = |other: &&CalibratedPower| {
        kept.as_ref()
            .is_none_or(|kept| other.at_unix_ns > kept.at_unix_ns)
    };
    if let Some(other) = other.filter(later) {
        *kept = Some(other.clone());
    }
}

#[cfg(test)]
#[path = "gpu_calibration_tests.rs"]
mod tests;
