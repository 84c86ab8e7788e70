//! Who was there before the command: other threads of this process, and children from a former life.
//!
//! `sh -c 'sleep 9 & exec carbon-run make'` makes the sleep a child of carbon-run that is no part of the job.

use super::mask::Mask;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// How many threads of this process besides the calling one a signal could reach; none where /proc does not tell. A thread
/// that was started under shelter ([`super::sheltered`]) cannot be reached.
pub(super) fn other_threads(caller: i32) -> usize {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    tasks
        .filter(|task| task.file_name().to_str() != Some(caller.to_string().as_str()))
        .filter_map(|task| fs::read_to_string(task.path().join("status")).ok())
        .filter(|status| !blocked(status).is_some_and(Mask::covers_what_libc_can_block))
        .count()
}

/// The signals that a thread blocks, by its /proc/PID/task/TID/status (proc_pid_status(5)).
fn blocked(status: &str) -> Option<Mask> {
    let line = status.lines().find_map(|line| line.strip_prefix("SigBlk:"))?;
    u64::from_str_radix(line.trim(), 16).ok().map(Mask::of_bits)
}

/// The children that this process has now. Where /proc is missing, or is that of another PID namespace, they are not
/// known and so none.
pub(super) fn children() -> BTreeSet<i32> {
    let own = std::process::id();
    if !proc_is_ours() {
        return BTreeSet::new();
    }
    // One list per thread (proc(5)); the launching one is the only one that has children of its own.
    match fs::read_to_string(format!("/proc/self/task/{own}/children")) {
        Ok(list) => list
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .collect(),
        // A kernel without CONFIG_PROC_CHILDREN.
        Err(_) => children_by_search(own),
    }
}

fn children_by_search(own: u32) -> BTreeSet<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return BTreeSet::new();
    };
    let all = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    all.filter(|process| parent(*process) == Some(own)).collect()
}

/// Whether `process` is `ancestor` or descends from it, as far as /proc tells now.
pub(super) fn descends(process: u32, ancestor: u32) -> bool {
    /// Deeper trees than this are not worth the search.
    const DEPTH: usize = 64;
    if !proc_is_ours() {
        return false;
    }
    let mut here = process;
    for _ in 0..DEPTH {
        if here == ancestor {
            return true;
        }
        match i32::try_from(here).ok().and_then(parent) {
            Some(next) if next > 1 => here = next,
            _ => return false,
        }
    }
    false
}

/// Whether /proc is that of our PID namespace, so that process ids mean the same in it.
fn proc_is_ours() -> bool {
    let own = std::process::id().to_string();
    fs::read_link("/proc/self").is_ok_and(|link| link == Path::new(&own))
}

fn parent(process: i32) -> Option<u32> {
    let line = fs::read(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may contain anything; the state and the parent's id follow it (proc_pid_stat(5)).
    let after_name = line.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(line.get(after_name + 1..)?).ok()?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_child_is_found_by_list_and_by_search_and_descends_from_us() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let id = i32::try_from(child.id()).unwrap();
        // The list is per thread, and this test need not run on the main one: only the search sees all.
        assert!(children_by_search(std::process::id()).contains(&id));
        assert!(descends(child.id(), std::process::id()));
        assert!(!descends(std::process::id(), child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(parent(id), None);
    }
}
