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

/// How often a test that failed has to pass, each time by itself, before it is taken to have failed by the machine's doing.
const HEARINGS: u32 = 2;

/// Runs the tests. Many of them hold one account of time or energy against another, on machines whose hypervisor takes a CPU
/// away in the middle: what failed is run again by itself, twice, and is named as unsteady where it passes both times.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut tally = round(&options.arguments, &[])?;
    if let Some(names) = tally.named_failures().map(<[String]>::to_vec)
        && heard(&options.arguments, &names)?
    {
        tally.acquit();
    }
    report(&tally)?;
    if tally.failed() > 0 {
        bail!("tests failed");
    }
    if std::env::var_os("CI").is_some() && tally.skipped() > 0 {
        bail!("in CI every test has to run");
    }
    Ok(())
}

/// Whether these tests pass each time.
fn heard(arguments: &[OsString], names: &[String]) -> Result<bool> {
    for _ in 0..HEARINGS {
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nonce more: {}", names.join(", "))?;
        drop(out);
        let again = round(arguments, names)?;
        if !again.all_passed() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Runs all tests, or those of these names one at a time.
fn round(arguments: &[OsString], names: &[String]) -> Result<Tally> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg("test").arg("--no-fail-fast");
    if arguments.is_empty() {
        cargo.arg("--workspace");
    }
    // libtest keeps what a test says to itself unless the test fails, or unless it is told to show it.
    cargo.args(arguments).args(["--", "--show-output"]);
    if !names.is_empty() {
        cargo.args(["--test-threads=1", "--exact"]).args(names);
    }
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
    let mut tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    tally.end(success);
    Ok(tally)
}

fn report(tally: &Tally) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out)?;
    let what = if tally.failed() > 0 {
        "failed"
    } else {
        "failed at first"
    };
    for line in tally.complaints() {
        writeln!(out, "{what}: {line}")?;
    }
    for name in tally.unsteady() {
        writeln!(
            out,
            "unsteady: {name}: failed, then passed {HEARINGS} times by itself"
        )?;
    }
    for line in tally.not_run() {
        writeln!(out, "not run: {line}")?;
    }
    writeln!(out, "{tally}")?;
    Ok(out.flush()?)
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
