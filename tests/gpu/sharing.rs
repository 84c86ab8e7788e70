//! Whose a device's energy is.

use crate::stage::{GPU, Report, SECOND, Stage, near, says, stranger};
use std::process::Command;

const IDLE: &[&str] = &["--gpu-idle-power", "50"];

#[test]
fn a_job_alone_has_all_that_its_device_draws_above_idle() {
    let job = says(&["holds 0 $$"]) + "sleep 1\n" + &says(&["sample 0 $$ 1000 90"]) + "sleep 0.5";
    let report = Stage::new(GPU).run(IDLE, &job);
    let gpu = report.domain("gpu-0");
    gpu.adds_up();
    let seconds = report.0["duration_s"].as_f64().unwrap();
    assert!(
        near(gpu.uj("measured_uj") as f64 / 1e6, 300.0 * seconds, 10.0),
        "{:#}",
        gpu.0
    );
    assert!(
        near(
            gpu.uj("job_uj") as f64,
            gpu.uj("measured_uj") as f64 * 250.0 / 300.0,
            5.0
        ),
        "{:#}",
        gpu.0
    );
    assert_eq!(gpu.uj("others_uj"), 0);
    assert_eq!(report.0["energy_origin"]["gpu"]["measured"], "nvml");
}

#[test]
fn a_stranger_on_the_same_device_gets_its_part_by_samples() {
    let stranger = stranger();
    let script = format!("{GPU}holds 0 {stranger}\n");
    let job = says(&[
        "holds 0 $$",
        "sample 0 $$ 1000 30",
        &format!("sample 0 {stranger} 1000 60"),
        // Garbage, and what was given before.
        "sample 0 $$ 1000 30",
        "sample 0 $$ 2000 4000000",
    ]) + "sleep 1";
    let report = Stage::new(&script).run(IDLE, &job);
    let gpu = report.domain("gpu-0");
    gpu.adds_up();
    assert!(gpu.uj("job_uj") > 0);
    assert!(
        near(2.0 * gpu.uj("job_uj") as f64, gpu.uj("others_uj") as f64, 2.0),
        "{:#}",
        gpu.0
    );
    assert_eq!(gpu.uj("unattributed_uj"), 0);
}

#[test]
fn what_nobody_can_tell_apart_is_a_range_and_neither_half_nor_nothing() {
    let script = format!("{GPU}fail 0 samples 3\nholds 0 {}\n", stranger());
    let report = Stage::new(&script).run(IDLE, &(says(&["holds 0 $$"]) + "sleep 1"));
    let gpu = report.domain("gpu-0");
    gpu.adds_up();
    let unattributed = gpu.uj("unattributed_uj") as f64 / 1e6;
    assert!(unattributed > 100.0, "{:#}", gpu.0);
    assert!(gpu.range_j().1 >= unattributed);
    assert!(report.says("gpu-unattributed"), "{:#}", report.0["quality"]);
}

#[test]
fn without_samples_the_only_holder_has_all() {
    let report =
        Stage::new(&format!("{GPU}fail 0 samples 3\n")).run(IDLE, &(says(&["holds 0 $$"]) + "sleep 1"));
    let gpu = report.domain("gpu-0");
    gpu.adds_up();
    assert!(gpu.uj("job_uj") > 0 && gpu.uj("others_uj") == 0, "{:#}", gpu.0);
}

#[test]
fn users_that_the_driver_does_not_list_leave_it_open() {
    let report = Stage::new(&format!("{GPU}fail 0 compute 3\n")).run(IDLE, "sleep 0.5");
    let gpu = report.domain("gpu-0");
    gpu.adds_up();
    assert!(
        gpu.uj("unattributed_uj") > 0 && report.says("gpu-unattributed"),
        "{:#}",
        gpu.0
    );
}

