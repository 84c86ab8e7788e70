//! A helper with rights of its own, for one run: `carbon-run` and the job have none, and lose none of their environment.

use super::{Daemon, DaemonError};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Its name, beside the binary.
const NAME: &str = "carbon-run-helper";

/// The helper beside this binary, if there is one and this user may run it.
#[must_use]
pub fn beside() -> Option<PathBuf> {
    let here = std::env::current_exe().ok()?;
    let helper = here.parent()?.join(NAME);
    let runnable = nix::unistd::access(&helper, nix::unistd::AccessFlags::X_OK).is_ok();
    runnable.then_some(helper)
}

/// Starts it. It ends when its end of the connection does.
///
/// # Errors
/// When it cannot be started, or has not the rights that it needs.
pub fn start(helper: &Path) -> Result<Daemon, DaemonError> {
    let failed = |source: io::Error| DaemonError::Connect {
        socket: helper.to_owned(),
        source,
    };
    let (here, there) = UnixStream::pair().map_err(failed)?;
    // Of our environment it wants nothing, and of ours it is nothing: what it says would be taken for the job's.
    Command::new(helper)
        .env_clear()
        .stdin(OwnedFd::from(there))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    Daemon::at_hand(here)
}
