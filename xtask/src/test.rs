//! Runs the whole test suite and ends with what came of it: what could not run here and why, and one line of sums.

use crate::tally::{Show, Tally};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// What `test` can be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// For `cargo test`, instead of `--workspace`: as `-p carbon-run --test cli`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARG")]
    arguments: Vec<OsString>,
}

/// Runs the tests.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg("test").arg("--no-fail-fast");
    if options.arguments.is_empty() {
        cargo.arg("--workspace");
    }
    // libtest keeps what a test says to itself unless the test fails, or unless it is told to show it.
    cargo.args(&options.arguments).args(["--", "--show-output"]);
    let mut child = cargo
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run cargo")?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        bail!("cargo was started without its streams");
    };
    let tally = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        let errors = scope.spawn(|| follow(stderr, std::io::stderr(), |line| shared(&tally).stderr(line)));
        let results = follow(stdout, std::io::stdout(), |line| shared(&tally).stdout(line));
        results.and(errors.join().unwrap_or(Ok(())))
    })?;
    let success = child.wait().context("cannot wait for cargo")?.success();

    let mut tally = shared(&tally);
    tally.end(success);
    let in_ci = std::env::var_os("CI").is_some();
    let mut out = std::io::stdout().lock();
    writeln!(out)?;
    for line in tally.complaints() {
        writeln!(out, "failed: {line}")?;
    }
    for line in tally.not_run() {
        writeln!(out, "not run: {line}")?;
    }
    writeln!(out, "{tally}")?;
    out.flush()?;
    if !success || tally.failed() > 0 {
        bail!("tests failed");
    }
    if in_ci && tally.skipped() > 0 {
        bail!("in CI every test has to run");
    }
    Ok(())
}

fn shared(tally: &Mutex<Tally>) -> std::sync::MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands every line on as it comes. Tests print what they like, so lines need not be UTF-8.
fn follow(from: impl Read, mut to: impl Write, mut take: impl FnMut(&str) -> Show) -> std::io::Result<()> {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        if take(String::from_utf8_lossy(&line).trim_end()) == Show::Yes {
            to.write_all(&line)?;
            to.flush()?;
        }
        line.clear();
    }
    Ok(())
}