#[test]
fn a_device_that_works_while_nobody_is_listed_is_no_silent_zero() {
    // In its first second a device may still tell of who left before the run.
    let report = Stage::new(&format!("{GPU}busy 0 90\n")).run(IDLE, "sleep 2");
    let gpu = report.domain("gpu-0");
    gpu.adds_up();
    assert!(
        gpu.uj("unattributed_uj") > 0 && report.says("gpu-unattributed"),
        "{:#}",
        gpu.0
    );
}

#[test]
fn a_process_that_ended_between_two_looks_counts_by_the_sample_it_left() {
    let stranger = stranger();
    let script = format!("{GPU}holds 0 {stranger}\n");
    let child = "pid=$(sh -c 'echo $$')\n";
    let job = format!(
        "{child}sleep 0.3\n{}sleep 0.5",
        says(&["sample 0 $pid 1000 80", &format!("sample 0 {stranger} 1000 20")])
    );
    let report = Stage::new(&script).run(IDLE, &job);
    let gpu = report.domain("gpu-0");
    gpu.adds_up();
    // A member that lived too short for /proc is not known to that rung, which says `others`.
    if report.0["accounting"]["backend"] == "ebpf" {
        assert!(
            near(gpu.uj("job_uj") as f64, 4.0 * gpu.uj("others_uj") as f64, 2.0),
            "{:#}",
            gpu.0
        );
    }
}

#[test]
fn one_process_on_two_devices_has_its_part_of_both() {
    let job = says(&["holds 0 $$", "holds 1 $$"]) + "sleep 1";
    let report = Stage::new(&format!("{GPU}{SECOND}")).run(IDLE, &job);
    let job_of = |name| {
        let gpu = report.domain(name);
        gpu.adds_up();
        (gpu.uj("job_uj") + gpu.uj("job_idle_uj")) as f64 / 1e6
    };
    let sum = job_of("gpu-0") + job_of("gpu-1");
    assert!(job_of("gpu-1") > 0.0);
    assert!(near(report.0["energy_j"]["gpu"].as_f64().unwrap(), sum, 0.01));
}

#[test]
fn an_unknown_idle_power_is_a_bracket_and_a_job_alone_on_its_own_device_does_not_mind() {
    let job = says(&["holds 0 $$", "sample 0 $$ 1000 50"]) + "sleep 1";
    let open = Stage::new(&format!("{GPU}busy 0 40\n")).run(&[], &job);
    assert!(open.says("gpu-idle-power-unknown"), "{:#}", open.0["quality"]);
    let own = Stage::new(GPU).with("CUDA_VISIBLE_DEVICES", "0").run(&[], &job);
    let gpu = own.domain("gpu-0");
    let all = gpu.uj("job_uj") + gpu.uj("job_idle_uj");
    assert_eq!(all, gpu.uj("measured_uj"), "{:#}", gpu.0);
    assert!(!own.says("gpu-idle-power-unknown"));
}

#[test]
fn only_allocated_devices_are_the_jobs_while_they_idle() {
    for (variable, value) in [
        ("CUDA_VISIBLE_DEVICES", "1"),
        ("CUDA_VISIBLE_DEVICES", "GPU-3333"),
        ("NVIDIA_VISIBLE_DEVICES", "GPU-33334444-bbbb"),
        ("SLURM_JOB_GPUS", "5"),
    ] {
        let stage = Stage::new(&format!("{GPU}{SECOND}")).with(variable, value);
        let report = stage.run(&[], "sleep 0.5");
        let (other, mine) = (report.domain("gpu-0"), report.domain("gpu-1"));
        assert_eq!(other.uj("job_idle_uj"), 0, "{variable}");
        assert_eq!(mine.uj("job_idle_uj"), mine.uj("measured_uj"), "{variable}");
        assert!(mine.uj("measured_uj") > 0);
        assert_eq!(report.0["gpus"][1]["allocated_by"], variable);
        assert_eq!(report.0["gpus"][1]["idle_policy"], "all");
    }
}

