//! `cargo xtask bench truth`: what carbon-run says of jobs whose energy is known, beside what CodeCarbon says of them.
//!
//! The machine is the powercap stand-in: its counters follow a power model, driven by this machine's real CPU use. A job's
//! truth is the model's power times the CPU time that the kernel's cpuacct controller has booked for it.

mod cases;
mod tool;
mod trial;

use super::{median, release_build};
use anyhow::{Context, Result, ensure};
use cases::Case;
use powercap_stand_in::PackageSpec;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use tool::Tool;
use trial::Trial;

/// How to measure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The carbon-run to measure [default: the release build]
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Runs of each case under carbon-run; CodeCarbon has one
    #[arg(long, value_name = "N", default_value_t = 3)]
    runs: usize,
    /// Leave CodeCarbon out
    #[arg(long)]
    no_codecarbon: bool,
    /// Only the cases whose names have this word
    #[arg(long, value_name = "WORD", default_value = "")]
    only: String,
}

/// Measures and prints the table.
pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(options.runs > 0, "no runs");
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => release_build()?,
    };
    let binary = binary
        .canonicalize()
        .with_context(|| format!("cannot find `{}`", binary.display()))?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("no root")?;
    let codecarbon = if options.no_codecarbon {
        None
    } else {
        Some(tool::codecarbon(&root.join("target"))?)
    };
    let mut out = std::io::stdout().lock();
    write!(out, "{}\n\n{HEAD}", surroundings()?)?;
    let before = Ticks::now()?;
    let mut alone = None;
    for case in cases::all(&online_cpus()?) {
        if !case.name.contains(&options.only) {
            continue;
        }
        let rows = measure(&case, &binary, codecarbon.as_deref(), options.runs)?;
        for row in &rows {
            let cost = row.j_per_cpu_s();
            let first = *alone.get_or_insert(cost);
            let beside = (case.compares && !row.name.contains("inner")).then_some(first);
            writeln!(out, "{}", row.line(case.name, beside))?;
            out.flush()?;
        }
    }
    let ticks = Ticks::now()?;
    writeln!(
        out,
        "\nmeanwhile: load average {}, {:.1} % of the CPUs' time kept by a hypervisor",
        load_average()?,
        ticks.stolen_since(before) * 100.0
    )?;
    Ok(())
}

const HEAD: &str = "\
| case | truth J | carbon-run J | error in what it added | printed range J | covers | J per CPU-second to alone | CodeCarbon, RAPL J | error | CodeCarbon, no RAPL J | error |
|---|---|---|---|---|---|---|---|---|---|---|
";

/// A job's results.
struct Row {
    name: String,
    ours: Vec<Trial>,
    rapl: Option<Trial>,
    model: Option<Trial>,
}

fn measure(case: &Case, binary: &Path, codecarbon: Option<&Path>, runs: usize) -> Result<Vec<Row>> {
    let idle: Vec<String> = case
        .spec
        .packages
        .iter()
        .map(|package| package.idle_w.to_string())
        .collect();
    let carbon_run = Tool::CarbonRun {
        binary: binary.to_owned(),
        idle_w: case.idle_told.then(|| idle.join(",")),
    };
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    let mut row = |name: String, enter: &dyn Fn(&mut Row)| {
        enter(rows.entry(name.clone()).or_insert(Row {
            name,
            ours: Vec::new(),
            rapl: None,
            model: None,
        }));
    };
    for _ in 0..runs {
        for (name, trial) in trial::run(case, &carbon_run)? {
            row(name, &|row| row.ours.push(trial));
        }
    }
    // What it says does not depend on what carbon-run was told.
    if let Some(program) = codecarbon.filter(|_| case.idle_told) {
        let binary = program.to_owned();
        for (name, trial) in trial::run(
            case,
            &Tool::CodeCarbonRapl {
                binary: binary.clone(),
            },
        )? {
            row(name, &|row| row.rapl = Some(trial));
        }
        let full_w = case.spec.packages.iter().map(full_w).sum();
        for (name, trial) in trial::run(case, &Tool::CodeCarbonModel { binary, full_w })? {
            row(name, &|row| row.model = Some(trial));
        }
    }
    Ok(rows.into_values().collect())
}

/// With every CPU busy.
fn full_w(package: &PackageSpec) -> f64 {
    let cores = package.smt.iter().map(|smt| {
        let less = 2.0 - smt.both_busy_permille as f64 / 1000.0;
        smt.cores.len() as f64 * less
    });
    package.idle_w + package.watts_per_busy_cpu * (package.cpus.len() as f64 - cores.sum::<f64>())
}

impl Row {
    fn j_per_cpu_s(&self) -> f64 {
        median(&self.ours.iter().map(Trial::j_per_cpu_s).collect::<Vec<_>>())
    }

    /// The run with the median error; of an even number the lower.
    fn middle(&self) -> Option<&Trial> {
        let mut sorted: Vec<&Trial> = self.ours.iter().collect();
        sorted.sort_by(|one, other| one.error().total_cmp(&other.error()));
        sorted.get((sorted.len().max(1) - 1) / 2).copied()
    }

