//! carbon-run around a job, with an independent account of the same job.

use crate::agreement::{stolen_s, stolen_since};
use crate::charged::kernel_counts_interrupts;
use crate::group::Group;
use carbon_run::model::journal;
use carbon_run::model::recording::Recording;
use serde_json::Value;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The binary under test.
pub(crate) const CARBON_RUN: &str = env!("CARGO_BIN_EXE_carbon-run");

/// How long anything may take before it counts as hung.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// carbon-run about to be started around a job.
pub(crate) struct Launch {
    wrapper: Vec<OsString>,
    binary: PathBuf,
    flags: Vec<OsString>,
    recorded: bool,
    stolen_before: f64,
    pub(crate) dir: TempDir,
    pub(crate) group: Option<Group>,
}

impl Launch {
    /// With the job in a control group of its own from before its first instruction (but for the `sh` that joins it).
    pub(crate) fn grouped(accounting: &str) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            group: Some(Group::create()?),
            ..Self::plain(accounting)?
        })
    }

    /// Without a group: the job is the command itself.
    pub(crate) fn plain(accounting: &str) -> Result<Self, Box<dyn Error>> {
        let dir = tempfile::tempdir()?;
        Ok(Self {
            wrapper: Vec::new(),
            binary: PathBuf::from(CARBON_RUN),
            flags: ["--accounting", accounting].map(OsString::from).to_vec(),
            recorded: false,
            stolen_before: stolen_s()?,
            dir,
            group: None,
        })
    }

    pub(crate) fn flags<S: AsRef<OsStr>>(mut self, flags: &[S]) -> Self {
        self.flags
            .extend(flags.iter().map(|flag| flag.as_ref().to_owned()));
        self
    }

    /// Keeps the recording, with a sample every `interval`.
    pub(crate) fn recorded(mut self, interval: &str) -> Self {
        self.recorded = true;
        let file = self.dir.path().join("run.jsonl");
        self.flags(&[
            OsStr::new("--interval"),
            OsStr::new(interval),
            OsStr::new("--record"),
            file.as_os_str(),
        ])
    }

    /// Starts carbon-run through another program, as in `unshare -p carbon-run ...`.
    pub(crate) fn through<S: AsRef<OsStr>>(mut self, wrapper: &[S]) -> Self {
        self.wrapper = wrapper.iter().map(|word| word.as_ref().to_owned()).collect();
        self
    }

    /// Another copy of the binary.
    pub(crate) fn binary(mut self, path: &Path) -> Self {
        path.clone_into(&mut self.binary);
        self
    }

    /// The whole command line: wrapper, carbon-run, its flags, the joining of the group, the job.
    fn words<S: AsRef<OsStr>>(&self, job: &[S]) -> Vec<OsString> {
        let mut words = self.wrapper.clone();
        words.push(self.binary.clone().into_os_string());
        words.extend(["-q", "--no-csv", "--json"].map(OsString::from));
        words.push(self.dir.path().join("report.json").into_os_string());
        words.extend(self.flags.iter().cloned());
        words.push("--".into());
        if let Some(group) = &self.group {
            words.extend(["/bin/sh", "-c", "echo $$ >\"$0\" && exec \"$@\""].map(OsString::from));
            words.push(group.procs().into_os_string());
        }
        words.extend(job.iter().map(|word| word.as_ref().to_owned()));
        words
    }

    /// The job, as a command that another launcher can run.
    pub(crate) fn command_line<S: AsRef<OsStr>>(&self, job: &[S]) -> Vec<OsString> {
        self.words(job)
    }

    pub(crate) fn start<S: AsRef<OsStr>>(self, job: &[S]) -> Result<Started, Box<dyn Error>> {
        let words = self.words(job);
        let (program, arguments) = words.split_first().ok_or("no command")?;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .spawn()?;
        Ok(Started { child, launch: self })
    }

    /// Runs to the end; the job must succeed.
    pub(crate) fn run<S: AsRef<OsStr>>(self, job: &[S]) -> Result<Run, Box<dyn Error>> {
        self.start(job)?.finish()
    }

    /// What carbon-run has left behind.
    pub(crate) fn read(self) -> Result<Run, Box<dyn Error>> {
        let report = std::fs::read(self.dir.path().join("report.json"))?;
        let recording = if self.recorded {
            Some(journal::parse(&std::fs::read(
                self.dir.path().join("run.jsonl"),
            )?)?)
        } else {
            None
        };
        let reference = self.group.as_ref().map(Group::seconds).transpose()?;
        Ok(Run {
            report: serde_json::from_slice(&report)?,
            recording,
            reference,
            stolen_s: stolen_since(self.stolen_before)?,
            _kept: self,
        })
    }
}

