//! Launchers that are killed at any moment, and what can be had of their runs afterwards.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[path = "support/deadline.rs"]
mod deadline;

use deadline::{until, until_some};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A run under way, its results and its state in a directory of its own. The command ends when the directory `stop` is there.
struct Run {
    dir: TempDir,
    launcher: Child,
}

impl Run {
    fn start(flags: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let launcher = Command::new(env!("CARGO_BIN_EXE_carbon-run"))
            .args([
                "--checkpoint-interval",
                "1s",
                "--interval",
                "100ms",
                "--state-dir",
                "state",
            ])
            .args([
                "--accounting",
                "procfs",
                "--country",
                "FR",
                "--json",
                "report.json",
            ])
            .args(flags)
            .args([
                "sh",
                "-c",
                "touch begun; while [ ! -e stop ]; do :; done; touch ended",
            ])
            .current_dir(&dir)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let run = Self { dir, launcher };
        let begun = run.path("begun");
        until("the job to begin", || begun.exists());
        run
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The checkpoint, once it is there.
    fn checkpoint(&self) -> PathBuf {
        until_some("a checkpoint", || self.kept())
    }

    fn kept(&self) -> Option<PathBuf> {
        let entries = fs::read_dir(self.path("state/runs")).ok()?;
        let mut files = entries.map(|entry| entry.unwrap().path());
        files.find(|path| path.extension().is_some_and(|end| end == "json"))
    }

    fn kill(&mut self) {
        self.launcher.kill().unwrap();
        self.launcher.wait().unwrap();
    }

    fn verb(&self, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_carbon-run"))
            .args(words)
            .args(["--state-dir", "state"])
            .current_dir(&self.dir)
            .env_remove("CARBON_RUN_ID")
            .output()
            .unwrap()
    }

    /// The rows of the table, without its header.
    fn rows(&self) -> usize {
        let table = fs::read_to_string(self.path("emissions.csv"));
        table.map_or(0, |text| text.lines().count().saturating_sub(1))
    }

    fn report(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("report.json")).unwrap()).unwrap()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        fs::write(self.path("stop"), "").unwrap_or_default();
        let ended = self.path("ended");
        until("the job to end by itself", || ended.exists());
        self.launcher.wait().map(drop).unwrap_or_default();
    }
}

fn assert_books_add_up(report: &Value) {
    for domain in report["domains"].as_array().unwrap() {
        let line = |name: &str| {
            domain[name]
                .as_u64()
                .unwrap_or_else(|| panic!("no `{name}` in {domain:#}"))
        };
        let lines = [
            "job_uj",
            "job_idle_uj",
            "others_uj",
            "kernel_uj",
            "own_uj",
            "idle_uj",
        ];
        if domain["kind"] == "package" {
            let sum: u64 = lines
                .into_iter()
                .filter(|name| !domain[name].is_null())
                .map(line)
                .sum();
            assert_eq!(sum, line("measured_uj"), "{domain:#}");
        }
    }
}

#[test]
fn the_books_of_a_run_whose_launcher_was_killed_are_finished_once_and_the_job_is_unharmed() {
    let mut run = Run::start(&[]);
    run.checkpoint();
    run.kill();
    assert_eq!(run.rows(), 0);
    let listed = run.verb(&["recover", "--list"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("can be recovered"));
    let recovered = run.verb(&["recover"]);
    assert!(recovered.status.success());
    let said = String::from_utf8_lossy(&recovered.stderr).into_owned();
    assert!(
        said.contains("did not live to see it end") && said.contains("energy"),
        "{said}"
    );
    let report = run.report();
    assert_eq!(report["exit"], Value::Null);
    assert!(report["exit_reason"].is_string());
    assert!(report["duration_s"].as_f64().unwrap() >= 0.9);
    assert!(report["cpu_time_s"].as_f64().unwrap() > 0.1);
    assert_books_add_up(&report);
    assert!(run.kept().is_none());
    let again = run.verb(&["recover"]);
    assert!(again.status.success() && again.stderr.is_empty());
    assert_eq!(run.rows(), 1);
    assert!(!run.path("ended").exists());
}

#[test]
fn a_run_that_lives_is_not_recovered_and_its_figures_so_far_can_be_had() {
    let run = Run::start(&[]);
    let checkpoint = run.checkpoint();
    let id = checkpoint.file_stem().unwrap().to_str().unwrap().to_owned();
    let refused = run.verb(&["recover", &id]);
    assert_eq!(refused.status.code(), Some(125));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("its launcher still runs"));
    assert!(run.verb(&["recover"]).status.success());
    assert_eq!(run.rows(), 0);
    let status = run.verb(&["status"]);
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(
        text.contains(&id) && text.contains("energy") && text.contains("CPU time"),
        "{text}"
    );
    let status = run.verb(&["status", &id[..8], "--json"]);
    let all: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(
        (all.as_array().unwrap().len(), &all[0]["run_id"]),
        (1, &Value::from(id))
    );
    assert!(all[0]["report"]["energy_j"]["total"].as_f64().unwrap() > 0.0);
    assert_eq!(run.verb(&["status", "no-such-run"]).status.code(), Some(125));
}

