//! The few /proc and /sys files that accounting reads (proc(5)). Each takes the root to read under.

use crate::model::units::CpuTime;
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A process as /proc/PID/stat tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProcStat {
    pub(super) pid: u32,
    pub(super) comm: String,
    /// `R`, `S`, `Z`...
    pub(super) state: char,
    pub(super) parent: u32,
    /// Own time, threads that have ended included.
    pub(super) own: CpuTime,
    /// Time of children that it has waited for.
    pub(super) waited_for: CpuTime,
    /// Clock ticks after boot; with the PID it names a process for ever.
    pub(super) start_ticks: u64,
    /// The CPU that it was last on.
    pub(super) cpu: u32,
}

/// A CPU's line in /proc/stat, in clock ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct CpuTicks {
    pub(super) cpu: u32,
    /// user, nice, system, irq, softirq. Guest time lies inside user; steal is somebody else's.
    pub(super) busy: u64,
    /// steal: wanted here, and used by the hypervisor for something else.
    pub(super) stolen: u64,
}

/// A living thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ThreadRan {
    pub(super) id: u32,
    /// The CPU that it was last on; 0 where that was not asked for.
    pub(super) cpu: u32,
    pub(super) ran: CpuTime,
}

/// Clock ticks per second, at least 1 (sysconf(3)).
pub(super) fn ticks_per_second() -> u64 {
    nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)
        .ok()
        .flatten()
        .and_then(|ticks| u64::try_from(ticks).ok())
        .unwrap_or(100)
        .max(1)
}

/// By how many nanoseconds this process's `CLOCK_MONOTONIC` is ahead of the initial time namespace's (time_namespaces(7), Linux
/// 5.6; 0 before). The file is about the namespace of children, which is one's own but between `unshare` and `fork`.
pub(super) fn monotonic_ahead_ns(root: &Path) -> i64 {
    let text = std::fs::read_to_string(root.join("proc/self/timens_offsets")).unwrap_or_default();
    parse_monotonic_ahead(&text).unwrap_or(0)
}

fn parse_monotonic_ahead(text: &str) -> Option<i64> {
    let mut words = text
        .lines()
        .map(str::split_whitespace)
        .find_map(|mut words| (words.next() == Some("monotonic")).then_some(words))?;
    let seconds: i64 = words.next()?.parse().ok()?;
    let nanoseconds: i64 = words.next()?.parse().ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)
}

/// Reads /proc/PID/stat; `None` when the process is gone.
pub(super) fn stat(root: &Path, pid: u32, ticks_per_second: u64) -> Option<ProcStat> {
    let text = std::fs::read(root.join("proc").join(pid.to_string()).join("stat")).ok()?;
    parse_stat(&String::from_utf8_lossy(&text), ticks_per_second)
}

