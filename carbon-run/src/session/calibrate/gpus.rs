//! What the windows say of each GPU.

use super::look::{Gauged, Window};
use crate::meter::GpuMeters;
use crate::model::gpu_calibration::{GpuWindow, in_window, outcome};
use crate::model::recording::DomainSource;
use crate::model::report::GpuOutcome;

/// Whether any GPU tells its energy or its power.
pub(super) fn have_meters(graphics: &GpuMeters) -> bool {
    let mut domains = graphics.meters.iter().flat_map(|meter| meter.domains());
    domains.any(|domain| domain.summed)
}

/// What becomes of each GPU that has a meter of its own. What lies inside a processor is in the package's figure.
pub(super) fn outcomes(
    gauged: &Gauged,
    windows: &[Window],
    kernel: Option<&str>,
    at_unix_ns: i64,
) -> Vec<GpuOutcome> {
    let devices = gauged.gpus().iter().enumerate().filter_map(|(number, gpu)| {
        let at = gpu.domain?;
        let domain = gauged.domains().get(at).filter(|domain| domain.summed)?;
        let seen: Vec<GpuWindow> = windows
            .iter()
            .map(|window| GpuWindow {
                doing: in_window(window.looks_at(number)),
                power: window.power(at),
            })
            .collect();
        let counts = matches!(domain.source, DomainSource::Counter { .. });
        Some(outcome(&domain.name, gpu, &seen, counts, kernel, at_unix_ns))
    });
    devices.collect()
}
