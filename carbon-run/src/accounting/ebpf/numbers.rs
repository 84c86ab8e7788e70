//! Which number a member has where carbon-run runs. The kernel side knows processes by their numbers in the initial PID
//! namespace; in a container those mean nobody, or somebody else.

use super::{bpf, pidfd};
use crate::accounting::proc_files;
use carbon_common::TaskState;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;

/// How the numbers of members are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// We are in the initial namespace: the kernel side's are ours.
    Shared,
    /// Everybody in our /proc is asked for, by pidfd.
    Translated,
    /// /proc is another namespace's than ours (`unshare --pid` without `--mount-proc`): no number can be trusted.
    Unknown,
}

impl Numbers {
    /// Where we are.
    pub(super) fn here() -> Self {
        let initial = proc_files::in_initial_namespace();
        let own = std::fs::read_link("/proc/self")
            .is_ok_and(|link| link.to_str() == Some(std::process::id().to_string().as_str()));
        match (own, initial) {
            (true, true) => Self::Shared,
            (true, false) => Self::Translated,
            (false, _) => Self::Unknown,
        }
    }
}

/// Numbers of the processes in our /proc that are of `job`, by what task storage says of them.
pub(super) fn translated(tasks: BorrowedFd<'_>, job: u32) -> Vec<u32> {
    proc_files::all_pids(Path::new("/"))
        .into_iter()
        .filter(|pid| owner(tasks, *pid) == Some(job))
        .collect()
}

/// Whose a process is; `None` where it has ended, or is nobody's we know.
fn owner(tasks: BorrowedFd<'_>, pid: u32) -> Option<u32> {
    let process = pidfd::of(pid).ok()?;
    let mut state = [0; size_of::<TaskState>()];
    bpf::look_up(tasks, &process.as_raw_fd().to_ne_bytes(), &mut state).ok()?;
    // `owner` is the first field.
    state.first_chunk().map(|owner| u32::from_ne_bytes(*owner))
}
