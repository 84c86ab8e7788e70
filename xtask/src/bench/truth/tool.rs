//! carbon-run and CodeCarbon around a job, and what they say of it.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The version that is compared with.
pub(super) const CODECARBON: &str = "3.3.2";

/// Puts the tree where the kernel has its own, in a mount namespace: the class directory, which its links lead out of, and the
/// devices. `sysfs` takes no new directories, so that both get a file system above them.
const IN_ITS_PLACE: &str = r#"set -e
root="$0"
mount -t tmpfs none /sys/class && mkdir /sys/class/powercap
mount -t tmpfs none /sys/devices/virtual && mkdir /sys/devices/virtual/powercap
mount --bind "$root/sys/class/powercap" /sys/class/powercap
mount --bind "$root/sys/devices/virtual/powercap" /sys/devices/virtual/powercap
exec "$@""#;

const JOULES_PER_KWH: f64 = 3.6e6;

/// Who measures.
#[derive(Debug, Clone)]
pub(super) enum Tool {
    /// carbon-run, told to use the tree, and the idle power of its packages if any.
    CarbonRun { binary: PathBuf, idle_w: Option<String> },
    /// CodeCarbon's wrapper with the tree in the place of the kernel's.
    CodeCarbonRapl { binary: PathBuf },
    /// CodeCarbon's wrapper without counters, told what the machine draws at full load.
    CodeCarbonModel { binary: PathBuf, full_w: f64 },
}

/// What was said of a job, in joules.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said {
    pub(super) energy_j: f64,
    /// The printed range; CodeCarbon has none.
    pub(super) range_j: Option<(f64, f64)>,
}

impl Tool {
    /// The words before the job's. What it says will be in `directory`, which must be the current one.
    pub(super) fn words(&self, sysroot: &Path, directory: &Path) -> Vec<OsString> {
        let monitor = |binary: &Path| {
            let mut words = vec![binary.as_os_str().to_owned()];
            words.extend(["monitor", "--offline", "--country-iso-code", "FRA", "--"].map(OsString::from));
            words
        };
        match self {
            Self::CarbonRun { binary, idle_w } => {
                let mut words = vec![binary.as_os_str().to_owned(), "--sysroot".into(), sysroot.into()];
                words.extend(["-q", "--no-csv", "--idle-policy", "capacity"].map(OsString::from));
                words.extend(["--accounting", "ebpf", "--json"].map(OsString::from));
                words.push(directory.join("report.json").into());
                if let Some(watts) = idle_w {
                    words.extend(["--idle-power", watts].map(OsString::from));
                }
                words.push("--".into());
                words
            }
            Self::CodeCarbonRapl { binary } => {
                let mut words: Vec<OsString> = ["unshare", "-m", "sh", "-c", IN_ITS_PLACE]
                    .map(OsString::from)
                    .into();
                words.push(sysroot.into());
                words.extend(monitor(binary));
                words
            }
            Self::CodeCarbonModel { binary, full_w } => {
                let mut words = vec!["env".into()];
                words.push(format!("CODECARBON_FORCE_CPU_POWER={full_w}").into());
                words.extend(monitor(binary));
                words
            }
        }
    }

    /// What it said in `directory`.
    pub(super) fn said(&self, directory: &Path) -> Result<Said> {
        match self {
            Self::CarbonRun { .. } => report(&directory.join("report.json")),
            Self::CodeCarbonRapl { .. } | Self::CodeCarbonModel { .. } => {
                row(&directory.join("emissions.csv"))
            }
        }
    }

    /// The part of what cpuacct has booked for the job that is the kernel's in this tool's books: the interrupts that hit the
    /// job, unless this kernel keeps them out of its own books, too.
    pub(super) fn interrupted(&self, directory: &Path) -> Result<f64> {
        match self {
            Self::CarbonRun { .. } if !kernel_counts_interrupts()? => {
                let report = read_report(&directory.join("report.json"))?;
                let interrupts = report["interrupt_time_in_job_s"].as_f64().unwrap_or(0.0);
                let job = report["cpu_time_s"].as_f64().context("no CPU time")?;
                Ok(interrupts / (job + interrupts))
            }
            Self::CarbonRun { .. } | Self::CodeCarbonRapl { .. } | Self::CodeCarbonModel { .. } => Ok(0.0),
        }
    }
}

/// Whether CONFIG_IRQ_TIME_ACCOUNTING is on. Without it the column `irq` of /proc/stat has next to nothing.
fn kernel_counts_interrupts() -> Result<bool> {
    /// Of proc(5)'s stat, the name of the line included.
    const IRQ: usize = 6;
    let text = fs::read_to_string("/proc/stat")?;
    let irq = text
        .split_whitespace()
        .nth(IRQ)
        .context("no `irq` in /proc/stat")?;
    Ok(irq.parse::<u64>()? > 100)
}

fn read_report(path: &Path) -> Result<Value> {
    let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(serde_json::from_slice(&bytes)?)
}

fn report(path: &Path) -> Result<Said> {
    let report = read_report(path)?;
    let number = |pointer: &str| {
        let value = report.pointer(pointer).and_then(Value::as_f64);
        value.with_context(|| format!("`{}` has no `{pointer}`", path.display()))
    };
    Ok(Said {
        energy_j: number("/energy_j/cpu")?,
        range_j: Some((
            number("/energy_ranges_j/cpu/low")?,
            number("/energy_ranges_j/cpu/high")?,
        )),
    })
}

fn row(path: &Path) -> Result<Said> {
    let mut table =
        csv::Reader::from_path(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let column = table.headers()?.iter().position(|name| name == "cpu_energy");
    let rows: Vec<csv::StringRecord> = table.records().collect::<Result<_, _>>()?;
    ensure!(rows.len() == 1, "`{}` has {} rows", path.display(), rows.len());
    let cell = rows.first().zip(column).and_then(|(row, column)| row.get(column));
    let energy_kwh: f64 = cell.context("no `cpu_energy`")?.parse()?;
    Ok(Said {
        energy_j: energy_kwh * JOULES_PER_KWH,
        range_j: None,
    })
}

/// CodeCarbon's program, in a virtual environment under `target` that is made at first.
pub(super) fn codecarbon(target: &Path) -> Result<PathBuf> {
    let place = target.join(format!("codecarbon-{CODECARBON}"));
    let program = place.join("bin/codecarbon");
    if !program.exists() {
        succeed(Command::new("python3").args(["-m", "venv"]).arg(&place))?;
        let package = format!("codecarbon=={CODECARBON}");
        succeed(Command::new(place.join("bin/pip")).args(["install", "--quiet", &package]))?;
    }
    Ok(program)
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}
