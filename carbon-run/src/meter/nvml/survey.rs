//! What `doctor` says of NVIDIA's devices.

use super::device::{self, Gauge};
use super::library::{self, NvmlError};
use super::slices;
use nvml_wrapper::error::NvmlError as Refusal;
use std::path::Path;

/// A device, or the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// `gpu-0`, `nvml`.
    pub name: String,
    /// What it gives.
    pub gives: String,
    /// Why not.
    pub failure: Option<String>,
    /// What to do about that.
    pub remedy: Option<String>,
}

/// Every device with what can be read of it; nothing where there is no driver.
#[must_use]
pub fn survey(sysroot: &Path, stated: Option<&Path>) -> Vec<Survey> {
    let failed = |name: &str, error: &NvmlError| Survey {
        name: name.to_owned(),
        gives: String::new(),
        failure: Some(error.to_string()),
        remedy: error.remedy().map(str::to_owned),
    };
    let library = match library::load(sysroot, stated) {
        Ok(Some(library)) => library,
        Ok(None) => return Vec::new(),
        Err(error) => return vec![failed("nvml", &error)],
    };
    let count = match library.device_count() {
        Ok(count) => count,
        Err(error) => return vec![failed("nvml", &error.into())],
    };
    let driver = library
        .sys_driver_version()
        .unwrap_or_else(|_| "of an unknown version".to_owned());
    (0..count)
        .map(|index| {
            let name = format!("gpu-{index}");
            match library.device_by_index(index) {
                Ok(device) => described(name, &device, &driver),
                Err(error) => {
                    let note = device::unusable(&name, &error);
                    Survey {
                        name,
                        gives: String::new(),
                        failure: Some(error.to_string()),
                        remedy: note.hint,
                    }
                }
            }
        })
        .collect()
}

fn described(name: String, device: &nvml_wrapper::Device<'_>, driver: &str) -> Survey {
    let model = device.name().unwrap_or_else(|_| "unknown model".to_owned());
    let gauge = device::gauge(device);
    let energy = match &gauge {
        Ok(Gauge::Energy) => "energy counter",
        Ok(Gauge::Power) => "power, integrated",
        Err(_) => "neither energy nor power",
    };
    let samples = match device.process_utilization_stats(None) {
        Ok(_) | Err(Refusal::NotFound) => "samples of each process's use",
        Err(_) => "no samples of use: who holds it alone has all of it",
    };
    let partitions = match slices::each(device).len() {
        0 => String::new(),
        parts => format!(", {parts} partitions (MIG)"),
    };
    Survey {
        name,
        gives: format!("{model}, driver {driver}: {energy}, {samples}{partitions}"),
        failure: gauge
            .err()
            .map(|error| format!("{model}, driver {driver}: {error}")),
        remedy: None,
    }
}
