//! Processes that try to get away from where they came from.

use super::{Done, FLAG, burn, leave, perform, wait_for};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, pipe, read, setsid};
use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// `struct clone_args` (include/uapi/linux/sched.h), up to `cgroup` (Linux 5.7).
#[repr(C, align(8))]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// `CLONE_INTO_CGROUP` (include/uapi/linux/sched.h).
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

fn in_child(work: impl FnOnce() -> Done) -> ! {
    leave(i32::from(work().is_err()))
}

fn succeeded(pid: Pid) -> Done {
    let status = waitpid(pid, None)?;
    if matches!(status, WaitStatus::Exited(_, 0)) {
        return Ok(());
    }
    Err(format!("the child ended with {status:?}").into())
}

fn forked(work: impl FnOnce() -> Done) -> Result<Pid, io::Error> {
    // SAFETY: this process has one thread.
    match unsafe { fork() }? {
        ForkResult::Child => in_child(work),
        ForkResult::Parent { child } => Ok(child),
    }
}

fn clone3(mut arguments: CloneArgs, work: impl FnOnce() -> Done) -> Done {
    arguments.exit_signal = u64::from(libc::SIGCHLD.unsigned_abs());
    // SAFETY: as fork, of a process with one thread; the arguments and what they point to are alive.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<CloneArgs>()) };
    match pid {
        0 => in_child(work),
        1.. => succeeded(Pid::from_raw(i32::try_from(pid)?)),
        _ => Err(io::Error::last_os_error().into()),
    }
}

/// Another workload, in a child. What both have used by the child's end goes to a file, in seconds.
pub(super) fn accounted(file: &Path, words: &[&str]) -> Done {
    succeeded(forked(|| perform(words))?)?;
    let mut seconds = 0.0;
    for who in [UsageWho::RUSAGE_CHILDREN, UsageWho::RUSAGE_SELF] {
        let usage = getrusage(who)?;
        for time in [usage.user_time(), usage.system_time()] {
            seconds += time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
        }
    }
    fs::write(file, seconds.to_string())?;
    Ok(())
}

/// A child that is born into another control group.
pub(super) fn into_group(path: &Path, amount: Duration) -> Done {
    let group = fs::File::open(path)?;
    let arguments = CloneArgs {
        flags: CLONE_INTO_CGROUP,
        cgroup: u64::from(group.as_raw_fd().unsigned_abs()),
        ..CloneArgs::default()
    };
    clone3(arguments, || {
        burn(amount);
        Ok(())
    })
}

/// A daemon in the old way: forked twice, a session of its own, nobody's child. Whoever waits for it does so by the
/// end of a pipe.
pub(super) fn daemon(amount: Duration, pid_file: &Path, wait: bool) -> Done {
    let (end, held) = pipe()?;
    let first = forked(|| {
        setsid()?;
        forked(|| {
            let unfinished = pid_file.with_extension("unfinished");
            fs::write(&unfinished, std::process::id().to_string())?;
            fs::rename(unfinished, pid_file)?;
            burn(amount);
            Ok(())
        })?;
        Ok(())
    })?;
    drop(held);
    succeeded(first)?;
    wait_for(pid_file)?;
    if wait {
        while read(&end, &mut [0])? > 0 {}
    }
    Ok(())
}

/// The main thread burns and then stands still; another thread becomes the program, and with that the whole process.
pub(super) fn exec_from_thread(amount: Duration, program: &str, arguments: &[&str]) -> Done {
    burn(amount);
    let mut command = Command::new(program);
    command.arg(FLAG).args(arguments);
    let thread = std::thread::spawn(move || {
        burn(amount);
        command.exec()
    });
    Err(thread
        .join()
        .map_or_else(|_| "the thread panicked".into(), Into::into))
}

/// One process, one program after the other.
pub(super) fn exec_chain(links: u32, amount: Duration) -> Done {
    burn(amount);
    if links == 0 {
        return Ok(());
    }
    let mut next = Command::new(std::env::current_exe()?);
    next.args([
        FLAG,
        "exec-chain",
        &(links - 1).to_string(),
        &amount.as_millis().to_string(),
    ]);
    Err(next.exec().into())
}

pub(super) fn chroot(dir: &str, amount: Duration) -> Done {
    nix::unistd::chroot(dir)?;
    burn(amount);
    Ok(())
}

/// A child that ends at once and leaves its number free; then sleep.
pub(super) fn vanish(pid_file: &Path, done: &Path) -> Done {
    let child = forked(|| Ok(()))?;
    succeeded(child)?;
    let unfinished = pid_file.with_extension("unfinished");
    fs::write(&unfinished, child.to_string())?;
    fs::rename(unfinished, pid_file)?;
    wait_for(done)
}

/// A child with a number of our choice (`set_tid`, Linux 5.5).
pub(super) fn impostor(pid: i32, amount: Duration) -> Done {
    let set = [pid];
    let arguments = CloneArgs {
        set_tid: set.as_ptr() as u64,
        set_tid_size: 1,
        ..CloneArgs::default()
    };
    clone3(arguments, || {
        burn(amount);
        if i32::try_from(std::process::id())? == pid {
            Ok(())
        } else {
            Err("another number".into())
        }
    })
}

/// Network namespaces that come and go: a kernel worker takes them down (`cleanup_net`).
pub(super) fn net_namespaces(count: u32) -> Done {
    for _ in 0..count {
        succeeded(forked(|| {
            Ok(nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)?)
        })?)?;
    }
    Ok(())
}
