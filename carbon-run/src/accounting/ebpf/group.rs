//! Processes that run already, by the control group that they are in: what a container runtime has started.

use super::jobs::Jobs;
use super::{EbpfError, pidfd};
use crate::accounting::proc_files;
use carbon_common::TaskState;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where control groups are mounted (cgroups(7)).
const ROOT: &str = "/sys/fs/cgroup";

/// More groups below one are not looked into.
const GROUPS: usize = 4096;

/// The directory of a control group that is named by a path, whole or below `/sys/fs/cgroup`, and that this user may give away: root
/// any, another one those that were delegated to them, which are theirs (cgroups(7), "Delegation").
///
/// # Errors
/// Why not, for people.
pub fn checked(named: &Path, uid: u32) -> Result<PathBuf, String> {
    let below = named.strip_prefix(ROOT).unwrap_or(named);
    let below = below.strip_prefix("/").unwrap_or(below);
    let path = Path::new(ROOT).join(below);
    // What it is after all links and dots counts.
    let real = fs::canonicalize(&path).map_err(|error| error.to_string())?;
    if !real.starts_with(ROOT) || real == Path::new(ROOT) {
        return Err(format!("it is not below `{ROOT}`"));
    }
    let members = fs::metadata(real.join("cgroup.procs")).map_err(|error| error.to_string())?;
    let owner = fs::metadata(&real).map_err(|error| error.to_string())?.uid();
    if uid != 0 && (members.uid() != uid || owner != uid) {
        return Err("it is not delegated to you".to_owned());
    }
    Ok(real)
}

/// Enters all threads of all processes in `group`, and in groups below it, that are nobody's yet. Whoever came in since the last
/// call is found by the next.
///
/// # Errors
/// When the group cannot be read.
pub(super) fn enter_all(jobs: &mut Jobs, job: u32, group: &Path) -> Result<(), EbpfError> {
    let failed = |source| EbpfError::Group {
        path: group.to_owned(),
        source,
    };
    let mut groups = vec![group.to_owned()];
    let mut at = 0;
    while let Some(one) = groups.get(at).cloned() {
        at += 1;
        let members = match fs::read_to_string(one.join("cgroup.procs")) {
            Ok(members) => members,
            // It went while we looked.
            Err(_) if one != group => continue,
            Err(error) => return Err(failed(error)),
        };
        for pid in members.lines().filter_map(|line| line.trim().parse().ok()) {
            enter_process(jobs, job, pid, &one)?;
        }
        if groups.len() < GROUPS {
            let below = fs::read_dir(&one).into_iter().flatten().flatten();
            groups.extend(below.map(|entry| entry.path()).filter(|path| path.is_dir()));
        }
    }
    Ok(())
}

/// Enters each thread that is nobody's.
fn enter_process(jobs: &mut Jobs, job: u32, pid: u32, group: &Path) -> Result<(), EbpfError> {
    for thread in proc_files::threads(Path::new("/"), pid, false).unwrap_or_default() {
        let found = if thread.id == pid {
            pidfd::of(pid)
        } else {
            pidfd::of_thread(thread.id)
        };
        // It has ended; or the kernel has no descriptors of threads, before Linux 6.9.
        let Ok(found) = found else { continue };
        // Its number may have been given away meanwhile: if who has it now is in the group and the one we hold lives, both are one.
        if !is_in(thread.id, group) || !pidfd::lives(found.as_fd()) {
            continue;
        }
        if jobs.owner_of(found.as_fd()).is_ok_and(|owner| owner.is_none()) {
            let state = TaskState {
                owner: job,
                heirs: job,
                process: 0,
                ran_ns: thread.ran.0,
            };
            jobs.adopt(job, found.as_fd(), &state, thread.id == pid)?;
        }
    }
    Ok(())
}

/// Whether a task is in a control group, by its path there (proc_pid_cgroup(5): hierarchy, controllers, path).
fn is_in(task: u32, group: &Path) -> bool {
    let text = fs::read_to_string(format!("/proc/{task}/cgroup")).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.splitn(3, ':').nth(2))
        .any(|path| path.len() > 1 && group.ends_with(path.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leads_out_of_the_control_groups_is_refused() {
        for path in [
            "/etc",
            "../../../etc",
            "/sys/fs/cgroup/../../../tmp",
            "",
            "/",
            "no/such/group",
        ] {
            assert!(checked(Path::new(path), 0).is_err(), "{path}");
        }
    }
}
