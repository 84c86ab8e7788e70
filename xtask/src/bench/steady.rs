//! What carbon-run uses while a job runs for long.

use super::backends;
use super::launch::command;
use super::table::Row;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// A start costs CPU time of its own.
const SETTLED: Duration = Duration::from_secs(2);

/// Processes that have nothing to do with the job.
const STRANGERS: usize = 500;

/// Sampling every second, for each way to count, with few other processes and with many.
pub(super) fn rows(binary: &Path, seconds: u64) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for strangers in [0, STRANGERS] {
        let crowd = Crowd::of(strangers)?;
        for backend in backends(binary) {
            rows.extend(steady(binary, backend, seconds, strangers)?);
        }
        drop(crowd);
    }
    Ok(rows)
}

fn steady(binary: &Path, backend: &str, seconds: u64, strangers: usize) -> Result<[Row; 2]> {
    let length = SETTLED.as_secs() + seconds + 5;
    let mut run = Killed(
        command(binary, backend)
            .args(["--interval", "1s", "sleep", &length.to_string()])
            .spawn()
            .with_context(|| format!("cannot run `{}`", binary.display()))?,
    );
    std::thread::sleep(SETTLED);
    let (begin, before) = (Instant::now(), cpu_ns(run.0.id())?);
    std::thread::sleep(Duration::from_secs(seconds));
    let (elapsed, used) = (begin.elapsed(), cpu_ns(run.0.id())? - before);
    let rss_kib = rss_kib(run.0.id())?;
    ensure!(
        run.0.try_wait()?.is_none(),
        "the run ended before it was looked at"
    );
    let beside = format!("{backend}, {strangers} strangers");
    Ok([
        Row {
            what: format!("steady CPU, {beside}"),
            figure: format!("{:.4} %", used as f64 / elapsed.as_nanos() as f64 * 100.0),
            basis: format!("{:.2} ms in {:.1} s", used as f64 / 1e6, elapsed.as_secs_f64()),
            target: "<= 0.1 %",
        },
        Row {
            what: format!("resident memory, {beside}"),
            figure: format!("{:.1} MiB", rss_kib as f64 / 1024.0),
            basis: String::new(),
            target: "<= 20 MiB",
        },
    ])
}

/// CPU time of all threads in nanoseconds: the first number of `schedstat` (Documentation/scheduler/sched-stats.rst).
pub(super) fn cpu_ns(pid: u32) -> Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = task?.path().join("schedstat");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let number = text.split(' ').next().unwrap_or_default();
        sum += number
            .parse::<u64>()
            .with_context(|| format!("`{}` holds `{text}`", path.display()))?;
    }
    Ok(sum)
}

pub(super) fn rss_kib(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("no VmRSS in the process's status")?.parse()?)
}

/// Ended when dropped.
pub(super) struct Killed(pub(super) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // carbon-run passes SIGTERM on to its job; killed outright it would leave the job behind.
        let ended = Command::new("kill").arg(self.0.id().to_string()).status();
        if !ended.is_ok_and(|status| status.success()) {
            self.0.kill().unwrap_or_default();
        }
        self.0.wait().map(drop).unwrap_or_default();
    }
}

/// Processes that sleep until dropped.
struct Crowd(Vec<Killed>);

impl Crowd {
    fn of(count: usize) -> Result<Self> {
        let sleeper = || Command::new("sleep").arg("600").spawn().map(Killed);
        let all = (0..count).map(|_| sleeper()).collect::<std::io::Result<_>>();
        Ok(Self(all.context("cannot start the other processes")?))
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.0.clear();
    }
}
