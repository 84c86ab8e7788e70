//! Everything that is checked without running a test: one line a check, all of them, whatever fails.

use crate::{build_ebpf, data, layers, source_rules};
use anyhow::{Context, Result, bail, ensure};
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// What a check came to.
enum Verdict {
    Good,
    /// The machine lacks something; what.
    NotRun(String),
}

type Check = (&'static str, fn(&Path) -> Result<Verdict>);

const CHECKS: [Check; 11] = [
    ("format", format),
    ("house rules of source files", house_rules),
    ("dependencies run one way", dependencies),
    ("clippy", clippy),
    (
        "clippy of a carbon-run that cannot speak HTTP",
        clippy_without_http,
    ),
    ("documentation", documentation),
    ("tables under data", tables),
    ("format of carbon-ebpf", format_of_ebpf),
    ("carbon-ebpf compiles without warnings", ebpf),
    ("the committed eBPF object is that of the sources", object),
    ("lock files", lock_files),
];

/// Checks everything.
pub(crate) fn run() -> Result<()> {
    let root = build_ebpf::root()?;
    let in_ci = std::env::var_os("CI").is_some();
    let mut out = std::io::stdout().lock();
    let mut failed = 0;
    for (name, check) in CHECKS {
        let verdict = check(&root);
        match verdict {
            Ok(Verdict::Good) => writeln!(out, "ok       {name}")?,
            Ok(Verdict::NotRun(need)) => {
                failed += i32::from(in_ci);
                writeln!(out, "not run  {name}: {need}")?;
            }
            Err(error) => {
                failed += 1;
                writeln!(out, "FAILED   {name}: {error:#}")?;
            }
        }
    }
    ensure!(failed == 0, "{failed} checks failed");
    Ok(())
}

fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo
}

/// Runs a command whose own words tell what is wrong.
fn succeeds(command: &mut Command) -> Result<Verdict> {
    let status = command
        .status()
        .with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "see above");
    Ok(Verdict::Good)
}

fn format(root: &Path) -> Result<Verdict> {
    succeeds(cargo(root).args(["fmt", "--all", "--check"]))
}

fn format_of_ebpf(root: &Path) -> Result<Verdict> {
    succeeds(cargo(&root.join("carbon-ebpf")).args(["fmt", "--check"]))
}

fn dependencies(root: &Path) -> Result<Verdict> {
    layers::check(root)?;
    Ok(Verdict::Good)
}

fn clippy(root: &Path) -> Result<Verdict> {
    succeeds(cargo(root).args([
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}

fn clippy_without_http(root: &Path) -> Result<Verdict> {
    succeeds(cargo(root).args([
        "clippy",
        "--quiet",
        "--package",
        "carbon-run",
        "--lib",
        "--bins",
        "--no-default-features",
        "--",
        "-D",
        "warnings",
    ]))
}

fn documentation(root: &Path) -> Result<Verdict> {
    succeeds(
        cargo(root)
            .args(["doc", "--quiet", "--workspace", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

fn tables(_: &Path) -> Result<Verdict> {
    data::run(&data::Verb::Check)?;
    Ok(Verdict::Good)
}

fn object(_: &Path) -> Result<Verdict> {
    build_ebpf::check()?;
    Ok(Verdict::Good)
}

fn ebpf(root: &Path) -> Result<Verdict> {
    match build_ebpf::cargo_for_ebpf(root, "check")? {
        Some(mut cargo) => succeeds(&mut cargo),
        None => Ok(Verdict::NotRun(build_ebpf::NO_TOOLCHAIN.to_owned())),
    }
}

fn lock_files(root: &Path) -> Result<Verdict> {
    for manifest in ["Cargo.toml", "carbon-ebpf/Cargo.toml"] {
        let out = cargo(root)
            .args([
                "metadata",
                "--locked",
                "--format-version",
                "1",
                "--manifest-path",
                manifest,
            ])
            .output()
            .context("cannot run cargo")?;
        ensure!(
            out.status.success(),
            "the lock file beside `{manifest}` is not up to date"
        );
    }
    Ok(Verdict::Good)
}

fn house_rules(root: &Path) -> Result<Verdict> {
    let broken = source_rules::broken(root)?;
    if let Some(last) = broken.last() {
        let mut out = std::io::stdout().lock();
        for line in &broken {
            writeln!(out, "{line}")?;
        }
        bail!("{} rules broken, the last by {last}", broken.len());
    }
    Ok(Verdict::Good)
}
