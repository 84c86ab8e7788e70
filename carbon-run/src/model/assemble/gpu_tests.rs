use super::*;
use crate::model::recording::{GpuIdlePower, GpuUser, GpuVendor, Whose};
use crate::model::units::Moment;

fn watts(value: f64) -> Watts {
    Watts::new(value).unwrap()
}

/// A GPU of 100 W with an idle context on it, as somebody states.
fn books() -> GpuBooks {
    let gpu = Gpu {
        domain: Some(0),
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
            resident: Some(watts(100.0)),
        },
    };
    let gpus = Gpus {
        devices: vec![gpu.clone()],
        absent: None,
        allocated_by: None,
    };
    let counter =
        crate::model::counter::Counter::new(crate::model::recording::TickSize::MICROJOULE, None, None);
    GpuBooks::new(Gauge::Counter(counter), &gpu, &gpus)
}

fn look(second: u64, held: bool) -> GpuLook {
    let user = GpuUser {
        pid: 7,
        whose: Whose::Job,
        slice: None,
        holds: true,
        memory_bytes: None,
        samples: Vec::new(),
        engine_ns: None,
        serves: false,
        client: false,
    };
    GpuLook {
        at: Moment(second * 1_000_000_000),
        busy_percent: Some(0),
        users: if held { vec![user] } else { Vec::new() },
        unseen: false,
        failed: None,
    }
}

/// Two seconds at so many watts, with a look at their end.
fn pass(books: &mut GpuBooks, choices: &Choices, watts: u64, at: u64, held: bool) {
    let energy = MicroJoules(2 * watts * 1_000_000);
    books
        .observe(
            Some((energy, Duration::from_secs(2))),
            Some(&look(at, held)),
            choices,
        )
        .unwrap();
}

fn choices() -> Choices {
    Choices {
        idle_policy: IdlePolicy::Capacity,
        idle_power: Vec::new(),
        smt_weight_permille: 575,
        pue: 1.0,
        place: crate::model::recording::Place::World,
        allocated: None,
        allocated_cpus: None,
    }
}

#[test]
fn a_device_without_a_context_may_draw_less_than_with_one() {
    let (mut books, choices) = (books(), choices());
    pass(&mut books, &choices, 75, 2, false);
    // The context came at some time in these two seconds.
    pass(&mut books, &choices, 80, 4, true);
    pass(&mut books, &choices, 300, 6, true);
    pass(&mut books, &choices, 90, 8, false);
    assert_eq!(books.idle_power(), IdlePower::Given(watts(100.0)));
}

#[test]
fn a_device_that_draws_less_under_a_context_proves_its_idle_power_wrong() {
    let (mut books, choices) = (books(), choices());
    pass(&mut books, &choices, 300, 2, true);
    pass(&mut books, &choices, 60, 4, true);
    let lowered = IdlePower::Lowered {
        given: watts(100.0),
        used: watts(60.0),
        found: None,
    };
    assert_eq!(books.idle_power(), lowered);
}
