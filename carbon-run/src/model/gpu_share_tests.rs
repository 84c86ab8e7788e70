use super::*;
use crate::model::recording::{GpuSample, GpuSlice, GpuVendor};
use crate::model::units::Moment;
use proptest::prelude::*;

fn user(pid: u32, whose: Whose) -> GpuUser {
    GpuUser {
        pid,
        whose,
        slice: None,
        holds: true,
        memory_bytes: None,
        samples: Vec::new(),
        engine_ns: None,
        serves: false,
        client: false,
    }
}

fn working(pid: u32, whose: Whose, percent: u32) -> GpuUser {
    GpuUser {
        samples: vec![GpuSample { stamp_us: 1, percent }],
        ..user(pid, whose)
    }
}

fn look(users: Vec<GpuUser>) -> GpuLook {
    GpuLook {
        at: Moment(0),
        busy_percent: None,
        users,
        unseen: false,
        failed: None,
    }
}

fn gpu(slices: &[u32]) -> Gpu {
    Gpu {
        domain: Some(0),
        vendor: GpuVendor::Nvidia,
        index: 0,
        minor: None,
        uuid: None,
        name: None,
        pci: None,
        driver: None,
        slices: slices
            .iter()
            .map(|slices| GpuSlice {
                uuid: None,
                slices: *slices,
                of: 7,
                allocated: false,
            })
            .collect(),
        allocated: None,
        idle: Default::default(),
    }
}

fn weights(looks: &[GpuLook], gpu: &Gpu) -> Use {
    let mut window = Window::default();
    for look in looks {
        window.take(look);
    }
    window.weights(gpu).0
}

const NOBODYS: Ownership = Ownership {
    allocated: None,
    stated: false,
};

#[test]
fn samples_decide_and_one_that_has_ended_counts() {
    let mut gone = working(7, Whose::Job, 30);
    gone.holds = false;
    let used = weights(&[look(vec![working(8, Whose::Others, 60), gone])], &gpu(&[]));
    assert_eq!((used.job * 2, used.unknown), (used.others, 0));
}

#[test]
fn without_samples_a_job_that_alone_holds_the_device_has_all() {
    let used = weights(&[look(vec![user(7, Whose::Job), user(8, Whose::Job)])], &gpu(&[]));
    assert!(used.job > 0);
    assert_eq!((used.others, used.unknown), (0, 0));
}

#[test]
fn without_samples_nobody_can_tell_several_holders_apart() {
    let used = weights(
        &[look(vec![user(7, Whose::Job), user(8, Whose::Others)])],
        &gpu(&[]),
    );
    assert_eq!((used.job, used.others), (0, 0));
    assert!(used.unknown > 0);
    let books = apportion(
        MicroJoules(100),
        MicroJoules(0),
        used,
        Share::NONE,
        IdlePolicy::Capacity,
        NOBODYS,
    );
    assert_eq!(books.ledger.unattributed, MicroJoules(100));
    assert_eq!(books.ledger.sum(), MicroJoules(100));
}

#[test]
fn a_number_that_cannot_be_matched_is_nobodys_for_certain() {
    let used = weights(&[look(vec![working(7, Whose::Unknown, 50)])], &gpu(&[]));
    assert_eq!((used.job, used.others), (0, 0));
}

#[test]
fn users_that_cannot_be_listed_leave_everything_open() {
    let mut failed = look(Vec::new());
    failed.failed = Some("not supported".to_owned());
    assert!(weights(&[failed.clone()], &gpu(&[])).unknown > 0);
    let lost = weights(&[look(vec![user(7, Whose::Job)]), failed], &gpu(&[]));
    assert!(lost.job > 0 && lost.unknown == 0);
}

#[test]
fn a_device_that_worked_for_nobody_worked_for_somebody_unseen() {
    let mut busy = look(Vec::new());
    busy.busy_percent = Some(97);
    let later = GpuLook {
        at: Moment(2_000_000_000),
        ..busy.clone()
    };
    assert!(weights(&[busy.clone(), later], &gpu(&[])).unknown > 0);
    busy.users.push(user(7, Whose::Job));
    assert_eq!(weights(&[busy], &gpu(&[])).unknown, 0);
}

