//! Interval timers go to the command.
//!
//! `alarm(10)` and then `exec` is an old way to limit a command's time. Timers survive exec and do not survive fork
//! (getitimer(2)), so a launcher would keep what was meant for the command.
#![expect(unsafe_code, reason = "interval timers are moved by system call")]

use std::io;

/// All that there are: wall time, own CPU time, CPU time with the kernel's part.
const KINDS: [i32; 3] = [libc::ITIMER_REAL, libc::ITIMER_VIRTUAL, libc::ITIMER_PROF];

const NEVER: libc::itimerval = libc::itimerval {
    it_interval: libc::timeval {
        tv_sec: 0,
        tv_usec: 0,
    },
    it_value: libc::timeval {
        tv_sec: 0,
        tv_usec: 0,
    },
};

/// The timers that were running, with the time that they had left.
#[derive(Clone, Copy)]
pub(super) struct Timers([libc::itimerval; 3]);

impl Timers {
    /// Stops this process's timers and takes them.
    pub(super) fn take() -> io::Result<Self> {
        let mut taken = [NEVER; 3];
        for (kind, left) in KINDS.into_iter().zip(&mut taken) {
            *left = set(kind, NEVER)?;
        }
        Ok(Self(taken))
    }

    /// Starts them in the process that calls. System calls only: safe between fork and exec.
    pub(super) fn start(self) -> io::Result<()> {
        for (kind, left) in KINDS.into_iter().zip(self.0) {
            if left.it_value.tv_sec != 0 || left.it_value.tv_usec != 0 {
                set(kind, left)?;
            }
        }
        Ok(())
    }
}

fn set(kind: i32, new: libc::itimerval) -> io::Result<libc::itimerval> {
    let mut before = NEVER;
    // SAFETY: both pointers are to `itimerval`s of ours; the kernel reads the one and writes the other.
    let outcome = unsafe { libc::setitimer(kind, &raw const new, &raw mut before) };
    if outcome == 0 {
        Ok(before)
    } else {
        Err(io::Error::last_os_error())
    }
}
