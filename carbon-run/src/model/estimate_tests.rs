//! The power that the models give to a machine.

use super::*;
use crate::model::cpu_table::CpuTable;
use proptest::prelude::*;

pub(super) fn named(model: &str) -> Host {
    Host {
        cpu_model: Some(model.to_owned()),
        cpus: Some(8),
        ..Host::default()
    }
}

pub(super) fn power(host: &Host, packages: u32) -> CpuPowerModel {
    tables().cpu_power(host, packages, &StatedModels::default())
}

pub(super) fn tables() -> &'static Tables {
    Tables::embedded().unwrap()
}

pub(super) fn watts(range: Ranged<Watts>) -> [f64; 3] {
    [range.low, range.value, range.high].map(|w| (w.get() * 1000.0).round() / 1000.0)
}

#[track_caller]
fn close(range: Ranged<Watts>, wanted: [f64; 3]) {
    let found = watts(range);
    assert!(
        found
            .iter()
            .zip(wanted)
            .all(|(found, wanted)| (found - wanted).abs() < 0.002),
        "{found:?}, not {wanted:?}"
    );
}

#[test]
fn bare_metal_with_a_known_cpu_is_modelled_by_its_design_power() {
    let model = power(&named("AMD EPYC 7763 64-Core Processor"), 1);
    close(model.idle, [14.0, 42.0, 84.0]);
    close(model.full, [140.0, 210.0, 280.0]);
    assert_eq!(model.basis, "AMD EPYC 7763 64-Core Processor, TDP 280 W");
}

#[test]
fn two_packages_draw_twice_the_power_of_one() {
    let model = power(&named("Intel(R) Xeon(R) CPU           X5650  @ 2.67GHz"), 2);
    close(model.full, [95.0, 142.5, 190.0]);
    assert_eq!(
        model.basis,
        "2 x Intel(R) Xeon(R) CPU X5650 @ 2.67GHz, TDP 95 W each"
    );
}

/// As this kernel sees it: KVM on Zen 4 with the model name cut off.
fn genoa_guest() -> Host {
    Host {
        architecture: Some("x86_64".to_owned()),
        cpu_model: Some("AMD EPYC".to_owned()),
        cpu_vendor: Some("AuthenticAMD".to_owned()),
        cpu_family: Some(25),
        cpu_model_number: Some(17),
        cpu_stepping: Some(1),
        cpus: Some(2),
        threads_per_core: Some(2),
        virtualization: Some("kvm".to_owned()),
        ..Host::default()
    }
}

#[test]
fn a_guest_is_modelled_by_its_virtual_cpus_and_their_microarchitecture() {
    let model = power(&genoa_guest(), 1);
    close(model.idle, [0.739, 1.478, 1.921]);
    close(model.full, [2.282, 4.564, 5.933]);
    assert_eq!(
        model.basis,
        "AMD Zen 4, 2 x 0.74 to 2.28 W per vCPU (Cloud Carbon Footprint)"
    );
}

#[test]
fn a_guest_that_shows_its_hosts_model_is_not_charged_for_the_whole_package() {
    let host = Host {
        cpu_model: Some("AMD EPYC 9654 96-Core Processor".to_owned()),
        ..genoa_guest()
    };
    // 2 of 192 hardware threads of 360 W
    let guest = power(&host, 1);
    close(guest.full, [1.875, 2.813, 3.75]);
    assert_eq!(
        guest.basis,
        "AMD EPYC 9654 96-Core Processor, TDP 360 W, 2 vCPUs of 192 hardware threads"
    );
    let metal = Host {
        virtualization: None,
        ..host
    };
    close(power(&metal, 1).full, [180.0, 270.0, 360.0]);
}

#[test]
fn stepping_tells_skylake_from_cascade_lake() {
    let at = |stepping| Host {
        cpu_vendor: Some("GenuineIntel".to_owned()),
        cpu_family: Some(6),
        cpu_model_number: Some(85),
        cpu_stepping: Some(stepping),
        ..genoa_guest()
    };
    assert!(power(&at(4), 1).basis.starts_with("Intel Skylake, "));
    assert!(power(&at(7), 1).basis.starts_with("Intel Cascade Lake, "));
}

