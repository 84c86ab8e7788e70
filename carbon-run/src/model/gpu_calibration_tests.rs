use super::*;
use crate::model::recording::{CalibratedDomain, Conditions, DomainKind, GpuIdlePower, GpuSample, Whose};
use crate::model::units::Moment;

fn watts(value: f64) -> Watts {
    Watts::new(value).unwrap()
}

fn gpu() -> Gpu {
    Gpu {
        domain: Some(0),
        vendor: GpuVendor::Nvidia,
        index: 0,
        minor: None,
        uuid: Some("GPU-1".to_owned()),
        name: Some("H200".to_owned()),
        pci: Some("0000:3b:00.0".to_owned()),
        driver: Some("580.65.06".to_owned()),
        slices: Vec::new(),
        allocated: None,
        idle: GpuIdlePower::default(),
    }
}

fn user(pid: u32) -> GpuUser {
    GpuUser {
        pid,
        whose: Whose::Unknown,
        slice: None,
        holds: true,
        memory_bytes: None,
        samples: Vec::new(),
        engine_ns: None,
        serves: false,
        client: false,
    }
}

fn look(busy_percent: Option<u32>, users: Vec<GpuUser>) -> GpuLook {
    GpuLook {
        at: Moment(0),
        busy_percent,
        users,
        unseen: false,
        failed: None,
    }
}

fn sampled(pid: u32, percent: u32) -> GpuUser {
    GpuUser {
        samples: vec![GpuSample { stamp_us: 1, percent }],
        ..user(pid)
    }
}

fn counted(pid: u32, engine_ns: u64) -> GpuUser {
    GpuUser {
        engine_ns: Some(engine_ns),
        ..user(pid)
    }
}

#[test]
fn a_window_is_deep_or_resident_only_throughout_and_without_work() {
    let idle = || look(Some(0), Vec::new());
    let held = || look(Some(0), vec![user(7)]);
    let working = |pids: &[u32]| Doing::Working(pids.iter().copied().collect());
    let table: Vec<(Vec<GpuLook>, Doing)> = vec![
        (vec![idle(), idle(), idle()], Doing::Deep),
        (vec![held(), held()], Doing::Resident),
        (vec![idle(), held()], Doing::Changing),
        (vec![held(), idle()], Doing::Changing),
        // Work before the window is none in it; a sample of nothing is no work.
        (
            vec![look(Some(90), vec![sampled(7, 90)]), held()],
            Doing::Resident,
        ),
        (vec![held(), look(Some(0), vec![sampled(7, 0)])], Doing::Resident),
        (vec![held(), look(Some(0), vec![sampled(7, 1)])], working(&[7])),
        (vec![held(), look(Some(3), vec![user(7)])], working(&[])),
        (vec![idle(), look(Some(3), Vec::new())], working(&[])),
        (
            vec![
                look(None, vec![counted(7, 500)]),
                look(None, vec![counted(7, 500)]),
            ],
            Doing::Resident,
        ),
        (
            vec![
                look(None, vec![counted(7, 500)]),
                look(None, vec![counted(7, 501)]),
            ],
            working(&[7]),
        ),
        (
            vec![look(None, Vec::new()), look(None, vec![counted(8, 1)])],
            working(&[8]),
        ),
        (vec![look(None, Vec::new()), look(None, Vec::new())], Doing::Deep),
    ];
    for (number, (looks, wanted)) in table.into_iter().enumerate() {
        assert_eq!(in_window(&looks), wanted, "window {number}");
    }
}

#[test]
fn what_cannot_be_seen_is_neither_idle_nor_at_work() {
    let failed = GpuLook {
        failed: Some("permission denied".to_owned()),
        ..look(Some(0), Vec::new())
    };
    let unseen = GpuLook {
        unseen: true,
        ..look(Some(0), Vec::new())
    };
    // A partitioned device says nothing of its time.
    let silent = || look(None, vec![user(7)]);
    for looks in [
        vec![look(Some(0), Vec::new()), failed],
        vec![unseen, look(Some(0), Vec::new())],
        vec![silent(), silent()],
        Vec::new(),
    ] {
        assert!(matches!(in_window(&looks), Doing::Unseen(_)), "{looks:?}");
    }
}