#[test]
fn who_held_it_at_the_look_before_was_there_in_between() {
    let mut window = Window::default();
    window.take(&look(vec![user(7, Whose::Job)]));
    window.turn();
    window.take(&look(Vec::new()));
    assert!(window.weights(&gpu(&[])).0.job > 0);
    window.turn();
    window.take(&look(Vec::new()));
    assert!(!window.anybody());
}

#[test]
fn partitions_weigh_by_their_size_and_each_has_its_own_holders() {
    let on = |slice, pid, whose| GpuUser {
        slice: Some(slice),
        ..user(pid, whose)
    };
    let used = weights(
        &[look(vec![on(0, 7, Whose::Job), on(1, 8, Whose::Others)])],
        &gpu(&[3, 4]),
    );
    assert_eq!((used.job, used.others, used.unknown), (3, 4, 0));
    let contested = weights(
        &[look(vec![
            on(0, 7, Whose::Job),
            on(0, 9, Whose::Others),
            on(1, 7, Whose::Job),
        ])],
        &gpu(&[3, 4]),
    );
    assert_eq!((contested.job, contested.others, contested.unknown), (4, 0, 3));
}

#[test]
fn what_a_server_does_is_done_for_its_clients() {
    let server = GpuUser {
        serves: true,
        ..working(5, Whose::Others, 80)
    };
    let client = |pid, whose| GpuUser {
        client: true,
        ..user(pid, whose)
    };
    let mine = weights(&[look(vec![server.clone(), client(7, Whose::Job)])], &gpu(&[]));
    assert_eq!((mine.others, mine.unknown), (0, 0));
    let both = weights(
        &[look(vec![
            server,
            client(7, Whose::Job),
            client(8, Whose::Others),
        ])],
        &gpu(&[]),
    );
    assert_eq!((both.job, both.others), (0, 0));
    assert!(both.unknown > 0);
}

#[test]
fn engine_time_counts_from_look_to_look() {
    let at = |pid, whose, ns| GpuUser {
        engine_ns: Some(ns),
        ..user(pid, whose)
    };
    let used = weights(
        &[
            look(vec![at(8, Whose::Others, 5_000)]),
            look(vec![at(8, Whose::Others, 6_000), at(7, Whose::Job, 3_000)]),
        ],
        &gpu(&[]),
    );
    assert_eq!((used.job, used.others), (3_000, 1_000));
}

fn counted(pid: u32, whose: Whose, ns: u64) -> GpuUser {
    GpuUser {
        engine_ns: Some(ns),
        ..user(pid, whose)
    }
}

/// A look after so many nanoseconds.
fn at(ns: u64, users: Vec<GpuUser>) -> GpuLook {
    GpuLook {
        at: Moment(ns),
        ..look(users)
    }
}

#[test]
fn who_has_gained_no_engine_time_has_not_worked() {
    let looks = [1, 2].map(|second| {
        let users = vec![counted(7, Whose::Job, 50), counted(8, Whose::Others, 60)];
        at(second * 1_000, users)
    });
    assert_eq!(weights(&looks, &gpu(&[])), Use::default());
}

#[test]
fn what_is_not_counted_is_theirs_whose_work_is_not() {
    // 1000 ns pass, the stranger's engines work for 300 of them, and the job computes by queues that nobody counts.
    let looks = |job: &dyn Fn(u64) -> GpuUser, busy| {
        [0, 1_000].map(|now| GpuLook {
            busy_percent: busy,
            ..at(now, vec![job(now), counted(8, Whose::Others, now * 3 / 10)])
        })
    };
    let uncounted = |_| user(7, Whose::Job);
    let used = weights(&looks(&uncounted, None), &gpu(&[]));
    assert_eq!((used.job, used.others, used.unknown), (700, 300, 0));
    let half = weights(&looks(&uncounted, Some(50)), &gpu(&[]));
    assert_eq!((half.job, half.others, half.unknown), (200, 300, 0));
    let measured = |now| counted(7, Whose::Job, now / 10);
    let both = weights(&looks(&measured, Some(50)), &gpu(&[]));
    assert_eq!((both.job, both.others, both.unknown), (100, 300, 0));
}

