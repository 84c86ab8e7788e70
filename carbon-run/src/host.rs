//! Facts about the machine, probed once.
//!
//! Everything is read below a system root (`/`, or `--sysroot DIR`), except for what only the running kernel can say:
//! its name and the CPUs that this process may use. What cannot be read is `None`; no fact is worth failing a job.

pub mod activity;
mod affinity;
mod cpu_list;
mod cpuinfo;
mod gpu_variables;
mod hypervisor;
mod identity;
mod kinds;
mod place;
mod process;
mod slurm;
mod topology;

pub use affinity::pin;
pub use gpu_variables::gpu_variables;
pub use identity::identity;
pub use place::{CloudHere, cloud, time_zone_country};
pub use process::{myself, started_ticks, user_name};
pub use slurm::slurm;
pub use topology::{HostError, Topology, topology};

use crate::model::recording::{Conditions, Host};
use std::collections::BTreeSet;
use std::path::Path;

/// The machine below `sysroot`. [`Host::slurm`] is left empty: see [`slurm`].
#[must_use]
pub fn probe(sysroot: &Path) -> Host {
    let cpu = cpuinfo::read(sysroot);
    let mut host = Host {
        memory_bytes: memory_bytes(sysroot),
        virtualization: hypervisor::name(sysroot, &cpu),
        cpu_model: cpu.model_name,
        cpu_vendor: cpu.vendor,
        cpu_family: cpu.family,
        cpu_model_number: cpu.model,
        cpu_stepping: cpu.stepping,
        ..Host::default()
    };
    if let Ok(uname) = nix::sys::utsname::uname() {
        let text = |word: &std::ffi::OsStr| word.to_string_lossy().into_owned();
        host.hostname = Some(text(uname.nodename()));
        host.os = Some(format!("{} {}", text(uname.sysname()), text(uname.release())));
        host.architecture = Some(text(uname.machine()));
    }
    // Without a topology the counts are unknown; the caller asks for the topology itself and hears the error there.
    if let Ok(topology) = topology(sysroot) {
        let packages: BTreeSet<u32> = topology.groups.iter().map(|group| group.package).collect();
        host.cpus = u32::try_from(topology.online().count()).ok();
        host.packages = u32::try_from(packages.len()).ok();
        host.cores = topology.cores();
        host.threads_per_core = topology.threads_per_core();
    }
    host.allowed_cpus = affinity::allowed()
        .and_then(|allowed| u32::try_from(allowed.len()).ok())
        .filter(|allowed| host.cpus.is_some_and(|all| *allowed < all));
    host
}

/// What power depends on besides load, of the machine below `sysroot`.
#[must_use]
pub fn conditions(sysroot: &Path, host: &Host) -> Conditions {
    let kernel = host.os.as_deref().and_then(|os| os.split_once(' '));
    Conditions {
        kernel: kernel.map(|(_, release)| release.to_owned()),
        governor: identity::governor(sysroot),
        cpu_model: host.cpu_model.clone(),
        cpus: host.cpus,
        sysroot: (sysroot != Path::new("/")).then(|| sysroot.display().to_string()),
    }
}

/// The numbers of the CPUs that this process, and so the job, may run on; `None` when the kernel does not say.
#[must_use]
pub fn allowed_cpus() -> Option<Vec<u32>> {
    affinity::allowed()
}

/// `MemTotal` of /proc/meminfo, which is in KiB whatever it says (Documentation/filesystems/proc.rst).
fn memory_bytes(sysroot: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(sysroot.join("proc/meminfo")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
#[path = "host/tests.rs"]
mod tests;