fn windows(of: &[(Doing, f64)]) -> Vec<GpuWindow> {
    of.iter()
        .map(|(doing, power)| GpuWindow {
            doing: doing.clone(),
            power: power.is_finite().then_some(*power),
        })
        .collect()
}

fn made(of: &[(Doing, f64)]) -> GpuOutcome {
    outcome("gpu-0", &gpu(), &windows(of), true, Some("6.12.48"), 9)
}

#[test]
fn each_state_has_the_middle_of_its_own_windows_and_the_first_after_another_does_not_count() {
    use Doing::{Deep, Resident};
    let found = made(&[
        (Deep, 70.0),
        (Deep, 71.0),
        (Deep, 72.0),
        (Deep, 71.0),
        (Resident, 300.0),
        (Resident, 119.0),
        (Resident, 118.0),
        (Resident, 120.0),
    ]);
    let (deep, resident) = (found.gpu.deep.unwrap(), found.gpu.resident.unwrap());
    assert_eq!((deep.watts, deep.windows), (watts(71.0), 4));
    assert_eq!((resident.watts, resident.windows), (watts(119.0), 3));
    assert!((resident.spread.get() - 1.96 * 1.4826).abs() < 1e-9);
    assert_eq!(
        (resident.at_unix_ns, resident.driver.as_deref()),
        (9, Some("nvidia 580"))
    );
    let none = (None, None, None);
    assert_eq!((found.left_out, found.deep_reason, found.resident_reason), none);
}

#[test]
fn what_is_missing_of_a_device_has_its_reason() {
    let seven = || Doing::Working([7].into());
    let half = made(&[(Doing::Deep, 70.0), (Doing::Deep, 70.0), (Doing::Deep, 70.0)]);
    assert_eq!(half.left_out, None);
    assert_eq!(half.resident_reason.as_deref(), Some("nobody held a context"));
    let other = made(&[
        (Doing::Resident, 119.0),
        (Doing::Resident, 119.0),
        (Doing::Resident, 119.0),
    ]);
    assert_eq!(other.deep_reason.as_deref(), Some("somebody held a context"));
    for (of, wanted) in [
        (
            vec![(seven(), 300.0), (Doing::Deep, 70.0), (seven(), 300.0)],
            "process 7 worked on it in 2 of 3 windows",
        ),
        (
            vec![(Doing::Working(BTreeSet::new()), 300.0)],
            "somebody worked on it in 1 of 1 windows",
        ),
        (
            vec![(Doing::Unseen("its users cannot be listed: no".to_owned()), 70.0)],
            "its users cannot be listed: no",
        ),
        (
            vec![
                (Doing::Deep, f64::NAN),
                (Doing::Deep, 70.0),
                (Doing::Deep, f64::NAN),
            ],
            "its power could not be read in 2 of 3 windows",
        ),
        (
            vec![
                (Doing::Deep, 70.0),
                (Doing::Changing, 90.0),
                (Doing::Resident, 119.0),
            ],
            "contexts came and went",
        ),
        (
            vec![
                (Doing::Deep, 70.0),
                (Doing::Resident, 119.0),
                (Doing::Resident, 119.0),
            ],
            "contexts came and went",
        ),
        (
            vec![(Doing::Deep, 0.0), (Doing::Deep, 0.0), (Doing::Deep, 0.0)],
            "its counter stands still",
        ),
    ] {
        let left = made(&of);
        assert_eq!(left.left_out.as_deref(), Some(wanted), "{of:?}");
        assert_eq!(left.left_out, left.deep_reason);
        assert_eq!((left.gpu.deep, left.gpu.resident), (None, None));
    }
}

#[test]
fn a_card_that_sleeps_draws_nothing_and_that_is_a_figure() {
    let asleep = windows(&[(Doing::Deep, 0.0), (Doing::Deep, 0.0), (Doing::Deep, 0.0)]);
    let found = outcome("gpu-amd-0", &gpu(), &asleep, false, None, 9);
    assert_eq!(found.gpu.deep.unwrap().watts, Watts::ZERO);
}

