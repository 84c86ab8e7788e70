//! A recording on each machine of `tests/sysroots`, with totals that were worked out by hand and a golden report.
//!
//! With `I` watts of idle power, `E` watts drawn and `N` CPUs the job has `I / N + (E - I) / 2` of its package
//! (`scenario.rs`), over four seconds.

use crate::scenario::{Gain, SECONDS, golden, record, refused};
use carbon_run::model::recording::Origin;
use carbon_run::model::report::{Figure, RunReport};
use carbon_run::model::units::Joules;
use std::error::Error;

type Outcome = Result<(), Box<dyn Error>>;

/// Megajoules would do; joules a second are what the tables below are in.
const J: u64 = 1_000_000;

/// Where an Intel package's counter goes round: 2^32 units of 61.035 uJ.
const TURN: u64 = 262_143_328_911;

fn joules(figure: &Figure<Joules>) -> Option<f64> {
    figure.value().map(|value| value.get())
}

/// Records, holds the job's figures against what was worked out, and the report against its snapshot.
fn check(
    tree: &str,
    idle_power: &[f64],
    gains: &[Gain],
    cpu: f64,
    ram: Option<f64>,
) -> Result<RunReport, Box<dyn Error>> {
    let report = record(tree, idle_power, gains, &mut refused())?;
    assert_eq!(joules(&report.energy.cpu), Some(cpu), "{tree}: CPU");
    assert_eq!(joules(&report.energy.ram), ram, "{tree}: memory");
    hold(tree, &report)?;
    Ok(report)
}

fn hold(name: &str, report: &RunReport) -> Outcome {
    let mut snapshots = insta::Settings::clone_current();
    snapshots.set_snapshot_path("snapshots");
    snapshots.set_prepend_module_to_snapshot(false);
    snapshots.set_omit_expression(true);
    let _bound = snapshots.bind_to_scope();
    insta::assert_snapshot!(name, serde_json::to_string_pretty(&golden(report))?);
    Ok(())
}

/// 100 W and 40 W idle on 4 CPUs: 10 + 30 W, 160 J. DRAM of 12 W and unknown idle power, of which half is taken: 1.5 + 3
/// W, 18 J. Core lies in the package. The job did not run on package 1. Package 0 goes round in the second second.
const XEON: [Gain; 6] = [
    Gain::Zone("intel-rapl:0", TURN - 150 * J, 100 * J),
    Gain::Zone("intel-rapl:0:0", 21_415_926_535, 70 * J),
    Gain::Zone("intel-rapl:0:2", 11_415_926_535, 12 * J),
    Gain::Zone("intel-rapl:1", 62_831_853_070, 60 * J),
    Gain::Zone("intel-rapl:1:0", 42_831_853_070, 30 * J),
    Gain::Zone("intel-rapl:1:2", 22_831_853_070, 8 * J),
];

#[test]
fn a_two_socket_xeon_has_its_package_and_its_dram() -> Outcome {
    let report = check("two-socket-xeon", &[40.0, 40.0], &XEON, 160.0, Some(18.0))?;
    assert_eq!(report.quality.wraps, 1);
    Ok(())
}

#[test]
fn the_xeon_has_the_same_totals_by_perf_to_the_microjoule() -> Outcome {
    // energy-pkg is 2 and energy-ram 3, on the CPUs 0 and 2; 2^32 ticks are a joule.
    let mut opener = |spec: &carbon_run::meter::perf::EventSpec| {
        let watts = match (spec.pmu_type, spec.config, spec.cpu) {
            (4242, 2, 0) => 100,
            (4242, 3, 0) => 12,
            (4242, 2, 2) => 60,
            (4242, 3, 2) => 8,
            other => return Err(std::io::Error::other(format!("{other:?}"))),
        };
        crate::perf::descriptor((0..=SECONDS).map(|second| (watts * second) << 32))
    };
    let counted = record("two-socket-xeon", &[40.0, 40.0], &XEON, &mut opener)?;
    assert_eq!(joules(&counted.energy.cpu), Some(160.0));
    assert_eq!(joules(&counted.energy.ram), Some(18.0));
    assert_eq!(counted.quality.wraps, 0, "the kernel's sum does not go round");
    hold("two-socket-xeon-perf", &counted)
}

