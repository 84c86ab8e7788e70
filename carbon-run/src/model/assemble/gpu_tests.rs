use super::*;
use crate::model::recording::{GpuIdlePower, GpuUser, GpuVendor, Whose};
use crate::model::report::IdleBasis;
use crate::model::units::Moment;

fn watts(value: f64) -> Watts {
    Watts::new(value).unwrap()
}

/// A GPU of 100 W with an idle context on it, as somebody states.
fn books() -> GpuBooks {
    knowing(GpuIdle {
        resident: IdlePower::Given(watts(100.0)),
        deep: IdlePower::Unknown,
    })
}

fn knowing(idle: GpuIdle) -> GpuBooks {
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
        idle: GpuIdlePower::default(),
    };
    let gpus = Gpus {
        devices: vec![gpu.clone()],
        absent: None,
        allocated_by: None,
    };
    let counter =
        crate::model::counter::Counter::new(crate::model::recording::TickSize::MICROJOULE, None, None);
    GpuBooks::new(Gauge::Counter(counter), &gpu, &gpus, idle)
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
        pue_from: None,
        beyond: crate::model::recording::Beyond::default(),
        place: crate::model::recording::Place::World,
        intensity_series: None,
        live: None,
        allocated: None,
        allocated_cpus: None,
        allocated_among: None,
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

fn calibrated(power: f64, spread: f64) -> IdlePower {
    IdlePower::Found(FoundIdle {
        basis: IdleBasis::Calibrated,
        power: watts(power),
        spread: watts(spread),
        as_of_unix_ns: 7,
    })
}

#[test]
fn a_calibrated_idle_power_that_is_too_high_is_lowered_as_a_stated_one_is() {
    let idle = calibrated(100.0, 6.0);
    let mut books = knowing(GpuIdle {
        resident: idle,
        deep: IdlePower::Unknown,
    });
    let choices = choices();
    pass(&mut books, &choices, 300, 2, true);
    assert_eq!(books.idle_power(), idle);
    pass(&mut books, &choices, 60, 4, true);
    let lowered = IdlePower::Lowered {
        given: watts(100.0),
        used: watts(60.0),
        found: idle.found(),
    };
    assert_eq!(books.idle_power(), lowered);
}

#[test]
fn where_only_the_power_without_a_context_was_calibrated_the_bracket_begins_at_its_lower_end() {
    let mut books = knowing(GpuIdle {
        resident: IdlePower::Unknown,
        deep: calibrated(80.0, 10.0),
    });
    let choices = choices();
    let books_of = |books: &mut GpuBooks, at| {
        let energy = MicroJoules(400_000_000);
        let made = books.observe(
            Some((energy, Duration::from_secs(2))),
            Some(&look(at, true)),
            &choices,
        );
        made.unwrap()
    };
    // 200 W, of which anything from 70 W to all is baseline: 135 W, and what is left is the job's.
    assert_eq!(books_of(&mut books, 2).ledger.job, MicroJoules(130_000_000));
    let report = books.report(IdlePolicy::Capacity);
    assert_eq!(
        (
            report.deep_idle,
            report.deep_found.map(|found| found.as_of_unix_ns)
        ),
        (Some(watts(80.0)), Some(7))
    );
    // What the run itself sees is lower, and as good as seen.
    pass(&mut books, &choices, 40, 4, false);
    pass(&mut books, &choices, 40, 6, false);
    let report = books.report(IdlePolicy::Capacity);
    assert_eq!((report.deep_idle, report.deep_found), (Some(watts(40.0)), None));
}
