//! Every CPU name that a kernel was seen to write, with its verdict.

use super::tests::{named, power, tables, watts};
use crate::model::cpu_key::cpu_key;
use crate::model::units::Watts;

/// Names from /proc/cpuinfo with the vendor's design power in watts.
const KNOWN: [(&str, f64); 75] = [
    ("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", 120.0),
    ("Intel(R) Xeon(R) CPU E5-2670 0 @ 2.60GHz", 115.0),
    ("Intel(R) Xeon(R) CPU E5-2630 v3 @ 2.40GHz", 85.0),
    ("Intel(R) Xeon(R) CPU E7-8890 v4 @ 2.20GHz", 165.0),
    ("Intel(R) Xeon(R) CPU           X5650  @ 2.67GHz", 95.0),
    ("Intel(R) Xeon(R) CPU E3-1240 V2 @ 3.40GHz", 69.0),
    ("Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz", 150.0),
    ("Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz", 125.0),
    ("Intel(R) Xeon(R) Silver 4110 CPU @ 2.10GHz", 85.0),
    ("Intel(R) Xeon(R) Silver 4314 CPU @ 2.40GHz", 135.0),
    ("Intel(R) Xeon(R) Bronze 3104 CPU @ 1.70GHz", 85.0),
    ("Intel(R) Xeon(R) Platinum 8168 CPU @ 2.70GHz", 205.0),
    ("Intel(R) Xeon(R) Platinum 8380 CPU @ 2.30GHz", 270.0),
    ("Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz", 300.0),
    ("Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz", 210.0),
    ("Intel(R) Xeon(R) Platinum 8480+", 350.0),
    ("INTEL(R) XEON(R) PLATINUM 8592+", 350.0),
    ("INTEL(R) XEON(R) GOLD 6542Y", 250.0),
    ("Intel(R) Xeon(R) 6980P", 500.0),
    ("Intel(R) Xeon(R) 6780E", 330.0),
    ("Intel(R) Xeon(R) CPU Max 9480", 350.0),
    ("Intel(R) Xeon(R) W-2295 CPU @ 3.00GHz", 165.0),
    ("Intel(R) Xeon(R) w9-3495X", 350.0),
    ("Intel(R) Xeon(R) D-2183IT CPU @ 2.20GHz", 100.0),
    ("Intel(R) Xeon(R) E-2288G CPU @ 3.70GHz", 95.0),
    ("Intel(R) Xeon Phi(TM) CPU 7250 @ 1.40GHz", 215.0),
    ("AMD EPYC 7742 64-Core Processor", 225.0),
    ("AMD EPYC 7763 64-Core Processor", 280.0),
    ("AMD EPYC 7551P 32-Core Processor", 180.0),
    ("AMD EPYC 9654 96-Core Processor", 360.0),
    ("AMD EPYC 9965 192-Core Processor", 500.0),
    ("AMD EPYC 7282 16-Core Processor", 120.0),
    ("AMD Opteron(tm) Processor 6276", 115.0),
    ("AMD Opteron(TM) Processor 6378                 ", 115.0),
    ("AMD Ryzen 9 7950X 16-Core Processor", 170.0),
    ("AMD Ryzen 7 5800X3D 8-Core Processor", 105.0),
    ("AMD Ryzen 5 3600 6-Core Processor", 65.0),
    ("AMD Ryzen 7 PRO 4750U with Radeon Graphics", 15.0),
    ("AMD Ryzen 7 7840U w/ Radeon  780M Graphics", 28.0),
    ("AMD Ryzen 9 5900HX with Radeon Graphics", 45.0),
    ("AMD Ryzen Threadripper PRO 5995WX 64-Cores", 280.0),
    ("AMD Ryzen Threadripper 1950X 16-Core Processor", 180.0),
    ("AMD Ryzen AI 9 HX 370 w/ Radeon 890M", 28.0),
    ("AMD RYZEN AI MAX+ 395 w/ Radeon 8060S", 55.0),
    ("AMD FX(tm)-8350 Eight-Core Processor", 125.0),
    ("AMD A10-7850K Radeon R7, 12 Compute Cores 4C+8G", 95.0),
    ("Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz", 95.0),
    ("Intel(R) Core(TM) i5-4590 CPU @ 3.30GHz", 84.0),
    ("Intel(R) Core(TM) i7-1165G7 CPU @ 2.80GHz", 28.0),
    ("11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz", 28.0),
    ("12th Gen Intel(R) Core(TM) i9-12900K", 125.0),
    ("13th Gen Intel(R) Core(TM) i7-1365U", 15.0),
    ("Intel(R) Core(TM) i9-14900K", 125.0),
    ("Intel(R) Core(TM) Ultra 7 155H", 28.0),
    ("Intel(R) N100", 6.0),
    ("Intel(R) Celeron(R) N5105 @ 2.00GHz", 10.0),
    ("Intel(R) Pentium(R) Silver J5005 CPU @ 1.50GHz", 10.0),
    ("Intel(R) Atom(TM) CPU C3758 @ 2.20GHz", 25.0),
    ("Intel(R) Core(TM)2 Duo CPU     E8400  @ 3.00GHz", 65.0),
    ("Intel(R) Core(TM) i7 CPU         920  @ 2.67GHz", 130.0),
    ("Intel(R) Core(TM) i7 CPU       M 620  @ 2.67GHz", 35.0),
    ("12th Gen Intel(R) Core(TM) i7-12700K", 125.0),
    ("Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz", 125.0),
    ("Intel(R) Xeon(R) Platinum 8280 CPU @ 2.70GHz", 205.0),
    ("Intel(R) Xeon(R) Platinum 8175M CPU @ 2.50GHz", 240.0),
    ("Intel(R) Xeon(R) Platinum 8272CL CPU @ 2.60GHz", 195.0),
    ("Intel(R) Xeon(R) Platinum 8468", 350.0),
    ("Intel(R) Xeon(R) 6787P", 350.0),
    ("AMD EPYC 7402P 24-Core Processor", 180.0),
    ("AMD EPYC 9654P 96-Core Processor", 360.0),
    ("AMD EPYC 7B12", 240.0),
    ("AMD EPYC 7R13 Processor", 225.0),
    ("AMD Ryzen Threadripper 3970X 32-Core Processor", 280.0),
    ("Intel(R) Core(TM) Ultra 9 285K", 125.0),
    ("Intel(R) Celeron(R) J4125 CPU @ 2.00GHz", 10.0),
];

