//! What wait(2) tells of a child.
#![expect(
    unsafe_code,
    reason = "wait4 is the only wait that tells the CPU time of the one that ended"
)]

use crate::model::recording::Exit;
use crate::model::units::CpuTime;
use std::io;
use std::mem::MaybeUninit;

/// A change of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It ended, and is reaped.
    Ended {
        /// How.
        exit: Exit,
        /// Its CPU time with that of the descendants that were waited for.
        cpu: CpuTime,
        /// The most resident memory of any one of those, in bytes.
        peak_rss_bytes: u64,
    },
    /// It was stopped by this signal.
    Stopped(i32),
    /// It was continued.
    Continued,
}

/// Which children to ask about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whom {
    /// One: its end, its stops and its continuations.
    One(i32),
    /// Any: ends only.
    Any,
}

/// What has changed, without waiting for it; `None` when nothing has, or when there is no child at all (of any).
pub(super) fn changed(whom: Whom) -> io::Result<Option<(i32, Change)>> {
    let (process, options) = match whom {
        Whom::One(process) => (process, libc::WNOHANG | libc::WUNTRACED | libc::WCONTINUED),
        Whom::Any => (-1, libc::WNOHANG),
    };
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the kernel writes a status and a `rusage`, for which both pointers have room.
    let outcome = unsafe { libc::wait4(process, &raw mut status, options, usage.as_mut_ptr()) };
    // SAFETY: all zeroes is a valid `rusage`, and so is what the call wrote.
    let usage = unsafe { usage.assume_init() };
    if outcome > 0 {
        return Ok(meaning(status, &usage).map(|change| (outcome, change)));
    }
    if outcome == 0 {
        return Ok(None);
    }
    let error = io::Error::last_os_error();
    if whom == Whom::Any && error.raw_os_error() == Some(libc::ECHILD) {
        return Ok(None);
    }
    Err(error)
}

fn meaning(status: i32, usage: &libc::rusage) -> Option<Change> {
    let ended = |exit| Change::Ended {
        exit,
        cpu: cpu_time(usage),
        // In KiB on Linux (getrusage(2)).
        peak_rss_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0).saturating_mul(1024),
    };
    if libc::WIFEXITED(status) {
        Some(ended(Exit::Code(libc::WEXITSTATUS(status))))
    } else if libc::WIFSIGNALED(status) {
        Some(ended(Exit::Signal(libc::WTERMSIG(status))))
    } else if libc::WIFSTOPPED(status) {
        Some(Change::Stopped(libc::WSTOPSIG(status)))
    } else if libc::WIFCONTINUED(status) {
        Some(Change::Continued)
    } else {
        None
    }
}

/// User and system time; the kernel gives whole microseconds.
fn cpu_time(usage: &libc::rusage) -> CpuTime {
    [usage.ru_utime, usage.ru_stime]
        .into_iter()
        .map(|time| {
            let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
            let micros = u64::try_from(time.tv_usec).unwrap_or_default();
            CpuTime(
                seconds
                    .saturating_mul(1_000_000_000)
                    .saturating_add(micros.saturating_mul(1_000)),
            )
        })
        .sum()
}
