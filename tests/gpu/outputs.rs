//! What people and programs see of GPUs.

use crate::stage::{GPU, SECOND, Stage, says};
use std::fs;

#[test]
fn the_summary_has_a_line_for_each_device_that_the_job_used() {
    let stage = Stage::new(&format!("{GPU}{SECOND}"));
    let output = stage.output(&["--no-csv"], &(says(&["holds 1 $$"]) + "sleep 1"));
    let summary = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = |word: &str| summary.lines().find(|line| line.trim_start().starts_with(word));
    assert!(
        line("gpu ").is_some_and(|line| line.contains("measured (nvml)")),
        "{summary}"
    );
    assert!(
        line("gpu-1").is_some_and(|line| line.contains("NVIDIA H100 80GB HBM3")),
        "{summary}"
    );
    assert!(line("gpu-0").is_none(), "{summary}");
}

#[test]
fn the_table_has_codecarbons_columns_of_gpus() {
    let stage = Stage::new(&format!("{GPU}{SECOND}"));
    let output = stage.output(&["-q"], &(says(&["holds 0 $$"]) + "sleep 1"));
    assert!(output.status.success());
    let table = fs::read_to_string(stage.directory.path().join("emissions.csv")).unwrap();
    let mut lines = table.lines();
    let (header, row) = (lines.next().unwrap(), lines.next().unwrap());
    let cell = |name: &str| {
        let at = header.split(',').position(|column| column == name).unwrap();
        row.split(',').nth(at).unwrap().to_owned()
    };
    assert_eq!(cell("gpu_count"), "2");
    assert_eq!(cell("gpu_model"), "2 x NVIDIA H100 80GB HBM3");
    assert!(cell("gpu_energy").parse::<f64>().unwrap() > 0.0);
    assert!(cell("gpu_power").parse::<f64>().unwrap() > 100.0);
}

#[test]
fn doctor_lists_devices_driver_and_what_can_be_read() {
    let doctor = |script: &str| {
        let output = Stage::new(script).command().arg("doctor").output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let good = doctor(&format!("{GPU}{SECOND}fail 1 energy 3\nfail 1 samples 3\n"));
    assert!(
        good.contains("gpu-0: NVIDIA H100 80GB HBM3, driver 580.65.06: energy counter, samples"),
        "{good}"
    );
    assert!(
        good.contains("gpu-1: NVIDIA H100 80GB HBM3, driver 580.65.06: power, integrated, no samples"),
        "{good}"
    );
    let refused = doctor("init 9\n");
    assert!(
        refused.contains("no  nvml: NVIDIA driver is not loaded"),
        "{refused}"
    );
    assert!(refused.contains("hint: load the kernel module"), "{refused}");
}
