//! The line to the daemon: one question, one answer, never for long.

use super::DaemonError;
use crate::wire::{self, Machine, REPLY_BYTES, Reply, Request, VERSION};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A daemon that does not answer for so long is given up. The job runs on all the while; only the report is late.
const PATIENCE: Duration = Duration::from_secs(2);

/// A connection.
pub(super) struct Link {
    socket: PathBuf,
    stream: BufReader<UnixStream>,
}

impl Link {
    /// Connects and says hello.
    pub(super) fn open(socket: &Path) -> Result<(Self, Machine), DaemonError> {
        let failed = |source| DaemonError::Connect {
            socket: socket.to_owned(),
            source,
        };
        let stream = UnixStream::connect(socket).map_err(failed)?;
        Self::over(stream, socket)
    }

    /// Says hello over a connection.
    pub(super) fn over(stream: UnixStream, socket: &Path) -> Result<(Self, Machine), DaemonError> {
        let failed = |source| DaemonError::Connect {
            socket: socket.to_owned(),
            source,
        };
        stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
        let mut link = Self {
            socket: socket.to_owned(),
            stream: BufReader::new(stream),
        };
        let Reply::Machine(machine) = link.ask(&Request::Hello { version: VERSION })? else {
            return Err(DaemonError::Answer);
        };
        Ok((link, *machine))
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// One request and its reply. What the daemon refuses is an error.
    pub(super) fn ask(&mut self, request: &Request) -> Result<Reply, DaemonError> {
        let line = wire::encode(request).map_err(|_| DaemonError::Answer)?;
        self.stream
            .get_mut()
            .write_all(&line)
            .map_err(DaemonError::Gone)?;
        let mut answer = Vec::new();
        let limit = u64::try_from(REPLY_BYTES).unwrap_or(u64::MAX);
        self.stream
            .by_ref()
            .take(limit)
            .read_until(b'\n', &mut answer)
            .map_err(DaemonError::Gone)?;
        if answer.is_empty() {
            return Err(DaemonError::Gone(std::io::ErrorKind::UnexpectedEof.into()));
        }
        match wire::decode(&answer) {
            Ok(Reply::Refused { message, .. }) => Err(DaemonError::Refused(message)),
            Ok(reply) => Ok(reply),
            Err(_) => Err(DaemonError::Answer),
        }
    }
}