/// Names that must never get a design power (made up by a hypervisor, made to order, or of no list), and what is known by
/// them all the same.
const FAMILIES: [(&str, &str); 41] = [
    ("AMD EPYC 7B13", "AMD Zen 3"),
    ("AMD EPYC 7R32", "AMD Zen 2"),
    ("AMD EPYC 7V12 64-Core Processor", "AMD Zen 2"),
    ("AMD EPYC 7V13 64-Core Processor", "AMD Zen 3"),
    ("AMD EPYC 7V73X 64-Core Processor", "AMD Zen 3"),
    ("AMD EPYC 9R14", "AMD Zen 4"),
    ("AMD EPYC 9B14", "AMD Zen 4"),
    ("AMD EPYC 9V74 80-Core Processor", "AMD Zen 4"),
    ("AMD EPYC 9654Q 96-Core Processor", "AMD Zen 4"),
    ("AMD EPYC 9R45", "AMD Zen 5 by figures of AMD Zen 4"),
    ("Intel(R) Xeon(R) Platinum 8488C", "Intel Sapphire Rapids"),
    ("Intel(R) Xeon(R) Platinum 8480C", "Intel Sapphire Rapids"),
    (
        "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz",
        "Intel Sapphire Rapids",
    ),
    (
        "INTEL(R) XEON(R) PLATINUM 8581C CPU @ 2.30GHz",
        "Intel Emerald Rapids",
    ),
    ("Intel(R) Xeon(R) 6975P-C", "Intel Granite Rapids"),
    (
        "Intel(R) Xeon(R) CPU @ 2.20GHz",
        "GenuineIntel CPU not in the tables",
    ),
    (
        "Intel(R) Xeon(R) Processor @ 2.90GHz",
        "GenuineIntel CPU not in the tables",
    ),
    (
        "Intel(R) Xeon(R) CPU E5-2666 v9 @ 2.90GHz",
        "GenuineIntel CPU not in the tables",
    ),
    (
        "Intel(R) Xeon(R) CPU E5-2666 v3 Z @ 2.90GHz",
        "GenuineIntel CPU not in the tables",
    ),
    (
        "Genuine Intel(R) CPU 0000 @ 2.00GHz",
        "GenuineIntel CPU not in the tables",
    ),
    ("AMD EPYC", "AuthenticAMD CPU not in the tables"),
    ("Intel Xeon Processor (Skylake, IBRS)", "Intel Skylake or later"),
    (
        "Intel Xeon Processor (Cascadelake)",
        "Intel Cascade Lake or later",
    ),
    ("Intel Xeon Processor (Icelake)", "Intel Ice Lake or later"),
    (
        "Intel Xeon Processor (SapphireRapids)",
        "Intel Sapphire Rapids or later",
    ),
    ("Intel Core Processor (Haswell, no TSX)", "Intel Haswell or later"),
    ("Intel Xeon E3-12xx v2 (Ivy Bridge)", "Intel Ivy Bridge or later"),
    ("AMD EPYC-Milan Processor", "AMD Zen 3 or later"),
    ("AMD EPYC-Rome Processor", "AMD Zen 2 or later"),
    ("AMD EPYC-Genoa Processor", "AMD Zen 4 or later"),
    ("AMD EPYC Processor (with IBPB)", "AMD Zen or later"),
    (
        "Hygon C86 7185 32-core Processor",
        "Hygon Dhyana by figures of AMD Zen",
    ),
    ("Neoverse-N1", "Arm Neoverse N1 by figures of AMD Zen 2"),
    ("Neoverse-V2", "Arm Neoverse V2 by figures of AMD Zen 2"),
    ("AWS Graviton3", "Arm Neoverse V1 by figures of AMD Zen 2"),
    (
        "Ampere(R) Altra(R) Processor Q80-30",
        "Arm Neoverse N1 by figures of AMD Zen 2",
    ),
    ("NVIDIA Grace", "Arm Neoverse V2 by figures of AMD Zen 2"),
    ("QEMU Virtual CPU version 2.5+", "CPU not in the tables"),
    ("Common KVM processor", "CPU not in the tables"),
    ("unknown", "CPU not in the tables"),
    ("", "CPU not in the tables"),
];

