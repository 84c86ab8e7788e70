//! Conversations that nobody would have: random requests, whole and broken, on several connections at once.

use crate::raw::{Raw, as_user};
use crate::rights;
use crate::service::{NOBODY, Service, WORK};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

const MALLORY: libc::uid_t = 4711;

/// A line that may be a request.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![
        Just(0_i64),
        Just(1),
        Just(-1),
        Just(i64::from(u32::MAX)),
        Just(i64::MAX),
        0..40_000_i64
    ];
    let request = prop_oneof![
        Just(json!("open")),
        Just(json!("arm")),
        Just(json!("disarm")),
        Just(json!("members")),
        Just(json!("living")),
        any::<bool>().prop_map(|now| json!({"observe": {"now": now}})),
        number
            .clone()
            .prop_map(|version| json!({"hello": {"version": version}})),
        number
            .clone()
            .prop_map(|child| json!({"close": {"child": child}})),
        proptest::collection::vec(number, 0..50).prop_map(|pids| json!({"whose": {"pids": pids}})),
        ".{0,40}".prop_map(|job| json!({"resume": {"job": job}})),
        "[a-z/.]{0,40}".prop_map(|cgroup| json!({"adopt": {"cgroup": cgroup}})),
    ];
    let whole = request.prop_map(|request: Value| request.to_string().into_bytes());
    let cut = (whole.clone(), 0..30_usize).prop_map(|(mut bytes, at)| {
        bytes.truncate(at);
        bytes
    });
    let noise = proptest::collection::vec(
        any::<u8>().prop_filter("a line is one", |byte| *byte != b'\n'),
        0..80,
    );
    prop_oneof![12 => whole, 1 => cut, 1 => noise]
}

#[test]
fn whatever_is_said_to_the_daemon_it_answers_line_by_line_or_hangs_up_and_others_have_their_figures() {
    let test =
        "whatever_is_said_to_the_daemon_it_answers_line_by_line_or_hangs_up_and_others_have_their_figures";
    if !rights::root(test) {
        return;
    }
    let service = Service::start(&[]);
    let socket = service.socket();
    let ended = std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                as_user(MALLORY, || {
                    let mut runner = TestRunner::deterministic();
                    let lines = proptest::collection::vec(line(), 1..40);
                    for _ in 0..150 {
                        let mut raw = Raw::connect(&socket);
                        // Half of them have a job first.
                        let talk = lines.new_tree(&mut runner).unwrap().current();
                        if talk.len() % 2 == 0 {
                            raw.ask(&json!({"hello": {"version": 1}}));
                            raw.ask(&json!("open"));
                        }
                        for line in talk {
                            raw.send(&line);
                            raw.send(b"\n");
                            // A reply is JSON, or there is none and never will be.
                            if raw.line().is_none() {
                                break;
                            }
                        }
                    }
                });
            });
        }
        service.job(&NOBODY, "job", WORK).end()
    });
    assert_eq!(ended.backend(), "daemon");
    ended.assert_all_counted();
    let after = service.job(&NOBODY, "after", "true").end();
    assert_eq!(
        (after.backend(), &after.report["processes"]),
        ("daemon", &json!(1))
    );
}
