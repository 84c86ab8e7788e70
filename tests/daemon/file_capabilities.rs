//! The helper with rights of its own, for machines without the daemon.

use crate::deadline::until;
use crate::rights;
use crate::service::{NOBODY, WORK, read};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Both programs beside each other, the helper with file capabilities; `None`, and said so, where there can be none.
fn installed(test: &str, capabilities: &str) -> Option<TempDir> {
    if !rights::root(test) {
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    for (program, name) in [
        (env!("CARGO_BIN_EXE_carbon-run"), "carbon-run"),
        (env!("CARGO_BIN_EXE_carbon-run-helper"), "carbon-run-helper"),
    ] {
        fs::copy(program, dir.path().join(name)).unwrap();
    }
    let given = Command::new("setcap")
        .arg(capabilities)
        .arg(dir.path().join("carbon-run-helper"))
        .status();
    if !given.is_ok_and(|status| status.success()) {
        rights::not_run(test, "setcap, and a file system with capabilities");
        return None;
    }
    Some(dir)
}

/// Runs a job as nobody, who has `LD_LIBRARY_PATH` set.
fn run(dir: &TempDir, script: &str) -> (serde_json::Value, String) {
    let output = Command::new(NOBODY[0])
        .args(&NOBODY[1..])
        .arg(dir.path().join("carbon-run"))
        .args([
            "-q",
            "--no-csv",
            "--json",
            "report.json",
            "--daemon-socket",
            "none",
            "--state-dir",
            "state",
        ])
        .args(["sh", "-c", script])
        .current_dir(dir)
        .env("LD_LIBRARY_PATH", "/opt/of/the/job")
        .env("TMPDIR", "/tmp")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (read(&dir.path().join("report.json")), said)
}

fn helpers(dir: &TempDir) -> usize {
    let path = dir.path().join("carbon-run-helper");
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|process| fs::read_link(process.path().join("exe")).is_ok_and(|exe| exe == path))
        .count()
}

#[test]
fn by_the_helper_a_user_has_everything_counted_and_the_job_has_no_right_and_all_of_its_environment() {
    let test =
        "by_the_helper_a_user_has_everything_counted_and_the_job_has_no_right_and_all_of_its_environment";
    let Some(dir) = installed(test, "cap_bpf,cap_perfmon,cap_dac_read_search+ep") else {
        return;
    };
    let script = format!(
        "setsid sh -c '{WORK}'; echo $LD_LIBRARY_PATH $TMPDIR; grep ^Cap /proc/self/status; ls /proc/self/fd | wc -l"
    );
    let (report, said) = run(&dir, &script);
    assert_eq!(report["accounting"]["backend"], "ebpf");
    assert_eq!(report["accounting"]["lost"], 0);
    assert!(report["cpu_time_s"].as_f64().unwrap() > 0.2);
    assert!(said.starts_with("/opt/of/the/job /tmp\n"), "{said}");
    // All but the bounding set, which gives nothing.
    let held: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("Cap") && !line.starts_with("CapBnd"))
        .collect();
    assert_eq!(held.len(), 4);
    assert!(
        held.iter().all(|line| line.ends_with("0000000000000000")),
        "{said}"
    );
    let bare = Command::new("sh")
        .args(["-c", "ls /proc/self/fd | wc -l"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(
        said.lines().last(),
        String::from_utf8_lossy(&bare.stdout).lines().last()
    );
    until("the helper to end with the run", || helpers(&dir) == 0);
}

#[test]
fn a_helper_without_its_rights_is_passed_over() {
    let test = "a_helper_without_its_rights_is_passed_over";
    let Some(dir) = installed(test, "cap_net_raw+ep") else {
        return;
    };
    let (report, _) = run(&dir, "true");
    assert_ne!(report["accounting"]["backend"], "ebpf");
    until("the helper to end", || helpers(&dir) == 0);
}

#[test]
fn a_helper_whose_run_is_killed_ends() {
    let test = "a_helper_whose_run_is_killed_ends";
    let Some(dir) = installed(test, "cap_bpf,cap_perfmon,cap_dac_read_search+ep") else {
        return;
    };
    let mut run = Command::new(NOBODY[0])
        .args(&NOBODY[1..])
        .arg(dir.path().join("carbon-run"))
        .args([
            "-q",
            "--no-csv",
            "--daemon-socket",
            "none",
            "--state-dir",
            "state",
            "sleep",
            "2",
        ])
        .current_dir(&dir)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    until("the helper to be there", || helpers(&dir) == 1);
    run.kill().unwrap();
    run.wait().unwrap();
    until("the helper to end", || helpers(&dir) == 0);
}