/// 14 W and 2 W idle on 8 CPUs: 0.25 + 6 W, 25 J. psys has all of it again, and the memory-mapped zone too. No meter of
/// memory, and nobody looked at the job's.
#[test]
fn a_client_is_its_package_alone_and_not_psys_nor_the_mmio_copy() -> Outcome {
    let gains = [
        Gain::Zone("intel-rapl:0", 123_456_789_012, 14 * J),
        Gain::Zone("intel-rapl-mmio:0", 123_456_788_000, 14 * J),
        Gain::Zone("intel-rapl:1", 223_456_789_012, 21 * J),
    ];
    check("client", &[2.0], &gains, 25.0, None).map(drop)
}

/// 9 W and 1 W idle on 8 hardware threads, 4 of them of efficient cores: 0.125 + 4 W, 16.5 J. Cores of two kinds share
/// one package and one counter.
#[test]
fn a_laptop_with_two_kinds_of_cores_is_one_package() -> Outcome {
    let gains = [
        Gain::Zone("intel-rapl:0", 7_000_000_000, 9 * J),
        Gain::Zone("intel-rapl:0:0", 4_000_000_000, 6 * J),
        Gain::Zone("intel-rapl-mmio:0", 7_000_000_000, 9 * J),
        Gain::Zone("intel-rapl:1", 90_000_000_000, 15 * J),
    ];
    check("laptop-hybrid", &[1.0], &gains, 16.5, None).map(drop)
}

/// 100 W and 60 W idle on 4 CPUs of two dies: 15 + 20 W, 140 J.
#[test]
fn an_epyc_of_two_sockets_has_one_counter_for_all_dies_of_each() -> Outcome {
    let gains = [
        Gain::Zone("intel-rapl:0", 65_532_611_002 - 5 * J, 100 * J),
        Gain::Zone("intel-rapl:1", 60_123_456_789, 90 * J),
    ];
    check("epyc", &[60.0, 60.0], &gains, 140.0, None).map(drop)
}

/// 100 W and 40 W idle on 4 CPUs: 10 + 30 W, 160 J. The second die shows the first one's counter; summed it would be
/// twice that.
#[test]
fn a_threadripper_with_mirrored_dies_is_counted_once() -> Outcome {
    let gains = [
        Gain::Zone("intel-rapl:0", 7_654_321_098, 100 * J),
        Gain::Zone("intel-rapl:1", 7_654_321_098, 100 * J),
    ];
    check("threadripper-mirrored-dies", &[40.0], &gains, 160.0, None).map(drop)
}

/// 50 W and, of the package's 40 W idle, 20 for a die of 2 CPUs: 10 + 15 W, 100 J. Its DRAM, 4 W of unknown idle power:
/// 1 + 1 W, 8 J. The job did not run on the other die.
#[test]
fn dies_with_counters_of_their_own_are_packages_of_their_own() -> Outcome {
    let gains = [
        Gain::Zone("intel-rapl:0", 10_000_000_000, 50 * J),
        Gain::Zone("intel-rapl:0:0", 1_000_000_000, 4 * J),
        Gain::Zone("intel-rapl:1", 11_234_567_891, 30 * J),
        Gain::Zone("intel-rapl:1:0", 1_234_567_891, 3 * J),
        Gain::Zone("intel-rapl:2", 12_469_135_782, 45 * J),
        Gain::Zone("intel-rapl:2:0", 1_469_135_782, 2 * J),
        Gain::Zone("intel-rapl:3", 13_703_703_673, 25 * J),
        Gain::Zone("intel-rapl:3:0", 1_703_703_673, J),
    ];
    check("two-dies-a-package", &[40.0, 40.0], &gains, 100.0, Some(8.0)).map(drop)
}

