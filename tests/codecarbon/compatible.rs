//! `--codecarbon-compatible`, against CodeCarbon's formulas.

use crate::carbon_run;
use serde_json::Value;
use std::fs;

#[test]
fn a_job_without_a_meter_is_reckoned_as_codecarbon_reckons_a_process() {
    let home = tempfile::tempdir().unwrap();
    let proc = home.path().join("root/proc");
    fs::create_dir_all(&proc).unwrap();
    let cpu = |number| format!("processor\t: {number}\nmodel name\t: AMD EPYC 7763 64-Core Processor\n\n");
    fs::write(proc.join("cpuinfo"), cpu(0) + &cpu(1)).unwrap();
    let report = |words: &[&str]| -> Value {
        let output = carbon_run(home.path())
            .args(words)
            .args(["-q", "--no-csv", "--json", "-"])
            .args([
                "--sysroot",
                "root",
                "--accounting",
                "procfs",
                "--record",
                "run.jsonl",
            ])
            .args(["sh", "-c", "i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let said = report(&[
        "--codecarbon-compatible",
        "--country",
        "CAN",
        "--region",
        "ontario",
    ]);
    let figure = |path: &str| said.pointer(path).and_then(Value::as_f64).unwrap();
    assert_eq!(said["intensity"]["method"], "codecarbon-3.3.2");
    assert!((figure("/intensity/g_per_kwh") - 64.722_343).abs() < 1e-6);
    // TDP x CPU seconds / CPUs: two packages are not seen, for nothing says so.
    let cpu = 280.0 * figure("/cpu_time_s") / 2.0;
    assert!(
        (figure("/energy_j/cpu") - cpu).abs() < 0.02 * cpu,
        "{} J, not {cpu} J",
        figure("/energy_j/cpu")
    );
    // A small job is charged two modules.
    let ram = 10.0 * figure("/duration_s");
    assert!(
        (figure("/energy_j/ram") - ram).abs() < 0.02 * ram,
        "{} J, not {ram} J",
        figure("/energy_j/ram")
    );
    for domain in said["domains"].as_array().unwrap() {
        assert_eq!(domain["origin"]["estimated"], "codecarbon-3.3.2", "{domain}");
        assert!(
            domain["basis"]
                .as_str()
                .unwrap()
                .starts_with("codecarbon-3.3.2: "),
            "{domain}"
        );
    }

    // The recording has the choice in it.
    let replayed = carbon_run(home.path())
        .args(["replay", "run.jsonl", "-q", "--json", "-"])
        .output()
        .unwrap();
    let replayed: Value = serde_json::from_slice(&replayed.stdout).unwrap();
    assert_eq!(replayed["emissions_g"], said["emissions_g"]);
    assert_eq!(replayed["intensity"], said["intensity"]);
}

#[test]
fn what_codecarbon_does_not_know_is_its_world_average_and_is_said() {
    let home = tempfile::tempdir().unwrap();
    let output = carbon_run(home.path())
        .args(["--codecarbon-compatible", "--country", "XYZ", "--no-csv", "true"])
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && told.contains("475 g/kWh"), "{told}");
    assert!(told.contains("CodeCarbon knows no `XYZ`"), "{told}");
}