    fn line(&self, case: &str, alone: Option<f64>) -> String {
        let name = if self.name.is_empty() {
            case.to_owned()
        } else {
            format!("{case}: {}", self.name)
        };
        let percent = |part: f64| format!("{:+.2} %", part * 100.0);
        let mut errors: Vec<f64> = self.ours.iter().map(Trial::error).collect();
        errors.sort_by(|one, other| one.abs().total_cmp(&other.abs()));
        let worst = match errors.last() {
            Some(worst) if errors.len() > 1 => format!(" (worst {})", percent(*worst)),
            _ => String::new(),
        };
        let covered = self
            .ours
            .iter()
            .filter(|trial| trial.is_covered() == Some(true))
            .count();
        let theirs = |trial: &Option<Trial>| match trial {
            Some(trial) => format!(
                "{:.1} | {:+.0} %",
                trial.said.energy_j,
                trial.error_of_all() * 100.0
            ),
            None => "- | -".to_owned(),
        };
        let Some(middle) = self.middle() else {
            return format!("| {name} |");
        };
        let (low, high) = middle.said.range_j.unwrap_or((f64::NAN, f64::NAN));
        format!(
            "| {name} | {:.1} | {:.1} | {}{worst} | {low:.1} to {high:.1} | {covered} of {} | {} | {} | {} |",
            middle.truth_j,
            middle.said.energy_j,
            percent(middle.error()),
            self.ours.len(),
            alone.map_or_else(
                || "-".to_owned(),
                |alone| percent(self.j_per_cpu_s() / alone - 1.0)
            ),
            theirs(&self.rapl),
            theirs(&self.model),
        )
    }
}

/// Time of all CPUs in clock ticks. What a hypervisor keeps is part of the time that carbon-run counts, and not of what the
/// kernel books for a task.
#[derive(Clone, Copy)]
struct Ticks {
    all: u64,
    stolen: u64,
}

impl Ticks {
    /// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal, and parts of user (proc(5)).
    fn now() -> Result<Self> {
        let text = read("/proc/stat")?;
        let first = text.lines().next().unwrap_or_default();
        let numbers: Vec<u64> = first
            .split_whitespace()
            .skip(1)
            .take(8)
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            all: numbers.iter().sum(),
            stolen: numbers.get(7).copied().context("no steal time in `/proc/stat`")?,
        })
    }

    fn stolen_since(self, before: Self) -> f64 {
        (self.stolen - before.stolen) as f64 / (self.all - before.all).max(1) as f64
    }
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read `{path}`"))
}

fn load_average() -> Result<String> {
    let text = read("/proc/loadavg")?;
    Ok(text.split(' ').next().unwrap_or_default().to_owned())
}

/// When and where.
fn surroundings() -> Result<String> {
    let date = Command::new("date")
        .args(["--utc", "+%Y-%m-%d %H:%M UTC"])
        .output()?;
    let cpuinfo = read("/proc/cpuinfo")?;
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    Ok(format!(
        "{}, {} CPUs ({}), Linux {}, load average {}, CodeCarbon {}",
        String::from_utf8_lossy(&date.stdout).trim(),
        online_cpus()?.len(),
        model.map_or("unknown", |(_, name)| name),
        read("/proc/sys/kernel/osrelease")?.trim(),
        load_average()?,
        tool::CODECARBON,
    ))
}

fn online_cpus() -> Result<Vec<u32>> {
    let text = read("/sys/devices/system/cpu/online")?;
    let mut cpus = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        cpus.extend(first.parse::<u32>()?..=last.parse()?);
    }
    Ok(cpus)
}

#[cfg(test)]
mod tests {
    use super::tool::Said;
    use super::*;

    fn trial(energy_j: f64) -> Trial {
        Trial {
            said: Said {
                energy_j,
                range_j: Some((90.0, 110.0)),
            },
            dynamic_j: 80.0,
            truth_j: 100.0,
            cpu_s: 2.0,
        }
    }

    #[test]
    fn a_full_core_of_two_threads_draws_less_than_two_cpus() {
        let mut package = PackageSpec::new([0, 1, 2], 20.0, 30.0);
        assert!((full_w(&package) - 110.0).abs() < 1e-9);
        package.smt = Some(powercap_stand_in::SmtSpec {
            cores: vec![[0, 1]],
            both_busy_permille: 1150,
        });
        assert!((full_w(&package) - (20.0 + 30.0 + 34.5)).abs() < 1e-9);
    }

    #[test]
    fn a_line_has_the_middle_run_the_worst_and_how_many_ranges_have_the_truth() {
        let row = Row {
            name: "one".to_owned(),
            ours: vec![trial(100.4), trial(98.4), trial(100.8)],
            rapl: Some(Trial {
                said: Said {
                    energy_j: 260.0,
                    range_j: None,
                },
                ..trial(0.0)
            }),
            model: None,
        };
        assert_eq!(
            row.line("two jobs", Some(50.0)),
            "| two jobs: one | 100.0 | 100.4 | +0.50 % (worst -2.00 %) | 90.0 to 110.0 | 3 of 3 | +0.40 % | 260.0 | +160 % | - | - |"
        );
    }
}
