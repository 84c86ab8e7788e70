//! carbon-run around a PyTorch training loop on a real NVIDIA GPU: alone, twice in a row, and beside a second one on the
//! same device; against the driver's own counter, read from outside. Needs `python3` with PyTorch, and no cargo.

mod witness;

use super::table::{self, Row};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use witness::{Seen, Witness};

const SCRIPT: &str = include_str!("../../../tests/gpu/real_torch.py");

/// How long an idle device is looked at, and how long it gets to calm down before.
const IDLE: Duration = Duration::from_secs(6);
const CALM: Duration = Duration::from_secs(2);

/// How to measure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The carbon-run to measure
    #[arg(long, value_name = "FILE")]
    carbon_run: PathBuf,
    /// Where recordings, reports and the table go
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A Python with PyTorch
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: PathBuf,
    /// Length of a training run
    #[arg(long, value_name = "S", default_value_t = 20.0)]
    seconds: f64,
    /// Width of the layers
    #[arg(long, value_name = "N", default_value_t = 4096)]
    size: u32,
    /// NVIDIA's library, where it is not to be searched for
    #[arg(long, value_name = "FILE")]
    nvml_library: Option<PathBuf>,
}

/// Measures, and leaves everything in the directory.
pub(super) fn run(options: &Options) -> Result<()> {
    fs::create_dir_all(&options.out).with_context(|| format!("cannot make `{}`", options.out.display()))?;
    let binary = options
        .carbon_run
        .canonicalize()
        .with_context(|| format!("cannot find `{}`", options.carbon_run.display()))?;
    let script = std::env::temp_dir().join(format!("real_torch-{}.py", std::process::id()));
    fs::write(&script, SCRIPT).with_context(|| format!("cannot write `{}`", script.display()))?;
    let bench = Bench {
        options,
        binary,
        script,
        witness: Witness::open(options.nvml_library.as_deref())?,
    };
    let told = bench.all();
    fs::remove_file(&bench.script).unwrap_or_default();
    let text = told?;
    fs::write(options.out.join("table.txt"), &text)?;
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

struct Bench<'a> {
    options: &'a Options,
    binary: PathBuf,
    script: PathBuf,
    witness: Witness,
}

/// A run under carbon-run, seen from both sides.
struct Wrapped {
    report: Value,
    summary: String,
    /// What the command printed last.
    said: Value,
    seen: Seen,
}

impl Bench<'_> {
    fn all(&self) -> Result<String> {
        let doctor = self.carbon_run(&["doctor"]).output()?;
        let mut text = String::from_utf8_lossy(&doctor.stdout).into_owned();

        std::thread::sleep(CALM);
        let deep = self.witness.during(|| std::thread::sleep(IDLE))?.power();
        let holder = Beside::start(self, "resident", 600.0)?;
        std::thread::sleep(CALM);
        let resident = self.witness.during(|| std::thread::sleep(IDLE))?.power();
        drop(holder);
        std::thread::sleep(CALM);

        let seconds = self.options.seconds;
        let alone = self.wrapped("alone", resident, &self.training(seconds))?;
        let twice = self.wrapped("twice", resident, &self.twice(seconds / 4.0))?;
        let neighbour = Beside::start(self, "train", 3600.0)?;
        let beside = self.wrapped("beside", resident, &self.training(seconds))?;
        drop(neighbour);

        let row = |what: &str, figure: String, basis: String| Row {
            what: what.to_owned(),
            figure,
            basis,
            target: "",
        };
        let mut rows = vec![
            row(
                "idle, nobody on it",
                format!("{deep:.1} W"),
                "the driver's counter".to_owned(),
            ),
            row(
                "idle, a context on it",
                format!("{resident:.1} W"),
                "the driver's counter".to_owned(),
            ),
        ];
        for (name, run) in [("alone", &alone), ("twice", &twice), ("beside", &beside)] {
            rows.extend(rows_of(name, run)?);
            text.push_str(&format!("\n== {name}\n{}", run.summary));
        }
        text.push('\n');
        text.push_str(&table::text(&rows));
        Ok(text)
    }

    fn carbon_run(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments);
        if let Some(library) = &self.options.nvml_library {
            command.env("CARBON_RUN_NVML_LIBRARY", library);
        }
        command
    }

    fn python(&self, mode: &str, seconds: f64) -> Vec<String> {
        let word = |path: &Path| path.to_string_lossy().into_owned();
        vec![
            word(&self.options.python),
            word(&self.script),
            "--mode".to_owned(),
            mode.to_owned(),
            "--seconds".to_owned(),
            seconds.to_string(),
            "--size".to_owned(),
            self.options.size.to_string(),
        ]
    }

    fn training(&self, seconds: f64) -> Vec<String> {
        self.python("train", seconds)
    }

    /// One process after the other: the first one has ended long before the run does.
    fn twice(&self, seconds: f64) -> Vec<String> {
        let once = "\"$@\" && \"$@\"";
        let mut words: Vec<String> = ["sh", "-c", once, "sh"].map(str::to_owned).into();
        words.extend(self.training(seconds));
        words
    }

    fn wrapped(&self, name: &str, resident: f64, command: &[String]) -> Result<Wrapped> {
        let file = |extension: &str| self.options.out.join(format!("{name}.{extension}"));
        let mut wrapped = self.carbon_run(&["--no-csv", "--gpu-idle-power", &format!("{resident:.3}")]);
        wrapped
            .arg("--json")
            .arg(file("json"))
            .arg("--record")
            .arg(file("jsonl"))
            .arg("--")
            .args(command)
            .stdin(Stdio::null());
        let mut output = None;
        let seen = self.witness.during(|| output = Some(wrapped.output()))?;
        let output = output.context("it did not run")??;
        let summary = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "`{name}` failed: {summary}");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let last = said.lines().last().unwrap_or_default();
        let path = file("json");
        let bytes = fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        Ok(Wrapped {
            report: serde_json::from_slice(&bytes)?,
            summary,
            said: serde_json::from_str(last).with_context(|| format!("`{name}` said `{last}`"))?,
            seen,
        })
    }
}