/// The name stands in parentheses and may itself contain blanks and parentheses: it ends at the last one.
fn parse_stat(text: &str, ticks_per_second: u64) -> Option<ProcStat> {
    let (pid, rest) = text.split_once(" (")?;
    let (comm, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // Field numbers of proc(5), which counts from 1 and calls the state 3.
    let field = |number: usize| fields.get(number.checked_sub(3)?).copied();
    let number = |at: usize| field(at)?.parse::<u64>().ok();
    let time = |at: usize| {
        Some(CpuTime(
            number(at)?.saturating_mul(1_000_000_000 / ticks_per_second.max(1)),
        ))
    };
    Some(ProcStat {
        pid: pid.trim().parse().ok()?,
        comm: comm.to_owned(),
        state: field(3)?.chars().next()?,
        parent: u32::try_from(number(4)?).ok()?,
        own: time(14)? + time(15)?,
        waited_for: time(16)? + time(17)?,
        start_ticks: number(22)?,
        cpu: u32::try_from(number(39)?).ok()?,
    })
}

/// The living threads of a process with what they have run, in nanoseconds where /proc/PID/stat has ticks
/// (Documentation/scheduler/sched-stats.rst). `None` without CONFIG_SCHED_INFO.
pub(super) fn threads(root: &Path, pid: u32, with_cpus: bool) -> Option<Vec<ThreadRan>> {
    let tasks = std::fs::read_dir(root.join("proc").join(pid.to_string()).join("task")).ok()?;
    let mut found = Vec::new();
    for task in tasks.flatten() {
        // A thread may end between the listing and the reading.
        let Ok(text) = std::fs::read_to_string(task.path().join("schedstat")) else {
            continue;
        };
        let Some(id) = task.file_name().to_str().and_then(|id| id.parse().ok()) else {
            continue;
        };
        let cpu = if with_cpus {
            std::fs::read(task.path().join("stat"))
                .ok()
                .and_then(|text| parse_stat(&String::from_utf8_lossy(&text), 1))
                .map_or(0, |stat| stat.cpu)
        } else {
            0
        };
        let ran = CpuTime(text.split_ascii_whitespace().next()?.parse().ok()?);
        found.push(ThreadRan { id, cpu, ran });
    }
    Some(found)
}

/// Process ids of the children of every thread of `pid` (CONFIG_PROC_CHILDREN); `None` where the kernel has no such file.
pub(super) fn children(root: &Path, pid: u32) -> Option<Vec<u32>> {
    let tasks = std::fs::read_dir(root.join("proc").join(pid.to_string()).join("task")).ok()?;
    let mut found = Vec::new();
    for task in tasks.flatten() {
        match std::fs::read_to_string(task.path().join("children")) {
            Ok(text) => found.extend(
                text.split_ascii_whitespace()
                    .filter_map(|pid| pid.parse::<u32>().ok()),
            ),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && task.path().exists() => {
                return None;
            }
            Err(_) => {}
        }
    }
    Some(found)
}

/// Every process id in /proc, for kernels without the `children` files.
pub(super) fn all_pids(root: &Path) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir(root.join("proc")) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// Every online CPU's busy ticks.
pub(super) fn cpu_ticks(root: &Path) -> std::io::Result<Vec<CpuTicks>> {
    Ok(parse_cpu_ticks(&std::fs::read_to_string(root.join("proc/stat"))?))
}

fn parse_cpu_ticks(text: &str) -> Vec<CpuTicks> {
    text.lines()
        .filter_map(|line| {
            let mut fields = line.strip_prefix("cpu")?.split_ascii_whitespace();
            let cpu = fields.next()?.parse().ok()?;
            // user nice system idle iowait irq softirq steal guest guest_nice
            let ticks: Vec<u64> = fields.map_while(|field| field.parse().ok()).collect();
            let busy = [0, 1, 2, 5, 6].iter().filter_map(|at| ticks.get(*at)).sum();
            // `cpu  1 2 3` (the sum over all) has a blank where a number would be, and loses a field to it.
            line.as_bytes().get(3).filter(|byte| byte.is_ascii_digit())?;
            let stolen = ticks.get(7).copied().unwrap_or(0);
            Some(CpuTicks { cpu, busy, stolen })
        })
        .collect()
}

/// One more than the highest CPU number that can ever be (`/sys/devices/system/cpu/possible`); the number of CPUs that
/// are online where the file cannot be read.
pub(super) fn possible_cpus(root: &Path) -> u32 {
    let highest = std::fs::read_to_string(root.join("sys/devices/system/cpu/possible"))
        .ok()
        .and_then(|list| list.trim().rsplit([',', '-']).next()?.parse::<u32>().ok());
    match highest {
        Some(highest) => highest + 1,
        None => std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1)),
    }
}

/// Whether carbon-run is in the initial PID namespace, on every kernel `PROC_PID_INIT_INO` (include/linux/proc_ns.h).
#[must_use]
pub fn in_initial_namespace() -> bool {
    const INITIAL: u64 = 0xEFFF_FFFC;
    std::fs::metadata("/proc/self/ns/pid").is_ok_and(|namespace| namespace.ino() == INITIAL)
}

