//! Sets of signals, as the kernel has them.
//!
//! libc's own functions quietly leave out the two signals that it uses between threads (32 and 33, nptl(7)). A launcher
//! has to hand on a mask with these in it too, so it speaks to the kernel directly.
#![expect(unsafe_code, reason = "signal masks are changed by system call")]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::ptr;

/// The kernel's `sigset_t` is 8 bytes on every architecture that we build for (64 signals).
const BYTES: usize = size_of::<u64>();

/// Signals 1 to 64; signal `n` is bit `n - 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mask(u64);

impl Mask {
    /// Every signal. The kernel leaves SIGKILL and SIGSTOP out by itself (sigprocmask(2)).
    ///
    /// The signals of faults (SIGSEGV and its kin) are in it, so that one that was *sent* reaches the command. A fault
    /// of our own still ends us: the kernel unblocks a signal that it forces (`force_sig_info_to_task`,
    /// kernel/signal.c).
    pub(super) const ALL: Self = Self(u64::MAX);

    /// One signal; out of range is none.
    pub(super) const fn only(signal: i32) -> Self {
        match signal {
            1..=64 => Self(1 << (signal - 1)),
            _ => Self(0),
        }
    }

    /// As /proc writes them: signal `n` is bit `n - 1`.
    pub(super) const fn of_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Whether every signal is in it that a thread of libc's can block: all but SIGKILL and SIGSTOP, and the two that libc
    /// uses between threads and nobody else sends.
    pub(super) const fn covers_what_libc_can_block(self) -> bool {
        let others =
            Self::only(libc::SIGKILL).0 | Self::only(libc::SIGSTOP).0 | Self::only(32).0 | Self::only(33).0;
        self.0 | others == u64::MAX
    }

    /// Whether there is none in it.
    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What is in here and not in `other`.
    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Blocks these in this thread, besides what is blocked already. Gives what was blocked before.
    pub(super) fn block(self) -> io::Result<Self> {
        change(libc::SIG_BLOCK, self)
    }

    /// Unblocks these in this thread.
    pub(super) fn unblock(self) -> io::Result<()> {
        change(libc::SIG_UNBLOCK, self).map(drop)
    }

    /// Makes these the blocked ones of this thread, and no others. Safe to call between fork and exec.
    pub(super) fn install(self) -> io::Result<()> {
        change(libc::SIG_SETMASK, self).map(drop)
    }

    /// What waits to be delivered to this thread or process.
    pub(super) fn pending() -> io::Result<Self> {
        let mut set = 0_u64;
        // SAFETY: the kernel writes BYTES bytes to `set`, which has as many.
        let outcome = unsafe { libc::syscall(libc::SYS_rt_sigpending, &raw mut set, BYTES) };
        succeeded(outcome).map(|_| Self(set))
    }

    /// A descriptor (non-blocking, not inherited by the command) from which these are read while they are blocked.
    pub(super) fn descriptor(self) -> io::Result<OwnedFd> {
        let flags = libc::SFD_NONBLOCK | libc::SFD_CLOEXEC;
        // SAFETY: the kernel reads BYTES bytes from the mask, which has as many; -1 asks for a new descriptor.
        let outcome = unsafe { libc::syscall(libc::SYS_signalfd4, -1, &raw const self.0, BYTES, flags) };
        let number = RawFd::try_from(succeeded(outcome)?).map_err(io::Error::other)?;
        // SAFETY: the kernel has just opened it for us, and nobody else knows it.
        Ok(unsafe { OwnedFd::from_raw_fd(number) })
    }
}

fn change(how: i32, set: Mask) -> io::Result<Mask> {
    let mut before = 0_u64;
    // SAFETY: the kernel reads BYTES bytes from `set` and writes as many to `before`; both have them.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            how,
            ptr::from_ref(&set.0),
            &raw mut before,
            BYTES,
        )
    };
    succeeded(outcome).map(|_| Mask(before))
}

fn succeeded(outcome: libc::c_long) -> io::Result<libc::c_long> {
    if outcome < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_signals_that_libc_keeps_to_itself_can_be_blocked_and_unblocked() {
        let before = Mask::only(32).block().unwrap();
        let blocked = Mask(0).block().unwrap();
        assert_eq!(blocked.0 & Mask::only(32).0, Mask::only(32).0);
        before.install().unwrap();
        assert_eq!(Mask(0).block().unwrap(), before);
    }

    #[test]
    fn what_is_no_signal_is_no_bit() {
        assert!(Mask::only(0).is_empty());
        assert!(Mask::only(65).is_empty());
        assert_eq!(Mask::only(64).0, 1 << 63);
    }
}
