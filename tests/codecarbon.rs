//! carbon-run where CodeCarbon is at home: its configuration is read, and its unchanged package (3.3.2) reads what carbon-run writes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "libtest shows it when it is asked to")]

#[path = "codecarbon/compatible.rs"]
mod compatible;
#[path = "codecarbon/config.rs"]
mod config;
#[path = "codecarbon/package.rs"]
mod package;
#[path = "support/python.rs"]
mod python;

#[path = "support/python_codecarbon.rs"]
mod python_codecarbon;
#[path = "codecarbon/tracker.rs"]
mod tracker;

use std::path::Path;
use std::process::{Command, Stdio};

/// carbon-run in a directory that is home and working directory, with none of this machine's configuration.
fn carbon_run(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_carbon-run"));
    command
        .current_dir(directory)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", directory)
        .stdin(Stdio::null());
    command
}
