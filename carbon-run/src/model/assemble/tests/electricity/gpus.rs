//! A GPU's energy waits until something splits it, and keeps the intensity of the time in which it was used.

use super::*;
use crate::model::recording::{Gpu, GpuIdlePower, GpuLook, GpuUser, GpuVendor, Gpus, Whose};

fn device() -> Gpu {
    Gpu {
        domain: Some(1),
        vendor: GpuVendor::Nvidia,
        index: 0,
        minor: None,
        uuid: None,
        name: None,
        pci: None,
        driver: None,
        slices: Vec::new(),
        allocated: None,
        idle: GpuIdlePower {
            deep: None,
            resident: Some(watts(10.0)),
        },
    }
}

/// The GPU's counter, with the job as its only user, of whose use the driver has no samples.
fn look(machine: &mut Machine, microjoules: u64) {
    let latest = machine.latest();
    latest.readings.push(Reading::Ticks {
        ticks: microjoules,
        at: latest.at,
    });
    latest.gpus.push(GpuLook {
        at: latest.at,
        busy_percent: Some(0),
        users: vec![GpuUser {
            pid: 7,
            whose: Whose::Job,
            slice: None,
            holds: true,
            memory_bytes: None,
            samples: Vec::new(),
            engine_ns: None,
            serves: false,
            client: false,
        }],
        unseen: false,
        failed: None,
    });
}

#[test]
fn energy_that_waited_for_samples_has_the_intensity_of_its_own_time() {
    let mut machine = owner();
    let head = machine.head();
    head.domains.push(Domain {
        kind: DomainKind::Gpu,
        origin: Origin::Measured(Source::Nvml),
        groups: Vec::new(),
        ..counter("gpu-0", 0)
    });
    head.gpus = Some(Gpus {
        devices: vec![device()],
        absent: None,
        allocated_by: None,
    });
    let mut drawn = 5_000_000;
    look(&mut machine, drawn);
    for joules in [100, 300, 50] {
        machine.step(1000, &[job(0)]);
        drawn += joules * 1_000_000;
        look(&mut machine, drawn);
    }
    let steps = [(0.0, 100.0), (1.0, 400.0), (2.0, 700.0)];
    let report = under(&mut machine, series(&steps, 9.0), nowhere());
    assert_eq!(report.energy.gpu.value().map(Joules::get), Some(450.0));
    // The package draws 20 J in each of the three seconds.
    let mean = (120.0 * 100.0 + 320.0 * 400.0 + 70.0 * 700.0) / 510.0;
    near(means(&report), [mean; 3]);
}