/// carbon-run at work.
pub(crate) struct Started {
    pub(crate) child: Child,
    pub(crate) launch: Launch,
}

impl Started {
    pub(crate) fn finish(mut self) -> Result<Run, Box<dyn Error>> {
        let status = wait(&mut self.child)?;
        if !status.success() {
            return Err(format!("carbon-run ended with {status}").into());
        }
        self.launch.read()
    }
}

/// Waits for a child with a deadline, after which it is killed.
pub(crate) fn wait(child: &mut Child) -> Result<ExitStatus, Box<dyn Error>> {
    let ended = until("a process to end", || child.try_wait().ok().flatten());
    if ended.is_err() {
        child.kill()?;
        child.wait()?;
    }
    ended
}

/// Polls until there is an answer.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T, Box<dyn Error>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if Instant::now() > deadline {
            return Err(format!("waited {PATIENCE:?} in vain for {what}").into());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A run that has ended.
pub(crate) struct Run {
    pub(crate) report: Value,
    pub(crate) recording: Option<Recording>,
    /// The control group's account, in seconds.
    pub(crate) reference: Option<f64>,
    /// What a hypervisor took of all CPUs meanwhile, in seconds.
    pub(crate) stolen_s: f64,
    /// The directory and the group, which go with it.
    _kept: Launch,
}

impl Run {
    fn number(&self, pointer: &str) -> Result<f64, Box<dyn Error>> {
        let value = self.report.pointer(pointer).and_then(Value::as_f64);
        value.ok_or_else(|| format!("no number at {pointer} in {}", self.report).into())
    }

    pub(crate) fn cpu_s(&self) -> Result<f64, Box<dyn Error>> {
        self.number("/cpu_time_s")
    }

    /// The job's time as the kernel would charge it: with the interrupts that hit it, unless the kernel counts those itself.
    pub(crate) fn charged_s(&self) -> Result<f64, Box<dyn Error>> {
        let interrupts = match kernel_counts_interrupts()? {
            true => 0.0,
            false => self.interrupts_in_job_s().unwrap_or(0.0),
        };
        Ok(self.cpu_s()? + interrupts)
    }

    /// Time in interrupts while the job was on, where the accounting tells it apart.
    pub(crate) fn interrupts_in_job_s(&self) -> Option<f64> {
        self.report.get("interrupt_time_in_job_s").and_then(Value::as_f64)
    }

    /// Whether what a hypervisor kept is told apart.
    pub(crate) fn tells_stolen(&self) -> bool {
        self.report
            .get("stolen_time_s")
            .is_some_and(|stolen| !stolen.is_null())
    }

    pub(crate) fn others_s(&self) -> Result<f64, Box<dyn Error>> {
        self.number("/others_cpu_time_s")
    }

    pub(crate) fn reference_s(&self) -> Result<f64, Box<dyn Error>> {
        self.reference.ok_or_else(|| "the job had no group".into())
    }

    /// Events that the accounting lost.
    pub(crate) fn lost(&self) -> Option<u64> {
        self.report.pointer("/accounting/lost").and_then(Value::as_u64)
    }

    pub(crate) fn processes(&self) -> Result<u64, Box<dyn Error>> {
        let value = self.report.get("processes").and_then(Value::as_u64);
        value.ok_or_else(|| "no number of processes".into())
    }

    pub(crate) fn recording(&self) -> Result<&Recording, Box<dyn Error>> {
        self.recording
            .as_ref()
            .ok_or_else(|| "nothing was recorded".into())
    }

    /// Name and CPU seconds of the processes that the breakdown lists, busiest first.
    pub(crate) fn listed(&self) -> Vec<(String, f64)> {
        self.rows("busiest_processes")
            .iter()
            .map(|row| {
                (
                    text(row, "comm"),
                    row.get("cpu_time_s").and_then(Value::as_f64).unwrap_or(f64::NAN),
                )
            })
            .collect()
    }

    /// How many processes the breakdown leaves out, and their seconds.
    pub(crate) fn unlisted(&self) -> Result<(f64, f64), Box<dyn Error>> {
        Ok((
            self.number("/unlisted_processes/processes")?,
            self.number("/unlisted_processes/cpu_time_s")?,
        ))
    }

    /// PID and name of who outlived the command.
    pub(crate) fn survivors(&self) -> Vec<(u64, String)> {
        self.rows("survivors")
            .iter()
            .map(|row| {
                (
                    row.get("pid").and_then(Value::as_u64).unwrap_or(0),
                    text(row, "comm"),
                )
            })
            .collect()
    }

    fn rows(&self, of: &str) -> Vec<Value> {
        self.report
            .get(of)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    }
}

fn text(row: &Value, key: &str) -> String {
    row.get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
