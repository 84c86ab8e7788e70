//! What the shell handed over, noted before Rust's runtime changes it.
//!
//! Before `main`, Rust's runtime ignores SIGPIPE and opens /dev/null on any of the descriptors 0 to 2 that is closed.
//! Both would be seen by the command. A constructor runs earlier than the runtime and notes how things were.
#![expect(
    unsafe_code,
    reason = "a constructor has to be named to the linker, and dispositions are set by system call"
)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

static PIPE_IGNORED: AtomicBool = AtomicBool::new(false);
static CHILD_IGNORED: AtomicBool = AtomicBool::new(false);
static CLOSED: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];

/// The C library calls what stands in this section before `main`; it passes arguments that `note` has no use for.
#[used]
// SAFETY: the section holds pointers to functions of the C ABI, and this is one. Nothing that `note` does needs Rust's
// runtime: three system calls of two kinds, and stores to atomics.
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = note;

extern "C" fn note() {
    PIPE_IGNORED.store(is_ignored(libc::SIGPIPE), Ordering::Relaxed);
    CHILD_IGNORED.store(is_ignored(libc::SIGCHLD), Ordering::Relaxed);
    for (number, closed) in (0..).zip(&CLOSED) {
        closed.store(is_closed(number), Ordering::Relaxed);
    }
}

/// What the command has to get back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Inherited {
    pipe_ignored: bool,
    child_ignored: bool,
    closed: [bool; 3],
}

impl Inherited {
    /// As it was before `main`.
    pub(super) fn noted() -> Self {
        Self {
            pipe_ignored: PIPE_IGNORED.load(Ordering::Relaxed),
            child_ignored: CHILD_IGNORED.load(Ordering::Relaxed),
            closed: CLOSED.each_ref().map(|closed| closed.load(Ordering::Relaxed)),
        }
    }

    /// Whether SIGCHLD was ignored: then there is no exit status to wait for (wait(2), notes) until it is not.
    pub(super) fn child_ignored(self) -> bool {
        self.child_ignored
    }

    /// Makes it so again. Called in the child, between fork and exec: system calls only.
    pub(super) fn restore(self) -> io::Result<()> {
        set_ignored(libc::SIGPIPE, self.pipe_ignored)?;
        set_ignored(libc::SIGCHLD, self.child_ignored)?;
        for (number, closed) in (0..).zip(self.closed) {
            if closed {
                close(number)?;
            }
        }
        Ok(())
    }
}

/// Ignores a signal, or gives it its default action again. A single system call, and not libc's, which refuses signals
/// 32 and 33: a process that was started by posix_spawn(3) of glibc has them ignored.
pub(super) fn set_ignored(signal: i32, ignored: bool) -> io::Result<()> {
    // The kernel's `struct sigaction` starts with the handler (SIG_DFL is 0, SIG_IGN is 1) and has at most 32 bytes:
    // flags, restorer and mask follow, of which neither action needs any.
    let action = [u64::from(ignored), 0, 0, 0];
    let mask_bytes = size_of::<u64>();
    let none = ptr::null::<u64>();
    // SAFETY: the kernel reads the action and writes nothing. Neither action is a function of ours to be called back.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_rt_sigaction,
            signal,
            &raw const action,
            none,
            mask_bytes,
        )
    };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Whether a signal is ignored now.
pub(super) fn is_ignored(signal: i32) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: with no new action this only writes the present one to `action`, which has room for it.
    let outcome = unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) };
    // SAFETY: all zeroes is a valid `sigaction`, and so is what the call wrote.
    let action = unsafe { action.assume_init() };
    outcome == 0 && action.sa_sigaction == libc::SIG_IGN
}

fn is_closed(number: RawFd) -> bool {
    // SAFETY: asks for the flags of a descriptor and changes nothing; the only failure is that it is not open.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    flags == -1
}

fn close(number: RawFd) -> io::Result<()> {
    // SAFETY: only called in the child, whose next step is exec: no code of ours uses the descriptor any more.
    let outcome = unsafe { libc::close(number) };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
