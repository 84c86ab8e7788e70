use super::*;
use proptest::prelude::*;

fn client(id: u64, engines: &[(&str, Busy, u64)]) -> Client {
    let engine = |(name, busy, capacity): &(&str, Busy, u64)| {
        let (busy, capacity) = (*busy, *capacity);
        ((*name).to_owned(), Engine { busy, capacity })
    };
    Client {
        driver: "amdgpu".to_owned(),
        pdev: None,
        id: Some(id),
        engines: engines.iter().map(engine).collect(),
        memory_bytes: Some(1000 + id),
    }
}

fn seen(pid: u32, client: Client) -> Seen {
    Seen {
        pid,
        card: 0,
        client,
        at: Moment(0),
        fresh: true,
        queues: false,
    }
}

/// A client with so much time on one engine.
fn gfx(pid: u32, id: u64, ns: u64) -> Seen {
    seen(pid, client(id, &[("gfx", Busy::Time(ns), 1)]))
}

/// Process and engine time of each user of the only card.
fn used(clients: &mut Clients, seen: &[Seen], driver: Driver) -> Vec<(u32, Option<u64>)> {
    let users = clients.take(seen, &[driver]).remove(0);
    users.iter().map(|user| (user.pid, user.engine_ns)).collect()
}

#[test]
fn a_client_behind_several_descriptors_counts_once() {
    let mut clients = Clients::default();
    let users = clients
        .take(
            &[gfx(10, 1, 500), gfx(10, 1, 500), gfx(10, 2, 30)],
            &[Driver::Amdgpu],
        )
        .remove(0);
    assert_eq!(users.len(), 1);
    assert_eq!(users[0].engine_ns, Some(530));
    assert_eq!(users[0].memory_bytes, Some(1001 + 1002));
}

#[test]
fn a_client_that_two_processes_hold_is_the_first_ones_and_then_the_others() {
    let mut clients = Clients::default();
    let at = |clients: &mut Clients, seen: &[Seen]| used(clients, seen, Driver::Amdgpu);
    assert_eq!(at(&mut clients, &[gfx(20, 1, 100)]), [(20, Some(100))]);
    // A fork with a lower number changes nothing.
    assert_eq!(
        at(&mut clients, &[gfx(10, 1, 150), gfx(20, 1, 150)]),
        [(10, Some(0)), (20, Some(150))]
    );
    assert_eq!(at(&mut clients, &[gfx(10, 1, 250)]), [(10, Some(100))]);
}

#[test]
fn what_was_used_before_the_first_look_is_left_out_and_a_later_client_counts_from_nothing() {
    let mut clients = Clients::default();
    let old = |ns| Seen {
        fresh: false,
        ..gfx(10, 1, ns)
    };
    assert_eq!(used(&mut clients, &[old(1_000)], Driver::Amdgpu), [(10, Some(0))]);
    assert_eq!(
        used(&mut clients, &[old(1_300), gfx(10, 2, 50)], Driver::Amdgpu),
        [(10, Some(350))]
    );
}

#[test]
fn a_value_that_falls_back_waits_until_it_has_caught_up() {
    let mut clients = Clients::default();
    let steps = [(100, 100), (90, 100), (95, 100), (130, 130)];
    for (ns, expected) in steps {
        assert_eq!(
            used(&mut clients, &[gfx(1, 1, ns)], Driver::Amdgpu),
            [(1, Some(expected))]
        );
    }
}

#[test]
fn engines_add_up_each_divided_by_how_many_there_are() {
    let mut clients = Clients::default();
    let engines = [("render", Busy::Time(1_000), 1), ("video", Busy::Time(1_000), 2)];
    assert_eq!(
        used(&mut clients, &[seen(1, client(1, &engines))], Driver::I915),
        [(1, Some(1_500))]
    );
}

#[test]
fn cycles_become_time_by_the_clock_that_they_are_counted_against() {
    let mut clients = Clients::default();
    let mut at = |second: u64, busy: u64, of: u64| {
        let one = Seen {
            at: Moment(second * 1_000_000_000),
            ..seen(1, client(1, &[("ccs", Busy::Cycles { busy, of }, 1)]))
        };
        used(&mut clients, &[one], Driver::Xe)
    };
    // Until the clock has been seen twice nobody knows how long a cycle takes, and the cycles wait.
    assert_eq!(at(1, 100, 1_000), [(1, Some(0))]);
    assert_eq!(at(2, 300, 2_000), [(1, Some(300_000_000))]);
    assert_eq!(at(3, 800, 3_000), [(1, Some(800_000_000))]);
    // After a reset of the clock as well.
    assert_eq!(at(4, 900, 500), [(1, Some(800_000_000))]);
    assert_eq!(at(5, 1_000, 1_500), [(1, Some(1_000_000_000))]);
}

#[test]
fn who_cannot_be_counted_is_not_counted_as_idle() {
    let mut clients = Clients::default();
    let nameless = Client {
        id: None,
        ..client(0, &[])
    };
    let rocm = Seen {
        queues: true,
        ..gfx(3, 3, 7)
    };
    let all = [seen(1, nameless), seen(2, client(2, &[])), rocm];
    let expected_of_amd = [(1, None), (2, Some(0)), (3, None)];
    assert_eq!(used(&mut clients, &all, Driver::Amdgpu), expected_of_amd);
    // A driver of Intel that lists no engine counts none.
    assert_eq!(
        used(&mut clients, &[seen(2, client(2, &[]))], Driver::Xe),
        [(2, None)]
    );
}

#[test]
fn a_client_that_was_out_of_sight_is_not_counted_again() {
    let mut clients = Clients::default();
    assert_eq!(
        used(&mut clients, &[gfx(1, 1, 100)], Driver::Amdgpu),
        [(1, Some(100))]
    );
    assert_eq!(used(&mut clients, &[], Driver::Amdgpu), []);
    assert_eq!(
        used(&mut clients, &[gfx(1, 1, 120)], Driver::Amdgpu),
        [(1, Some(20))]
    );
}

proptest! {
    /// Whoever holds which client when: what all have gained is what all clients have gained.
    #[test]
    fn no_time_is_lost_or_counted_twice(
        steps in proptest::collection::vec(
            proptest::collection::vec((0..4_u64, 0..1_000_u64, proptest::collection::btree_set(1..5_u32, 1..4)), 1..5),
            1..12,
        ),
    ) {
        let mut clients = Clients::default();
        let mut stands = [0_u64; 4];
        let mut last: BTreeMap<u32, u64> = BTreeMap::new();
        let (mut gained, mut expected) = (0, 0);
        let mut reported = [0_u64; 4];
        for step in steps {
            let mut all = Vec::new();
            for (id, more, pids) in step {
                let at = usize::try_from(id).unwrap();
                stands[at] += more;
                for pid in pids {
                    all.push(gfx(pid, id, stands[at]));
                }
            }
            for one in &mut all {
                // A later line of the same step may have moved the client on.
                let id = one.client.id.unwrap();
                let at = usize::try_from(id).unwrap();
                one.client = gfx(one.pid, id, stands[at]).client;
                expected += stands[at] - reported[at];
                reported[at] = stands[at];
            }
            let now: BTreeMap<u32, u64> = used(&mut clients, &all, Driver::Amdgpu)
                .into_iter()
                .map(|(pid, ns)| (pid, ns.unwrap()))
                .collect();
            for (pid, ns) in &now {
                gained += ns - last.get(pid).copied().unwrap_or(0);
            }
            last = now;
        }
        prop_assert_eq!(gained, expected);
    }
}
