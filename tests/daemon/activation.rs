//! How the daemon is started, and what it says when it cannot be.

use crate::deadline::until;
use crate::raw::Raw;
use crate::rights;
use crate::service::{NOBODY, Service};
use std::os::unix::net::UnixListener;
use std::process::Command;

#[test]
fn a_socket_that_is_handed_over_is_used_and_left_in_its_place() {
    if !rights::root("a_socket_that_is_handed_over_is_used_and_left_in_its_place") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    // As number 3, as sd_listen_fds(3) has it.
    let mut daemon = Command::new("sh")
        .args([
            "-c",
            "LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" daemon --no-pin --daemon-socket \"$1\" 3<&0 </dev/null",
        ])
        .arg(env!("CARGO_BIN_EXE_carbon-run"))
        .arg(&socket)
        .stdin(std::os::fd::OwnedFd::from(listener))
        .spawn()
        .unwrap();
    // The one that starts it waits in the queue until it is there.
    Raw::greeted(&socket).open();
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(i32::try_from(daemon.id()).unwrap()),
        nix::sys::signal::Signal::SIGTERM,
    )
    .unwrap();
    assert!(daemon.wait().unwrap().success());
    assert!(socket.exists());
}

#[test]
fn a_second_daemon_at_the_same_place_is_refused() {
    if !rights::root("a_second_daemon_at_the_same_place_is_refused") {
        return;
    }
    let service = Service::start(&[]);
    let output = Command::new(service.binary())
        .args(["daemon", "--daemon-socket"])
        .arg(service.socket())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(125));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("another daemon is at"), "{stderr}");
    Raw::greeted(&service.socket()).open();
}

#[test]
fn without_rights_the_daemon_says_which_it_needs() {
    if !rights::root("without_rights_the_daemon_says_which_it_needs") {
        return;
    }
    let service = Service::start(&[]);
    let output = Command::new(NOBODY[0])
        .args(&NOBODY[1..])
        .arg(service.binary())
        .args(["daemon", "--no-pin", "--daemon-socket"])
        .arg(service.home().join("own/socket"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(125));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("CAP_BPF"), "{stderr}");
}

#[test]
fn a_daemon_that_is_asked_for_by_name_and_is_not_there_ends_the_run_before_it_begins() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_carbon-run"))
        .args(["--accounting", "daemon", "--no-csv", "--daemon-socket"])
        .arg(dir.path().join("socket"))
        .args(["touch", "begun"])
        .current_dir(&dir)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(125));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        stderr.contains("no daemon answers at") && stderr.contains("hint: "),
        "{stderr}"
    );
    assert!(!dir.path().join("begun").exists());
}

#[test]
fn a_dead_socket_is_passed_over_and_named() {
    if !rights::root("a_dead_socket_is_passed_over_and_named") {
        return;
    }
    let mut service = Service::start(&["--no-pin"]);
    service.kill();
    let ended = service.job(&[], "job", "true").end();
    assert_eq!(ended.backend(), "ebpf");
    assert_eq!(ended.report["accounting"]["declined"][0]["backend"], "daemon");
    service.start_daemon();
    until("the daemon to be used again", || {
        service.job(&[], "job", "true").end().backend() == "daemon"
    });
}

#[test]
fn in_a_pid_namespace_of_its_own_the_daemon_would_take_numbers_for_others_and_does_not_start() {
    let test = "in_a_pid_namespace_of_its_own_the_daemon_would_take_numbers_for_others_and_does_not_start";
    if !rights::root(test) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new("timeout")
        .args(["10", "unshare", "--pid", "--fork", "--mount-proc", "--kill-child"])
        .arg(env!("CARGO_BIN_EXE_carbon-run"))
        .args(["daemon", "--no-pin", "--daemon-socket"])
        .arg(dir.path().join("socket"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(125));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        stderr.contains("PID namespace") && stderr.contains("--pid=host"),
        "{stderr}"
    );
}

/// What the unit says of a directive.
fn of_unit(directive: &str) -> Vec<String> {
    let unit = include_str!("../../carbon-run/systemd/carbon-run.service");
    let lines = unit.lines().filter_map(|line| line.strip_prefix(directive));
    lines
        .filter_map(|line| line.strip_prefix('=').map(str::to_owned))
        .collect()
}

#[test]
fn the_rights_that_the_unit_leaves_are_enough() {
    if !rights::root("the_rights_that_the_unit_leaves_are_enough") {
        return;
    }
    let left = of_unit("CapabilityBoundingSet").concat().to_lowercase();
    let left: Vec<String> = left.split(' ').map(|one| one.replace("cap_", "+")).collect();
    let mut service = Service::start(&[]);
    service.stop();
    let set = format!("-all,{}", left.join(","));
    service.start_daemon_through(&["setpriv", "--bounding-set", &set, "--no-new-privs"]);
    let ended = service.job(&NOBODY, "job", "true").end();
    assert_eq!(ended.backend(), "daemon");
    assert_eq!(ended.report["processes"], 1);
}

#[test]
fn the_units_are_in_order_and_hardened() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd");
    let dir = tempfile::tempdir().unwrap();
    for unit in ["carbon-run.service", "carbon-run.socket"] {
        // verify looks whether the program is there.
        let text = std::fs::read_to_string(format!("{directory}/{unit}")).unwrap();
        let text = text.replace("/usr/local/bin/carbon-run", env!("CARGO_BIN_EXE_carbon-run"));
        std::fs::write(dir.path().join(unit), text).unwrap();
    }
    let analyze = |arguments: &[&str]| {
        Command::new("systemd-analyze")
            .args(arguments)
            .current_dir(&dir)
            .env("SYSTEMD_UNIT_PATH", format!("{}:", dir.path().display()))
            .output()
    };
    let service = dir.path().join("carbon-run.service");
    let service = service.to_str().unwrap();
    // 0 to 100, the lower the better; "OK" ends at 40.
    let Ok(judged) = analyze(&[
        "security",
        "--offline=yes",
        "--no-pager",
        "--threshold=20",
        service,
    ]) else {
        rights::not_run("the_units_are_in_order_and_hardened", "systemd-analyze");
        return;
    };
    let said = String::from_utf8_lossy(&judged.stdout).into_owned();
    assert!(judged.status.success(), "{said}");
    let verified = analyze(&["verify", "--man=no", service]).unwrap();
    assert!(
        verified.status.success(),
        "{}",
        String::from_utf8_lossy(&verified.stderr)
    );
}
