//! Which GPUs are the job's, from what Slurm, the vendors' runtimes and container runtimes say in the environment.
//!
//! Each vendor's variables are about its own devices, and count those alone. Slurm's are of its step or job; its numbers are
//! the kernel's, and stay so where a device cgroup hides the other devices (srun manual page, `SLURM_STEP_GPUS`); so are a container
//! runtime's. Slurm numbers the devices of all vendors in one row, in the order of a file of its own (gres.conf), so that on a
//! machine of several vendors its numbers name nothing; there it also sets the vendors' own variables, and those count.

use super::recording::{Gpu, GpuVendor, Note};
use super::units::Share;
use std::collections::{BTreeMap, BTreeSet};

const SLURM: [&str; 2] = ["SLURM_STEP_GPUS", "SLURM_JOB_GPUS"];
const CUDA: &str = "CUDA_VISIBLE_DEVICES";
const CUDA_ORDER: &str = "CUDA_DEVICE_ORDER";
const CONTAINER: &str = "NVIDIA_VISIBLE_DEVICES";
const ROCR: &str = "ROCR_VISIBLE_DEVICES";
const HIP: &str = "HIP_VISIBLE_DEVICES";
const OPENCL: &str = "GPU_DEVICE_ORDINAL";
const LEVEL_ZERO: &str = "ZE_AFFINITY_MASK";
const HIERARCHY: &str = "ZE_FLAT_DEVICE_HIERARCHY";

/// The variables that are read.
pub const VARIABLES: [&str; 10] = [
    "SLURM_STEP_GPUS",
    "SLURM_JOB_GPUS",
    CUDA,
    CUDA_ORDER,
    CONTAINER,
    ROCR,
    HIP,
    OPENCL,
    LEVEL_ZERO,
    HIERARCHY,
];

/// What the environment says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Allocation {
    /// Which variables told, joined by commas; `None`: none did, and nothing is marked.
    pub by: Option<String>,
    /// What a variable says that nobody here can make out. Those devices are not marked.
    pub notes: Vec<Note>,
}

/// A vendor's part of it.
struct Said {
    by: Vec<&'static str>,
    found: Vec<Found>,
}

enum Found {
    Whole(usize),
    Slice(usize, usize),
}

/// What a number counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counted {
    /// As the kernel does.
    Kernel,
    /// Devices that are seen, from 0.
    Seen,
}

/// Marks what is the job's.
pub fn allocate(devices: &mut [Gpu], variables: &BTreeMap<String, String>) -> Allocation {
    let vendors: BTreeSet<GpuVendor> = devices.iter().map(|gpu| gpu.vendor).collect();
    let mut allocation = Allocation::default();
    let slurm = SLURM
        .into_iter()
        .find_map(|name| Some((name, variables.get(name)?.trim())));
    let mut by: Vec<&str> = Vec::new();
    for vendor in &vendors {
        let among: Vec<usize> = (0..devices.len())
            .filter(|at| devices.get(*at).is_some_and(|gpu| gpu.vendor == *vendor))
            .collect();
        let said = match (slurm, vendor) {
            (Some((name, value)), _) if vendors.len() == 1 => Ok(Some(Said {
                by: vec![name],
                found: numbered_by_the_kernel(devices, &among, value),
            })),
            (_, GpuVendor::Nvidia) => nvidia(devices, &among, variables),
            (_, GpuVendor::Amd) => Ok(amd(
                devices,
                &among,
                variables,
                vendors.contains(&GpuVendor::Nvidia),
            )),
            (_, GpuVendor::Intel) => intel(&among, variables),
        };
        match said {
            Ok(Some(said)) => {
                mark(devices, &among, &said.found);
                by.extend(said.by);
            }
            Ok(None) => {}
            Err(note) => allocation.notes.push(note),
        }
    }
    if let Some((name, _)) = slurm
        && vendors.len() > 1
        && by.is_empty()
    {
        allocation.notes.push(unknown(
            name,
            "counts the GPUs of several vendors in an order that only Slurm knows",
            "set the vendors' own variables, as `CUDA_VISIBLE_DEVICES` and `ROCR_VISIBLE_DEVICES`",
        ));
    }
    allocation.by = (!by.is_empty()).then(|| by.join(", "));
    allocation
}