#[test]
fn a_number_that_cuda_counts_otherwise_than_the_driver_allocates_nothing_and_says_how_to_tell() {
    let unlike = SECOND.replace("H100 80GB HBM3", "T4");
    assert_ne!(unlike, SECOND);
    let stage = || Stage::new(&format!("{GPU}{unlike}"));
    let open = stage().with("CUDA_VISIBLE_DEVICES", "1").run(&[], "sleep 0.3");
    assert!(open.says("gpu-order-unknown"), "{:#}", open.0["quality"]);
    assert!(open.0["gpus"][1]["allocated"].is_null());
    let told = stage()
        .with("CUDA_VISIBLE_DEVICES", "1")
        .with("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
        .run(&[], "sleep 0.3");
    assert!(!told.says("gpu-order-unknown"), "{:#}", told.0["quality"]);
    assert_eq!(told.0["gpus"][1]["allocated"], 1.0);
}

#[test]
fn amds_variables_say_nothing_of_nvidias_devices() {
    let report = Stage::new(GPU)
        .with("ROCR_VISIBLE_DEVICES", "1")
        .with("HIP_VISIBLE_DEVICES", "1")
        .run(&[], "sleep 0.3");
    assert!(
        report.0["gpus"][0]["allocated"].is_null(),
        "{:#}",
        report.0["gpus"]
    );
    assert!(report.0["gpus"][0]["allocated_by"].is_null());
}

#[test]
fn partitions_weigh_by_their_slices() {
    let stranger = stranger();
    let script = format!("{GPU}slice 0 MIG-aa 3\nslice 0 MIG-bb 4\nholds 0 {stranger} 1\n");
    let report = Stage::new(&script)
        .with("CUDA_VISIBLE_DEVICES", "MIG-aa")
        .run(IDLE, &(says(&["holds 0 $$ 0"]) + "sleep 1"));
    let gpu = report.domain("gpu-0");
    gpu.adds_up();
    let (job, others) = (gpu.uj("job_uj") as f64, gpu.uj("others_uj") as f64);
    // Before the job was there, the stranger had all.
    assert!(job > 0.0 && job <= others * 3.0 / 4.0 * 1.01, "{:#}", gpu.0);
    assert!(near(
        report.0["gpus"][0]["allocated"].as_f64().unwrap(),
        3.0 / 7.0,
        0.1
    ));
}

#[test]
fn a_server_that_computes_for_the_job_alone_computes_for_the_job() {
    let server = stranger();
    let script = format!("{GPU}holds 0 {server}\nname {server} nvidia-cuda-mps-server\n");
    let work = format!("sample 0 {server} 1000 90");
    let alone = Stage::new(&script).run(IDLE, &(says(&["client 0 $$", &work]) + "sleep 1"));
    let gpu = alone.domain("gpu-0");
    gpu.adds_up();
    assert!(gpu.uj("job_uj") > 0 && gpu.uj("others_uj") == 0, "{:#}", gpu.0);

    let mut other = Command::new("sleep").arg("30").spawn().unwrap();
    let script = format!("{script}client 0 {}\n", other.id());
    let both = Stage::new(&script).run(IDLE, &(says(&["client 0 $$", &work]) + "sleep 1"));
    other.kill().unwrap();
    other.wait().unwrap();
    let gpu = both.domain("gpu-0");
    gpu.adds_up();
    assert!(gpu.uj("unattributed_uj") > 0, "{:#}", gpu.0);
}

#[test]
fn a_replay_computes_the_same_report() {
    let stage = Stage::new(&format!("{GPU}holds 0 {}\n", stranger()));
    let job = says(&["holds 0 $$", "sample 0 $$ 1000 30"]) + "sleep 1";
    let recorded = stage.run(IDLE, &job);
    let replayed = stage
        .command()
        .args(["replay", "run.jsonl", "-q", "--json", "again.json"])
        .output()
        .unwrap();
    assert!(replayed.status.success(), "{replayed:?}");
    let again = Report::read(&stage.directory.path().join("again.json"));
    assert_eq!(recorded.0["domains"], again.0["domains"]);
    assert_eq!(recorded.0["gpus"], again.0["gpus"]);
}
