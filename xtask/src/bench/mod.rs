//! `cargo xtask bench`: what carbon-run costs, beside what it may cost, and how far its figures are from the truth. Figures of
//! one run are compared with each other; they are no tests, since a slow day is no fault.

mod gpu;
mod launch;
mod soak;
mod steady;
mod switches;
mod table;
mod truth;

use anyhow::{Context, Result, ensure};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use table::Row;

/// What to measure.
#[derive(clap::Subcommand)]
pub(crate) enum Verb {
    /// The cost of a launch, of a long run, and of a context switch; as root all of it
    Overhead(Options),
    /// Attribution on a real NVIDIA GPU, around a PyTorch training loop
    Gpu(gpu::Options),
    /// What it says of jobs whose energy is known, beside what CodeCarbon says of them; as root
    Truth(truth::Options),
    /// The daemon with a thousand jobs; as root
    Soak(soak::Options),
    /// For `soak`: threads that sleep
    #[command(hide = true)]
    Sleepers {
        /// How many
        tasks: usize,
    },
    /// For `overhead`: pass a byte there and back between two processes
    #[command(hide = true)]
    PingPong {
        /// How often
        rounds: u64,
    },
    /// For `ping-pong`: the other process
    #[command(hide = true)]
    Echo,
}

/// How to measure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The carbon-run to measure [default: the release build]
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Launches of each kind
    #[arg(long, value_name = "N", default_value_t = 100)]
    runs: usize,
    /// How long the steady state is looked at
    #[arg(long, value_name = "S", default_value_t = 30)]
    seconds: u64,
}

/// Measures.
pub(crate) fn run(verb: &Verb) -> Result<()> {
    match verb {
        Verb::Overhead(options) => overhead(options),
        Verb::Gpu(options) => gpu::run(options),
        Verb::Truth(options) => truth::run(options),
        Verb::Soak(options) => soak::run(options),
        Verb::Sleepers { tasks } => soak::sleepers(*tasks),
        Verb::PingPong { rounds } => switches::ping_pong(*rounds),
        Verb::Echo => switches::echo(),
    }
}

fn overhead(options: &Options) -> Result<()> {
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => release_build()?,
    };
    let binary = binary
        .canonicalize()
        .with_context(|| format!("cannot find `{}`", binary.display()))?;
    ensure!(
        !backends(&binary).is_empty(),
        "`{}` measures nothing here",
        binary.display()
    );
    let mut rows: Vec<Row> = Vec::new();
    rows.extend(launch::rows(&binary, options.runs)?);
    rows.extend(steady::rows(&binary, options.seconds)?);
    rows.extend(switches::rows(&binary)?);
    let mut out = std::io::stdout().lock();
    out.write_all(table::text(&rows).as_bytes())?;
    Ok(())
}

fn release_build() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.parent().unwrap_or(here);
    let status = Command::new("cargo")
        .current_dir(root)
        .args(["build", "--release", "-p", "carbon-run"])
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "building carbon-run failed");
    Ok(root.join("target/release/carbon-run"))
}

/// The ways to count that this user may use.
fn backends(binary: &Path) -> Vec<&'static str> {
    let works = |backend: &&str| {
        launch::command(binary, backend)
            .arg("true")
            .output()
            .is_ok_and(|output| output.status.success())
    };
    ["ebpf", "procfs"].into_iter().filter(works).collect()
}

/// The middle of them; the mean of the middle two.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    if sorted.len() % 2 == 1 {
        at(middle)
    } else {
        (at(middle.wrapping_sub(1)) + at(middle)) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_whatever_the_order() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-12);
        assert!((median(&[4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < 1e-12);
        assert!(median(&[]).is_nan());
    }
}