fn unknown(variable: &str, why: &str, remedy: &str) -> Note {
    Note {
        code: "gpu-order-unknown".to_owned(),
        message: format!("`{variable}` {why}, so which GPUs are the job's is not known"),
        hint: Some(remedy.to_owned()),
        degrades: false,
    }
}

fn words(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim)
}

/// Slurm's and the container runtime's.
fn numbered_by_the_kernel(devices: &[Gpu], among: &[usize], value: &str) -> Vec<Found> {
    let found: Vec<Found> = words(value)
        .filter_map(|word| find(devices, among, word, Counted::Kernel))
        .collect();
    if found.is_empty() && !matches!(value, "" | "none") && words(value).count() == among.len() {
        // A device cgroup or a container hides the others and counts anew: all that is seen is allocated.
        return among.iter().copied().map(Found::Whole).collect();
    }
    found
}

fn nvidia(
    devices: &[Gpu],
    among: &[usize],
    variables: &BTreeMap<String, String>,
) -> Result<Option<Said>, Note> {
    if let Some(value) = variables.get(CUDA) {
        let found = cuda(devices, among, value, variables)?;
        return Ok(Some(Said {
            by: vec![CUDA],
            found,
        }));
    }
    let Some(value) = variables.get(CONTAINER).map(|value| value.trim()) else {
        return Ok(None);
    };
    if matches!(value, "" | "void" | "all") {
        // The container runtime leaves everything as it is; and images say `all` (NVIDIA's base images do), which sets
        // nothing apart for anybody.
        return Ok(None);
    }
    Ok(Some(Said {
        by: vec![CONTAINER],
        found: numbered_by_the_kernel(devices, among, value),
    }))
}

