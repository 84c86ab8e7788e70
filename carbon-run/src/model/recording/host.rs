//! The machine, and who counts CPU time on it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Facts about the machine, probed once. What could not be read is `None`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Host {
    /// `uname -n`.
    pub hostname: Option<String>,
    /// `uname -s -r`, as `Linux 6.18.0`.
    pub os: Option<String>,
    /// `uname -m`.
    pub architecture: Option<String>,
    /// `model name` of /proc/cpuinfo.
    pub cpu_model: Option<String>,
    /// `vendor_id` of /proc/cpuinfo.
    pub cpu_vendor: Option<String>,
    /// `cpu family` of /proc/cpuinfo (x86), or the implementer code (Arm).
    pub cpu_family: Option<u32>,
    /// `model` of /proc/cpuinfo (x86), or the part number (Arm).
    pub cpu_model_number: Option<u32>,
    /// `stepping` of /proc/cpuinfo.
    pub cpu_stepping: Option<u32>,
    /// Online logical CPUs.
    pub cpus: Option<u32>,
    /// Physical packages with an online CPU.
    pub packages: Option<u32>,
    /// Physical cores with an online CPU.
    pub cores: Option<u32>,
    /// Hardware threads of one core; 1 without SMT.
    pub threads_per_core: Option<u32>,
    /// `MemTotal` in bytes.
    pub memory_bytes: Option<u64>,
    /// The hypervisor, when the CPU says that there is one: `kvm`, `vmware`, `xen`, or `unknown`.
    pub virtualization: Option<String>,
    /// CPUs that the job may use (affinity or cpuset), where that is fewer than all.
    pub allowed_cpus: Option<u32>,
    /// `SLURM_JOB_ID` and its kin, lower case without the prefix.
    pub slurm: BTreeMap<String, String>,
}

/// CPUs that attribution need not tell apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuGroup {
    /// `physical_package_id`.
    pub package: u32,
    /// `die_id`; 0 where the kernel names none.
    pub die: u32,
    /// The CPUs' numbers, ascending.
    pub cpus: Vec<u32>,
    /// What a core of these can do at most, in thousandths of what the machine's best can; `None` where all are alike, or
    /// where the kernel does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_permille: Option<u32>,
}

/// How CPU time was counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountingFacts {
    /// The rung of the ladder in use.
    pub backend: Backend,
    /// Why the better rungs were not used, best first; empty on the best.
    pub declined: Vec<Declined>,
}

/// A rung of the ladder that could not be used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Declined {
    /// The rung.
    pub backend: Backend,
    /// Why not, lower case, without a full stop.
    pub reason: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// The ways to count on-CPU time, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// The daemon's eBPF program, which serves all jobs of the machine.
    Daemon,
    /// The eBPF program on the scheduler: exact, per CPU, every descendant.
    Ebpf,
    /// `perf_event_open`'s task clock, inherited by every descendant: per CPU, without any right at
    /// `perf_event_paranoid` up to 2; what it misses of a process's end is known from `wait4`.
    Perf,
    /// A control group of the job's own: exact; per CPU in version 1 only.
    Cgroup,
    /// Subreaper, /proc and rusage: exact for the reaped, sampled for the living, in clock ticks for others.
    Procfs,
}

impl Backend {
    /// Every rung, best first.
    pub const ALL: [Self; 5] = [Self::Daemon, Self::Ebpf, Self::Perf, Self::Cgroup, Self::Procfs];

    /// As it is written on the command line and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Daemon => "daemon",
            Self::Ebpf => "ebpf",
            Self::Perf => "perf",
            Self::Cgroup => "cgroup",
            Self::Procfs => "procfs",
        }
    }
}
