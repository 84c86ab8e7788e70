//! A machine with GPUs: a script for the stand-in, and runs on it.

use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use tempfile::TempDir;

/// A device of every stage: 300 W, of which 50 W with an idle context.
pub(crate) const GPU: &str = "gpu 0 GPU-11112222-aaaa 4 NVIDIA H100 80GB HBM3\nwatts 0 300\n";

/// A second one: 200 W.
pub(crate) const SECOND: &str = "gpu 1 GPU-33334444-bbbb 5 NVIDIA H100 80GB HBM3\nwatts 1 200\n";

/// A process that is nobody's of the job: this test.
pub(crate) fn stranger() -> u32 {
    std::process::id()
}

/// The stand-in, compiled on first use; `old` is a driver of before 2018.
pub(crate) fn library(old: bool) -> &'static Path {
    static NEW: OnceLock<PathBuf> = OnceLock::new();
    static OLD: OnceLock<PathBuf> = OnceLock::new();
    let (once, name) = if old { (&OLD, "old") } else { (&NEW, "new") };
    once.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/support/nvml.c");
        let library =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("libnvml-{name}-{}.so", std::process::id()));
        let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
        compiler.args(["-O1", "-Wall", "-shared", "-fPIC"]);
        if old {
            compiler.arg("-DOLD");
        }
        let status = compiler
            .arg("-o")
            .args([&library, &source])
            .status()
            .expect("a C compiler, which Rust needs too");
        assert!(status.success(), "the stand-in does not compile");
        library
    })
}

/// A machine.
pub(crate) struct Stage {
    pub(crate) directory: TempDir,
    old: bool,
    env: Vec<(String, String)>,
}

impl Stage {
    pub(crate) fn new(script: &str) -> Self {
        let stage = Self {
            directory: TempDir::new().unwrap(),
            old: false,
            env: Vec::new(),
        };
        fs::write(stage.script(), script).unwrap();
        stage
    }

    pub(crate) fn old_driver(self) -> Self {
        Self { old: true, ..self }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn script(&self) -> PathBuf {
        self.directory.path().join("script")
    }

    /// carbon-run on this machine, before its options.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_carbon-run"));
        command
            .current_dir(self.directory.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("NVML_STAND_IN", self.script())
            .env("CARBON_RUN_NVML_LIBRARY", library(self.old))
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn output(&self, options: &[&str], job: &str) -> Output {
        let mut command = self.command();
        command.args(options).args(["--", "sh", "-c", job]);
        command.output().unwrap()
    }

    /// Runs a shell script; `$NVML_STAND_IN` is where it says what it does to the GPUs.
    pub(crate) fn run(&self, options: &[&str], job: &str) -> Report {
        let mut all = vec!["--no-csv", "-q", "--json", "report.json", "--record", "run.jsonl"];
        all.extend(options);
        let output = self.output(&all, job);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Report::read(&self.directory.path().join("report.json"))
    }
}

/// A JSON report.
pub(crate) struct Report(pub(crate) Value);

impl Report {
    pub(crate) fn read(path: &Path) -> Self {
        Self(serde_json::from_slice(&fs::read(path).unwrap()).unwrap())
    }

    pub(crate) fn domain(&self, name: &str) -> Domain<'_> {
        let domains = self.0["domains"].as_array().unwrap();
        let domain = domains.iter().find(|domain| domain["name"] == name);
        Domain(domain.unwrap_or_else(|| panic!("no `{name}` in {:#}", self.0)))
    }

    /// Codes of all warnings and notes.
    pub(crate) fn says(&self, code: &str) -> bool {
        ["warnings", "notes"].iter().any(|list| {
            let notes = self.0["quality"][list].as_array();
            notes.is_some_and(|notes| notes.iter().any(|note| note["code"] == code))
        })
    }
}

/// A domain of it.
pub(crate) struct Domain<'a>(pub(crate) &'a Value);

impl Domain<'_> {
    pub(crate) fn uj(&self, line: &str) -> u64 {
        self.0[line]
            .as_u64()
            .unwrap_or_else(|| panic!("no {line} in {:#}", self.0))
    }

    pub(crate) fn range_j(&self) -> (f64, f64) {
        let range = &self.0["job_range_j"];
        (range["low"].as_f64().unwrap(), range["high"].as_f64().unwrap())
    }

    /// The six lines are the measured energy, to the microjoule.
    pub(crate) fn adds_up(&self) -> &Self {
        let lines = [
            "job_uj",
            "job_idle_uj",
            "others_uj",
            "kernel_uj",
            "own_uj",
            "idle_uj",
        ];
        let sum: u64 = lines.iter().map(|line| self.uj(line)).sum();
        assert_eq!(sum, self.uj("measured_uj"), "{:#}", self.0);
        assert!(self.uj("unattributed_uj") <= self.uj("others_uj"));
        self
    }
}

/// A shell script of one line each.
pub(crate) fn says(orders: &[&str]) -> String {
    let mut script = String::new();
    for order in orders {
        writeln!(script, "echo \"{order}\" >> $NVML_STAND_IN").unwrap();
    }
    script
}

/// Whether two figures are within some percent of each other.
pub(crate) fn near(a: f64, b: f64, percent: f64) -> bool {
    (a - b).abs() <= b.abs() * percent / 100.0
}
