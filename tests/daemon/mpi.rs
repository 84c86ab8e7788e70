//! Programs of several ranks: whether carbon-run is around the launcher or around each rank, the job is the same.

use crate::rights;
use crate::service::{NOBODY, Service, WORK, read};
use std::process::{Command, Stdio};

#[test]
fn around_mpiexec_and_around_each_rank_the_job_is_all_there_once() {
    let test = "around_mpiexec_and_around_each_rank_the_job_is_all_there_once";
    if !rights::root(test) {
        return;
    }
    if Command::new("mpiexec.hydra")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        rights::not_run(test, "mpiexec.hydra, of mpich");
        return;
    }
    let service = Service::start(&[]);
    let around = format!("mpiexec.hydra -n 4 sh -c '{WORK}'");
    let outer = service.job(&NOBODY, "around", &around).end();
    assert_eq!(outer.backend(), "daemon");
    outer.assert_all_counted();

    // In the ranks' order of ending the kernel's word on all of them is bash's on mpiexec.
    let rank = format!(
        "exec {} -q --no-csv --daemon-socket {} --json rank-$PMI_RANK.json -- sh -c '{WORK}'",
        service.binary().display(),
        service.socket().display()
    );
    let output = Command::new("bash")
        .args(["-c", "TIMEFORMAT='%3U %3S'; time \"$@\"", "bash"])
        .args(NOBODY)
        .args(["mpiexec.hydra", "-n", "4", "sh", "-c", &rank])
        .current_dir(service.home())
        .env("HOME", service.home())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    let told: f64 = stderr
        .lines()
        .last()
        .unwrap()
        .split(' ')
        .map(|part| part.parse::<f64>().unwrap())
        .sum();
    let files: Vec<_> = (0..4)
        .map(|rank| service.home().join(format!("rank-{rank}.json")))
        .collect();
    let merged = Command::new(service.binary())
        .args(["merge", "--json", "-"])
        .args(&files)
        .output()
        .unwrap();
    let merged: serde_json::Value = serde_json::from_slice(&merged.stdout).unwrap();
    assert_eq!(merged["reports"], 4);
    let counted = merged["cpu_time_s"].as_f64().unwrap();
    let interrupts: f64 = files
        .iter()
        .map(|file| read(file)["interrupt_time_in_job_s"].as_f64().unwrap_or(0.0))
        .sum();
    // mpiexec and the four carbon-runs are in the kernel's word, too.
    let short = told - counted - interrupts;
    assert!(
        (-0.05..0.5 + 0.02 * told).contains(&short),
        "{counted} of {told} s"
    );
}
