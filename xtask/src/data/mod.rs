//! `cargo xtask data`: rebuilds and checks the tables under data/.
//!
//! `refresh` is the only part that uses the network: it downloads two pinned packages, merges them with the figures
//! under data/manual, and prints what changed. `check` is offline and runs in CI.

mod build;
mod check;
mod check_cloud;
mod check_grid;
mod check_hardware;
mod cloud;
mod codecarbon;
mod compare;
mod diff;
mod fetch;
mod grid;
mod sources;
mod sources_md;
mod table;
mod tdp;
mod version;

// Not through a dependency on carbon-run: xtask builds the object that carbon-run embeds, so it must not need it.
#[expect(unreachable_pub, reason = "the file is public in carbon-run")]
#[path = "../../../carbon-run/src/model/cpu_key.rs"]
mod cpu_key;

use anyhow::{Context, Result, bail};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What to do with the tables.
#[derive(clap::Subcommand)]
pub(crate) enum Verb {
    /// Rebuild the tables from the pinned packages and data/manual, and print what changed
    Refresh,
    /// Check every table, offline
    Check,
}

/// Runs a verb on the repository's data directory.
pub(crate) fn run(verb: &Verb) -> Result<()> {
    let root = repository();
    let data = root.join("data");
    let mut out = std::io::stdout().lock();
    match verb {
        Verb::Refresh => {
            let packages = fetch::packages(&data, &root.join("target/data-src"))?;
            let built = build::all(&data, &packages)?;
            for note in &built.notes {
                writeln!(out, "note: {note}")?;
            }
            for (name, text) in &built.files {
                let path = data.join(name);
                let old = std::fs::read_to_string(&path).unwrap_or_default();
                for line in diff::lines(&old, text) {
                    writeln!(out, "{name}: {line}")?;
                }
                std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
            }
            let today = today()?;
            if let Some(version) = version::renew(&data, &check::digest(&data)?, &today)? {
                writeln!(out, "VERSION: {version}")?;
            }
            report(&mut out, &data)
        }
        Verb::Check => report(&mut out, &data),
    }
}

/// Prints every problem of the tables; an error when there is any.
fn report(out: &mut impl Write, data: &Path) -> Result<()> {
    let year = check::this_year()?;
    let problems = check::all(data, year)?;
    for problem in &problems {
        writeln!(out, "{problem}")?;
    }
    if problems.is_empty() {
        writeln!(out, "data: every table is in order")?;
        return Ok(());
    }
    bail!("{} problems in `{}`", problems.len(), data.display());
}

/// As `2026-11-27`, UTC.
fn today() -> Result<String> {
    let output = std::process::Command::new("date")
        .args(["-u", "+%Y-%m-%d"])
        .output()
        .context("cannot run `date`")?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// The repository that this xtask was built from.
fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
