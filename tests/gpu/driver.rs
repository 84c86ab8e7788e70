//! Drivers that are old, absent, or of no help. None of that is a reason not to run the job.

use crate::stage::{GPU, Stage, says, stranger};

#[test]
fn an_old_driver_gives_power_and_holders() {
    let stage = Stage::new(GPU).old_driver();
    let report = stage.run(&[], &(says(&["holds 0 $$"]) + "sleep 1"));
    let gpu = report.domain("gpu-0");
    gpu.adds_up();
    assert!(gpu.uj("job_uj") > 0 && gpu.uj("others_uj") == 0, "{:#}", gpu.0);
    let shared = Stage::new(&format!("{GPU}holds 0 {}\n", stranger())).old_driver();
    let report = shared.run(&[], &(says(&["holds 0 $$"]) + "sleep 1"));
    assert!(report.domain("gpu-0").uj("unattributed_uj") > 0);
}

#[test]
fn a_driver_that_refuses_is_said_and_the_job_runs() {
    for (code, word) in [(9, "not loaded"), (18, "mismatch"), (4, "permission")] {
        let report = Stage::new(&format!("init {code}\n")).run(&[], "true");
        assert!(report.says("nvml-unusable"), "{:#}", report.0["quality"]);
        let reason = report.0["energy_j"]["gpu_reason"].as_str().unwrap();
        assert!(reason.contains(word), "{reason}");
    }
}

#[test]
fn a_library_that_is_none_is_said_and_the_job_runs() {
    let stage = Stage::new("");
    let missing = stage.run(&["--nvml-library", "/nonexistent/libnvidia-ml.so.1"], "true");
    assert!(missing.says("nvml-unusable"), "{:#}", missing.0["quality"]);
    let text = stage.script();
    let garbage = stage.run(&["--nvml-library", text.to_str().unwrap()], "true");
    assert!(garbage.says("nvml-unusable"), "{:#}", garbage.0["quality"]);
}

#[test]
fn with_strict_a_driver_that_refuses_ends_it_before_the_start() {
    let output = Stage::new("init 9\n").output(&["--strict", "--no-csv"], "echo started");
    assert_eq!(output.status.code(), Some(125));
    assert!(output.stdout.is_empty());
}

#[test]
fn a_driver_without_devices_is_a_machine_without_gpus() {
    let stage = Stage::new("");
    let report = stage.run(&[], "true");
    assert_eq!(report.0["energy_j"]["gpu_reason"], "no GPU was found");
    let output = stage.output(&["--no-csv"], "true");
    let summary = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        summary.contains("energy") && !summary.contains("gpu"),
        "{summary}"
    );
}
