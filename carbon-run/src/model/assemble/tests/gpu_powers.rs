//! Which of several idle powers of a GPU counts.

use super::*;
use crate::model::recording::{
    CalibratedGpu, CalibratedPower, Calibration, Conditions, GpuIdlePower, GpuVendor, Gpus,
};
use crate::model::report::FoundIdle;

const DAY: i64 = 86_400_000_000_000;

fn power(value: f64, driver: &str) -> Option<CalibratedPower> {
    Some(CalibratedPower {
        watts: watts(value),
        spread: watts(3.0),
        windows: 10,
        at_unix_ns: 3 * DAY,
        driver: Some(driver.to_owned()),
    })
}

pub(super) fn device() -> Gpu {
    Gpu {
        domain: Some(1),
        vendor: GpuVendor::Nvidia,
        index: 0,
        minor: None,
        uuid: Some("GPU-1".to_owned()),
        name: Some("H200".to_owned()),
        pci: None,
        driver: Some("580.65.06".to_owned()),
        slices: Vec::new(),
        allocated: None,
        idle: GpuIdlePower::default(),
    }
}

/// A machine with this GPU, of which so much was kept.
pub(super) fn machine(gpu: Gpu, kept: CalibratedGpu) -> Machine {
    let mut machine = Machine::of(&[SMALL]);
    let head = machine.head();
    let mut domain = head.domains.first().cloned().unwrap();
    domain.name = "gpu-0".to_owned();
    domain.kind = DomainKind::Gpu;
    head.domains.push(domain);
    head.gpus = Some(Gpus {
        devices: vec![gpu],
        absent: None,
        allocated_by: None,
    });
    // Of another CPU: what a GPU draws is its own.
    head.power.calibration = Some(Calibration {
        at_unix_ns: 9 * DAY,
        conditions: Conditions {
            cpu_model: Some("another".to_owned()),
            ..Conditions::default()
        },
        domains: Vec::new(),
        gpus: vec![kept],
    });
    machine
}

pub(super) fn kept() -> CalibratedGpu {
    CalibratedGpu {
        device: "GPU-1".to_owned(),
        name: Some("H200".to_owned()),
        deep: power(77.0, "nvidia 580"),
        resident: power(100.0, "nvidia 580"),
    }
}

fn found(value: f64, part: f64) -> IdlePower {
    IdlePower::Found(FoundIdle {
        basis: crate::model::report::IdleBasis::Calibrated,
        power: watts(value),
        spread: watts(3.0_f64.hypot(part * value)),
        as_of_unix_ns: 3 * DAY,
    })
}

fn before(machine: &mut Machine) -> GpuIdle {
    let head = machine.head().clone();
    let gpu = head
        .gpus
        .as_ref()
        .and_then(|gpus| gpus.devices.first())
        .cloned()
        .unwrap();
    gpu_idle_before(&gpu, &head)
}

fn says(machine: &mut Machine, code: &str) -> bool {
    let report = machine.report();
    report.quality.notes.iter().any(|note| note.code == code)
}

#[test]
fn what_was_stated_of_a_gpu_goes_before_what_was_calibrated_and_that_before_nothing() {
    let mut calibrated = machine(device(), kept());
    let idle = before(&mut calibrated);
    assert_eq!(
        (idle.resident, idle.deep),
        (found(100.0, 0.06), found(77.0, 0.06))
    );
    assert_eq!(idle_before(calibrated.head()).get(1), Some(&idle.resident));
    assert!(!says(&mut calibrated, "calibration-changed"));
    let stated = Gpu {
        idle: GpuIdlePower {
            deep: None,
            resident: Some(watts(50.0)),
        },
        ..device()
    };
    let idle = before(&mut machine(stated, kept()));
    assert_eq!(
        (idle.resident, idle.deep),
        (IdlePower::Given(watts(50.0)), found(77.0, 0.06))
    );
    let half = CalibratedGpu {
        resident: None,
        ..kept()
    };
    assert_eq!(before(&mut machine(device(), half)).resident, IdlePower::Unknown);
}

#[test]
fn another_device_is_not_known_by_it() {
    for other in [
        CalibratedGpu {
            device: "GPU-2".to_owned(),
            ..kept()
        },
        CalibratedGpu {
            name: Some("H100".to_owned()),
            ..kept()
        },
    ] {
        let idle = before(&mut machine(device(), other));
        assert_eq!(
            (idle.resident, idle.deep),
            (IdlePower::Unknown, IdlePower::Unknown)
        );
    }
}

#[test]
fn under_another_branch_of_the_driver_the_range_is_wider_and_the_report_says_so() {
    let older = CalibratedGpu {
        resident: power(100.0, "nvidia 570"),
        ..kept()
    };
    let mut changed = machine(device(), older.clone());
    assert_eq!(before(&mut changed).resident, found(100.0, 0.25));
    assert!(says(&mut changed, "calibration-changed"));
    let updated = Gpu {
        driver: Some("570.133.20".to_owned()),
        ..device()
    };
    let mut same = machine(updated, older);
    assert_eq!(before(&mut same).resident, found(100.0, 0.06));
    assert!(!says(&mut same, "calibration-changed"));
}
