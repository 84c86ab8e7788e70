//! Daemons and launchers that are killed in the middle.

use crate::deadline::until;
use crate::raw::Raw;
use crate::rights;
use crate::service::{NOBODY, Service, WORK};
use serde_json::json;
use std::fs;

/// Works for long enough to be looked at, says so, and works on.
fn announced(service: &Service) -> String {
    format!("{WORK}touch {0}/begun; {WORK}{WORK}", service.home().display())
}

fn wait_for_the_job(service: &Service) {
    let begun = service.home().join("begun");
    until("the job to be under way", || begun.exists());
}

#[test]
fn a_daemon_that_is_killed_and_started_anew_has_missed_nothing() {
    if !rights::root("a_daemon_that_is_killed_and_started_anew_has_missed_nothing") {
        return;
    }
    let mut service = Service::start(&[]);
    let job = service.job(&NOBODY, "job", &announced(&service));
    wait_for_the_job(&service);
    service.kill();
    service.start_daemon();
    let ended = job.end();
    assert_eq!(ended.backend(), "daemon");
    ended.assert_all_counted();
    assert!(ended.codes().contains(&"daemon-away"), "{:?}", ended.codes());
    // sh and touch.
    assert_eq!(ended.report["processes"], 2);
    until("the job's number to be given back", || service.kept().is_empty());
    // With nobody to count for, nothing stays behind.
    service.stop();
    assert!(!service.pins().exists() && !service.socket().exists());
}

#[test]
fn without_a_place_to_keep_counts_a_killed_daemon_costs_the_rest_of_the_figure_and_the_job_nothing() {
    if !rights::root(
        "without_a_place_to_keep_counts_a_killed_daemon_costs_the_rest_of_the_figure_and_the_job_nothing",
    ) {
        return;
    }
    // A directory that is in no BPF file system.
    let elsewhere = tempfile::tempdir().unwrap();
    let mut service = Service::start(&["--pin-dir", elsewhere.path().to_str().unwrap()]);
    let job = service.job(&NOBODY, "job", &announced(&service));
    wait_for_the_job(&service);
    service.kill();
    service.start_daemon();
    let ended = job.end();
    assert!(ended.cpu_s() < ended.rusage_s);
    let warnings = ended.report["quality"]["warnings"].to_string();
    assert!(warnings.contains("has not kept the counts"), "{warnings}");
    assert!(warnings.contains("mount -t bpf"), "{warnings}");
}

#[test]
fn a_daemon_that_does_not_answer_holds_up_neither_the_job_nor_its_end_for_long() {
    let test = "a_daemon_that_does_not_answer_holds_up_neither_the_job_nor_its_end_for_long";
    if !rights::root(test) {
        return;
    }
    let service = Service::start(&[]);
    let job = service.job(&NOBODY, "job", &announced(&service));
    wait_for_the_job(&service);
    let daemon = nix::unistd::Pid::from_raw(i32::try_from(service.pid()).unwrap());
    nix::sys::signal::kill(daemon, nix::sys::signal::Signal::SIGSTOP).unwrap();
    let ended = job.end();
    nix::sys::signal::kill(daemon, nix::sys::signal::Signal::SIGCONT).unwrap();
    assert!(ended.cpu_s() > 0.0 && ended.cpu_s() < ended.rusage_s);
    assert!(
        ended.codes().contains(&"accounting-failed"),
        "{:?}",
        ended.codes()
    );
}

#[test]
fn of_a_job_that_is_over_nothing_is_kept_for_the_next_daemon() {
    if !rights::root("of_a_job_that_is_over_nothing_is_kept_for_the_next_daemon") {
        return;
    }
    let service = Service::start(&[]);
    let socket = service.socket();
    let closed = |mut raw: Raw| drop(raw.ask(&json!({"close": {"child": 0}})));
    let opened = || {
        let mut raw = Raw::greeted(&socket);
        raw.open();
        raw
    };
    // Whoever opens a job right after others are over is quicker than the daemon's own tidying up.
    for _ in 0..20 {
        let over: Vec<Raw> = (0..4).map(|_| opened()).collect();
        over.into_iter().for_each(closed);
        closed(opened());
    }
    until("nothing to be kept", || service.kept().is_empty());
}

#[test]
fn two_daemons_do_not_count_in_the_same_place() {
    if !rights::root("two_daemons_do_not_count_in_the_same_place") {
        return;
    }
    let first = Service::start(&[]);
    let second = Service::start(&["--pin-dir", first.pins().to_str().unwrap()]);
    for service in [&first, &second] {
        let ended = service.job(&NOBODY, "job", WORK).end();
        assert_eq!(ended.backend(), "daemon");
        ended.assert_all_counted();
        assert_eq!(ended.report["processes"], 1);
    }
}

#[test]
fn a_killed_launcher_leaves_the_job_and_no_number_behind() {
    if !rights::root("a_killed_launcher_leaves_the_job_and_no_number_behind") {
        return;
    }
    let service = Service::start(&[]);
    let done = service.home().join("done");
    let script = format!("{}touch {}", announced(&service), done.display());
    let job = service.job(&NOBODY, "job", &script);
    wait_for_the_job(&service);
    // bash is the parent of carbon-run.
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", job.pid())).unwrap();
    let launcher: i32 = children.trim().parse().unwrap();
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(launcher),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    until("the job to end by itself", || done.exists());
    // The next one finds a daemon that works.
    let ended = service.job(&NOBODY, "next", WORK).end();
    assert_eq!(ended.backend(), "daemon");
    ended.assert_all_counted();
}
