//! Pythons of their own, each with the packages that a test needs, kept between test runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// Two tests of one process do not make one environment at once.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The Python of the environment `name` (below the target directory), in which `packages` were installed, so that `imports` can be
/// imported. `None` where it cannot be had, which is said.
///
/// # Panics
/// Where it cannot be had in CI.
pub(crate) fn python(name: &str, packages: &[&str], imports: &str) -> Option<PathBuf> {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(|held| held.into_inner());
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("..").join(name);
    let python = home.join("bin/python");
    let good = || {
        let mut command = Command::new(&python);
        command
            .args(["-c", &format!("import {imports}")])
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if good() {
        return Some(python);
    }
    let made = succeeds(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home))
        && succeeds(
            Command::new(&python)
                .args(["-m", "pip", "install", "--quiet"])
                .args(["--disable-pip-version-check", "--retries", "2"])
                .args(packages),
        );
    if made && good() {
        return Some(python);
    }
    let needs = packages.join(", ");
    assert!(
        std::env::var_os("CI").is_none(),
        "in CI this test has to run, and {needs} could not be installed"
    );
    println!(
        "not run: {needs} could not be installed into a virtual environment (needs python3 with venv, and the network)"
    );
    None
}

fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