/// 90 W and 50 W idle on 2 CPUs: 25 + 20 W, 180 J. Package 10 comes after 9 and not after 1, and goes round.
#[test]
fn eleven_packages_each_feed_their_own_cpus() -> Outcome {
    let gains = [
        Gain::Zone("intel-rapl:0", 1_000_000_007, 90 * J),
        Gain::Zone("intel-rapl:1", 2_000_000_014, 60 * J),
        Gain::Zone("intel-rapl:2", 3_000_000_021, 61 * J),
        Gain::Zone("intel-rapl:3", 4_000_000_028, 62 * J),
        Gain::Zone("intel-rapl:4", 5_000_000_035, 63 * J),
        Gain::Zone("intel-rapl:5", 6_000_000_042, 64 * J),
        Gain::Zone("intel-rapl:6", 7_000_000_049, 65 * J),
        Gain::Zone("intel-rapl:7", 8_000_000_056, 66 * J),
        Gain::Zone("intel-rapl:8", 9_000_000_063, 67 * J),
        Gain::Zone("intel-rapl:9", 10_000_000_070, 68 * J),
        Gain::Zone("intel-rapl:10", TURN - 1, 69 * J),
    ];
    let report = check("eleven-packages", &[50.0; 11], &gains, 180.0, None)?;
    assert_eq!(report.quality.wraps, 1);
    Ok(())
}

/// 150 W and 60 W idle on 4 CPUs: 15 + 45 W, 240 J. Two of the three sensors of a socket are rails inside the third, and so
/// is the memory, which has no model then.
#[test]
fn a_grace_is_its_sockets_sensor_with_its_memory_inside() -> Outcome {
    let report = check("grace", &[60.0, 60.0], &[], 240.0, None)?;
    let modelled: Vec<&str> = report
        .domains
        .iter()
        .filter(|domain| !matches!(domain.origin, Origin::Measured(_)))
        .map(|domain| domain.name.as_str())
        .collect();
    assert_eq!(modelled, [""; 0], "the memory would be counted twice");
    assert!(
        matches!(&report.energy.ram, Figure::Absent(reason) if reason.contains("inside the figure of the CPU")),
        "{:?}",
        report.energy.ram
    );
    Ok(())
}

/// As above. The module's sensor has the GPU in it.
#[test]
fn a_grace_hopper_is_not_its_module() -> Outcome {
    check("grace-hopper", &[60.0], &[], 240.0, None).map(drop)
}

/// 60 + 30 W on two rails and 36 W idle on 2 CPUs: 18 + 27 W, 180 J.
#[test]
fn an_altra_is_the_sum_of_two_rails() -> Outcome {
    check("altra", &[36.0, 36.0], &[], 180.0, None).map(drop)
}

/// 110 W and 50 W idle on 2 CPUs: 25 + 30 W, 220 J. The counters of single cores lie inside, ACPI's meter has the whole
/// machine, and amdgpu's is no CPU.
#[test]
fn an_epyc_without_rapl_is_its_sockets_counters() -> Outcome {
    let gains = [
        Gain::Counter("sys/class/hwmon/hwmon1/energy1_input", J, 9 * J),
        Gain::Counter("sys/class/hwmon/hwmon1/energy5_input", 900 * J, 110 * J),
        Gain::Counter("sys/class/hwmon/hwmon1/energy6_input", 1_800 * J, 70 * J),
    ];
    check("epyc-amd-energy", &[50.0, 50.0], &gains, 220.0, None).map(drop)
}

/// `I / 4 + (F - I) / 4` of a model from `I` to `F` watts on 4 CPUs: in four seconds F joules.
#[test]
fn a_virtual_machine_is_its_model_and_called_an_estimate() -> Outcome {
    let report = record("virtual-machine", &[], &[], &mut refused())?;
    let model = report.domains.first().ok_or("no domain")?;
    assert_eq!(model.origin, Origin::Estimated("cpu-model".to_owned()));
    let host = carbon_run::host::probe(&crate::tree::original("virtual-machine"));
    assert_eq!(host.virtualization.as_deref(), Some("kvm"));
    let tables = carbon_run::model::tables::Tables::embedded()?;
    let stated = carbon_run::model::estimate::StatedModels::default();
    let full = tables.cpu_power(&host, 1, &stated).full.value.get();
    let job = joules(&report.energy.cpu).ok_or("no figure")?;
    assert!((job - full).abs() < 1e-5, "{job} J, and {full} W fully busy");
    hold("virtual-machine", &report)
}

/// Power that only a sensor shows is known with what it averages over in doubt: 50 ms of 150 W on top of a counter's 2 ms.
#[test]
fn what_a_sensor_averages_over_is_in_the_range() -> Outcome {
    let report = record("grace", &[60.0, 60.0], &[], &mut refused())?;
    let timing = report.quality.uncertainty.timing * 240.0;
    assert!((timing - 0.052 * 150.0).abs() < 1e-6, "{timing} J");
    Ok(())
}
