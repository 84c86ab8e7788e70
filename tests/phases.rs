//! Phases that jobs mark: by the verb, by the lines of the guide, by what else programs send.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/deadline.rs"]
mod deadline;
#[path = "phases/odd.rs"]
mod odd;
#[path = "support/rights.rs"]
mod rights;

use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const CARBON_RUN: &str = env!("CARGO_BIN_EXE_carbon-run");

/// A directory for a run, in which sockets of runs are kept, too.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let sockets = place.path("sockets");
        fs::create_dir(&sockets).unwrap();
        fs::set_permissions(&sockets, fs::Permissions::from_mode(0o700)).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let binaries = Path::new(CARBON_RUN).parent().unwrap();
        command
            .current_dir(&self.0)
            .env_clear()
            .env(
                "PATH",
                format!("{}:/usr/local/bin:/usr/bin:/bin", binaries.display()),
            )
            .env("HOME", self.0.path())
            .env("CARBON_RUN_STATE_DIR", self.path("state"))
            .env("XDG_RUNTIME_DIR", self.path("sockets"))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command under carbon-run, to the end.
    fn run(&self, flags: &[&str], words: &[&str]) -> Run {
        let mut command = self.command(CARBON_RUN);
        command.args(["--no-csv", "--country", "FR", "--json", "report.json"]);
        self.ended(
            command
                .args(["--record", "run.jsonl"])
                .args(flags)
                .arg("--")
                .args(words),
        )
    }

    fn script(&self, script: &str) -> Run {
        self.run(&[], &["sh", "-c", script])
    }

    fn ended(&self, command: &mut Command) -> Run {
        let output = command.output().unwrap();
        let said = text(&output.stderr);
        assert!(output.status.success(), "{said}");
        let report = fs::read(self.path("report.json")).unwrap();
        Run {
            report: serde_json::from_slice(&report).unwrap(),
            said,
            output,
        }
    }
}

struct Run {
    report: Value,
    said: String,
    output: Output,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Run {
    fn paths(&self) -> Vec<String> {
        let phases = self.report["phases"].as_array().unwrap();
        let path = |phase: &Value| {
            let names = phase["path"].as_array().unwrap().iter();
            names
                .map(|name| name.as_str().unwrap())
                .collect::<Vec<_>>()
                .join("/")
        };
        phases.iter().map(path).collect()
    }

    fn phase(&self, path: &str) -> &Value {
        let at = self.paths().iter().position(|one| one == path);
        assert!(at.is_some(), "no `{path}` in {:#}", self.report);
        &self.report["phases"][at.unwrap()]
    }

    fn note(&self, code: &str) -> Option<String> {
        let quality = &self.report["quality"];
        let notes = ["warnings", "notes"].map(|name| quality[name].as_array().unwrap());
        let found = notes.into_iter().flatten().find(|note| note["code"] == code)?;
        Some(found["message"].as_str().unwrap().to_owned())
    }

    /// What is promised of every report.
    fn assert_adds_up(&self) {
        let microjoules = |figures: &Value| {
            let joules = figures["energy_j"]["total"].as_f64().unwrap();
            (joules * 1e6).round() as u64
        };
        let phases = self.report["phases"].as_array().unwrap();
        let own: u64 = phases.iter().map(|phase| microjoules(&phase["own"])).sum();
        let outside = microjoules(&self.report["outside_phases"]);
        assert_eq!(own + outside, microjoules(&self.report), "{:#}", self.report);
        let grams = |figures: &Value| figures["emissions_g"].as_f64().unwrap();
        let sum = phases.iter().map(|phase| grams(&phase["own"])).sum::<f64>()
            + grams(&self.report["outside_phases"]);
        let whole = grams(&self.report);
        assert!((sum - whole).abs() <= whole * 1e-6 + 1e-12, "{sum} {whole}");
    }
}

/// Whether there is a python3; says otherwise that the test was not run.
fn python(test: &str) -> bool {
    let found = Command::new("python3")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        rights::not_run(test, "python3");
    }
    found
}

#[test]
fn phases_nest_repeat_and_add_up_and_a_replay_has_them_too() {
    let place = Place::new();
    let run = place.script(
        "carbon-run phase start load; sleep 0.2; carbon-run phase stop load
         carbon-run phase start train
         for epoch in 1 2 3; do
           carbon-run phase start 'epoch, all of it'
           i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done
           carbon-run phase stop
         done
         carbon-run phase stop train",
    );
    assert_eq!(run.paths(), ["load", "train", "train/epoch, all of it"]);
    run.assert_adds_up();
    let epoch = run.phase("train/epoch, all of it");
    assert_eq!(epoch["times"], 3);
    assert_eq!(run.phase("train")["times"], 1);
    assert_eq!(run.phase("load")["open_at_end"], false);
    let seconds = run.phase("load")["duration_s"].as_f64().unwrap();
    assert!(
        (0.2..run.report["duration_s"].as_f64().unwrap()).contains(&seconds),
        "{seconds}"
    );
    let cpu = |phase: &Value| phase["cpu_time_s"].as_f64().unwrap();
    assert!(cpu(epoch) > 2.0 * cpu(run.phase("load")), "{:#}", run.report);
    assert!(cpu(run.phase("train")) >= cpu(epoch));
    assert_eq!(run.report["phases_overlap"], false);
    assert!(
        run.said.contains("  phases\n") && run.said.contains("3 times"),
        "{}",
        run.said
    );
    assert!(run.output.stdout.is_empty());

    let mut replay = place.command(CARBON_RUN);
    let again = place.ended(replay.args(["replay", "run.jsonl", "--json", "report.json"]));
    assert_eq!(again.report["phases"], run.report["phases"]);
    assert_eq!(again.report["outside_phases"], run.report["outside_phases"]);
}