#[test]
fn a_cpu_is_known_by_the_name_that_the_kernel_gives_it() {
    for (name, tdp) in KNOWN {
        assert_eq!(
            tables().cpu_tdp(&named(name)).map(Watts::get),
            Some(tdp),
            "{name}"
        );
    }
}

#[test]
fn a_name_without_a_listed_model_number_has_no_design_power_but_perhaps_a_family() {
    for (name, family) in FAMILIES {
        assert_eq!(tables().cpu_tdp(&named(name)), None, "{name}");
        let basis = power(&named(name), 1).basis;
        assert!(basis.starts_with(&format!("{family}, 8 x ")), "{name}: {basis}");
    }
}

#[test]
fn a_key_is_its_own_key() {
    let families = FAMILIES.iter().map(|(name, _)| *name);
    for name in KNOWN.iter().map(|(name, _)| *name).chain(families) {
        if let Some(key) = cpu_key(name) {
            assert_eq!(cpu_key(&key), Some(key.clone()), "{name}");
        }
    }
}

#[test]
fn a_suffix_makes_another_part() {
    assert_eq!(
        cpu_key("AMD EPYC 9654 96-Core Processor").as_deref(),
        Some("epyc 9654")
    );
    assert_eq!(
        cpu_key("AMD EPYC 9654P 96-Core Processor").as_deref(),
        Some("epyc 9654p")
    );
    assert_eq!(
        cpu_key("Intel(R) Core(TM) i7 CPU       Q 720  @ 1.60GHz").as_deref(),
        Some("core i7-720qm")
    );
    assert_eq!(
        cpu_key("Quad-Core AMD Opteron(tm) Processor 2356").as_deref(),
        Some("opteron 2356")
    );
    assert_eq!(
        cpu_key("Dual Core AMD Opteron(tm) Processor 280").as_deref(),
        Some("opteron 280")
    );
}

#[test]
fn the_less_a_name_says_the_wider_is_the_range() {
    let width = |name: &str| {
        let [low, _, high] = watts(power(&named(name), 1).full);
        high / low
    };
    let widths = [
        "AMD EPYC 7763 64-Core Processor",
        "AMD EPYC 7B13",
        "AMD EPYC-Milan Processor",
        "AMD EPYC",
        "QEMU Virtual CPU version 2.5+",
    ]
    .map(width);
    assert!(widths.is_sorted_by(|a, b| a < b), "{widths:?}");
}
