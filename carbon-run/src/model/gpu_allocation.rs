//! Which GPUs are the job's, from what Slurm, CUDA and container runtimes say in the environment.

use super::recording::Gpu;
use super::units::Share;
use std::collections::BTreeMap;

/// The variables, most telling first. Slurm's are of its step or job; its numbers are the kernel's, and stay so where a
/// device cgroup hides the other devices (srun manual page, `SLURM_STEP_GPUS`); so are a container runtime's. CUDA's count
/// the devices that are seen.
pub const VARIABLES: [&str; 4] = [
    "SLURM_STEP_GPUS",
    "SLURM_JOB_GPUS",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
];

/// Marks what is the job's, and says which variable told; `None`: none did, and nothing is marked.
pub fn allocate(devices: &mut [Gpu], variables: &BTreeMap<String, String>) -> Option<String> {
    let (name, value) = VARIABLES
        .iter()
        .find_map(|name| Some((*name, variables.get(*name)?.trim())))?;
    if name == "NVIDIA_VISIBLE_DEVICES" && matches!(value, "" | "void" | "all") {
        // The container runtime leaves everything as it is; and images say `all` (NVIDIA's base images do), which sets
        // nothing apart for anybody.
        return None;
    }
    let kernels = name != "CUDA_VISIBLE_DEVICES";
    let words: Vec<&str> = value.split(',').map(str::trim).collect();
    let mut found: Vec<Found> = Vec::new();
    for word in &words {
        match find(devices, word, kernels) {
            Some(all) => found.extend(all),
            // CUDA takes what stands before the first word that names nothing (CUDA C++ Programming Guide, CUDA
            // Environment Variables).
            None if name == "CUDA_VISIBLE_DEVICES" => break,
            None => {}
        }
    }
    if kernels && found.is_empty() && words.len() == devices.len() {
        // A device cgroup or a container hides the others and counts anew: all that is seen is allocated.
        found.extend((0..devices.len()).map(Found::Whole));
    }
    for gpu in &mut *devices {
        gpu.allocated = Some(Share::NONE);
    }
    for found in found {
        match found {
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
    Some(name.to_owned())
}

enum Found {
    Whole(usize),
    Slice(usize, usize),
}

fn find(devices: &[Gpu], word: &str, kernels: bool) -> Option<Vec<Found>> {
    if word == "none" {
        return Some(Vec::new());
    }
    if let Ok(number) = word.parse::<u32>() {
        let by = |gpu: &Gpu| {
            if kernels {
                gpu.minor.unwrap_or(gpu.index) == number
            } else {
                gpu.index == number
            }
        };
        return devices.iter().position(by).map(|at| vec![Found::Whole(at)]);
    }
    // `0:1` is the container runtime's and CUDA's second partition of the first device.
    if let Some((gpu, slice)) = word.split_once(':')
        && let (Ok(gpu), Ok(slice)) = (gpu.parse::<u32>(), slice.parse::<usize>())
    {
        let at = devices.iter().position(|device| device.index == gpu)?;
        devices.get(at)?.slices.get(slice)?;
        return Some(vec![Found::Slice(at, slice)]);
    }
    if word.starts_with("MIG-") {
        return devices.iter().enumerate().find_map(|(at, gpu)| {
            let slice = gpu
                .slices
                .iter()
                .position(|slice| named(slice.uuid.as_deref(), word))?;
            Some(vec![Found::Slice(at, slice)])
        });
    }
    // As many letters as make it unique are enough.
    let mut all = devices
        .iter()
        .enumerate()
        .filter(|(_, gpu)| named(gpu.uuid.as_deref(), word));
    match (all.next(), all.next()) {
        (Some((at, _)), None) => Some(vec![Found::Whole(at)]),
        _ => None,
    }
}

fn named(uuid: Option<&str>, word: &str) -> bool {
    !word.is_empty() && uuid.is_some_and(|uuid| uuid.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::recording::{GpuSlice, GpuVendor};

    fn devices() -> Vec<Gpu> {
        let gpu = |index: u32, minor: u32, uuid: &str| Gpu {
            domain: None,
            vendor: GpuVendor::Nvidia,
            index,
            minor: Some(minor),
            uuid: Some(uuid.to_owned()),
            name: None,
            pci: None,
            driver: None,
            slices: Vec::new(),
            allocated: None,
            idle: Default::default(),
        };
        let mut devices = vec![
            gpu(0, 4, "GPU-aaaa1111"),
            gpu(1, 5, "GPU-aaaa2222"),
            gpu(2, 6, "GPU-bbbb"),
        ];
        devices[2].slices = [3, 4]
            .iter()
            .enumerate()
            .map(|(at, slices)| GpuSlice {
                uuid: Some(format!("MIG-{at}")),
                slices: *slices,
                of: 7,
                allocated: false,
            })
            .collect();
        devices
    }

    fn under(variable: &str, value: &str) -> Option<Vec<f64>> {
        let mut devices = devices();
        let variables = BTreeMap::from([(variable.to_owned(), value.to_owned())]);
        allocate(&mut devices, &variables)?;
        Some(devices.iter().map(|gpu| gpu.allocated.unwrap().get()).collect())
    }

    #[test]
    fn cuda_counts_the_devices_it_sees_and_stops_at_what_it_does_not_know() {
        let cuda = |value| under("CUDA_VISIBLE_DEVICES", value).unwrap();
        assert_eq!(cuda("1"), [0.0, 1.0, 0.0]);
        assert_eq!(cuda("1,0"), [1.0, 1.0, 0.0]);
        assert_eq!(cuda("1,-1,0"), [0.0, 1.0, 0.0]);
        assert_eq!(cuda("NoDevFiles"), [0.0, 0.0, 0.0]);
        assert_eq!(cuda(""), [0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_uuid_may_be_cut_as_long_as_it_is_unique() {
        let cuda = |value| under("CUDA_VISIBLE_DEVICES", value).unwrap();
        assert_eq!(cuda("GPU-aaaa2"), [0.0, 1.0, 0.0]);
        assert_eq!(cuda("GPU-aaaa"), [0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_partition_is_the_part_of_the_device_that_it_is() {
        let by_uuid = under("CUDA_VISIBLE_DEVICES", "MIG-1").unwrap();
        assert!((by_uuid[2] - 4.0 / 7.0).abs() < 1e-9);
        let by_number = under("NVIDIA_VISIBLE_DEVICES", "2:0").unwrap();
        assert!((by_number[2] - 3.0 / 7.0).abs() < 1e-9);
    }

    #[test]
    fn slurms_numbers_are_the_kernels_and_come_before_cudas() {
        assert_eq!(under("SLURM_JOB_GPUS", "5,6").unwrap(), [0.0, 1.0, 1.0]);
        let mut devices = devices();
        let variables = BTreeMap::from([
            ("SLURM_JOB_GPUS".to_owned(), "6".to_owned()),
            ("CUDA_VISIBLE_DEVICES".to_owned(), "0".to_owned()),
        ]);
        assert_eq!(
            allocate(&mut devices, &variables).as_deref(),
            Some("SLURM_JOB_GPUS")
        );
        assert_eq!(devices[2].allocated, Some(Share::ALL));
        assert_eq!(devices[0].allocated, Some(Share::NONE));
    }

    #[test]
    fn slurms_numbers_behind_a_device_cgroup_mean_all_that_is_seen() {
        assert_eq!(under("SLURM_JOB_GPUS", "0,1,2").unwrap(), [1.0, 1.0, 1.0]);
    }

    #[test]
    fn a_container_says_some_or_none_and_all_is_nothing_set_apart() {
        assert_eq!(under("NVIDIA_VISIBLE_DEVICES", "all"), None);
        assert_eq!(under("NVIDIA_VISIBLE_DEVICES", "none").unwrap(), [0.0, 0.0, 0.0]);
        assert_eq!(under("NVIDIA_VISIBLE_DEVICES", "void"), None);
        assert_eq!(under("PATH", "0"), None);
    }
}
