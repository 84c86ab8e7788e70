//! A descriptor that stands for a process, whatever its PID is called in which namespace.
#![expect(unsafe_code, reason = "pidfd_open has no safe wrapper in our crates")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A pidfd of this process.
///
/// # Errors
/// Before Linux 5.3.
pub fn own() -> io::Result<OwnedFd> {
    of(std::process::id())
}

/// `PIDFD_THREAD` (include/uapi/linux/pidfd.h, Linux 6.9), which is `O_EXCL`.
const PIDFD_THREAD: i32 = libc::O_EXCL;

/// A descriptor of a thread that leads no process, closed on exec.
///
/// # Errors
/// When it has ended, or the kernel is older than Linux 6.9.
pub fn of_thread(tid: u32) -> io::Result<OwnedFd> {
    open(tid, PIDFD_THREAD)
}

/// Whether whom a descriptor stands for has not ended.
#[must_use]
pub fn lives(process: BorrowedFd<'_>) -> bool {
    let no_siginfo: *const libc::siginfo_t = std::ptr::null();
    // SAFETY: signal 0 is none, and the information about it may be null (pidfd_send_signal(2)).
    let asked = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), 0, no_siginfo, 0) };
    asked == 0 || io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
}

/// A pidfd of the process that has this number in our PID namespace (pidfd_open(2), Linux 5.3), closed on exec.
///
/// # Errors
/// When nobody has it.
pub fn of(pid: u32) -> io::Result<OwnedFd> {
    open(pid, 0)
}

fn open(pid: u32, flags: i32) -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, flags) };
    let fd = i32::try_from(fd).unwrap_or(-1);
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
