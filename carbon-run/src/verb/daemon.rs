//! `carbon-run daemon`: the privileged service, in the foreground.

use super::{Failure, Outcome};
use crate::cli::Daemon;
use crate::daemon::{self, Options};
use crate::settings::{self, Surroundings};
use std::io::IsTerminal;
use std::path::PathBuf;

/// Where it is kept over a restart, unless it is told otherwise.
const PINS: &str = "/sys/fs/bpf/carbon-run";

/// For so many jobs there is room, unless it is told otherwise.
const JOBS: u32 = 1024;

/// Serves until it is told to stop.
///
/// # Errors
/// When it cannot begin to serve.
pub fn daemon(flags: &Daemon) -> Result<Outcome, Failure> {
    let settings = settings::load(Vec::new(), flags.layer(), &Surroundings::here())
        .map_err(|error| Failure::own(&error, Some(error.hint())))?;
    // Whoever runs it wants to know what it cannot do; with --verbose, who comes and goes, too.
    let level = if settings.verbose {
        tracing::Level::DEBUG
    } else {
        tracing::Level::INFO
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let jobs = flags.max_jobs.unwrap_or(JOBS);
    let options = Options {
        socket: settings.daemon_socket,
        pins: (!flags.no_pin).then(|| flags.pin_dir.clone().unwrap_or_else(|| PathBuf::from(PINS))),
        sysroot: settings.sysroot,
        jobs,
        jobs_per_user: flags.max_jobs_per_user.unwrap_or(jobs.div_ceil(4)),
    };
    daemon::serve(&options, || {
        tracing::info!(socket = %options.socket.display(), "ready");
        // Only systemd listens, and it need not.
        sd_notify::notify(false, &[sd_notify::NotifyState::Ready]).unwrap_or_default();
    })
    .map_err(|error| Failure::own(&error, error.hint()))?;
    Ok(Outcome::Status(0))
}
