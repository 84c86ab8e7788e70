//! Whose devices are whose, by what the environment says.

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
    allocate(&mut devices, &variables).by?;
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
        allocate(&mut devices, &variables).by.as_deref(),
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

/// Two NVIDIA, two AMD and two Intel devices, all numbered from 0 by their vendors' tools.
fn mixed() -> Vec<Gpu> {
    let [first, second, _] = <[Gpu; 3]>::try_from(devices()).unwrap();
    let of = |vendor, index: u32, uuid: Option<&str>| Gpu {
        vendor,
        index,
        minor: Some(index + 1),
        uuid: uuid.map(str::to_owned),
        ..first.clone()
    };
    vec![
        Gpu {
            minor: Some(0),
            ..first.clone()
        },
        Gpu {
            minor: Some(1),
            ..second
        },
        of(GpuVendor::Amd, 0, Some("GPU-0123456789abcdef")),
        of(GpuVendor::Amd, 1, Some("GPU-fedcba9876543210")),
        of(GpuVendor::Intel, 0, None),
        of(GpuVendor::Intel, 1, None),
    ]
}

/// What is marked, as a letter each: the job's, not the job's, nothing said.
fn marked(mut devices: Vec<Gpu>, variables: &[(&str, &str)]) -> (String, Allocation) {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let allocation = allocate(&mut devices, &variables);
    let letter = |gpu: &Gpu| match gpu.allocated {
        None => '?',
        Some(Share::ALL) => 'J',
        Some(_) => '-',
    };
    (devices.iter().map(letter).collect(), allocation)
}

#[test]
fn each_vendors_variables_are_about_its_own_devices() {
    for (variables, wanted, by) in [
        (&[(CUDA, "0")][..], "J-????", Some(CUDA)),
        (&[(CONTAINER, "1")], "-J????", Some(CONTAINER)),
        (&[(ROCR, "1")], "??-J??", Some(ROCR)),
        (&[(HIP, "0")], "??J-??", Some(HIP)),
        (&[(OPENCL, "1")], "??-J??", Some(OPENCL)),
        (&[(LEVEL_ZERO, "1")], "????-J", Some(LEVEL_ZERO)),
        (
            &[(CUDA, "1"), (ROCR, "0"), (LEVEL_ZERO, "0")],
            "-JJ-J-",
            Some("CUDA_VISIBLE_DEVICES, ROCR_VISIBLE_DEVICES, ZE_AFFINITY_MASK"),
        ),
        (&[], "??????", None),
    ] {
        let (letters, allocation) = marked(mixed(), variables);
        assert_eq!(
            (letters.as_str(), allocation.by.as_deref()),
            (wanted, by),
            "{variables:?}"
        );
        assert_eq!(allocation.notes, []);
    }
}

#[test]
fn hip_and_opencl_count_what_rocm_leaves_and_hip_comes_first() {
    let amd: Vec<Gpu> = mixed().drain(2..4).collect();
    for (variables, wanted) in [
        (&[(ROCR, "1"), (HIP, "0")][..], "-J"),
        (&[(ROCR, "1"), (HIP, "1")], "--"),
        (&[(ROCR, "1,0"), (HIP, "0")], "-J"),
        (&[(ROCR, "GPU-fedcba9876543210"), (OPENCL, "0")], "-J"),
        (&[(HIP, "0"), (OPENCL, "1")], "J-"),
        // Without an NVIDIA device HIP takes CUDA's variable for its own.
        (&[(CUDA, "1")], "-J"),
        (&[(HIP, "0"), (CUDA, "1")], "J-"),
        (&[(ROCR, "0,9,1")], "J-"),
        (&[(ROCR, "")], "--"),
    ] {
        assert_eq!(marked(amd.clone(), variables).0, wanted, "{variables:?}");
    }
}

#[test]
fn level_zero_counts_stacks_unless_it_is_told_to_count_cards() {
    let intel: Vec<Gpu> = mixed().drain(4..).collect();
    for (variables, wanted, notes) in [
        (&[(LEVEL_ZERO, "0")][..], "J-", 0),
        (&[(LEVEL_ZERO, "0.1, 1.0")], "JJ", 0),
        (&[(LEVEL_ZERO, "3")], "??", 1),
        (&[(LEVEL_ZERO, "3"), (HIERARCHY, "COMPOSITE")], "--", 0),
        (&[(LEVEL_ZERO, "")], "??", 0),
    ] {
        let (letters, allocation) = marked(intel.clone(), variables);
        assert_eq!(
            (letters.as_str(), allocation.notes.len()),
            (wanted, notes),
            "{variables:?}"
        );
    }
}

#[test]
fn numbers_of_cuda_among_devices_that_differ_mean_nothing_unless_the_order_is_told() {
    let mut unlike = devices();
    unlike[0].name = Some("NVIDIA T4".to_owned());
    for (variables, wanted, notes) in [
        (&[(CUDA, "0")][..], "???", 1),
        (&[(CUDA, "0"), (CUDA_ORDER, "FASTEST_FIRST")], "???", 1),
        (&[(CUDA, "0"), (CUDA_ORDER, "PCI_BUS_ID")], "J--", 0),
        (&[(CUDA, "GPU-aaaa1111")], "J--", 0),
        // Whatever the order is, these are all of them, and these none.
        (&[(CUDA, "2,0,1")], "JJJ", 0),
        (&[(CUDA, "")], "---", 0),
        (&[(CUDA, "-1")], "---", 0),
    ] {
        let (letters, allocation) = marked(unlike.clone(), variables);
        assert_eq!(
            (letters.as_str(), allocation.notes.len()),
            (wanted, notes),
            "{variables:?}"
        );
    }
}

#[test]
fn slurms_numbers_on_a_machine_of_several_vendors_give_way_to_the_vendors_own() {
    let (letters, allocation) = marked(mixed(), &[("SLURM_JOB_GPUS", "0,2"), (CUDA, "0"), (ROCR, "1")]);
    assert_eq!(letters, "J--J??");
    assert_eq!(
        allocation.by.as_deref(),
        Some("CUDA_VISIBLE_DEVICES, ROCR_VISIBLE_DEVICES")
    );
    let (letters, allocation) = marked(mixed(), &[("SLURM_JOB_GPUS", "0,2")]);
    assert_eq!((letters.as_str(), allocation.by), ("??????", None));
    assert!(allocation.notes[0].message.contains("SLURM_JOB_GPUS") && allocation.notes[0].hint.is_some());
}
