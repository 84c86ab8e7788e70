//! The launcher dies early, or is the first process there is.

use crate::deadline::until;
use crate::probe::{CARBON_RUN, path};
use crate::rights;
use std::fs;
use std::process::{Command, Output};

#[test]
fn a_launcher_that_is_killed_leaves_the_command_to_its_own_end() {
    let folder = tempfile::tempdir().unwrap();
    let script = "echo started > started; while [ ! -e go ]; do sleep 0.01; done; echo done > done";
    let mut launcher = Command::new(CARBON_RUN)
        .args(["sh", "-c", script])
        .current_dir(&folder)
        .spawn()
        .unwrap();
    let there = |name: &str| fs::read_to_string(folder.path().join(name)).is_ok_and(|text| !text.is_empty());
    until("the command to start", || there("started"));
    launcher.kill().unwrap();
    launcher.wait().unwrap();
    fs::write(folder.path().join("go"), "").unwrap();
    until("the command to finish", || there("done"));
}

/// carbon-run as the first process of a PID namespace with a /proc of its own, as in a container.
fn as_first(args: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command
        .args(["--pid", "--fork", "--mount-proc", CARBON_RUN])
        .args(args)
        .current_dir(&folder);
    command.output().unwrap()
}

#[test]
fn the_first_process_of_a_namespace_ends_with_128_and_the_signal() {
    if !rights::root("the_first_process_of_a_namespace_ends_with_128_and_the_signal") {
        return;
    }
    let probe = path().to_str().unwrap();
    for signal in [1, 2, 6, 9, 11, 15, 34, 64] {
        let ended = as_first(&[probe, "die", &signal.to_string()]);
        assert_eq!(ended.status.code(), Some(128 + signal), "{ended:?}");
    }
    assert_eq!(as_first(&["sh", "-c", "exit 11"]).status.code(), Some(11));
}

#[test]
fn the_first_process_of_a_namespace_forwards_what_is_sent_to_it() {
    if !rights::root("the_first_process_of_a_namespace_forwards_what_is_sent_to_it") {
        return;
    }
    // The sender is no descendant of the command: it came into the namespace from outside.
    let script = "trap 'exit 21' TERM; echo up; while :; do sleep 0.01; done";
    let folder = tempfile::tempdir().unwrap();
    let up = folder.path().join("up");
    let mut unshare = Command::new("unshare");
    unshare
        .args(["--pid", "--fork", "--mount-proc", CARBON_RUN, "sh", "-c", script])
        .current_dir(&folder);
    let mut unshare = unshare.stdout(fs::File::create(&up).unwrap()).spawn().unwrap();
    until("the command", || fs::read_to_string(&up).unwrap().contains("up"));
    let children = format!("/proc/{0}/task/{0}/children", unshare.id());
    let first = fs::read_to_string(children).unwrap().trim().parse().unwrap();
    crate::probe::send(first, libc::SIGTERM);
    assert_eq!(unshare.wait().unwrap().code(), Some(21));
}

#[test]
fn the_first_process_of_a_namespace_reaps_orphans() {
    if !rights::root("the_first_process_of_a_namespace_reaps_orphans") {
        return;
    }
    // A process whose parent has ended is gone from /proc only once somebody has waited for it.
    let script = "orphan=$(sh -c 'sleep 0.2 >&- & echo $!')
        [ -e /proc/$orphan ] || exit 1
        while [ -e /proc/$orphan ]; do sleep 0.01; done
        exit 17";
    let ended = as_first(&["timeout", "60", "sh", "-c", script]);
    assert_eq!(ended.status.code(), Some(17), "{ended:?}");
}