/// The CPUs that are online now (`/sys/devices/system/cpu/online`); `None` where that cannot be read.
pub(super) fn online_cpus(root: &Path) -> Option<BTreeSet<u32>> {
    let text = std::fs::read_to_string(root.join("sys/devices/system/cpu/online")).ok()?;
    let mut cpus = BTreeSet::new();
    for range in text.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        cpus.extend(first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?);
    }
    Some(cpus)
}

/// An online CPU's package and die (Documentation/admin-guide/cputopology.rst).
pub(super) fn package_and_die(root: &Path, cpu: u32) -> Option<(u32, u32)> {
    let topology = root.join(format!("sys/devices/system/cpu/cpu{cpu}/topology"));
    let id = |name| {
        std::fs::read_to_string(topology.join(name))
            .ok()?
            .trim()
            .parse()
            .ok()
    };
    Some((id("physical_package_id")?, id("die_id").unwrap_or(0)))
}

/// The name of a process that still runs: there, and not a zombie.
pub(super) fn living_name(root: &Path, pid: u32) -> Option<String> {
    stat(root, pid, 100)
        .filter(|process| !matches!(process.state, 'Z' | 'X'))
        .map(|process| process.comm)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "42 (a) b (c) S 7 42 42 0 -1 4194304 100 200 0 0 12 3 40 5 20 0 1 0 98765 1000 10 \
                        18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 3 0 0 0 0 0 0 0 0 0 0 0 0 0";

    #[test]
    fn a_name_with_parentheses_and_blanks_is_read_to_its_end() {
        let stat = parse_stat(LINE, 100).unwrap();
        assert_eq!(stat.comm, "a) b (c");
        assert_eq!((stat.pid, stat.parent, stat.state, stat.cpu), (42, 7, 'S', 3));
        assert_eq!(
            (stat.own, stat.waited_for),
            (CpuTime(150_000_000), CpuTime(450_000_000))
        );
        assert_eq!(stat.start_ticks, 98_765);
    }

    #[test]
    fn a_torn_line_is_nobody() {
        for end in 0..LINE.find(" 17 3 ").unwrap() {
            assert_eq!(parse_stat(&LINE[..end], 100), None);
        }
    }

    #[test]
    fn a_time_namespace_tells_how_far_its_clock_is_ahead_or_behind() {
        let ahead = |monotonic: &str| parse_monotonic_ahead(&format!("{monotonic}\nboottime 7 0\n"));
        assert_eq!(ahead("monotonic           0         0"), Some(0));
        assert_eq!(
            ahead("monotonic      100000 500000000"),
            Some(100_000_500_000_000)
        );
        assert_eq!(ahead("monotonic          -2 500000000"), Some(-1_500_000_000));
        assert_eq!(ahead("monotonic"), None);
        assert_eq!(parse_monotonic_ahead(""), None);
    }

    #[test]
    fn cpu_lines_leave_out_the_sum_idle_iowait_and_steal() {
        let text =
            "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 1 2 4 1000 1000 8 16 1000 5 5\ncpu3 1 0 0 0 0 0 0\nintr 5 1 2\n";
        assert_eq!(
            parse_cpu_ticks(text),
            vec![
                CpuTicks {
                    cpu: 0,
                    busy: 31,
                    stolen: 1000
                },
                CpuTicks {
                    cpu: 3,
                    busy: 1,
                    stolen: 0
                }
            ]
        );
    }

    #[test]
    fn the_possible_cpus_come_from_the_end_of_the_list() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("sys/devices/system/cpu");
        std::fs::create_dir_all(&dir).unwrap();
        for (list, count) in [("0-1\n", 2), ("0\n", 1), ("0-3,8-11\n", 12), ("0,2\n", 3)] {
            std::fs::write(dir.join("possible"), list).unwrap();
            assert_eq!(possible_cpus(root.path()), count);
        }
    }
}
