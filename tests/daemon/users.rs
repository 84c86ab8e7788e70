//! What users get: the same as root without the daemon.

use crate::rights;
use crate::service::{NOBODY, Service, WORK};
use std::process::{Command, Stdio};

#[test]
fn a_user_without_rights_has_every_process_counted_by_the_daemon() {
    if !rights::root("a_user_without_rights_has_every_process_counted_by_the_daemon") {
        return;
    }
    let service = Service::start(&[]);
    let script =
        format!("({WORK}) & setsid sh -c '{WORK}' & wait; for i in 1 2 3 4 5; do /bin/true; done; echo out");
    let ended = service.job(&NOBODY, "job", &script).end();
    assert_eq!(ended.backend(), "daemon");
    assert_eq!(ended.stdout, "out\n");
    ended.assert_all_counted();
    // sh, its subshell, setsid's sh, and five times true.
    assert_eq!(ended.report["processes"], 8);
    assert_eq!(ended.report["accounting"]["lost"], 0);
    assert_eq!(
        ended.report["accounting"]["declined"].as_array().unwrap().len(),
        0
    );
    assert!(ended.report["mean_memory_bytes"].as_u64().unwrap() > 0);
}

#[test]
fn the_daemon_keeps_one_right_and_a_users_job_has_none() {
    if !rights::root("the_daemon_keeps_one_right_and_a_users_job_has_none") {
        return;
    }
    let service = Service::start(&[]);
    // CAP_BPF is capability 39 (include/uapi/linux/capability.h).
    for set in ["CapPrm", "CapEff"] {
        let held = u64::from_str_radix(&service.status(set), 16).unwrap();
        assert_eq!(held, 1 << 39, "{set}");
    }
    assert_eq!(service.status("CapInh"), "0000000000000000");
    assert_eq!(service.status("NoNewPrivs"), "1");
    let ended = service
        .job(
            &NOBODY,
            "job",
            "grep -E '^Cap(Inh|Prm|Eff|Amb)' /proc/self/status; ls /proc/self/fd | wc -l",
        )
        .end();
    assert_eq!(ended.backend(), "daemon");
    assert_eq!(
        ended.stdout.matches("0000000000000000").count(),
        4,
        "{}",
        ended.stdout
    );
    let bare = Command::new("sh")
        .args(["-c", "ls /proc/self/fd | wc -l"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let bare = String::from_utf8_lossy(&bare.stdout).trim().to_owned();
    assert_eq!(
        ended.stdout.lines().last().map(str::trim),
        Some(&*bare),
        "descriptors"
    );
}

#[test]
fn two_jobs_at_once_are_others_to_each_other_and_neither_has_the_others_time() {
    if !rights::root("two_jobs_at_once_are_others_to_each_other_and_neither_has_the_others_time") {
        return;
    }
    let service = Service::start(&[]);
    let long = format!("{WORK}{WORK}");
    let (one, two) = (service.job(&NOBODY, "one", &long), service.job(&[], "two", WORK));
    let (one, two) = (one.end(), two.end());
    for ended in [&one, &two] {
        assert_eq!(ended.backend(), "daemon");
        ended.assert_all_counted();
    }
    let others = |ended: &crate::service::Ended| ended.report["others_cpu_time_s"].as_f64().unwrap();
    // The shorter one ran all the while beside the longer one.
    assert!(
        others(&one) > 0.8 * two.cpu_s(),
        "{} of {}",
        others(&one),
        two.cpu_s()
    );
}

#[test]
fn a_run_inside_a_run_is_in_both_and_counted_once_in_each() {
    if !rights::root("a_run_inside_a_run_is_in_both_and_counted_once_in_each") {
        return;
    }
    let service = Service::start(&[]);
    let inner = format!(
        "{} -q --no-csv --daemon-socket {} --json inner.json -- sh -c '{WORK}'; {WORK}",
        service.binary().display(),
        service.socket().display()
    );
    let outer = service.job(&NOBODY, "outer", &inner).end();
    let inner = crate::service::read(&service.home().join("inner.json"));
    assert_eq!(inner["accounting"]["backend"], "daemon");
    outer.assert_all_counted();
    let inner_s = inner["cpu_time_s"].as_f64().unwrap();
    assert!(
        inner_s > 0.3 * outer.cpu_s() && inner_s < 0.7 * outer.cpu_s(),
        "{inner_s} of {}",
        outer.cpu_s()
    );
    // sh, carbon-run, and the inner sh.
    assert_eq!(outer.report["processes"], 3);
}

#[test]
fn a_job_in_a_pid_namespace_of_its_own_is_counted_and_its_survivors_have_its_numbers() {
    if !rights::root("a_job_in_a_pid_namespace_of_its_own_is_counted_and_its_survivors_have_its_numbers") {
        return;
    }
    let service = Service::start(&[]);
    let container = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
    let script = format!("setsid sleep 300 >/dev/null 2>&1 & echo $!; {WORK}");
    let ended = service.job(&container, "job", &script).end();
    assert_eq!(ended.backend(), "daemon");
    ended.assert_all_counted();
    let survivors = ended.report["survivors"].as_array().unwrap();
    let pids: Vec<u64> = survivors.iter().map(|one| one["pid"].as_u64().unwrap()).collect();
    assert_eq!(
        pids,
        [ended.stdout.trim().parse::<u64>().unwrap()],
        "{survivors:?}"
    );
    assert!(ended.report["mean_memory_bytes"].as_u64().unwrap() > 0);
}

#[test]
fn a_time_namespace_changes_nothing() {
    if !rights::root("a_time_namespace_changes_nothing") {
        return;
    }
    let service = Service::start(&[]);
    let ended = service
        .job(
            &["unshare", "--time", "--monotonic", "86400", "--fork"],
            "job",
            WORK,
        )
        .end();
    assert_eq!(ended.backend(), "daemon");
    ended.assert_all_counted();
    assert!(ended.report["duration_s"].as_f64().unwrap() < 600.0);
    assert_eq!(ended.report["quality"]["coverage"], 1.0);
}
