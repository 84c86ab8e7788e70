//! A job under carbon-run in a cpuacct group of its own, and what became of it.

use crate::charged::kernel_counts_interrupts;
use crate::stage::{Outcome, Stage};
use carbon_run::model::journal;
use carbon_run::model::recording::Recording;
use powercap_stand_in::JobGroup;
use serde_json::Value;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

/// Two seconds of CPU time or more on a machine of these years.
pub(crate) const WORK: &str = "i=0; while [ $i -lt 2000000 ]; do i=$((i+1)); done; ";

/// Joins the job's group, then becomes what follows.
pub(crate) const JOIN: &str = r#"echo $$ > "$0" && exec "$@""#;

/// A run under way.
pub(crate) struct Running {
    child: Child,
    group: JobGroup,
    directory: PathBuf,
}

/// A run that has ended.
pub(crate) struct Measured {
    pub(crate) report: Value,
    pub(crate) recording: PathBuf,
    /// The kernel's books: the job's CPU time in nanoseconds by CPU number.
    pub(crate) busy_ns: Vec<u64>,
    pub(crate) output: Output,
    _group: JobGroup,
}

/// Starts the shell script under carbon-run with the options; the whole of it, launcher included, on `cpus` if given.
pub(crate) fn start(
    stage: &Stage,
    cpus: Option<&str>,
    options: &[&str],
    script: &str,
) -> Result<Running, Box<dyn Error>> {
    start_in(JobGroup::create()?, stage, cpus, options, script)
}

/// [`start`] with the job in that group.
pub(crate) fn start_in(
    group: JobGroup,
    stage: &Stage,
    cpus: Option<&str>,
    options: &[&str],
    script: &str,
) -> Result<Running, Box<dyn Error>> {
    let directory = stage.directory()?;
    let mut command = match cpus {
        Some(cpus) => {
            let mut command = Command::new("taskset");
            command.args(["-c", cpus, env!("CARGO_BIN_EXE_carbon-run")]);
            command
        }
        None => Command::new(env!("CARGO_BIN_EXE_carbon-run")),
    };
    let child = command
        .current_dir(&directory)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        // What other tests' machines drew is nothing to this one.
        .env("CARBON_RUN_STATE_DIR", &directory)
        .arg("--sysroot")
        .arg(stage.sysroot())
        .args(["--no-csv", "--json", "report.json", "--record", "run.jsonl"])
        .args(options)
        .args(["--", "sh", "-c", JOIN])
        .arg(group.procs())
        .args(["sh", "-c", script])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    Ok(Running {
        child,
        group,
        directory,
    })
}

/// [`start`] to the end.
pub(crate) fn run(stage: &Stage, options: &[&str], script: &str) -> Result<Measured, Box<dyn Error>> {
    start(stage, None, options, script)?.finish()
}

impl Running {
    /// CPU seconds of the job so far.
    pub(crate) fn busy_s(&self) -> Result<f64, Box<dyn Error>> {
        Ok(seconds(&self.group.busy_ns()?))
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Waits for the end; the run must have been measured by eBPF and have ended well.
    pub(crate) fn finish(self) -> Result<Measured, Box<dyn Error>> {
        let output = self.child.wait_with_output()?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!stderr.contains("panicked"), "{stderr}");
        let report = fs::read(self.directory.join("report.json"))
            .map_err(|error| format!("no report ({error}); carbon-run said: {stderr}"))?;
        let report: Value = serde_json::from_slice(&report)?;
        assert_eq!(report["accounting"]["backend"], "ebpf", "{report:#}");
        assert_eq!(report["accounting"]["lost"], 0);
        assert!(output.status.success(), "{stderr}");
        let busy_ns = without_interrupts(self.group.busy_ns()?, &report)?;
        Ok(Measured {
            report,
            recording: self.directory.join("run.jsonl"),
            busy_ns,
            output,
            _group: self.group,
        })
    }
}

/// The interrupts that hit the job are the kernel's in carbon-run's books, and the job's in those of a kernel that does not
/// count them by themselves. They are some hundredths at most; more would be a fault of ours.
fn without_interrupts(busy_ns: Vec<u64>, report: &Value) -> Result<Vec<u64>, Box<dyn Error>> {
    let interrupts = report["interrupt_time_in_job_s"].as_f64().unwrap_or(0.0);
    if interrupts == 0.0 || kernel_counts_interrupts()? {
        return Ok(busy_ns);
    }
    let job = report["cpu_time_s"].as_f64().ok_or("no CPU time")?;
    let part = interrupts / (job + interrupts);
    assert!(part < 0.08, "{interrupts} s of interrupts in {job} s of the job");
    Ok(busy_ns
        .into_iter()
        .map(|ns| (ns as f64 * (1.0 - part)).round() as u64)
        .collect())
}

impl Measured {
    pub(crate) fn busy_s(&self) -> f64 {
        seconds(&self.busy_ns)
    }

    pub(crate) fn recorded(&self) -> Result<Recording, Box<dyn Error>> {
        Ok(journal::parse(&fs::read(&self.recording)?)?)
    }

    pub(crate) fn domain(&self, name: &str) -> Result<&Value, Box<dyn Error>> {
        domain(&self.report, name)
    }

    /// A line of a domain in microjoules.
    pub(crate) fn line(&self, domain: &str, line: &str) -> Result<f64, Box<dyn Error>> {
        line_of(self.domain(domain)?, line)
    }

    /// What the ledger promises: in every domain the six lines add up to the microjoule.
    pub(crate) fn assert_ledgers(&self) -> Outcome {
        assert_ledgers(&self.report)
    }
}

pub(crate) fn domain<'a>(report: &'a Value, name: &str) -> Result<&'a Value, Box<dyn Error>> {
    let mut domains = report["domains"].as_array().into_iter().flatten();
    domains
        .find(|domain| domain["name"] == name)
        .ok_or_else(|| format!("no domain `{name}` in {report:#}").into())
}

pub(crate) fn line_of(domain: &Value, line: &str) -> Result<f64, Box<dyn Error>> {
    domain[line]
        .as_f64()
        .ok_or_else(|| format!("no `{line}` in {domain:#}").into())
}

pub(crate) fn assert_ledgers(report: &Value) -> Outcome {
    let domains = report["domains"].as_array().ok_or("no domains")?;
    assert!(!domains.is_empty());
    for domain in domains {
        let line = |name: &str| {
            domain[name]
                .as_u64()
                .ok_or_else(|| format!("no `{name}` in {domain:#}"))
        };
        let sum = line("job_uj")?
            + line("job_idle_uj")?
            + line("others_uj")?
            + line("kernel_uj")?
            + line("own_uj")?
            + line("idle_uj")?;
        assert_eq!(sum, line("measured_uj")?, "{domain:#}");
    }
    Ok(())
}

fn seconds(busy_ns: &[u64]) -> f64 {
    busy_ns.iter().sum::<u64>() as f64 / 1e9
}
