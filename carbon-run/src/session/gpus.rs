//! GPUs: from the meters to the recording's head, and from the drivers' process ids to members of the job.

use crate::accounting::Accounting;
use crate::host;
use crate::meter::Meter;
use crate::model::gpu_allocation::{VARIABLES, allocate};
use crate::model::recording::{GpuLook, Gpus, Note};
use crate::model::units::{Moment, Watts};

/// What the head says of them, and what could not be made out. `before` is the number of domains of the meters before these; `idle` is what was stated:
/// watts per GPU in the devices' order.
pub(super) fn facts(
    meters: &[Box<dyn Meter>],
    before: usize,
    absent: Option<String>,
    idle: &[Watts],
) -> (Gpus, Vec<Note>) {
    let mut devices = Vec::new();
    let mut offset = before;
    for meter in meters {
        devices.extend(meter.gpus().iter().cloned().map(|mut gpu| {
            gpu.domain = gpu.domain.map(|domain| domain + offset);
            gpu
        }));
        offset += meter.domains().len();
    }
    let variables = host::gpu_variables(std::env::vars_os(), &VARIABLES);
    let allocation = allocate(&mut devices, &variables);
    let mut gpus = Gpus {
        devices,
        absent,
        allocated_by: allocation.by,
    };
    gpus.state_idle(idle);
    (gpus, allocation.notes)
}

/// A stated idle power that does not fit the devices.
pub(super) fn misfit(gpus: &Gpus, idle: &[Watts]) -> Option<Note> {
    let (stated, devices) = (idle.len(), gpus.devices.len());
    if stated <= 1 || stated == devices {
        return None;
    }
    Some(Note {
        code: "gpu-idle-power-count".to_owned(),
        message: format!("`--gpu-idle-power` names {stated} GPUs, and there are {devices}"),
        hint: Some("give one value per GPU in the order of the devices, or one for all".to_owned()),
        degrades: true,
    })
}

/// Looks at the users of every GPU, and says which of them are the job's.
pub(super) fn look(
    meters: &mut [Box<dyn Meter>],
    accounting: &mut dyn Accounting,
    now: &mut dyn FnMut() -> Moment,
) -> Vec<GpuLook> {
    let mut looks: Vec<GpuLook> = meters.iter_mut().flat_map(|meter| meter.look(now)).collect();
    let mut pids: Vec<u32> = looks
        .iter()
        .flat_map(|look| look.users.iter().map(|user| user.pid))
        .collect();
    pids.sort_unstable();
    pids.dedup();
    if pids.is_empty() {
        return looks;
    }
    let whose = accounting.whose(&pids);
    for user in looks.iter_mut().flat_map(|look| &mut look.users) {
        if let Ok(at) = pids.binary_search(&user.pid) {
            user.whose = whose.get(at).copied().unwrap_or_default();
        }
    }
    looks
}
