//! GPUs: which there are, whose they are by allocation, and who used them. The same shape for every vendor.

use crate::model::units::{Moment, Share, Watts};
use serde::{Deserialize, Serialize};

/// What the recording knows of the machine's GPUs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gpus {
    /// Those that were found, in the order of their domains. [`super::Observation::gpus`] has one look at each.
    #[serde(default)]
    pub devices: Vec<Gpu>,
    /// Why there are no (more) devices with a meter: [`NO_GPU`], [`GPU_IN_PACKAGE`], or what kept carbon-run from looking.
    #[serde(default)]
    pub absent: Option<String>,
    /// What says which devices are the job's, as `SLURM_JOB_GPUS` or `CUDA_VISIBLE_DEVICES`; `None`: nothing does.
    #[serde(default)]
    pub allocated_by: Option<String>,
}

impl Gpus {
    /// Enters what `--gpu-idle-power` says: watts with an idle context, in the devices' order; one value is every device's.
    pub fn state_idle(&mut self, stated: &[Watts]) {
        for (at, gpu) in self.devices.iter_mut().enumerate() {
            let of_this = match stated {
                [one] => Some(one),
                several => several.get(at),
            };
            if let Some(resident) = of_this {
                gpu.idle.resident = Some(*resident);
            }
        }
    }
}

/// The reason for no GPU energy that nobody needs to be told of.
pub const NO_GPU: &str = "no GPU was found";

/// Another such reason.
pub const GPU_IN_PACKAGE: &str = "the GPU is part of the processor: its energy is in the package's";

/// A GPU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gpu {
    /// Index into [`super::Head::domains`]; `None`: neither its energy nor its power can be read.
    pub domain: Option<usize>,
    /// Who made it.
    pub vendor: GpuVendor,
    /// As the vendor's tools number it on this machine.
    pub index: u32,
    /// What the kernel numbers it: N of `/dev/nvidiaN`, or of `/dev/dri/cardN`.
    #[serde(default)]
    pub minor: Option<u32>,
    /// `GPU-...`; `None` where the vendor gives none.
    #[serde(default)]
    pub uuid: Option<String>,
    /// `NVIDIA H100 80GB HBM3`.
    #[serde(default)]
    pub name: Option<String>,
    /// PCI address, `0000:3b:00.0`.
    #[serde(default)]
    pub pci: Option<String>,
    /// `580.65.06`, or the kernel's name of the driver.
    #[serde(default)]
    pub driver: Option<String>,
    /// Its partitions (MIG); empty: it is not partitioned.
    #[serde(default)]
    pub slices: Vec<GpuSlice>,
    /// The part of it that is the job's by allocation; `None`: nothing says.
    #[serde(default)]
    pub allocated: Option<Share>,
    /// What it draws with nothing to do.
    #[serde(default)]
    pub idle: GpuIdlePower,
}

/// What a GPU draws with nothing to do. A context that somebody holds keeps clocks and memory up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct GpuIdlePower {
    /// With no context on it.
    #[serde(default)]
    pub deep: Option<Watts>,
    /// With a context that does nothing.
    #[serde(default)]
    pub resident: Option<Watts>,
}

/// Makers of GPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GpuVendor {
    /// By NVML.
    Nvidia,
    /// amdgpu.
    Amd,
    /// i915 and xe.
    Intel,
}

impl GpuVendor {
    /// As it is written in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nvidia => "nvidia",
            Self::Amd => "amd",
            Self::Intel => "intel",
        }
    }
}

/// A partition of a GPU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GpuSlice {
    /// `MIG-...`.
    #[serde(default)]
    pub uuid: Option<String>,
    /// Compute slices of it. Those of all partitions need not add up to the device's.
    pub slices: u32,
    /// Compute slices of the whole device.
    pub of: u32,
    /// Whether it is the job's by allocation.
    #[serde(default)]
    pub allocated: bool,
}

/// One look at a GPU's users.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GpuLook {
    /// When.
    pub at: Moment,
    /// Percent of the time in which anything ran on it, as the device says of its last period.
    #[serde(default)]
    pub busy_percent: Option<u32>,
    /// Everybody who holds a context, or has worked since the last look.
    #[serde(default)]
    pub users: Vec<GpuUser>,
    /// Whether somebody may use it who could not be looked at.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unseen: bool,
    /// Why its users could not be listed.
    #[serde(default)]
    pub failed: Option<String>,
}

/// A process on a GPU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GpuUser {
    /// As the driver numbers it.
    pub pid: u32,
    /// Whether it is, or was, of the job.
    #[serde(default)]
    pub whose: Whose,
    /// Index into [`Gpu::slices`].
    #[serde(default)]
    pub slice: Option<usize>,
    /// Whether it held a context when it was looked at. One that has ended may still have samples.
    #[serde(default)]
    pub holds: bool,
    /// Memory on the device, in bytes.
    #[serde(default)]
    pub memory_bytes: Option<u64>,
    /// Its use since the last look, for drivers that sample it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<GpuSample>,
    /// Its use since it began, in nanoseconds of the engines, for drivers that count it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_ns: Option<u64>,
    /// Whether it computes for others (MPS): what it does is done for the [`Self::client`]s of the device.
    #[serde(default, skip_serializing_if = "is_false")]
    pub serves: bool,
    /// Whether a server of that kind computes for it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub client: bool,
}

/// A driver's sample of a process's use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuSample {
    /// The driver's time stamp, in microseconds of a clock of its own choice.
    pub stamp_us: u64,
    /// Percent of the sample's period in which something of it ran, 0 to 100.
    pub percent: u32,
}

/// Whose a process is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Whose {
    /// The job's: it is a member, or was one.
    Job,
    /// Somebody else's.
    Others,
    /// Its number cannot be matched with anybody's here.
    #[default]
    Unknown,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}
