//! What carbon-run's program on the scheduler costs each context switch of the machine.

use super::launch::command;
use super::steady::Killed;
use super::table::Row;
use super::{backends, median};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: u64 = 100_000;
/// Times with and without, in turn.
const TURNS: usize = 5;
/// Both processes on one CPU, so that every byte passed is a switch.
const CPU: &str = "0";
const STATS: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// Passes a byte there and back, and prints nanoseconds per context switch.
pub(super) fn ping_pong(rounds: u64) -> Result<()> {
    ensure!(rounds > 0, "no rounds");
    let mut other = Command::new(std::env::current_exe()?)
        .args(["bench", "echo"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut to = other.stdin.take().context("no pipe")?;
    let mut from = other.stdout.take().context("no pipe")?;
    let mut byte = [0];
    let mut round = || -> Result<()> {
        to.write_all(&byte)?;
        from.read_exact(&mut byte)?;
        Ok(())
    };
    for _ in 0..rounds / 10 {
        round()?;
    }
    let begin = Instant::now();
    for _ in 0..rounds {
        round()?;
    }
    let elapsed = begin.elapsed();
    drop(to);
    other.wait()?;
    let each = elapsed.as_nanos() as f64 / (2 * rounds) as f64;
    writeln!(std::io::stdout(), "{each:.1}")?;
    Ok(())
}

/// Gives every byte back, past the buffers of the standard library.
pub(super) fn echo() -> Result<()> {
    let (mut from, mut to) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut byte = [0];
    loop {
        match from.read(&mut byte) {
            Ok(0) => return Ok(()),
            Ok(_) => {
                to.write_all(&byte)?;
                to.flush()?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// With a run on the machine that these processes do not belong to, and without.
pub(super) fn rows(binary: &Path) -> Result<Vec<Row>> {
    if !backends(binary).contains(&"ebpf") {
        return Ok(vec![Row {
            what: "context switch".to_owned(),
            figure: "not run".to_owned(),
            basis: "eBPF needs root, or CAP_BPF and CAP_PERFMON".to_owned(),
            target: "<= 150 ns",
        }]);
    }
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        without.push(switch_ns()?);
        let run = start(binary)?;
        with.push(switch_ns()?);
        drop(run);
    }
    let (without, with) = (median(&without), median(&with));
    let each = each_call(binary)?;
    ensure!(
        each.calls > ROUNDS,
        "the kernel counted {} calls only",
        each.calls
    );
    Ok(vec![
        Row {
            what: "context switch between strangers".to_owned(),
            figure: format!("{:+.0} ns", with - without),
            basis: format!(
                "medians of {TURNS}: {with:.0} ns, without {without:.0} ns, {:.2} times",
                with / without
            ),
            target: "<= 150 ns",
        },
        Row {
            what: "program on `sched_switch`".to_owned(),
            figure: format!("{:.0} ns", each.ns),
            basis: format!("bpf_stats, {} calls, the clock's own cost in it", each.calls),
            target: "",
        },
    ])
}

/// A run that sleeps, attached when this returns.
fn start(binary: &Path) -> Result<Killed> {
    let run = Killed(
        command(binary, "ebpf")
            .args(["--interval", "1s", "sleep", "600"])
            .spawn()?,
    );
    let children = format!("/proc/{0}/task/{0}/children", run.0.id());
    let until = Instant::now() + Duration::from_secs(10);
    while fs::read_to_string(&children)
        .unwrap_or_default()
        .trim()
        .is_empty()
    {
        ensure!(Instant::now() < until, "carbon-run starts nothing");
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(run)
}

pub(super) fn switch_ns() -> Result<f64> {
    let output = Command::new("taskset")
        .args(["-c", CPU])
        .arg(std::env::current_exe()?)
        .args(["bench", "ping-pong", &ROUNDS.to_string()])
        .output()
        .context("cannot run taskset")?;
    ensure!(
        output.status.success(),
        "ping-pong failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}

/// A program's cost by the kernel's own count.
struct Calls {
    ns: f64,
    calls: u64,
}

/// Turned off again when dropped, unless it was on before.
struct Stats {
    before: String,
}

impl Stats {
    fn on() -> Result<Self> {
        let before = fs::read_to_string(STATS).with_context(|| format!("cannot read `{STATS}`"))?;
        fs::write(STATS, "1").with_context(|| format!("cannot write `{STATS}`"))?;
        Ok(Self { before })
    }
}

impl Drop for Stats {
    fn drop(&mut self) {
        fs::write(STATS, self.before.trim()).unwrap_or_default();
    }
}

fn each_call(binary: &Path) -> Result<Calls> {
    let _stats = Stats::on()?;
    let run = start(binary)?;
    switch_ns()?;
    busiest(run.0.id())
}

/// What one call of the program on `sched_switch` of that process costs by the kernel's own count, in nanoseconds, over some hundred
/// thousand switches.
pub(super) fn program_ns(pid: u32) -> Result<f64> {
    let _stats = Stats::on()?;
    let before = busiest(pid)?;
    switch_ns()?;
    let after = busiest(pid)?;
    let calls = after.calls.saturating_sub(before.calls);
    ensure!(calls > ROUNDS, "the kernel counted {calls} calls only");
    Ok((after.ns * after.calls as f64 - before.ns * before.calls as f64) / calls as f64)
}

fn busiest(pid: u32) -> Result<Calls> {
    let mut busiest = Calls { ns: 0.0, calls: 0 };
    for entry in fs::read_dir(format!("/proc/{pid}/fdinfo"))? {
        // A descriptor may be closed by now. Of the programs the one on `sched_switch` is called most, by far.
        let text = fs::read_to_string(entry?.path()).unwrap_or_default();
        let number = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok())
        };
        if let (Some(time), Some(calls)) = (number("run_time_ns:"), number("run_cnt:"))
            && calls > busiest.calls
        {
            busiest = Calls {
                ns: time as f64 / calls as f64,
                calls,
            };
        }
    }
    Ok(busiest)
}
