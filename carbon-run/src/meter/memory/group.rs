//! The memory of the job's control group, where the job has one for itself.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The least and the most that the job holds, in bytes, by the memory controller of the control group that carbon-run is in:
/// anonymous pages; and all that is charged but for the page cache (memory.stat, Documentation/admin-guide/cgroup-v2.rst and
/// cgroup-v1/memory.rst). carbon-run's own resident memory is taken off. `None` unless everybody in the group is a member
/// or carbon-run, and no group lies below.
pub(super) fn of_job(root: &Path, members: &[u32], me: u32) -> Option<(u64, u64)> {
    let own = std::fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    own.lines()
        .filter_map(|line| place(root, line))
        .find_map(|(folder, version)| {
            let alone = is_the_jobs(&folder, members, me)?;
            alone.then(|| charged(&folder, version)).flatten()
        })
        .map(|(low, high)| {
            let own = resident(root, me);
            (low.saturating_sub(own), high.saturating_sub(own))
        })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// A line of /proc/self/cgroup: `0::/user.slice` (version 2) or `4:memory:/job`.
fn place(root: &Path, line: &str) -> Option<(PathBuf, Version)> {
    let mut fields = line.splitn(3, ':');
    let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let path = path.strip_prefix('/')?;
    if number == "0" && controllers.is_empty() {
        Some((root.join("sys/fs/cgroup").join(path), Version::Two))
    } else if controllers.split(',').any(|name| name == "memory") {
        Some((root.join("sys/fs/cgroup/memory").join(path), Version::One))
    } else {
        None
    }
}

fn is_the_jobs(folder: &Path, members: &[u32], me: u32) -> Option<bool> {
    let inside = std::fs::read_to_string(folder.join("cgroup.procs")).ok()?;
    let members: BTreeSet<u32> = members.iter().copied().chain([me]).collect();
    let all = inside
        .lines()
        .all(|line| line.parse().is_ok_and(|pid| members.contains(&pid)));
    let below = std::fs::read_dir(folder)
        .ok()?
        .filter_map(Result::ok)
        .any(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    Some(all && !below && inside.lines().next().is_some())
}

fn charged(folder: &Path, version: Version) -> Option<(u64, u64)> {
    let (usage, anonymous, cache) = match version {
        Version::Two => ("memory.current", "anon", "file"),
        Version::One => ("memory.usage_in_bytes", "rss", "cache"),
    };
    let usage: u64 = read(folder, usage)?.trim().parse().ok()?;
    let stat = read(folder, "memory.stat")?;
    let of = |name: &str| {
        stat.lines().find_map(|line| {
            line.strip_prefix(name)?
                .strip_prefix(' ')?
                .trim()
                .parse::<u64>()
                .ok()
        })
    };
    let most = usage.saturating_sub(of(cache)?);
    Some((of(anonymous)?.min(most), most))
}

fn read(folder: &Path, name: &str) -> Option<String> {
    std::fs::read_to_string(folder.join(name)).ok()
}

fn resident(root: &Path, pid: u32) -> u64 {
    let text = std::fs::read_to_string(root.join(format!("proc/{pid}/statm"))).unwrap_or_default();
    super::resident(&text, super::page_bytes()).map_or(0, |(low, _)| low)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Machine(tempfile::TempDir);

    impl Machine {
        fn of(line: &str, folder: &str, files: &[(&str, &str)]) -> Self {
            let machine = Self(tempfile::tempdir().unwrap());
            machine.write("proc/self/cgroup", line);
            for (name, text) in files {
                machine.write(&format!("{folder}/{name}"), text);
            }
            machine
        }

        fn write(&self, name: &str, text: &str) {
            let path = self.0.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        fn of_job(&self, members: &[u32]) -> Option<(u64, u64)> {
            of_job(self.0.path(), members, 10)
        }
    }

    fn unified(procs: &str) -> Machine {
        Machine::of(
            "0::/job\n",
            "sys/fs/cgroup/job",
            &[
                ("cgroup.procs", procs),
                ("memory.current", "1000000\n"),
                ("memory.stat", "anon 600000\nfile 300000\nfile_mapped 5\n"),
            ],
        )
    }

    #[test]
    fn a_group_of_the_jobs_own_tells_its_memory_without_the_page_cache() {
        assert_eq!(
            unified("10\n11\n12\n").of_job(&[11, 12]),
            Some((600_000, 700_000))
        );
        let old = Machine::of(
            "5:cpu,cpuacct:/x\n4:memory:/job\n0::/\n",
            "sys/fs/cgroup/memory/job",
            &[
                ("cgroup.procs", "10\n11\n"),
                ("memory.usage_in_bytes", "1000000\n"),
                ("memory.stat", "cache 400000\nrss 500000\nrss_huge 1\n"),
            ],
        );
        assert_eq!(old.of_job(&[11]), Some((500_000, 600_000)));
    }

    #[test]
    fn what_carbon_run_itself_holds_is_taken_off() {
        let machine = unified("10\n11\n");
        machine.write("proc/10/statm", "90 30 20 0 0 0 0\n");
        let own = 10 * super::super::page_bytes();
        assert_eq!(machine.of_job(&[11]), Some((600_000 - own, 700_000 - own)));
    }

    #[test]
    fn a_group_with_somebody_else_in_it_or_below_it_tells_nothing() {
        assert_eq!(unified("10\n11\n99\n").of_job(&[11]), None);
        assert_eq!(unified("").of_job(&[11]), None);
        let parent = unified("10\n11\n");
        parent.write("sys/fs/cgroup/job/below/cgroup.procs", "");
        assert_eq!(parent.of_job(&[11]), None);
        let broken = unified("10\n11\n");
        broken.write("sys/fs/cgroup/job/memory.stat", "garbage\n");
        assert_eq!(broken.of_job(&[11]), None);
    }
}
