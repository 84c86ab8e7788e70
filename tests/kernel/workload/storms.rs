//! Many threads and processes, made in every way.

use super::{Done, burn, leave};
use nix::errno::Errno;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::wait::{WaitStatus, wait, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use std::ffi::{CString, c_char, c_int, c_void};
use std::io;
use std::time::Duration;

/// Children that live at the same time.
const AT_ONCE: usize = 4;

/// Busy threads side by side.
pub(super) fn threads(count: usize, each: Duration) {
    std::thread::scope(|scope| {
        for _ in 0..count {
            scope.spawn(|| burn(each));
        }
    });
}

/// Threads that live for about a tenth of a millisecond: so many, and more until this process has used `least`.
pub(super) fn short_threads(count: usize, least: Duration) -> Done {
    let mut rounds = count / AT_ONCE;
    while rounds > 0 || used_by(UsageWho::RUSAGE_SELF)? < least {
        rounds = rounds.saturating_sub(1);
        let threads: Vec<_> = (0..AT_ONCE)
            .map(|_| std::thread::spawn(|| burn(Duration::from_micros(100))))
            .collect();
        for thread in threads {
            thread.join().map_err(|_| "a thread panicked")?;
        }
    }
    Ok(())
}

/// CPU time, the kernel's included.
fn used_by(who: UsageWho) -> Result<Duration, Errno> {
    let usage = getrusage(who)?;
    let microseconds =
        [usage.user_time(), usage.system_time()].map(|time| time.tv_sec() * 1_000_000 + time.tv_usec());
    Ok(Duration::from_micros(
        microseconds.iter().sum::<i64>().unsigned_abs(),
    ))
}

/// How many children there are.
#[derive(Clone, Copy)]
pub(super) enum Until {
    /// So many.
    Count(usize),
    /// As many as it takes until they and their parent have used so much CPU time: machines differ by far in how long a
    /// short process takes.
    Used(Duration),
}

impl Until {
    fn reached(self, started: usize) -> Result<bool, Errno> {
        Ok(match self {
            Self::Count(count) => started >= count,
            Self::Used(least) => {
                used_by(UsageWho::RUSAGE_CHILDREN)? + used_by(UsageWho::RUSAGE_SELF)? >= least
            }
        })
    }
}

/// Lets children come and go, a few at a time; each must succeed.
fn storm(until: Until, mut start: impl FnMut() -> Result<(), io::Error>) -> Done {
    let (mut started, mut living) = (0, 0);
    while !until.reached(started)? {
        if living == AT_ONCE {
            reap()?;
            living -= 1;
        }
        start()?;
        started += 1;
        living += 1;
    }
    for _ in 0..living {
        reap()?;
    }
    Ok(())
}

fn reap() -> Done {
    let status = wait()?;
    if matches!(status, WaitStatus::Exited(_, 0)) {
        return Ok(());
    }
    Err(format!("a child ended with {status:?}").into())
}

pub(super) fn forks(count: usize, each: Duration) -> Done {
    storm(Until::Count(count), || {
        // SAFETY: this process has one thread.
        match unsafe { fork() }? {
            ForkResult::Child => {
                burn(each);
                leave(0)
            }
            ForkResult::Parent { .. } => Ok(()),
        }
    })
}

/// Children that nobody waits for: the kernel adds their time to nobody's (wait(2), "notes").
pub(super) fn unreaped(count: usize, each: Duration) -> Done {
    // SAFETY: no handler, and this process has one thread.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) }?;
    for _ in 0..count {
        // SAFETY: this process has one thread.
        if let ForkResult::Child = unsafe { fork() }? {
            burn(each);
            leave(0)
        }
        // Comes back, with this error, when the last child is gone.
        if wait() != Err(Errno::ECHILD) {
            return Err("a child was waited for".into());
        }
    }
    Ok(())
}

pub(super) fn posix_spawns(until: Until, program: &str, arguments: &[&str]) -> Done {
    let path = CString::new(program)?;
    let words = std::iter::once(program)
        .chain(arguments.iter().copied())
        .map(CString::new)
        .collect::<Result<Vec<_>, _>>()?;
    let mut argv: Vec<*mut c_char> = words.iter().map(|word| word.as_ptr().cast_mut()).collect();
    argv.push(std::ptr::null_mut());
    let environment: [*mut c_char; 1] = [std::ptr::null_mut()];
    storm(until, || {
        let mut pid = 0;
        // SAFETY: NUL-terminated strings in null-terminated arrays, all alive; no attributes and no file actions.
        let failed = unsafe {
            libc::posix_spawn(
                &raw mut pid,
                path.as_ptr(),
                std::ptr::null(),
                std::ptr::null(),
                argv.as_ptr(),
                environment.as_ptr(),
            )
        };
        if failed == 0 {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(failed))
        }
    })
}

/// The way of vfork: the child borrows the memory, and the parent stands still until it is gone.
pub(super) fn vforks(count: usize, each: Duration) -> Done {
    extern "C" fn child(each: *mut c_void) -> c_int {
        // SAFETY: the parent stands still in `clone` and keeps this alive.
        burn(unsafe { *each.cast::<Duration>() });
        0
    }
    let mut each = each;
    let mut stack = vec![0_u128; 8192];
    for _ in 0..count {
        let top = stack.as_mut_ptr_range().end.cast();
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        // SAFETY: a stack of its own, and the parent does not run before the child is gone.
        let pid = unsafe { libc::clone(child, top, flags, (&raw mut each).cast()) };
        if pid < 0 {
            return Err(io::Error::last_os_error().into());
        }
        waitpid(Pid::from_raw(pid), None)?;
    }
    Ok(())
}
