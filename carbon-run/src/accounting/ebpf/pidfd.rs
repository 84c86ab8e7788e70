//! A descriptor that stands for a process, whatever its PID is called in which namespace.
#![expect(unsafe_code, reason = "pidfd_open has no safe wrapper in our crates")]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// A pidfd of this process.
pub(super) fn own() -> io::Result<OwnedFd> {
    of(std::process::id())
}

/// A pidfd of the process that has this number in our PID namespace (pidfd_open(2), Linux 5.3), closed on exec.
pub(super) fn of(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: no pointers; the flags are 0.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = i32::try_from(fd).unwrap_or(-1);
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
