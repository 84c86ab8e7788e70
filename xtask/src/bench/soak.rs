//! The daemon with a thousand jobs of a hundred tasks: what a context switch costs, what the daemon uses, and whether every job has its
//! report.

use super::launch::command;
use super::steady::{Killed, cpu_ns, rss_kib};
use super::switches::{program_ns, switch_ns};
use super::table::{self, Row};
use super::{median, release_build};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use std::io::{PipeWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How often switches are timed, each way.
const TURNS: usize = 3;

/// A run is looked at ten times a second while it is young.
const YOUNG: Duration = Duration::from_secs(12);

/// How much.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The carbon-run to measure [default: the release build]
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Jobs at a time
    #[arg(long, value_name = "N", default_value_t = 1000)]
    jobs: usize,
    /// Tasks of each; kernel.pid_max and kernel.threads-max have to allow all of them
    #[arg(long, value_name = "N", default_value_t = 100)]
    tasks: usize,
    /// How long the daemon is looked at
    #[arg(long, value_name = "S", default_value_t = 20)]
    seconds: u64,
}

/// Threads that sleep until stdin ends.
pub(super) fn sleepers(tasks: usize) -> Result<()> {
    let park = || loop {
        std::thread::park();
    };
    for _ in 1..tasks {
        std::thread::Builder::new().stack_size(32 << 10).spawn(park)?;
    }
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

pub(super) fn run(options: &Options) -> Result<()> {
    let binary = match &options.binary {
        Some(binary) => binary.canonicalize()?,
        None => release_build()?,
    };
    let dir = tempfile::tempdir()?;
    let without = switches()?;
    let daemon = daemon(&binary, dir.path(), options.jobs)?;
    let idle = switches()?;
    let idle_call = program_ns(daemon.0.id())?;
    let (end, ends) = std::io::pipe()?;
    let mut jobs = Vec::new();
    let begin = Instant::now();
    for number in 0..options.jobs {
        jobs.push(job(&binary, dir.path(), number, options.tasks, end.try_clone()?)?);
    }
    drop(end);
    let started = begin.elapsed();
    std::thread::sleep(YOUNG);
    let busy = switches()?;
    let busy_call = program_ns(daemon.0.id())?;
    let (begin, before) = (Instant::now(), cpu_ns(daemon.0.id())?);
    std::thread::sleep(Duration::from_secs(options.seconds));
    let (elapsed, used) = (begin.elapsed(), cpu_ns(daemon.0.id())? - before);
    let rss = rss_kib(daemon.0.id())?;
    let reports = reports(jobs, ends, dir.path())?;
    let all = format!("{} jobs, {} tasks", options.jobs, options.jobs * options.tasks);
    let tasks = reports.processes;
    let rows = [
        Row {
            what: "context switch, the daemon without a job".to_owned(),
            figure: format!("{:+.0} ns", idle - without),
            basis: format!("{idle:.0} ns, without it {without:.0} ns"),
            target: "<= 150 ns",
        },
        Row {
            what: format!("context switch, {all}"),
            figure: format!("{:+.0} ns", busy - without),
            basis: format!("{busy:.0} ns; the launchers' own work is in it"),
            target: "",
        },
        Row {
            what: format!("program on `sched_switch`, {all}"),
            figure: format!("{busy_call:.0} ns"),
            basis: format!(
                "bpf_stats; without a job {idle_call:.0} ns, {:.3} times that",
                busy_call / idle_call
            ),
            target: "unchanged",
        },
        Row {
            what: format!("CPU of the daemon, {all}"),
            figure: format!("{:.2} %", used as f64 / elapsed.as_nanos() as f64 * 100.0),
            basis: format!(
                "{:.0} us a sample",
                used as f64 / 1e3 / (elapsed.as_secs_f64() * options.jobs as f64)
            ),
            target: "",
        },
        Row {
            what: "resident memory of the daemon".to_owned(),
            figure: format!("{:.1} MiB", rss as f64 / 1024.0),
            basis: String::new(),
            target: "",
        },
        Row {
            what: "start of all jobs".to_owned(),
            figure: format!("{:.1} s", started.as_secs_f64()),
            basis: format!("{:.2} ms each", started.as_secs_f64() * 1e3 / options.jobs as f64),
            target: "",
        },
        Row {
            what: "reports by the daemon, events lost".to_owned(),
            figure: format!("{}, {}", reports.by_daemon, reports.lost),
            basis: format!("of {} jobs, {tasks} processes", options.jobs),
            target: "all, 0",
        },
    ];
    std::io::stdout().write_all(table::text(&rows).as_bytes())?;
    Ok(())
}

fn switches() -> Result<f64> {
    let times = (0..TURNS).map(|_| switch_ns()).collect::<Result<Vec<f64>>>()?;
    Ok(median(&times))
}

fn daemon(binary: &Path, dir: &Path, jobs: usize) -> Result<Killed> {
    let socket = dir.join("socket");
    let daemon = Command::new(binary)
        .args([
            "daemon",
            "--no-pin",
            "--max-jobs",
            &jobs.max(1).to_string(),
            "--daemon-socket",
        ])
        .arg(&socket)
        .stdin(Stdio::null())
        .spawn()?;
    let daemon = Killed(daemon);
    let until = Instant::now() + Duration::from_secs(20);
    while command(binary, "daemon")
        .arg("--daemon-socket")
        .arg(&socket)
        .arg("true")
        .stderr(Stdio::null())
        .status()?
        .code()
        != Some(0)
    {
        ensure!(Instant::now() < until, "the daemon does not answer");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(daemon)
}

fn job(binary: &Path, dir: &Path, number: usize, tasks: usize, stdin: std::io::PipeReader) -> Result<Child> {
    command(binary, "daemon")
        .arg("--daemon-socket")
        .arg(dir.join("socket"))
        .args(["--checkpoint-interval", "0", "--json"])
        .arg(dir.join(format!("{number}.json")))
        .arg("--")
        .arg(std::env::current_exe()?)
        .args(["bench", "sleepers", &tasks.to_string()])
        .stdin(stdin)
        .spawn()
        .with_context(|| format!("cannot start job {number}"))
}

/// What the reports say together.
struct Reports {
    by_daemon: usize,
    lost: u64,
    processes: u64,
}

/// Ends all jobs, and reads their reports.
fn reports(jobs: Vec<Child>, ends: PipeWriter, dir: &Path) -> Result<Reports> {
    drop(ends);
    let mut all = Reports {
        by_daemon: 0,
        lost: 0,
        processes: 0,
    };
    for (number, mut job) in jobs.into_iter().enumerate() {
        job.wait()?;
        let text = fs::read(dir.join(format!("{number}.json")))
            .with_context(|| format!("job {number} has no report"))?;
        let report: Value = serde_json::from_slice(&text)?;
        let clean = report["accounting"]["backend"] == "daemon" && report["cpu_time_s"].as_f64().is_some();
        all.by_daemon += usize::from(clean);
        all.lost += report["accounting"]["lost"].as_u64().unwrap_or(0);
        all.processes += report["processes"].as_u64().unwrap_or(0);
    }
    Ok(all)
}