/// CUDA takes what stands before the first word that names nothing, and counts the fastest first unless it is told to count
/// by PCI address, as NVML does (CUDA C++ Programming Guide, CUDA Environment Variables). Among devices of one name that is the
/// same.
fn cuda(
    devices: &[Gpu],
    among: &[usize],
    value: &str,
    variables: &BTreeMap<String, String>,
) -> Result<Vec<Found>, Note> {
    let found: Vec<Found> = words(value)
        .map_while(|word| find(devices, among, word, Counted::Seen))
        .collect();
    let names: BTreeSet<Option<&str>> = among
        .iter()
        .filter_map(|at| devices.get(*at))
        .map(|gpu| gpu.name.as_deref())
        .collect();
    let by_address = variables
        .get(CUDA_ORDER)
        .is_some_and(|order| order.trim() == "PCI_BUS_ID");
    let numbered = words(value)
        .take(found.len())
        .any(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    let all = found.len() == among.len() && found.iter().all(|found| matches!(found, Found::Whole(_)));
    if numbered && names.len() > 1 && !by_address && !all {
        return Err(unknown(
            CUDA,
            "counts GPUs that are not alike, the fastest first",
            "set `CUDA_DEVICE_ORDER=PCI_BUS_ID`, or name them by their UUIDs",
        ));
    }
    Ok(found)
}

/// ROCm's runtime leaves some; HIP, which takes CUDA's variable for its own, and OpenCL count those that are left (ROCm
/// documentation, GPU isolation techniques). It counts them in the order of the kernel's nodes, which is that of the PCI addresses.
fn amd(
    devices: &[Gpu],
    among: &[usize],
    variables: &BTreeMap<String, String>,
    beside_nvidia: bool,
) -> Option<Said> {
    let names: [&[&'static str]; 2] = if beside_nvidia {
        [&[ROCR], &[HIP, OPENCL]]
    } else {
        [&[ROCR], &[HIP, CUDA, OPENCL]]
    };
    let mut left: Vec<usize> = among.to_vec();
    let mut by = Vec::new();
    for names in names {
        let Some((name, value)) = names.iter().find_map(|name| Some((*name, variables.get(*name)?))) else {
            continue;
        };
        left = words(value)
            .map_while(|word| match word.parse::<usize>() {
                Ok(number) => left.get(number).copied(),
                Err(_) => by_uuid(devices, &left, word),
            })
            .collect();
        by.push(name);
    }
    (!by.is_empty()).then(|| Said {
        by,
        found: left.into_iter().map(Found::Whole).collect(),
    })
}

/// Level Zero counts cards, or the stacks of cards, which have no meters of their own here (Level Zero specification, Affinity Mask
/// and Device Hierarchy). On cards of one stack that is the same; a part of a card is taken for the card.
fn intel(among: &[usize], variables: &BTreeMap<String, String>) -> Result<Option<Said>, Note> {
    let Some(mask) = variables.get(LEVEL_ZERO).filter(|mask| !mask.trim().is_empty()) else {
        return Ok(None);
    };
    let numbers: BTreeSet<usize> = words(mask)
        .filter_map(|word| word.split('.').next()?.parse().ok())
        .collect();
    let cards = variables
        .get(HIERARCHY)
        .is_some_and(|order| order.trim() == "COMPOSITE");
    if !cards && numbers.iter().any(|number| *number >= among.len()) {
        return Err(unknown(
            LEVEL_ZERO,
            "counts the stacks of GPUs",
            "set `ZE_FLAT_DEVICE_HIERARCHY=COMPOSITE`, and name cards",
        ));
    }
    let found = numbers
        .into_iter()
        .filter_map(|number| among.get(number).copied().map(Found::Whole))
        .collect();
    Ok(Some(Said {
        by: vec![LEVEL_ZERO],
        found,
    }))
}

fn mark(devices: &mut [Gpu], among: &[usize], found: &[Found]) {
    for at in among {
        if let Some(gpu) = devices.get_mut(*at) {
            gpu.allocated = Some(Share::NONE);
        }
    }
    for found in found {
        match *found {
            Found::Whole(at) => {
                if let Some(gpu) = devices.get_mut(at) {
                    gpu.allocated = Some(Share::ALL);
                }
            }
            Found::Slice(at, slice) => {
                if let Some(slice) = devices.get_mut(at).and_then(|gpu| gpu.slices.get_mut(slice)) {
                    slice.allocated = true;
                }
            }
        }
    }
    for gpu in devices {
        let mine: u32 = gpu
            .slices
            .iter()
            .filter(|slice| slice.allocated)
            .map(|slice| slice.slices)
            .sum();
        let of = gpu.slices.iter().map(|slice| slice.of).max().unwrap_or(0);
        if mine > 0 && gpu.allocated != Some(Share::ALL) {
            gpu.allocated = Some(Share::of(u64::from(mine.min(of)), u64::from(of)));
        }
    }
}

fn find(devices: &[Gpu], among: &[usize], word: &str, counted: Counted) -> Option<Found> {
    let of = |so: &dyn Fn(&Gpu) -> bool| among.iter().copied().find(|at| devices.get(*at).is_some_and(so));
    if let Ok(number) = word.parse::<u32>() {
        return of(&|gpu| {
            number
                == match counted {
                    Counted::Kernel => gpu.minor.unwrap_or(gpu.index),
                    Counted::Seen => gpu.index,
                }
        })
        .map(Found::Whole);
    }
    // `0:1` is the container runtime's and CUDA's second partition of the first device.
    if let Some((gpu, slice)) = word.split_once(':')
        && let (Ok(gpu), Ok(slice)) = (gpu.parse::<u32>(), slice.parse::<usize>())
    {
        let at = of(&|device| device.index == gpu)?;
        devices.get(at)?.slices.get(slice)?;
        return Some(Found::Slice(at, slice));
    }
    if word.starts_with("MIG-") {
        return among.iter().find_map(|at| {
            let mut slices = devices.get(*at)?.slices.iter();
            let slice = slices.position(|slice| named(slice.uuid.as_deref(), word))?;
            Some(Found::Slice(*at, slice))
        });
    }
    by_uuid(devices, among, word).map(Found::Whole)
}

/// As many letters as make it unique are enough.
fn by_uuid(devices: &[Gpu], among: &[usize], word: &str) -> Option<usize> {
    let mut all = among.iter().copied().filter(|at| {
        devices
            .get(*at)
            .is_some_and(|gpu| named(gpu.uuid.as_deref(), word))
    });
    match (all.next(), all.next()) {
        (Some(at), None) => Some(at),
        _ => None,
    }
}

fn named(uuid: Option<&str>, word: &str) -> bool {
    !word.is_empty() && uuid.is_some_and(|uuid| uuid.starts_with(word))
}

#[cfg(test)]
#[path = "gpu_allocation_tests.rs"]
mod tests;