/// A process on the GPU that is not the job's. Ended when dropped.
struct Beside(Child);

impl Beside {
    /// Returns when it works.
    fn start(bench: &Bench<'_>, mode: &str, seconds: f64) -> Result<Self> {
        let words = bench.python(mode, seconds);
        let (program, arguments) = words.split_first().context("no Python")?;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run `{program}`"))?;
        let mut beside = Self(child);
        let out = beside.0.stdout.take().context("no pipe")?;
        let begin = Instant::now();
        for line in BufReader::new(out).lines() {
            if line? == "ready" {
                return Ok(beside);
            }
        }
        bail!(
            "it ended after {:.1} s without having begun",
            begin.elapsed().as_secs_f64()
        )
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        self.0.wait().map(drop).unwrap_or_default();
    }
}

fn rows_of(name: &str, run: &Wrapped) -> Result<Vec<Row>> {
    let line = |line: &str| -> f64 {
        let domains = run.report["domains"].as_array().into_iter().flatten();
        let gpus = domains.filter(|domain| domain["kind"] == "gpu");
        gpus.filter_map(|domain| domain[line].as_f64()).sum::<f64>() / 1e6
    };
    let measured = line("measured_uj");
    ensure!(
        measured > 0.0,
        "`{name}` has no GPU energy: {:#}",
        run.report["quality"]
    );
    let (job, others) = (line("job_uj"), line("others_uj"));
    let idle = line("job_idle_uj") + line("idle_uj");
    let row = |what: &str, figure: String, basis: String| Row {
        what: format!("{name}: {what}"),
        figure,
        basis,
        target: "",
    };
    let duration = run.report["duration_s"].as_f64().unwrap_or(f64::NAN);
    Ok(vec![
        row(
            "measured, against the counter from outside",
            format!("{:+.2} %", (measured / run.seen.joules - 1.0) * 100.0),
            format!(
                "{measured:.1} J in {duration:.2} s, outside {:.1} J in {:.2} s",
                run.seen.joules, run.seen.seconds
            ),
        ),
        row(
            "job + others + idle",
            format!("{:.1} J", job + others + idle),
            format!(
                "job {job:.1} J, others {others:.1} J, idle {idle:.1} J, of the others unattributed {:.1} J",
                line("unattributed_uj")
            ),
        ),
        row(
            "the job's part of what is above idle",
            format!("{:.1} %", job / (job + others) * 100.0),
            format!(
                "{} steps in {:.1} s; by {}",
                run.said["steps"],
                run.said["seconds"].as_f64().unwrap_or(f64::NAN),
                run.report["accounting"]["backend"].as_str().unwrap_or("nobody")
            ),
        ),
    ])
}
