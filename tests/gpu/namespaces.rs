//! A launcher in a PID namespace of its own, and a driver that speaks the host's numbers.

use crate::deadline::until;
use crate::rights;
use crate::stage::{GPU, Report, Stage};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::process::Command;

/// Runs a job in a namespace of its own; says, as the driver would, that it holds the GPU, by its number out here.
fn contained(accounting: &str, length: &str) -> Report {
    let stage = Stage::new(&format!("{GPU}fail 0 samples 3\n"));
    let inner = stage.command();
    let mut outer = Command::new("unshare");
    outer
        .args(["--pid", "--fork", "--mount-proc"])
        .arg(inner.get_program())
        .args([
            "-q",
            "--no-csv",
            "--json",
            "report.json",
            "--accounting",
            accounting,
        ])
        .args(["--gpu-idle-power", "50", "sleep", length])
        .current_dir(stage.directory.path())
        .env_clear()
        .envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut child = outer.spawn().unwrap();
    let mut host_pid = 0;
    until("the job shows itself", || {
        host_pid = running(length).unwrap_or(0);
        host_pid != 0
    });
    let mut script = OpenOptions::new().append(true).open(stage.script()).unwrap();
    script
        .write_all(format!("holds 0 {host_pid}\n").as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success());
    Report::read(&stage.directory.path().join("report.json"))
}

/// The process that sleeps so long, by its number in here.
fn running(length: &str) -> Option<u32> {
    let wanted = format!("sleep\0{length}\0");
    fs::read_dir("/proc").ok()?.find_map(|entry| {
        let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        (command == wanted.as_bytes()).then_some(pid)
    })
}

#[test]
fn the_kernel_side_knows_the_jobs_numbers_on_the_host() {
    if !rights::root("the_kernel_side_knows_the_jobs_numbers_on_the_host") {
        return;
    }
    let report = contained("ebpf", "1.5417");
    let gpu = report.domain("gpu-0");
    gpu.adds_up();
    assert!(gpu.uj("job_uj") > 0 && gpu.uj("others_uj") == 0, "{:#}", gpu.0);
}

#[test]
fn without_the_kernel_side_a_number_of_the_host_is_nobodys_for_certain() {
    if !rights::root("without_the_kernel_side_a_number_of_the_host_is_nobodys_for_certain") {
        return;
    }
    let report = contained("procfs", "1.5423");
    let gpu = report.domain("gpu-0");
    gpu.adds_up();
    assert!(
        gpu.uj("job_uj") == 0 && gpu.uj("unattributed_uj") > 0,
        "{:#}",
        gpu.0
    );
    assert!(gpu.range_j().1 > 100.0, "{:#}", gpu.0);
    assert!(report.says("gpu-unattributed"));
}
