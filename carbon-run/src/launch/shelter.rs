//! Loading libraries that start threads and open files of their own, without the command noticing.
//!
//! NVIDIA's management library does both: a thread that waits for events, and the driver's device files. A thread that
//! does not block signals would be ended by what is meant for the command, and this process with it; a descriptor without
//! FD_CLOEXEC would be the command's as well.

use super::mask::Mask;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use std::collections::BTreeSet;
use std::fs;
use std::os::fd::{BorrowedFd, RawFd};

/// Runs `load`. The threads that it starts have every signal blocked (a thread inherits its mask, pthread_create(3)), and
/// the descriptors that it opens are closed when a command is executed. A signal that arrives meanwhile is obeyed after it.
pub fn sheltered<T>(load: impl FnOnce() -> T) -> T {
    let before = Mask::ALL.block();
    let open = descriptors();
    let loaded = load();
    for number in descriptors().difference(&open) {
        keep_from_command(*number);
    }
    if let Ok(before) = before
        && let Err(error) = before.install()
    {
        tracing::debug!(%error, "the signal mask could not be put back");
    }
    loaded
}

fn descriptors() -> BTreeSet<RawFd> {
    let entries = fs::read_dir("/proc/self/fd").into_iter().flatten();
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}

#[expect(unsafe_code, reason = "what a library has opened is known by its number only")]
fn keep_from_command(number: RawFd) {
    // SAFETY: the number is used for two system calls at once; where it is closed meanwhile (it is, if it was the one
    // that listed the descriptors) they fail and nothing happens.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    let Ok(flags) = fcntl(descriptor, FcntlArg::F_GETFD) else {
        return;
    };
    let flags = FdFlag::from_bits_truncate(flags) | FdFlag::FD_CLOEXEC;
    if let Err(error) = fcntl(descriptor, FcntlArg::F_SETFD(flags)) {
        tracing::debug!(%error, number, "the command inherits a library's descriptor");
    }
}
