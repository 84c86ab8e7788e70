//! The reader's end.

use super::place::{NoPlace, candidates, ready, remove, tidy};
use crate::model::recording::{LONGEST_PHASE_NAME, NoMark, PhaseMark, PhaseStep};
use crate::model::units::Moment;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, RecvMsg, SockaddrStorage, UnixCredentials, recvmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
use nix::unistd::{Uid, getuid};
use std::ffi::OsStr;
use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net;

/// A datagram that is larger is none of ours.
const LARGEST: usize = "start ".len() + LONGEST_PHASE_NAME + 2;

/// A mark that waited longer was sent while the wall clock was set, or the machine slept: its stamp says nothing.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Why a run takes no marks.
#[derive(Debug, thiserror::Error)]
pub enum NoSocket {
    /// There is no directory for it.
    #[error(transparent)]
    Place(#[from] NoPlace),
    /// It cannot be opened.
    #[error("cannot open the socket `{path}`: {source}")]
    Open {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Both clocks at once: monotonic, and the wall clock in nanoseconds since 1970.
pub type Clocks<'a> = &'a mut dyn FnMut() -> (Moment, i64);

/// What was taken from the socket and is no mark.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refused {
    /// Datagrams that say nothing, and what is wrong with the first.
    pub malformed: u64,
    /// What is wrong with the first of those.
    pub first: Option<NoMark>,
    /// Datagrams of other users.
    pub strangers: u64,
}

/// A run's socket. Its file goes when it is dropped.
#[derive(Debug)]
pub struct PhaseSocket {
    socket: net::UnixDatagram,
    path: PathBuf,
    refused: Refused,
    last: Moment,
}

impl PhaseSocket {
    /// Opens a run's socket, in the first directory that will do. Inside of a tokio runtime with I/O.
    ///
    /// # Errors
    /// Why the last of them would not.
    pub fn open(runtime: Option<&OsStr>, temporary: &Path, run_id: &str) -> Result<Self, NoSocket> {
        let mut outcome = Err(NoPlace::NotOurs(temporary.to_owned()).into());
        for directory in candidates(runtime, temporary) {
            outcome = Self::open_in(&directory, run_id);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    fn open_in(directory: &Path, run_id: &str) -> Result<Self, NoSocket> {
        let path = ready(directory, run_id)?;
        tidy(directory);
        let failed = |source| NoSocket::Open {
            path: path.clone(),
            source,
        };
        let bound = match UnixDatagram::bind(&path) {
            // A run that ended right now has taken the directory with it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                ready(directory, run_id)?;
                UnixDatagram::bind(&path)
            }
            bound => bound,
        };
        let socket = bound.map_err(failed)?;
        let readied = || -> io::Result<()> {
            socket.set_nonblocking(true)?;
            setsockopt(&socket, sockopt::PassCred, &true)?;
            setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
            Ok(())
        };
        readied().map_err(failed).inspect_err(|_| remove(&path))?;
        let socket = net::UnixDatagram::from_std(socket)
            .map_err(failed)
            .inspect_err(|_| remove(&path))?;
        Ok(Self {
            socket,
            path,
            refused: Refused::default(),
            last: Moment(0),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until there is something to take.
    pub async fn readable(&self) {
        // It stays readable until `take` finds nothing.
        if self.socket.readable().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Takes what is there, at most `most` datagrams, and never waits. The flag says whether there may be more.
    pub fn take(&mut self, most: usize, clocks: Clocks<'_>) -> (Vec<PhaseMark>, bool) {
        let mut marks = Vec::new();
        for _ in 0..most {
            match self.next(clocks) {
                Ok(mark) => marks.extend(mark),
                Err(Errno::EINTR) => {}
                Err(_) => {
                    // Only so is the event loop told that nothing is left.
                    let nothing = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
                    self.socket
                        .try_io(Interest::READABLE, nothing)
                        .unwrap_or_default();
                    return (marks, false);
                }
            }
        }
        (marks, true)
    }

    /// What was no mark so far.
    #[must_use]
    pub fn refused(&self) -> &Refused {
        &self.refused
    }

    /// The next datagram; `None` of one that is no mark.
    fn next(&mut self, clocks: Clocks<'_>) -> Result<Option<PhaseMark>, Errno> {
        let mut bytes = [0_u8; LARGEST + 1];
        let mut room = nix::cmsg_space!(UnixCredentials, TimeSpec);
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
        let fd = self.socket.as_raw_fd();
        let received = recvmsg::<SockaddrStorage>(fd, &mut slices, Some(&mut room), flags)?;
        let (sender, sent_ns) = beside(&received);
        let length = received.bytes;
        let too_long = received.flags.contains(MsgFlags::MSG_TRUNC) || length > LARGEST;
        let (now, wall_ns) = clocks();
        // The kernel says who it was. Root may do what it likes.
        if !sender.is_some_and(|user| user == getuid() || user.is_root()) {
            self.refused.strangers += 1;
            return Ok(None);
        }
        let step = if too_long {
            Err(NoMark::TooLong)
        } else {
            PhaseStep::parse(bytes.get(..length).unwrap_or_default())
        };
        let mark = match step {
            Ok(mark) => mark,
            Err(error) => {
                self.refused.malformed += 1;
                self.refused.first.get_or_insert(error);
                return Ok(None);
            }
        };
        let at = sent(now, wall_ns, sent_ns).max(self.last);
        self.last = at;
        Ok(Some(PhaseMark { at, mark }))
    }
}

impl Drop for PhaseSocket {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Who sent it, and when by the wall clock.
fn beside(received: &RecvMsg<'_, '_, SockaddrStorage>) -> (Option<Uid>, Option<i64>) {
    let (mut sender, mut sent_ns) = (None, None);
    for message in received.cmsgs().into_iter().flatten() {
        if let ControlMessageOwned::ScmCredentials(who) = message {
            sender = Some(Uid::from_raw(who.uid()));
        } else if let ControlMessageOwned::ScmTimestampns(at) = message {
            sent_ns = at.tv_sec().checked_mul(1_000_000_000).map(|ns| ns + at.tv_nsec());
        }
    }
    (sender, sent_ns)
}

/// The monotonic moment of a stamp of the wall clock, which is a little older than now.
fn sent(now: Moment, wall_ns: i64, sent_ns: Option<i64>) -> Moment {
    let waited = sent_ns.and_then(|sent| u64::try_from(wall_ns.checked_sub(sent)?).ok());
    match waited {
        Some(waited) if Duration::from_nanos(waited) <= LONGEST_WAIT => Moment(now.0.saturating_sub(waited)),
        _ => now,
    }
}

#[cfg(test)]
mod tests;