#[test]
fn the_lines_of_the_guide_work_as_they_stand_measured_and_not() {
    if !python("the_lines_of_the_guide_work_as_they_stand_measured_and_not") {
        return;
    }
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../GUIDE.md")).unwrap();
    let block = |language: &str| {
        let after = guide.split(&format!("```{language}\n")).nth(1).unwrap();
        after.split("```").next().unwrap().to_owned()
    };
    let place = Place::new();
    fs::write(place.path("train.py"), block("python")).unwrap();
    let run = place.run(&[], &["python3", "train.py"]);
    assert_eq!(run.paths(), ["train", "train/epoch"]);
    assert_eq!(run.phase("train/epoch")["times"], 3);
    assert!(run.phase("train/epoch")["cpu_time_s"].as_f64().unwrap() > 0.0);
    run.assert_adds_up();

    let alone = place.command("python3").arg("train.py").output().unwrap();
    assert!(
        alone.status.success() && alone.stderr.is_empty(),
        "{}",
        text(&alone.stderr)
    );

    fs::write(place.path("load-data"), "#!/bin/sh\nsleep 0.05\n").unwrap();
    fs::set_permissions(place.path("load-data"), fs::Permissions::from_mode(0o755)).unwrap();
    let shell = block("sh");
    let run = place.script(&shell);
    assert_eq!(run.paths(), ["load"]);
    assert!(run.phase("load")["duration_s"].as_f64().unwrap() >= 0.05);
    let alone = place.command("sh").args(["-c", &shell]).output().unwrap();
    assert!(
        alone.status.success() && alone.stderr.is_empty(),
        "{}",
        text(&alone.stderr)
    );
}

#[test]
fn a_run_within_a_run_has_its_own_phases() {
    let place = Place::new();
    let inner = "carbon-run -q --no-csv --json inner.json sh -c 'carbon-run phase start inner; sleep 0.05'";
    let run = place.script(&format!(
        "carbon-run phase start outer; {inner}; carbon-run phase stop outer"
    ));
    assert_eq!(run.paths(), ["outer"]);
    let inner: Value = serde_json::from_slice(&fs::read(place.path("inner.json")).unwrap()).unwrap();
    assert_eq!(inner["phases"][0]["name"], "inner");
    assert_eq!(inner["phases"][0]["open_at_end"], true);
}

#[test]
fn what_is_left_open_ends_with_the_job_and_a_stray_stop_is_said() {
    let place = Place::new();
    let run = place.script("carbon-run phase stop never; carbon-run phase start open; sleep 0.1");
    assert_eq!(run.phase("open")["open_at_end"], true);
    assert!(run.phase("open")["duration_s"].as_f64().unwrap() >= 0.1);
    run.assert_adds_up();
    let stray = run.note("phase-stop-without-start").unwrap();
    assert_eq!(stray, "a phase was stopped, but `never` was not open");
    assert!(run.note("phase-open-at-end").unwrap().contains("`open`"));
    assert!(run.said.contains("open at the end") && run.said.contains("`never` was not open"));
}

#[test]
fn tasks_that_wait_for_each_other_overlap_and_their_own_figures_add_up() {
    let place = Place::new();
    let run = place.script(
        "carbon-run phase start a; sleep 0.1; carbon-run phase start b; sleep 0.1
         carbon-run phase stop a; sleep 0.1; carbon-run phase stop b",
    );
    assert_eq!(run.paths(), ["a", "a/b"]);
    assert_eq!(run.report["phases_overlap"], true);
    for path in ["a", "a/b"] {
        assert!(
            run.phase(path)["duration_s"].as_f64().unwrap() >= 0.2,
            "{:#}",
            run.report
        );
    }
    run.assert_adds_up();
}

#[test]
fn a_job_sees_its_phases_so_far() {
    let place = Place::new();
    let run = place.run(
        &["--checkpoint-interval", "1s"],
        &[
            "sh",
            "-c",
            "carbon-run phase start work
             until carbon-run status --json > so-far 2>/dev/null && grep -q '\"work\"' so-far; do sleep 0.05; done
             carbon-run status > said; carbon-run phase stop work",
        ],
    );
    let so_far: Value = serde_json::from_slice(&fs::read(place.path("so-far")).unwrap()).unwrap();
    let phase = &so_far[0]["report"]["phases"][0];
    assert_eq!(
        (&phase["name"], &phase["open_at_end"]),
        (&"work".into(), &true.into())
    );
    let seconds = |phase: &Value| phase["duration_s"].as_f64().unwrap();
    assert!(seconds(phase) > 0.5 && seconds(phase) <= seconds(run.phase("work")));
    let said = fs::read_to_string(place.path("said")).unwrap();
    assert!(said.contains("    work "), "{said}");
}

#[test]
fn a_job_without_marks_has_an_empty_list_and_no_table() {
    let place = Place::new();
    let run = place.script("true");
    assert_eq!(run.report["phases"], Value::Array(Vec::new()));
    assert!(run.report.get("outside_phases").is_none());
    assert!(!run.said.contains("phases"), "{}", run.said);
    assert!(
        fs::read_dir(place.path("sockets")).unwrap().next().is_none(),
        "nothing is left"
    );
}