#[test]
fn an_arm_guest_is_known_by_implementer_and_part_and_says_whose_figures_it_has() {
    let graviton = Host {
        architecture: Some("aarch64".to_owned()),
        cpu_model: None,
        cpu_vendor: None,
        cpu_family: Some(0x41),
        cpu_model_number: Some(0xd0c),
        ..genoa_guest()
    };
    let basis = power(&graviton, 1).basis;
    assert!(
        basis.starts_with("Arm Neoverse N1 by figures of AMD Zen 2, 2 x 0.47 to 1.69 W"),
        "{basis}"
    );
}

#[test]
fn an_unknown_cpu_gets_the_middle_of_all_and_a_range_over_all() {
    let host = Host {
        cpu_model: Some("Common KVM processor".to_owned()),
        cpu_family: Some(99),
        ..genoa_guest()
    };
    let model = power(&host, 1);
    close(model.idle, [0.379, 1.534, 5.751]);
    close(model.full, [1.354, 8.126, 22.441]);
    assert!(
        model.basis.starts_with("CPU not in the tables, 2 x "),
        "{}",
        model.basis
    );
}

#[test]
fn bare_metal_without_a_listed_cpu_is_modelled_by_its_hardware_threads() {
    let host = Host {
        cpu_model: Some("AMD EPYC 9R14".to_owned()),
        virtualization: None,
        cpus: Some(192),
        ..genoa_guest()
    };
    let model = power(&host, 1);
    close(model.full, [219.072, 438.144, 569.587]);
    assert!(
        model.basis.contains("192 x 0.74 to 2.28 W per hardware thread"),
        "{}",
        model.basis
    );
}

#[test]
fn memory_takes_a_third_of_a_watt_per_gib_or_what_is_stated() {
    let model = tables().ram_power(&Host::default(), &StatedModels::default());
    close(model.per_gib, [0.305, 0.363, 0.421]);
    let stated = tables().ram_power(
        &Host::default(),
        &StatedModels {
            ram_per_gib: Some(Watts::new(0.5).unwrap()),
            ..StatedModels::default()
        },
    );
    close(stated.per_gib, [0.4, 0.5, 0.6]);
    assert_eq!(stated.basis, "0.5 W/GiB, as stated");
}

#[test]
fn a_guest_that_may_have_whole_cores_may_draw_their_power() {
    let unsure = Host {
        threads_per_core: Some(1),
        ..genoa_guest()
    };
    close(power(&unsure, 1).idle, [0.739, 1.478, 3.843]);
    close(power(&unsure, 1).full, [2.282, 4.564, 10.318]);
    let metal = Host {
        virtualization: None,
        ..unsure
    };
    close(power(&metal, 1).full, [3.969, 7.937, 10.318]);
}

#[test]
fn a_hypervisor_that_names_a_cpu_has_that_one_or_a_later_one() {
    let host = Host {
        cpu_model: Some("AMD EPYC-Milan Processor".to_owned()),
        cpu_model_number: Some(1),
        ..genoa_guest()
    };
    let model = power(&host, 1);
    // Down to Zen 5's idle by proxy and up to twice Zen 4's.
    close(model.idle, [0.456, 0.912, 2.956]);
    close(model.full, [1.826, 3.914, 9.128]);
    assert!(
        model.basis.starts_with("AMD Zen 3 or later, 2 x "),
        "{}",
        model.basis
    );
}

#[test]
fn a_guest_draws_no_more_than_its_package() {
    let host = Host {
        cpu_model: Some("13th Gen Intel(R) Core(TM) i7-1365U".to_owned()),
        cpu_vendor: Some("GenuineIntel".to_owned()),
        cpu_family: Some(6),
        cpu_model_number: Some(186),
        cpus: Some(8),
        ..genoa_guest()
    };
    let model = power(&host, 1);
    let [_, _, most] = watts(model.full).map(|watts| watts as u32);
    assert_eq!(most, 15);
    assert!(
        model
            .basis
            .starts_with("GenuineIntel CPU not in the tables, 8 x ")
            && model.basis.ends_with(", at most the 15 W of its package"),
        "{}",
        model.basis
    );
}

