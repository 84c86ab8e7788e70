//! `carbon-run replay`: the report again, from the recording alone.

#![expect(clippy::unwrap_used, reason = "the tests' helpers fail with their test")]

#[path = "replay/broken.rs"]
mod broken;
#[path = "replay/place.rs"]
mod place;
#[path = "replay/series.rs"]
mod series;

use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const RECORDINGS: [&str; 9] = [
    "virtual-machine",
    "stand-in",
    "unprivileged",
    "not-utf-8",
    "killed",
    "gpu-alone",
    "gpu-beside",
    "gpu-calibrated",
    "two-sockets",
];

fn recording(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/recordings")
        .join(name)
        .with_extension("jsonl")
}

/// carbon-run in `directory`, with no config file, variables or time zone but ours.
fn carbon_run(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_carbon-run"));
    command.current_dir(directory).env_clear();
    command
        .env("HOME", directory)
        .env("PATH", "/usr/bin:/bin")
        .env("COLUMNS", "100");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The JSON report of a replay.
fn replayed(recording: &Path, flags: &[&str]) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let output = carbon_run(directory.path())
        .args(["replay", "-q", "--json", "-"])
        .args(flags)
        .arg(recording)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_recording_gives_its_summary_its_json_and_its_row() {
    let mut snapshots = insta::Settings::clone_current();
    snapshots.set_snapshot_path("recordings/snapshots");
    snapshots.set_prepend_module_to_snapshot(false);
    snapshots.set_omit_expression(true);
    let _bound = snapshots.bind_to_scope();
    for name in RECORDINGS {
        let directory = tempfile::tempdir().unwrap();
        let output = carbon_run(directory.path())
            .args(["replay", "--csv", "--json", "report.json"])
            .arg(recording(name))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}");
        assert_eq!(text(&output.stdout), "", "{name}");
        let written = |file: &str| fs::read_to_string(directory.path().join(file)).unwrap();
        insta::assert_snapshot!(format!("{name}.summary"), text(&output.stderr));
        insta::assert_snapshot!(format!("{name}.json"), written("report.json"));
        insta::assert_snapshot!(format!("{name}.csv"), written("emissions.csv"));
    }
}

#[test]
fn what_a_run_reported_its_recording_reports_again() {
    for command in [
        &["true"][..],
        &[
            "sh",
            "-c",
            "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; exit 7",
        ],
        &["sh", "-c", "kill -TERM $$"],
        &["sh", "-c", "sleep 0.3 & sleep 0.3 & wait"],
    ] {
        for accounting in ["auto", "procfs"] {
            let directory = tempfile::tempdir().unwrap();
            let run = carbon_run(directory.path())
                .args([
                    "-q",
                    "--no-csv",
                    "--country",
                    "DE",
                    "--pue",
                    "1.3",
                    "--record",
                    "run.jsonl",
                ])
                .args(["--json", "run.json", "--accounting", accounting, "--"])
                .args(command)
                .output()
                .unwrap();
            let told: Value =
                serde_json::from_slice(&fs::read(directory.path().join("run.json")).unwrap()).unwrap();
            let again = replayed(&directory.path().join("run.jsonl"), &[]);
            assert_eq!(told, again, "{command:?} {accounting}: {}", text(&run.stderr));
            assert!(told["energy_j"].is_object() && told["exit"].is_object());
        }
    }
}

#[test]
fn a_replay_needs_no_right_but_to_read_the_recording() {
    if !nix::unistd::geteuid().is_root() {
        // Who is not root has shown it by every other test here; only root can be somebody without rights at will.
        println!("not run: only root can give up its rights");
        assert!(std::env::var_os("CI").is_none(), "CI must run this as root");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let binary = directory.path().join("carbon-run");
    fs::copy(env!("CARGO_BIN_EXE_carbon-run"), &binary).unwrap();
    for name in RECORDINGS {
        let copy = directory.path().join("recording.jsonl");
        fs::copy(recording(name), &copy).unwrap();
        let mut command = Command::new("/usr/bin/setpriv");
        command
            .args([
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                "--no-new-privs",
            ])
            .args(["--inh-caps=-all", "--bounding-set=-all"])
            .arg(&binary)
            .args(["replay", "-q", "--json", "-"])
            .arg(&copy)
            .current_dir("/")
            .env_clear();
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}: {}", text(&output.stderr));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told, replayed(&recording(name), &[]), "{name}");
    }
}

/// The top-level fields that two reports do not share.
fn changed(one: &Value, other: &Value) -> Vec<String> {
    let (one, other) = (one.as_object().unwrap(), other.as_object().unwrap());
    let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .filter(|name| one.get(*name) != other.get(*name))
        .cloned()
        .collect()
}

