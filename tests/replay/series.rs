//! Carbon intensity that changes while a run goes on, from a file.

use super::{RECORDINGS, assert_near, carbon_run, changed, grams, joules, recording, replayed, text};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn grid(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/recordings/grid")
        .join(name)
        .with_extension("csv")
}

/// The moment of the first observation, and the time to the last one, in nanoseconds since 1970.
fn span(recording: &Path) -> (i64, i64) {
    let lines = fs::read_to_string(recording).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let started = lines[0]["head"]["started_at_unix_ns"].as_i64().unwrap();
    let at: Vec<i64> = lines
        .iter()
        .filter_map(|line| line["observation"]["at"].as_i64())
        .collect();
    (started, started + at.last().unwrap() - at[0])
}

fn utc(unix_ns: i64) -> String {
    jiff::Timestamp::from_nanosecond(unix_ns.into())
        .unwrap()
        .to_string()
}

/// A report under a series of steps.
fn under(recording: &Path, steps: &[(i64, f64)], flags: &[&str]) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("grid.csv");
    let rows: String = steps
        .iter()
        .map(|(unix_ns, value)| format!("{},{value}\n", utc(*unix_ns)))
        .collect();
    fs::write(&path, format!("time,g_per_kwh\n{rows}")).unwrap();
    let mut all = vec!["--intensity-file", path.to_str().unwrap()];
    all.extend(flags);
    replayed(recording, &all)
}

#[test]
fn a_recording_under_a_file_gives_its_summary_its_json_and_its_row() {
    let mut snapshots = insta::Settings::clone_current();
    snapshots.set_snapshot_path("../recordings/snapshots");
    snapshots.set_prepend_module_to_snapshot(false);
    snapshots.set_omit_expression(true);
    let _bound = snapshots.bind_to_scope();
    for (name, place) in [("two-sockets", &["--country", "DE"][..]), ("gpu-beside", &[])] {
        let directory = tempfile::tempdir().unwrap();
        let output = carbon_run(directory.path())
            .args(["replay", "--csv", "--json", "report.json", "--intensity-file"])
            .arg(grid(name))
            .args(place)
            .arg(recording(name))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}: {}", text(&output.stderr));
        let written = |file: &str| fs::read_to_string(directory.path().join(file)).unwrap();
        let report: Value = serde_json::from_str(&written("report.json")).unwrap();
        let electricity = serde_json::json!({
            "intensity": report["intensity"],
            "emissions_g": report["emissions_g"],
            "emissions_range_g": report["emissions_range_g"],
        });
        insta::assert_snapshot!(format!("{name}.grid.summary"), text(&output.stderr));
        insta::assert_snapshot!(
            format!("{name}.grid.json"),
            serde_json::to_string_pretty(&electricity).unwrap()
        );
        insta::assert_snapshot!(format!("{name}.grid.csv"), written("emissions.csv"));
    }
}

#[test]
fn what_the_job_used_before_a_step_and_after_it_is_all_that_it_used() {
    for name in RECORDINGS {
        let path = recording(name);
        let (start, end) = span(&path);
        let hour = 3_600_000_000_000;
        let whole = under(&path, &[(start - hour, 1000.0), (end + hour, 0.0)], &[]);
        assert_near(
            grams(&whole),
            joules(&whole) / 3600.0 * whole["pue"].as_f64().unwrap(),
        );
        for part in [0.1, 0.5, 0.77] {
            let middle = start + ((end - start) as f64 * part) as i64;
            let of = |before: f64, after: f64| {
                let steps = [(start - hour, before), (middle, after), (end + hour, 0.0)];
                grams(&under(&path, &steps, &[]))
            };
            let (before, after) = (of(1000.0, 0.0), of(0.0, 1000.0));
            assert!(before >= 0.0 && after >= 0.0, "{name}");
            assert!(
                ((before + after) / grams(&whole) - 1.0).abs() < 1e-6,
                "{name} {part}: {before} + {after}, not {}",
                grams(&whole)
            );
        }
    }
}

#[test]
fn a_series_changes_the_grams_and_no_energy() {
    for name in RECORDINGS {
        let path = recording(name);
        let (start, _) = span(&path);
        let before = replayed(&path, &[]);
        let after = under(&path, &[(start - 1_000_000_000, 321.0)], &[]);
        for field in changed(&before, &after) {
            assert!(
                [
                    "intensity",
                    "emissions_g",
                    "emissions_range_g",
                    "equivalences",
                    "quality"
                ]
                .contains(&field.as_str()),
                "{name}: {field}"
            );
        }
        let intensity = &after["intensity"];
        assert_eq!(intensity["g_per_kwh"], 321.0, "{name}");
        assert_eq!(intensity["method"], "time-series");
        assert_eq!(intensity["source"], "grid.csv");
        assert_eq!(intensity["over_time"]["covered"], 1.0, "{name}");
        let stated = replayed(&path, &["--intensity", "321"]);
        assert_eq!(after["emissions_g"], stated["emissions_g"], "{name}");
    }
}

#[test]
fn a_run_across_a_step_records_what_its_replay_needs() {
    let directory = tempfile::tempdir().unwrap();
    let now = i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap();
    let second = 1_000_000_000;
    // Steps all the time, so that the run meets some of them however late it starts.
    let rows: String = (-100..10_000)
        .map(|at| {
            let value = if at % 2 == 0 { 100 } else { 900 };
            format!("{},{value}\n", utc(now + at * second / 10))
        })
        .collect();
    let file = directory.path().join("grid.csv");
    fs::write(&file, format!("time,g_per_kwh\n{rows}")).unwrap();
    let run = carbon_run(directory.path())
        .args([
            "-q",
            "--no-csv",
            "--record",
            "run.jsonl",
            "--json",
            "run.json",
            "--intensity-file",
        ])
        .arg(&file)
        .args([
            "sh",
            "-c",
            "i=0; while [ $i -lt 10 ]; do sleep 0.05; i=$((i+1)); done",
        ])
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    let told: Value = serde_json::from_slice(&fs::read(directory.path().join("run.json")).unwrap()).unwrap();
    let over_time = &told["intensity"]["over_time"];
    assert_eq!(over_time["lowest_g_per_kwh"], 100.0);
    assert_eq!(over_time["highest_g_per_kwh"], 900.0);
    assert_eq!(over_time["covered"], 1.0);
    let mean = told["intensity"]["g_per_kwh"].as_f64().unwrap();
    assert!(100.0 < mean && mean < 900.0, "{mean}");
    assert_near(grams(&told), joules(&told) / 3.6e6 * mean);

    let recording = directory.path().join("run.jsonl");
    // The same file tells the same, also what of it the recording left out.
    assert_eq!(
        replayed(&recording, &["--intensity-file", file.to_str().unwrap()]),
        told
    );
    fs::remove_file(&file).unwrap();
    assert_eq!(replayed(&recording, &[]), told);
    let other = replayed(&recording, &["--intensity", "900"]);
    assert_eq!(other["intensity"]["method"], "user");
    assert!(other["intensity"].get("over_time").is_none());
    assert_near(grams(&other), joules(&told) / 3.6e6 * 900.0);
}

#[test]
fn an_intensity_and_a_file_of_them_are_not_given_together() {
    let directory = tempfile::tempdir().unwrap();
    let output = carbon_run(directory.path())
        .args(["replay", "--intensity", "5", "--intensity-file"])
        .arg(grid("two-sockets"))
        .arg(recording("two-sockets"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert_eq!(
        text(&output.stderr),
        "carbon-run: `--intensity` and `--intensity-file` are both given\nhint: give only one of them\n"
    );
}
