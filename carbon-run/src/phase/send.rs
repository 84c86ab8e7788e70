//! The sender's end.

use crate::model::recording::PhaseStep;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

/// A full socket is tried so often, for a second in all: no job waits longer for its figures.
const TRIES: u32 = 200;
const PAUSE: Duration = Duration::from_millis(5);

/// Nobody listens any more, or the launcher has taken the socket with it.
const GONE: [io::ErrorKind; 2] = [io::ErrorKind::ConnectionRefused, io::ErrorKind::NotFound];

/// Why a mark did not reach carbon-run.
#[derive(Debug, thiserror::Error)]
pub enum NotSent {
    /// Nobody listens there: the launcher was killed, or has ended.
    #[error("the run that this job is in takes no marks any more")]
    Gone,
    /// The socket stayed full.
    #[error("the run that this job is in does not read its marks")]
    Full,
    /// It cannot be reached.
    #[error("cannot reach `{path}`: {source}")]
    Unreachable {
        /// The socket.
        path: String,
        /// Why not.
        source: io::Error,
    },
}

/// Tells the run that listens at `socket`. Never waits for more than a second.
///
/// # Errors
/// When the run could not be told.
pub fn send(socket: &Path, step: &PhaseStep) -> Result<(), NotSent> {
    let unreachable = |source| NotSent::Unreachable {
        path: socket.display().to_string(),
        source,
    };
    let sender = UnixDatagram::unbound().map_err(unreachable)?;
    sender.set_nonblocking(true).map_err(unreachable)?;
    for _ in 0..TRIES {
        match sender.send_to(&step.datagram(), socket) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(PAUSE),
            Err(error) if GONE.contains(&error.kind()) => return Err(NotSent::Gone),
            Err(error) => return Err(unreachable(error)),
        }
    }
    Err(NotSent::Full)
}
