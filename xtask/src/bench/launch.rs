//! What it costs to start a command under carbon-run, over starting it bare.

use super::table::Row;
use super::{backends, median};
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// carbon-run without any output of its own and without anybody's settings.
pub(super) fn command(binary: &Path, backend: &str) -> Command {
    let mut command = Command::new(binary);
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .current_dir("/")
        .stdin(Stdio::null())
        .args(["-q", "--no-csv", "--accounting", backend]);
    command
}

/// `true`, bare and in each way, in turn, so that a slow minute slows all of them.
pub(super) fn rows(binary: &Path, runs: usize) -> Result<Vec<Row>> {
    let ways = backends(binary);
    let mut bare = Vec::new();
    let mut wrapped: Vec<Vec<f64>> = vec![Vec::new(); ways.len()];
    for _ in 0..runs {
        bare.push(time(
            Command::new("true").env_clear().env("PATH", "/usr/bin:/bin"),
        )?);
        for (backend, times) in ways.iter().zip(&mut wrapped) {
            times.push(time(command(binary, backend).arg("true"))?);
        }
    }
    let bare = median(&bare);
    let row = |(backend, times): (&&str, &Vec<f64>)| Row {
        what: format!("launch of `true`, {backend}"),
        figure: format!("{:+.2} ms", median(times) - bare),
        basis: format!(
            "medians of {runs}: {:.2} ms, bare {bare:.2} ms, {:.1} times",
            median(times),
            median(times) / bare
        ),
        target: if *backend == "ebpf" { "<= 15 ms" } else { "<= 3 ms" },
    };
    Ok(ways.iter().zip(&wrapped).map(row).collect())
}

/// Milliseconds.
fn time(command: &mut Command) -> Result<f64> {
    let begin = Instant::now();
    let status = command
        .status()
        .with_context(|| format!("cannot run {command:?}"))?;
    let elapsed = begin.elapsed();
    ensure!(status.success(), "{command:?} failed");
    Ok(elapsed.as_secs_f64() * 1e3)
}