#[test]
fn a_run_that_ends_well_leaves_its_results_and_nothing_to_recover() {
    let mut run = Run::start(&[]);
    run.checkpoint();
    fs::write(run.path("stop"), "").unwrap();
    assert!(run.launcher.wait().unwrap().success());
    assert_eq!((run.rows(), run.kept()), (1, None));
    let report = run.report();
    assert_eq!(report["exit"]["code"], 0);
    assert_books_add_up(&report);
}

#[test]
fn of_many_who_recover_at_once_one_writes_the_row() {
    let mut run = Run::start(&[]);
    run.checkpoint();
    run.kill();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert!(run.verb(&["recover"]).status.success()));
        }
    });
    assert_eq!(run.rows(), 1);
    assert_books_add_up(&run.report());
}

#[test]
fn whenever_a_launcher_is_killed_what_is_kept_is_whole() {
    for at_ms in [
        0, 300, 900, 990, 1_000, 1_010, 1_050, 1_100, 1_500, 2_000, 2_010, 2_100,
    ] {
        let mut run = Run::start(&["--quiet"]);
        std::thread::sleep(Duration::from_millis(at_ms));
        kill(
            Pid::from_raw(i32::try_from(run.launcher.id()).unwrap()),
            Signal::SIGKILL,
        )
        .unwrap();
        run.launcher.wait().unwrap();
        let kept = run.kept().is_some();
        assert!(run.verb(&["recover"]).status.success());
        assert_eq!(run.rows(), usize::from(kept), "killed after {at_ms} ms");
        if kept {
            assert_books_add_up(&run.report());
        }
    }
}

#[test]
fn a_place_where_nothing_can_be_kept_is_told_of_and_costs_the_run_nothing() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("state"), "a file").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_carbon-run"))
        .args([
            "--checkpoint-interval",
            "1s",
            "--interval",
            "100ms",
            "--state-dir",
            "state",
            "--no-csv",
        ])
        .args(["--accounting", "procfs", "--json", "report.json", "sleep", "1.5"])
        .current_dir(&dir)
        .output()
        .unwrap();
    assert!(output.status.success());
    let report: Value = serde_json::from_slice(&fs::read(dir.path().join("report.json")).unwrap()).unwrap();
    let notes = report["quality"]["notes"].to_string();
    assert!(notes.contains("the figures so far could not be kept"), "{notes}");
}

#[test]
fn what_is_kept_is_the_users_own_and_the_directory_of_all_that_is_known_stays_open_to_others() {
    let run = Run::start(&[]);
    run.checkpoint();
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    // Of the power that root's runs have seen everybody may know.
    assert_eq!(mode(run.path("state")), 0o755);
    assert_eq!(mode(run.path("state/runs")), 0o700);
}

#[test]
fn a_job_learns_what_it_has_used_so_far() {
    let dir = tempfile::tempdir().unwrap();
    let script = "until $0 status --state-dir state >said 2>/dev/null; do sleep 0.1; done";
    let status = Command::new(env!("CARGO_BIN_EXE_carbon-run"))
        .args([
            "-q",
            "--no-csv",
            "--checkpoint-interval",
            "1s",
            "--interval",
            "100ms",
        ])
        .args([
            "--state-dir",
            "state",
            "--accounting",
            "procfs",
            "sh",
            "-c",
            script,
        ])
        .arg(env!("CARGO_BIN_EXE_carbon-run"))
        .current_dir(&dir)
        .status()
        .unwrap();
    assert!(status.success());
    let said = fs::read_to_string(dir.path().join("said")).unwrap();
    assert!(said.contains("energy") && said.contains("as of 20"), "{said}");
}
