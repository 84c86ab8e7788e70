//! The socket: handed over by whoever starts the daemon, or made by it.

use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixStream};

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another daemon is there.
    #[error("another daemon is at `{0}`")]
    Taken(PathBuf),
    /// It cannot be made.
    #[error("cannot listen at `{socket}`: {source}")]
    Bind {
        /// Where.
        socket: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl ListenError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Taken(_) => Some("one serves all users; `--daemon-socket` is for another one, as in tests"),
            Self::Bind { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("run it as root, or name a path of your own with --daemon-socket")
            }
            Self::Bind { .. } => None,
        }
    }
}

/// Where clients come in.
pub(super) struct Listener {
    listener: UnixListener,
    path: PathBuf,
    /// Held by the one daemon of this directory.
    _lock: Option<Flock<File>>,
    made_here: bool,
}

impl Listener {
    /// The socket that was handed over (sd_listen_fds(3)), or a new one at `socket`. Needs a runtime.
    ///
    /// # Errors
    /// When there is none to be had.
    pub(super) fn open(socket: &Path) -> Result<Self, ListenError> {
        let failed = |source| ListenError::Bind {
            socket: socket.to_owned(),
            source,
        };
        let mut handed = listenfd::ListenFd::from_env();
        let handed = handed.take_unix_listener(0).map_err(failed)?;
        let made_here = handed.is_none();
        let directory = socket.parent().unwrap_or(Path::new("."));
        if made_here && !directory.as_os_str().is_empty() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(directory)
                .map_err(failed)?;
        }
        let lock = lock(&directory.join("lock"), socket)?;
        let listener = match handed {
            Some(listener) => listener,
            None => bind(socket).map_err(failed)?,
        };
        listener.set_nonblocking(true).map_err(failed)?;
        Ok(Self {
            listener: UnixListener::from_std(listener).map_err(failed)?,
            path: socket.to_owned(),
            _lock: lock,
            made_here,
        })
    }

    /// The next client.
    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        Ok(self.listener.accept().await?.0)
    }

    /// The daemon's own directory, beside the socket.
    pub(super) fn directory(&self) -> Option<PathBuf> {
        self.path.parent().map(Path::to_owned)
    }

    /// Nobody is let in any more. A socket that was handed over goes on: the next client starts the next daemon.
    pub(super) fn close(&self) {
        if self.made_here {
            // Somebody may have removed it.
            fs::remove_file(&self.path).unwrap_or_default();
        }
    }
}

/// The lock of the one daemon of a directory; `None` where none can be had there, and nothing is kept there either.
fn lock(path: &Path, socket: &Path) -> Result<Option<Flock<File>>, ListenError> {
    let Ok(file) = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
    else {
        return Ok(None);
    };
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => Err(ListenError::Taken(socket.to_owned())),
        Err(_) => Ok(None),
    }
}

/// For every user: who may measure is for the directory's and the unit's permissions to say.
fn bind(socket: &Path) -> io::Result<StdListener> {
    match fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = StdListener::bind(socket)?;
    fs::set_permissions(socket, fs::Permissions::from_mode(0o666))?;
    Ok(listener)
}
