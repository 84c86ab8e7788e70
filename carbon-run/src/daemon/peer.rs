//! Who is at the other end of a connection, by the kernel's word.
#![expect(
    unsafe_code,
    reason = "a socket option that neither std nor nix wraps, and the descriptor in it"
)]

use crate::accounting::ebpf::pidfd;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

/// `SO_PEERPIDFD` (include/uapi/asm-generic/socket.h, Linux 6.5).
const SO_PEERPIDFD: i32 = 77;

/// A client.
#[derive(Debug)]
pub(super) struct Peer {
    /// Its effective user when it connected.
    pub(super) uid: u32,
    /// Its process in our PID namespace, for people; it may have ended, and its number been given to another.
    pub(super) pid: u32,
    /// Its process, whatever becomes of its number.
    process: OwnedFd,
    /// How many PID namespaces deep it is: 1 is the initial one.
    pub(super) depth: usize,
}

impl Peer {
    /// Who connected this socket.
    ///
    /// # Errors
    /// When the kernel does not say, or the client has gone already.
    pub(super) fn of(stream: &impl AsFd) -> io::Result<Self> {
        let credentials = getsockopt(stream, PeerCredentials)?;
        let pid = u32::try_from(credentials.pid()).unwrap_or(0);
        if pid == 0 {
            return Err(io::Error::other(
                "the client is in no PID namespace that is seen from here",
            ));
        }
        let process = match peer_pidfd(stream.as_fd()) {
            Ok(process) => process,
            Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => {
                // The number may have been given to another process meanwhile: then at least to one of the same user.
                let process = pidfd::of(pid)?;
                if std::fs::metadata(format!("/proc/{pid}"))?.uid() != credentials.uid() {
                    return Err(io::Error::other(
                        "the client has gone, and its number is another's",
                    ));
                }
                process
            }
            Err(error) => return Err(error),
        };
        Ok(Self {
            uid: credentials.uid(),
            pid,
            process,
            depth: numbers(pid).len().max(1),
        })
    }

    /// Its process.
    pub(super) fn process(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }

    /// A process's number as this client sees it; `None` where it does not see it.
    pub(super) fn sees(&self, pid: u32) -> Option<u32> {
        if self.depth == 1 {
            return Some(pid);
        }
        numbers(pid).get(self.depth - 1).copied()
    }
}

fn peer_pidfd(stream: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut fd: libc::c_int = -1;
    let mut length = libc::socklen_t::try_from(size_of::<libc::c_int>()).unwrap_or(4);
    // SAFETY: the option's value is one `int`, and `length` says so.
    let result = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PEERPIDFD,
            (&raw mut fd).cast(),
            &raw mut length,
        )
    };
    if result < 0 || fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened for us (close-on-exec), and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A process's numbers in the PID namespaces from ours down to its own (`NSpid` in proc_pid_status(5)); empty when it has ended.
fn numbers(pid: u32) -> Vec<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    parse_numbers(&status)
}

fn parse_numbers(status: &str) -> Vec<u32> {
    status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))
        .into_iter()
        .flat_map(str::split_whitespace)
        .filter_map(|number| number.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn the_other_end_of_a_pair_is_who_made_it() {
        let (here, _there) = UnixStream::pair().unwrap();
        let peer = Peer::of(&here).unwrap();
        assert_eq!(peer.pid, std::process::id());
        assert_eq!(peer.uid, nix::unistd::geteuid().as_raw());
        assert_eq!(peer.sees(peer.pid), numbers(peer.pid).last().copied());
    }

    #[test]
    fn a_process_in_a_container_has_a_number_in_each_namespace() {
        assert_eq!(parse_numbers("Name:\tsh\nNSpid:\t4711\t12\t1\n"), [4711, 12, 1]);
        assert_eq!(parse_numbers(""), [0; 0]);
    }
}
