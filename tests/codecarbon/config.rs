//! `.codecarbon.config` and `CODECARBON_*`.

use crate::carbon_run;
use serde_json::Value;
use std::fs;
use std::path::Path;

const CONFIG: &str = "[codecarbon]\n# ours\nproject_name = digits\ncountry_iso_code = CAN\nregion = quebec\npue = 1.3\n\
                      output_dir = results\ntracking_mode = machine\napi_key = s3cret\n";

fn doctor(directory: &Path, variables: &[(&str, &str)]) -> (String, Value) {
    let out = |json: &[&str]| {
        let mut command = carbon_run(directory);
        command.arg("doctor").args(json).envs(variables.iter().copied());
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    (out(&[]), serde_json::from_str(&out(&["--json"])).unwrap())
}

#[test]
fn doctor_lists_what_codecarbon_was_told_with_its_place() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join(".codecarbon.config"), CONFIG).unwrap();
    fs::create_dir(home.path().join("work")).unwrap();
    let work = home.path().join("work");
    let variables = [("HOME", home.path().to_str().unwrap()), ("CODECARBON_PUE", "1.2")];
    let (text, json) = doctor(&work, &variables);
    for line in [
        "project = digits (~/.codecarbon.config:3)",
        "country = CAN (~/.codecarbon.config:4)",
        "region = quebec (~/.codecarbon.config:5)",
        "pue = 1.2 (CODECARBON_PUE)",
        "output-dir = results (~/.codecarbon.config:7)",
        "codecarbon-token = ... (~/.codecarbon.config:9)",
        "tracking_mode (~/.codecarbon.config:8): the job is measured",
    ] {
        assert!(text.contains(line), "`{line}` is missing from\n{text}");
    }
    assert!(json["electricity"].as_str().unwrap().contains("Quebec"), "{json}");
    assert!(!text.contains("s3cret") && !json.to_string().contains("s3cret"));

    // The working directory's file goes before the home's, and ours before both.
    fs::write(
        work.join(".codecarbon.config"),
        "[codecarbon]\nproject_name = faces\n",
    )
    .unwrap();
    fs::write(work.join("carbon-run.toml"), "pue = 1.1\n").unwrap();
    let (text, _) = doctor(&work, &variables);
    for line in ["project = faces (.codecarbon.config:2)", "carbon-run.toml:1)"] {
        assert!(text.contains(line), "`{line}` is missing from\n{text}");
    }
}

#[test]
fn a_run_goes_by_it_and_a_broken_file_costs_a_note_and_no_run() {
    let home = tempfile::tempdir().unwrap();
    let run = || {
        let output = carbon_run(home.path())
            .args([
                "--no-csv",
                "--json",
                "report.json",
                "sh",
                "-c",
                "echo out; exit 5",
            ])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(5));
        assert_eq!(output.stdout, b"out\n");
        let report = fs::read(home.path().join("report.json")).unwrap();
        let report: Value = serde_json::from_slice(&report).unwrap();
        (report, String::from_utf8(output.stderr).unwrap())
    };
    let file = home.path().join(".codecarbon.config");
    fs::write(
        &file,
        "[codecarbon]\nproject_name = digits\ncountry_iso_code = FRA\n",
    )
    .unwrap();
    let (report, _) = run();
    assert_eq!(
        (&report["project"], &report["intensity"]["place"]),
        (&"digits".into(), &"FRA".into())
    );

    fs::write(&file, "project_name = digits\n").unwrap();
    let (report, told) = run();
    assert_eq!(report["project"], Value::Null);
    assert!(
        told.contains("~/.codecarbon.config:1: a value before the first `[section]`"),
        "{told}"
    );
}
