//! The idle power of a GPU: what is known of it before the run. What the run says against that is in [`super::gpu`].
//!
//! `--gpu-idle-power`, then what `carbon-run calibrate` stored of this very device. Unlike a package's it does not depend
//! on the machine around it, but on the driver, which sets clocks and sleeps.

use super::idle::{CALIBRATED, CALIBRATED_ELSEWHERE};
use super::note;
use crate::model::gpu_calibration::driver_of;
use crate::model::recording::{CalibratedGpu, CalibratedPower, Gpu, Head, Note};
use crate::model::report::{FoundIdle, IdleBasis, IdlePower};
use crate::model::units::Watts;

/// Of a GPU in its two idle states.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GpuIdle {
    /// With a context on it that does nothing.
    pub resident: IdlePower,
    /// With no context on it.
    pub deep: IdlePower,
}

/// What is known of a device before the run.
#[must_use]
pub fn gpu_idle_before(gpu: &Gpu, head: &Head) -> GpuIdle {
    let kept = calibrated(gpu, head);
    let of = |stated: Option<Watts>, kept: Option<&CalibratedPower>| match (stated, kept) {
        (Some(power), _) => IdlePower::Given(power),
        (None, Some(kept)) => IdlePower::Found(found(kept, gpu, head)),
        (None, None) => IdlePower::Unknown,
    };
    GpuIdle {
        resident: of(gpu.idle.resident, kept.and_then(|kept| kept.resident.as_ref())),
        deep: of(gpu.idle.deep, kept.and_then(|kept| kept.deep.as_ref())),
    }
}

fn calibrated<'a>(gpu: &Gpu, head: &'a Head) -> Option<&'a CalibratedGpu> {
    let calibration = head.power.calibration.as_ref()?;
    calibration.gpus.iter().find(|kept| kept.is_of(gpu))
}

fn found(kept: &CalibratedPower, gpu: &Gpu, head: &Head) -> FoundIdle {
    let part = if is_of_this_driver(kept, gpu, head) {
        CALIBRATED
    } else {
        CALIBRATED_ELSEWHERE
    };
    FoundIdle {
        basis: IdleBasis::Calibrated,
        power: kept.watts,
        spread: Watts::clamped(kept.spread.get().hypot(part * kept.watts.get())),
        as_of_unix_ns: kept.at_unix_ns,
    }
}

fn is_of_this_driver(kept: &CalibratedPower, gpu: &Gpu, head: &Head) -> bool {
    kept.driver == driver_of(gpu, head.power.conditions.kernel.as_deref())
}

/// What the reader should know of where the idle powers come from.
pub(super) fn notes(head: &Head) -> Vec<Note> {
    let devices = head.gpus.iter().flat_map(|gpus| &gpus.devices);
    let changed = devices.filter_map(|gpu| {
        let name = &head.domains.get(gpu.domain?)?.name;
        let kept = calibrated(gpu, head)?.resident.as_ref()?;
        let used = gpu.idle.resident.is_none() && !is_of_this_driver(kept, gpu, head);
        used.then(|| Note {
            degrades: false,
            ..note(
                "calibration-changed",
                format!(
                    "the stored idle power of `{name}` was measured under another driver ({}), so its range is wider",
                    kept.driver.as_deref().unwrap_or("unknown")
                ),
                Some("`carbon-run calibrate` measures it again, while a context is held that does nothing".to_owned()),
            )
        })
    });
    changed.collect()
}
