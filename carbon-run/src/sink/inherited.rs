//! A descriptor that the person opened for us: `/dev/fd/3` after `3>report.json`.
//!
//! Opening that name again would give a second file offset, and what the shell's script writes to the descriptor
//! afterwards would land on top of ours (open(2), proc_pid_fd(5)). So the descriptor itself is duplicated.

#![expect(
    unsafe_code,
    reason = "a number on the command line is all there is of an inherited descriptor"
)]

use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};

/// A duplicate that shares the offset of the descriptor.
///
/// # Errors
/// `EBADF` when there is no such descriptor.
pub(super) fn duplicate(descriptor: RawFd) -> io::Result<File> {
    if descriptor < 0 {
        return Err(nix::errno::Errno::EBADF.into());
    }
    // SAFETY: the number is not -1, and it is used for nothing but the following `fcntl(F_DUPFD_CLOEXEC)`, which the
    // kernel answers with EBADF when no such descriptor is open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    borrowed.try_clone_to_owned().map(File::from)
}