fn joules(report: &Value) -> f64 {
    report["energy_j"]["total"].as_f64().unwrap()
}

fn grams(report: &Value) -> f64 {
    report["emissions_g"].as_f64().unwrap()
}

#[track_caller]
fn assert_near(found: f64, wanted: f64) {
    assert!(
        (found - wanted).abs() <= wanted.abs() * 1e-9,
        "{found}, not {wanted}"
    );
}

#[test]
fn another_intensity_and_pue_change_the_grams_and_nothing_else() {
    for name in RECORDINGS {
        let before = replayed(&recording(name), &[]);
        let after = replayed(&recording(name), &["--intensity", "1000", "--pue", "2"]);
        let moved = changed(&before, &after);
        for field in moved {
            assert!(
                [
                    "intensity",
                    "pue",
                    "pue_source",
                    "emissions_g",
                    "emissions_range_g",
                    "equivalences",
                    "quality"
                ]
                .contains(&field.as_str()),
                "{name}: {field}"
            );
        }
        assert_near(grams(&after), joules(&after) / 3.6e6 * 2.0 * 1000.0);
        assert_near(joules(&before), joules(&after));
    }
}

#[test]
fn another_place_is_taken_instead_of_the_recorded_one() {
    for (flags, place) in [
        (["--country", "Poland"], "POL"),
        (["--region", "US-CA"], "US-CA"),
        (["--intensity", "3"], "user"),
    ] {
        let report = replayed(&recording("virtual-machine"), &flags);
        assert_eq!(report["intensity"]["place"], place);
    }
}

#[test]
fn each_idle_policy_gives_the_figure_that_every_report_names_as_its_alternative() {
    for name in RECORDINGS {
        let before = replayed(&recording(name), &[]);
        for policy in ["none", "capacity", "allocated", "busy", "all"] {
            let after = replayed(&recording(name), &["--idle-policy", policy]);
            assert_eq!(after["idle_policy"], policy);
            let mut sum = 0;
            for (was, is) in before["domains"]
                .as_array()
                .unwrap()
                .iter()
                .zip(after["domains"].as_array().unwrap())
            {
                assert_eq!(
                    is["job_idle_uj"], was["job_idle_uj_by_policy"][policy],
                    "{name} {policy}"
                );
                assert_eq!(is["job_uj"], was["job_uj"], "{name} {policy}");
                assert_eq!(is["measured_uj"], was["measured_uj"], "{name} {policy}");
                let lines = [
                    "job_uj",
                    "job_idle_uj",
                    "others_uj",
                    "kernel_uj",
                    "own_uj",
                    "idle_uj",
                ];
                let total: u64 = lines.iter().filter_map(|line| is[line].as_u64()).sum();
                let known = is["origin"].get("absent").is_none();
                assert_eq!(
                    known.then_some(total),
                    is["measured_uj"].as_u64(),
                    "{name} {policy}"
                );
                if known && is["summed"] == true {
                    sum += is["job_uj"].as_u64().unwrap() + is["job_idle_uj"].as_u64().unwrap();
                }
            }
            assert_near(joules(&after), sum as f64 / 1e6);
            for field in [
                "cpu_time_s",
                "duration_s",
                "host",
                "intensity",
                "processes",
                "exit",
                "command",
            ] {
                assert_eq!(before[field], after[field], "{name} {policy}");
            }
        }
    }
}

#[test]
fn another_idle_power_moves_what_it_feeds_and_leaves_what_was_measured() {
    let path = recording("stand-in");
    let before = replayed(&path, &[]);
    let after = replayed(&path, &["--idle-power", "10.5,3.5"]);
    for (was, is) in before["domains"]
        .as_array()
        .unwrap()
        .iter()
        .zip(after["domains"].as_array().unwrap())
    {
        assert_eq!(was["measured_uj"], is["measured_uj"]);
        let [was_idle, is_idle] = [was, is].map(|it| it["job_idle_uj_by_policy"]["all"].as_u64().unwrap());
        if is["kind"] == "package" {
            assert!(was_idle.abs_diff(2 * is_idle) <= 20, "{was_idle} {is_idle}");
        } else {
            assert_eq!(was, is);
        }
    }
    // A machine without counters has nothing to state, and the person is told.
    let told = replayed(&recording("virtual-machine"), &["--idle-power", "5"]);
    assert!(
        told["quality"]
            .to_string()
            .contains("`--idle-power` changes nothing")
    );
    assert_near(
        joules(&told),
        joules(&replayed(&recording("virtual-machine"), &[])),
    );
}