#[test]
fn a_device_is_known_by_its_uuid_else_by_its_address_and_never_by_nothing() {
    let card = Gpu {
        vendor: GpuVendor::Amd,
        uuid: None,
        driver: Some("amdgpu".to_owned()),
        ..gpu()
    };
    let quiet = windows(&[(Doing::Deep, 9.0), (Doing::Deep, 9.0), (Doing::Deep, 9.0)]);
    let at = |gpu: &Gpu| outcome("gpu", gpu, &quiet, true, Some("6.12.48-1-amd64"), 9);
    assert_eq!(at(&gpu()).gpu.device, "GPU-1");
    let found = at(&card);
    assert_eq!(found.gpu.device, "0000:3b:00.0");
    assert_eq!(
        found.gpu.deep.as_ref().unwrap().driver.as_deref(),
        Some("amdgpu 6.12")
    );
    assert!(found.gpu.is_of(&card) && !found.gpu.is_of(&gpu()));
    let other_card = Gpu {
        name: Some("another".to_owned()),
        ..card.clone()
    };
    assert!(!found.gpu.is_of(&other_card));
    let nameless = at(&Gpu { pci: None, ..card });
    assert!(
        nameless
            .left_out
            .is_some_and(|why| why.contains("neither a UUID nor"))
    );
    assert_eq!(nameless.gpu.deep, None);
}

fn power(value: f64, at_unix_ns: i64) -> Option<CalibratedPower> {
    Some(CalibratedPower {
        watts: watts(value),
        spread: watts(0.5),
        windows: 10,
        at_unix_ns,
        driver: None,
    })
}

fn device(device: &str, deep: Option<CalibratedPower>, resident: Option<CalibratedPower>) -> CalibratedGpu {
    CalibratedGpu {
        device: device.to_owned(),
        name: None,
        deep,
        resident,
    }
}

fn calibration(at_unix_ns: i64, cpus: bool, gpus: Vec<CalibratedGpu>) -> Calibration {
    let package = CalibratedDomain {
        name: "package-0".to_owned(),
        kind: DomainKind::Package,
        idle: watts(20.0),
        spread: watts(0.5),
        windows: 10,
        curve: Vec::new(),
    };
    Calibration {
        at_unix_ns,
        conditions: Conditions::default(),
        domains: if cpus { vec![package] } else { Vec::new() },
        gpus,
    }
}

#[test]
fn a_later_calibration_keeps_the_state_that_it_did_not_see_and_devices_that_are_gone() {
    let old = calibration(
        1,
        true,
        vec![
            device("a", power(70.0, 1), None),
            device("gone", power(30.0, 1), power(50.0, 1)),
        ],
    );
    let new = calibration(
        2,
        true,
        vec![device("a", None, power(119.0, 2)), device("b", None, None)],
    );
    let both = merged(Some(old), &new);
    assert_eq!(both.at_unix_ns, 2);
    assert_eq!(
        both.gpus,
        [
            device("a", power(70.0, 1), power(119.0, 2)),
            device("b", None, None),
            device("gone", power(30.0, 1), power(50.0, 1)),
        ]
    );
    let again = calibration(3, true, vec![device("a", power(72.0, 3), None)]);
    assert_eq!(
        merged(Some(both), &again).gpus.first(),
        Some(&device("a", power(72.0, 3), power(119.0, 2)))
    );
}

#[test]
fn gpus_alone_leave_what_is_known_of_the_cpus_with_its_date_and_the_other_way_round() {
    let cpus = calibration(1, true, vec![device("a", power(70.0, 1), None)]);
    let gpus = calibration(2, false, vec![device("a", power(71.0, 2), None)]);
    let kept = merged(Some(cpus.clone()), &gpus);
    assert_eq!((kept.at_unix_ns, kept.domains.len()), (1, 1));
    assert_eq!(kept.gpus, gpus.gpus);
    let kept = merged(Some(gpus.clone()), &calibration(3, true, Vec::new()));
    assert_eq!((kept.at_unix_ns, kept.domains.len()), (3, 1));
    assert_eq!(kept.gpus, gpus.gpus);
    assert_eq!(merged(None, &gpus), gpus);
}

#[test]
fn what_was_measured_below_another_root_is_of_another_machine() {
    let mut play = calibration(1, true, vec![device("a", power(70.0, 1), None)]);
    play.conditions.sysroot = Some("/play".to_owned());
    let new = calibration(2, false, Vec::new());
    assert_eq!(merged(Some(play), &new), new);
}