#[test]
fn who_cannot_be_seen_may_have_used_the_rest_of_the_time() {
    let looks = |busy| {
        [0, 1_000].map(|now| GpuLook {
            unseen: true,
            busy_percent: busy,
            ..at(now, vec![counted(7, Whose::Job, now * 6 / 10)])
        })
    };
    let used = weights(&looks(None), &gpu(&[]));
    assert_eq!((used.job, used.others, used.unknown), (600, 0, 400));
    // The device says that nobody but the job can have worked.
    let used = weights(&looks(Some(60)), &gpu(&[]));
    assert_eq!((used.job, used.others, used.unknown), (600, 0, 0));
    let alone = [0, 1_000].map(|now| GpuLook {
        unseen: true,
        ..at(now, Vec::new())
    });
    assert_eq!(weights(&alone, &gpu(&[])).unknown, 1_000);
}

#[test]
fn engine_time_says_for_how_long_the_device_worked_where_the_device_does_not() {
    let mut window = Window::default();
    for now in [0, 1_000] {
        window.take(&at(now, vec![counted(7, Whose::Job, now / 4)]));
    }
    let (_, capacity) = window.weights(&gpu(&[]));
    assert!((capacity.get() - 0.25).abs() < 1e-9, "{capacity:?}");
}

#[test]
fn an_allocated_device_is_the_jobs_while_it_idles_and_another_is_not() {
    let mine = Ownership {
        allocated: Some(Share::ALL),
        stated: true,
    };
    let not_mine = Ownership {
        allocated: None,
        stated: true,
    };
    let idle = |ownership, policy| {
        let base = MicroJoules(1_000);
        apportion(base, base, Use::default(), Share::NONE, policy, ownership)
            .ledger
            .job_idle
    };
    assert_eq!(idle(mine, IdlePolicy::Capacity), MicroJoules(1_000));
    assert_eq!(idle(mine, IdlePolicy::None), MicroJoules::ZERO);
    assert_eq!(idle(not_mine, IdlePolicy::All), MicroJoules::ZERO);
    assert_eq!(idle(not_mine, IdlePolicy::Allocated), MicroJoules::ZERO);
    assert_eq!(idle(NOBODYS, IdlePolicy::All), MicroJoules(1_000));
    assert_eq!(idle(NOBODYS, IdlePolicy::Capacity), MicroJoules::ZERO);
}

proptest! {
    #[test]
    fn the_lines_add_up_under_every_policy(
        energy in 0..1_u64 << 60,
        base in 0..1_u64 << 60,
        parts in prop::array::uniform3(0..1_u64 << 62),
        capacity in 0.0..=1.0_f64,
        allocated in prop::option::of(0.0..=1.0_f64),
        stated: bool,
        policy in 0..5_usize,
    ) {
        let [job, others, unknown] = parts.map(u128::from);
        let ownership = Ownership { allocated: allocated.map(|share| Share::new(share).unwrap()), stated };
        let books = apportion(
            MicroJoules(energy),
            MicroJoules(base),
            Use { job, others, unknown },
            Share::new(capacity).unwrap(),
            IdlePolicy::ALL[policy],
            ownership,
        );
        prop_assert_eq!(books.ledger.sum(), MicroJoules(energy));
        prop_assert!(books.ledger.unattributed <= books.ledger.others);
    }
}

#[test]
fn a_device_that_worked_for_somebody_who_left_before_the_run_is_nobodys() {
    let at = |ms: u64| GpuLook {
        at: Moment(ms * 1_000_000),
        busy_percent: Some(80),
        ..look(Vec::new())
    };
    let mut window = Window::default();
    window.take(&at(5_000));
    window.take(&at(5_900));
    assert!(!window.is_blind());
    assert!(!window.anybody());
    window.turn();
    // By now it would tell of this run.
    window.take(&at(6_100));
    assert!(window.is_blind());
}
