//! Machines that are not this one, as small system roots.

use super::*;
use crate::model::recording::CpuGroup;

/// A system root under construction.
struct Root(tempfile::TempDir);

impl Root {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(self, name: &str, text: &str) -> Self {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    fn cpus(self, online: &str, possible: &str) -> Self {
        self.file("sys/devices/system/cpu/online", &format!("{online}\n"))
            .file("sys/devices/system/cpu/possible", &format!("{possible}\n"))
    }

    fn at(self, cpu: u32, package: i32, die: i32, threads: &str) -> Self {
        let folder = format!("sys/devices/system/cpu/cpu{cpu}/topology");
        self.file(&format!("{folder}/physical_package_id"), &format!("{package}\n"))
            .file(&format!("{folder}/die_id"), &format!("{die}\n"))
            .file(&format!("{folder}/core_cpus_list"), &format!("{threads}\n"))
    }
}

fn group(package: u32, die: u32, cpus: &[u32]) -> CpuGroup {
    CpuGroup {
        package,
        die,
        cpus: cpus.to_vec(),
        capacity_permille: None,
    }
}

#[test]
fn two_sockets_with_two_threads_per_core_are_two_groups() {
    let root = Root::new()
        .cpus("0-7", "0-7")
        .at(0, 0, 0, "0,4")
        .at(1, 0, 0, "1,5")
        .at(2, 1, 0, "2,6")
        .at(3, 1, 0, "3,7")
        .at(4, 0, 0, "0,4")
        .at(5, 0, 0, "1,5")
        .at(6, 1, 0, "2,6")
        .at(7, 1, 0, "3,7");
    let found = topology(root.path()).unwrap();
    assert_eq!(
        found.groups,
        [group(0, 0, &[0, 1, 4, 5]), group(1, 0, &[2, 3, 6, 7])]
    );
    assert_eq!(found.siblings, [4, 5, 6, 7, 0, 1, 2, 3].map(Some));
    assert_eq!((found.possible, found.notes), (8, vec![]));
    let host = probe(root.path());
    assert_eq!(
        (host.cpus, host.packages, host.cores, host.threads_per_core),
        (Some(8), Some(2), Some(4), Some(2))
    );
}

#[test]
fn dies_of_one_package_are_groups_of_their_own() {
    let root = Root::new()
        .cpus("0-3", "0-3")
        .at(0, 0, 0, "0")
        .at(1, 0, 1, "1")
        .at(2, 0, 0, "2")
        .at(3, 0, 1, "3");
    let found = topology(root.path()).unwrap();
    assert_eq!(found.groups, [group(0, 0, &[0, 2]), group(0, 1, &[1, 3])]);
    assert_eq!(found.siblings, [None; 4]);
    let host = probe(root.path());
    assert_eq!(
        (host.packages, host.cores, host.threads_per_core),
        (Some(1), Some(4), Some(1))
    );
}

#[test]
fn an_offline_cpu_is_in_no_group_and_is_nobodys_sibling() {
    // cpu3 is offline: the kernel removes its topology folder. Its sibling's list still naming it would be a race.
    let root = Root::new()
        .cpus("0-2", "0-5")
        .at(0, 0, 0, "0-1")
        .at(1, 0, 0, "0-1")
        .at(2, 0, 0, "2-3");
    let found = topology(root.path()).unwrap();
    assert_eq!(found.groups, [group(0, 0, &[0, 1, 2])]);
    assert_eq!(found.siblings, [Some(1), Some(0), None, None, None, None]);
    assert_eq!(found.possible, 6);
    assert_eq!(probe(root.path()).cores, Some(2));
}

#[test]
fn four_threads_to_a_core_make_a_ring() {
    let root = Root::new()
        .cpus("0-3", "0-3")
        .at(0, 0, 0, "0-3")
        .at(1, 0, 0, "0-3")
        .at(2, 0, 0, "0-3")
        .at(3, 0, 0, "0-3");
    let found = topology(root.path()).unwrap();
    assert_eq!(found.siblings, [1, 2, 3, 0].map(Some));
    assert_eq!(probe(root.path()).cores, Some(1));
    assert_eq!(probe(root.path()).threads_per_core, Some(4));
}

#[test]
fn without_topology_files_all_online_cpus_are_one_group() {
    let root = Root::new().cpus("0-1", "0-3");
    let found = topology(root.path()).unwrap();
    assert_eq!(found.groups, [group(0, 0, &[0, 1])]);
    assert_eq!(found.siblings, [None; 4]);
    assert_eq!(found.notes.len(), 1);
    assert!(!found.notes[0].degrades);
}

#[test]
fn one_cpu_without_a_package_makes_all_one_group_and_degrades() {
    let root = Root::new()
        .cpus("0-2", "0-2")
        .at(0, 0, 0, "0")
        .at(1, 1, 0, "1")
        .at(2, -1, 0, "2");
    let found = topology(root.path()).unwrap();
    assert_eq!(found.groups, [group(0, 0, &[0, 1, 2])]);
    assert!(found.notes[0].degrades);
    assert!(
        found.notes[0].message.contains("1 of 3 CPUs"),
        "{}",
        found.notes[0].message
    );
}

#[test]
fn an_old_kernel_without_die_id_has_die_0_and_its_siblings_under_the_old_name() {
    let cpu = "sys/devices/system/cpu";
    let mut root = Root::new().cpus("0-1", "0-1");
    for n in 0..2 {
        root = root
            .file(&format!("{cpu}/cpu{n}/topology/physical_package_id"), "0\n")
            .file(&format!("{cpu}/cpu{n}/topology/thread_siblings_list"), "0-1\n");
    }
    let found = topology(root.path()).unwrap();
    assert_eq!(found.groups, [group(0, 0, &[0, 1])]);
    assert_eq!(found.siblings, [Some(1), Some(0)]);
}

#[test]
fn a_garbage_sibling_list_is_noted_with_its_file() {
    let root = Root::new().cpus("0", "0").at(0, 0, 0, "zero");
    let found = topology(root.path()).unwrap();
    assert_eq!(found.siblings, [None]);
    assert!(
        found.notes[0]
            .message
            .ends_with("cpu0/topology/core_cpus_list` has `zero`, which is no list of CPUs")
    );
}

#[test]
fn a_garbage_list_of_online_cpus_is_an_error_with_path_and_value() {
    let root = Root::new().cpus("none", "0");
    let error = topology(root.path()).unwrap_err().to_string();
    assert!(
        error.ends_with("sys/devices/system/cpu/online` has `none`, which is no list of CPUs"),
        "{error}"
    );
    assert_eq!(probe(root.path()).cpus, None);
}

#[test]
fn cpuinfo_stands_in_for_a_missing_sysfs_and_nothing_at_all_is_an_error() {
    let root = Root::new().file("proc/cpuinfo", "processor\t: 0\n\nprocessor\t: 1\n");
    let found = topology(root.path()).unwrap();
    assert_eq!(found.groups, [group(0, 0, &[0, 1])]);
    let empty = Root::new();
    assert!(matches!(topology(empty.path()), Err(HostError::NoCpus { .. })));
    let host = probe(empty.path());
    assert_eq!(
        (host.cpus, host.memory_bytes, host.virtualization),
        (None, None, None)
    );
    let silly = Root::new().file("proc/cpuinfo", "processor : 4000000000\n");
    assert!(topology(silly.path()).is_err());
}

const GUEST: &str = "processor : 0\nvendor_id : GenuineIntel\ncpu family : 6\nmodel : 143\nmodel name : Intel Xeon\n\
                     flags : fpu hypervisor\n";

#[test]
fn a_guest_is_told_with_the_name_of_its_hypervisor() {
    let dmi = "sys/class/dmi/id";
    let named = |vendor: &str, product: &str| {
        let root = Root::new()
            .file("proc/cpuinfo", GUEST)
            .file(&format!("{dmi}/sys_vendor"), vendor)
            .file(&format!("{dmi}/product_name"), product);
        probe(root.path()).virtualization
    };
    for (vendor, product, name) in [
        ("QEMU\n", "Standard PC (Q35 + ICH9, 2009)\n", "kvm"),
        ("Amazon EC2\n", "m7i.large\n", "kvm"),
        ("VMware, Inc.\n", "VMware7,1\n", "vmware"),
        ("Microsoft Corporation\n", "Virtual Machine\n", "hyperv"),
        ("innotek GmbH\n", "VirtualBox\n", "virtualbox"),
        ("Xen\n", "HVM domU\n", "xen"),
        ("Somebody\n", "Something\n", "unknown"),
    ] {
        assert_eq!(
            named(vendor, product).as_deref(),
            Some(name),
            "{vendor} {product}"
        );
    }
    let clock = "sys/devices/system/clocksource/clocksource0/available_clocksource";
    let bare = Root::new()
        .file("proc/cpuinfo", GUEST)
        .file(clock, "kvm-clock tsc acpi_pm\n");
    assert_eq!(probe(bare.path()).virtualization.as_deref(), Some("kvm"));
}

#[test]
fn a_machine_whose_cpu_denies_a_hypervisor_is_bare_metal_whatever_its_maker_is_called() {
    let root = Root::new()
        .file("proc/cpuinfo", "processor : 0\nflags : fpu\n")
        .file("sys/class/dmi/id/sys_vendor", "Amazon EC2\n")
        .file("sys/class/dmi/id/product_name", "m7i.metal-24xl\n");
    assert_eq!(probe(root.path()).virtualization, None);
}

#[test]
fn an_arm_guest_is_told_by_its_firmware_and_rented_metal_is_not() {
    let arm = "processor : 0\nCPU implementer : 0x41\nCPU part : 0xd40\n";
    let rented = |product: &str| {
        let root = Root::new()
            .file("proc/cpuinfo", arm)
            .file("sys/class/dmi/id/sys_vendor", "Amazon EC2\n")
            .file("sys/class/dmi/id/product_name", product);
        probe(root.path())
    };
    let host = rented("m7g.large\n");
    assert_eq!(host.virtualization.as_deref(), Some("kvm"));
    assert_eq!(
        (host.cpu_family, host.cpu_model_number),
        (Some(0x41), Some(0xd40))
    );
    assert_eq!(rented("m7g.metal\n").virtualization, None);
    let tree = Root::new()
        .file("proc/cpuinfo", arm)
        .file("proc/device-tree/hypervisor/compatible", "linux,kvm\0");
    assert_eq!(probe(tree.path()).virtualization.as_deref(), Some("kvm"));
}

#[test]
fn memory_is_read_in_bytes_and_garbage_is_none() {
    let root = Root::new().file("proc/meminfo", "MemTotal:       16318480 kB\nMemFree: 1 kB\n");
    assert_eq!(probe(root.path()).memory_bytes, Some(16_318_480 * 1024));
    let garbage = Root::new().file("proc/meminfo", "MemTotal: lots kB\n");
    assert_eq!(probe(garbage.path()).memory_bytes, None);
}

#[test]
fn slurm_is_kept_by_short_names_and_nothing_else_of_the_environment() {
    let env = [
        ("SLURM_JOB_ID", "4711"),
        ("SLURM_ARRAY_TASK_ID", "3"),
        ("SLURM_CPUS_ON_NODE", "16"),
        ("SLURM_JOB_USER", "mallory"),
        ("SLURM_", "x"),
        ("HOME", "/home/mallory"),
    ];
    let found = slurm(env.map(|(name, value)| (name.into(), value.into())));
    let wanted = [("array_task_id", "3"), ("cpus_on_node", "16"), ("job_id", "4711")];
    assert_eq!(
        found,
        wanted
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    );
}

#[test]
fn this_machine_can_be_probed() {
    let host = probe(Path::new("/"));
    let found = topology(Path::new("/")).unwrap();
    let uname = std::process::Command::new("uname").arg("-m").output().unwrap();
    assert_eq!(
        host.architecture.unwrap(),
        String::from_utf8(uname.stdout).unwrap().trim()
    );
    assert_eq!(host.cpus.unwrap() as usize, found.online().count());
    assert!(host.memory_bytes.unwrap() > 1 << 26);
    assert_eq!(found.siblings.len(), found.possible as usize);
    for (cpu, sibling) in found.siblings.iter().enumerate() {
        assert_ne!(*sibling, u32::try_from(cpu).ok());
    }
}

/// A laptop with two fast cores of two threads each, and four efficient ones.
fn hybrid() -> Root {
    let mut root = Root::new()
        .cpus("0-7", "0-7")
        .file("sys/devices/cpu_core/cpus", "0-3\n")
        .file("sys/devices/cpu_atom/cpus", "4-7\n");
    for cpu in 0..4 {
        root = root.at(cpu, 0, 0, if cpu < 2 { "0-1" } else { "2-3" });
    }
    for cpu in 4..8 {
        root = root.at(cpu, 0, 0, &cpu.to_string());
    }
    root
}

#[test]
fn the_cores_of_a_hybrid_are_groups_of_their_own_and_weigh_by_what_they_can_do() {
    let mut root = hybrid();
    for (cpu, perf) in [64, 64, 65, 65, 39, 39, 39, 39].into_iter().enumerate() {
        let file = format!("sys/devices/system/cpu/cpu{cpu}/acpi_cppc/highest_perf");
        root = root.file(&file, &format!("{perf}\n"));
    }
    let found = topology(root.path()).unwrap();
    let weighing = |cpus: &[u32], permille| CpuGroup {
        capacity_permille: Some(permille),
        ..group(0, 0, cpus)
    };
    assert_eq!(
        found.groups,
        [weighing(&[0, 1, 2, 3], 1000), weighing(&[4, 5, 6, 7], 600)]
    );
    let told: Vec<&str> = found.notes.iter().map(|note| note.code.as_str()).collect();
    assert_eq!(told, ["cores-differ"]);
    assert!(
        found.notes[0].message.contains("1000, 600"),
        "{}",
        found.notes[0].message
    );
    assert_eq!((found.siblings[0], found.siblings[4]), (Some(1), None));
}

#[test]
fn a_hybrid_that_does_not_say_what_its_cores_can_do_still_has_two_groups() {
    let root = hybrid();
    let found = topology(root.path()).unwrap();
    assert_eq!(
        found.groups,
        [group(0, 0, &[0, 1, 2, 3]), group(0, 0, &[4, 5, 6, 7])]
    );
    assert!(
        found.notes[0].message.contains("weighs the same"),
        "{}",
        found.notes[0].message
    );
}

#[test]
fn arms_capacities_make_kinds_and_equal_ones_make_none() {
    let with = |capacities: [u32; 3]| {
        let mut root = Root::new().cpus("0-2", "0-2");
        for (cpu, capacity) in (0..).zip(capacities) {
            let file = format!("sys/devices/system/cpu/cpu{cpu}/cpu_capacity");
            root = root
                .at(cpu, 0, 0, &cpu.to_string())
                .file(&file, &format!("{capacity}\n"));
        }
        topology(root.path()).unwrap()
    };
    let found = with([446, 1024, 446]);
    let capacities: Vec<_> = found
        .groups
        .iter()
        .map(|group| (group.cpus.clone(), group.capacity_permille))
        .collect();
    assert_eq!(capacities, [(vec![1], Some(1000)), (vec![0, 2], Some(435))]);
    let alike = with([1024; 3]);
    assert_eq!(alike.groups, [group(0, 0, &[0, 1, 2])]);
    assert!(alike.notes.is_empty());
}
