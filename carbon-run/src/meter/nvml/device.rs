//! One device: what it is, and what can be read of its energy.

use super::slices;
use crate::model::recording::{Gpu, GpuIdlePower, GpuVendor, Note, Reading};
use crate::model::units::{Moment, Watts};
use nvml_wrapper::error::NvmlError as Refusal;
use nvml_wrapper::{Device, Nvml as Library};

/// How its energy is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gauge {
    /// A counter of millijoules since the driver was loaded (Volta and later).
    Energy,
    /// Milliwatts.
    Power,
}

/// What it is. What the driver does not say is left out.
pub(super) fn facts(library: &Library, device: &Device<'_>, index: u32) -> Gpu {
    Gpu {
        domain: None,
        vendor: GpuVendor::Nvidia,
        index,
        minor: device.minor_number().ok(),
        uuid: device.uuid().ok(),
        name: device.name().ok(),
        pci: device.pci_info().ok().map(|pci| pci.bus_id.to_lowercase()),
        driver: library.sys_driver_version().ok(),
        slices: slices::find(device),
        allocated: None,
        idle: GpuIdlePower::default(),
    }
}

/// The better of what works.
pub(super) fn gauge(device: &Device<'_>) -> Result<Gauge, Refusal> {
    match device.total_energy_consumption() {
        Ok(_) => Ok(Gauge::Energy),
        Err(_) => device.power_usage().map(|_| Gauge::Power),
    }
}

/// The highest limit that can be set.
pub(super) fn max_power(device: &Device<'_>) -> Option<Watts> {
    let limits = device.power_management_limit_constraints().ok();
    let milliwatts = limits
        .map(|limits| limits.max_limit)
        .or_else(|| device.enforced_power_limit().ok())?;
    Watts::new(f64::from(milliwatts) / 1e3)
        .ok()
        .filter(|power| power.get() > 0.0)
}

/// Reads it. A device that fell off the bus fails here, and the others do not.
pub(super) fn read(library: &Library, index: u32, gauge: Gauge, now: &mut dyn FnMut() -> Moment) -> Reading {
    let read = library.device_by_index(index).and_then(|device| match gauge {
        Gauge::Energy => device.total_energy_consumption(),
        Gauge::Power => device.power_usage().map(u64::from),
    });
    match (read, gauge) {
        (Ok(ticks), Gauge::Energy) => Reading::Ticks { ticks, at: now() },
        (Ok(milliwatts), Gauge::Power) => Reading::Power {
            microwatts: milliwatts.saturating_mul(1_000),
            at: now(),
        },
        (Err(error), _) => Reading::Failed(error.to_string()),
    }
}

fn remedy(error: &Refusal) -> Option<&'static str> {
    if matches!(error, Refusal::GpuLost | Refusal::ResetRequired) {
        return Some("the device needs a reset or a reboot; `dmesg` names its Xid");
    }
    matches!(error, Refusal::NoPermission).then_some("give this user access to its `/dev/nvidia*`")
}

/// A device that cannot even be opened.
pub(super) fn unusable(name: &str, error: &Refusal) -> Note {
    Note {
        code: "gpu-unusable".to_owned(),
        message: format!("`{name}` is not measured: {error}"),
        hint: remedy(error).map(str::to_owned),
        degrades: true,
    }
}

/// A device without energy and power.
pub(super) fn unmetered(name: &str, error: &Refusal) -> Note {
    Note {
        code: "gpu-unmetered".to_owned(),
        message: format!("`{name}` tells neither its energy nor its power: {error}"),
        hint: None,
        degrades: true,
    }
}
