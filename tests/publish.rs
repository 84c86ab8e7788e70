//! Others are told of a run, by a server on the loopback interface that takes it, refuses it, or says nothing.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]
#![expect(clippy::print_stdout, reason = "libtest shows it when it is asked to")]

#[path = "publish/codecarbon.rs"]
mod codecarbon;
#[path = "support/deadline.rs"]
mod deadline;
#[path = "publish/kept.rs"]
mod kept;
#[path = "publish/package.rs"]
mod package;
#[path = "publish/prometheus.rs"]
mod prometheus;
#[path = "support/python.rs"]
mod python;
#[path = "support/python_codecarbon.rs"]
mod python_codecarbon;
#[path = "support/receiver.rs"]
mod receiver;
#[path = "publish/webhook.rs"]
mod webhook;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A directory in which carbon-run is at home, with none of this machine's configuration.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn carbon_run(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_carbon-run"));
        command
            .args(words)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path())
            .env("CARBON_RUN_STATE_DIR", self.path().join("state"))
            .env("CARBON_RUN_CSV", "false")
            .stdin(Stdio::null());
        command
    }

    /// What could not be delivered.
    fn kept(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path().join("state/unsent"));
        let entries = entries.into_iter().flatten().flatten();
        entries
            .map(|entry| entry.file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".json"))
            .collect()
    }
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