#[test]
fn an_unlisted_client_part_is_modelled_by_its_series() {
    let model = power(&named("13th Gen Intel(R) Core(TM) i7-13705H"), 1);
    close(model.full, [22.5, 33.75, 45.0]);
    assert_eq!(
        model.basis,
        "13th Gen Intel(R) Core(TM) i7-13705H, not listed; its series has a TDP of 45 to 45 W"
    );
}

fn stated(rows: &str) -> StatedModels {
    let text = format!("model,tdp_w,idle_w,threads,source\n{rows}");
    StatedModels {
        cpus: Some(CpuTable::parse("my.csv", text.as_bytes()).unwrap()),
        ..StatedModels::default()
    }
}

#[test]
fn a_persons_own_table_goes_before_the_built_in_one() {
    let host = named("AMD EPYC 7763 64-Core Processor");
    let model = tables().cpu_power(&host, 2, &stated("EPYC 7763,240,60,,measured at the plug\n"));
    close(model.idle, [108.0, 120.0, 132.0]);
    close(model.full, [240.0, 360.0, 480.0]);
    assert_eq!(
        model.basis,
        "2 x EPYC 7763, TDP 240 W (`my.csv`: measured at the plug)"
    );
    let other = stated("EPYC 7742,240,60,,plug\n");
    assert_eq!(tables().cpu_power(&host, 2, &other), power(&host, 2));
    assert_eq!(tables().is_stated(&host, &other), Some(false));
    assert_eq!(tables().is_stated(&host, &StatedModels::default()), None);
}

#[test]
fn a_stated_row_is_for_a_package_for_a_guest_or_for_so_many_threads() {
    let guest = genoa_guest();
    let check = |rows: &str, packages, full_w: [f64; 3]| {
        close(tables().cpu_power(&guest, packages, &stated(rows)).full, full_w);
    };
    // Packages of a guest are made up.
    check("AMD EPYC,10,,,me\n", 2, [5.0, 7.5, 10.0]);
    // Two of 192 threads.
    check("AMD EPYC,384,,192,me\n", 1, [2.0, 3.0, 4.0]);
    // By its microarchitecture.
    check("amd zen 4,20,,,me\n", 1, [10.0, 15.0, 20.0]);
}

proptest! {
    #[test]
    fn every_machine_has_a_power_and_its_range_is_in_order(
        name in prop::sample::select(vec![
            "", "AMD EPYC", "AMD EPYC 7B13", "AMD EPYC 7763 64-Core Processor", "AMD EPYC-Rome Processor", "QEMU Virtual CPU version 2.5+",
            "Intel(R) Xeon(R) Processor @ 2.90GHz", "12th Gen Intel(R) Core(TM) i9-12900K", "Intel(R) N100", "Apple M9", "AMD Ryzen 9 9999X",
        ]),
        vendor in prop::sample::select(vec![None, Some("GenuineIntel"), Some("AuthenticAMD"), Some("Nobody")]),
        numbers in (0..30_u32, 0..256_u32, 0..16_u32),
        cpus in prop::option::of(0..2048_u32),
        threads_per_core in prop::option::of(1..3_u32),
        packages in 0..9_u32,
        guest in any::<bool>(),
        own in prop::option::of((0.001..2000.0_f64, 0.0..1.0_f64, 1..512_u32)),
    ) {
        let host = Host {
            cpu_model: Some(name.to_owned()),
            cpu_vendor: vendor.map(str::to_owned),
            cpu_family: Some(numbers.0),
            cpu_model_number: Some(numbers.1),
            cpu_stepping: Some(numbers.2),
            cpus,
            threads_per_core,
            virtualization: guest.then(|| "kvm".to_owned()),
            ..Host::default()
        };
        let own = own.filter(|_| !name.is_empty()).map(|(tdp, idle, threads)| {
            stated(&format!("\"{name}\",{tdp},{},{threads},me\n", tdp * idle))
        });
        let model = tables().cpu_power(&host, packages, &own.unwrap_or_default());
        for range in [model.idle, model.full] {
            prop_assert!(range.low.get() >= 0.0 && range.low <= range.value && range.value <= range.high, "{model:?}");
        }
        prop_assert!(model.idle.value <= model.full.value && model.full.low.get() > 0.0, "{model:?}");
        prop_assert!(!model.basis.is_empty() && !model.basis.starts_with(','), "{model:?}");
    }
}
