//! How busy the machine is, and by whom: /proc/stat and /proc/PID/stat (proc(5)), in clock ticks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The CPUs' time so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CpuTimes {
    /// Busy seconds since boot, by CPU number.
    pub busy_s: BTreeMap<u32, f64>,
}

/// The CPU seconds of every process so far, by process id and start.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProcessTimes(BTreeMap<(u32, u64), (String, f64)>);

/// A process and what it used between two looks.
#[derive(Debug, Clone, PartialEq)]
pub struct Busy {
    /// Its id.
    pub pid: u32,
    /// The kernel's name of it.
    pub name: String,
    /// CPU seconds.
    pub seconds: f64,
}

/// /proc/stat cannot be read or has no CPU in it.
#[derive(Debug, thiserror::Error)]
pub enum ActivityError {
    /// It cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It names no CPU.
    #[error("`{}` names no CPU", path.display())]
    NoCpus {
        /// The file.
        path: PathBuf,
    },
}

fn ticks_per_second() -> f64 {
    let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK);
    // 100 on every architecture that carbon-run runs on (USER_HZ, include/asm-generic/param.h).
    ticks
        .ok()
        .flatten()
        .filter(|ticks| *ticks > 0)
        .map_or(100.0, |ticks| ticks as f64)
}

/// Reads SYSROOT/proc/stat.
///
/// # Errors
/// When it cannot be read, or names no CPU.
pub fn cpu_times(sysroot: &Path) -> Result<CpuTimes, ActivityError> {
    let path = sysroot.join("proc/stat");
    let text = std::fs::read_to_string(&path).map_err(|source| ActivityError::Unreadable {
        path: path.clone(),
        source,
    })?;
    let busy_s = parse_cpus(&text, ticks_per_second());
    if busy_s.is_empty() {
        return Err(ActivityError::NoCpus { path });
    }
    Ok(CpuTimes { busy_s })
}

/// user, nice, system, irq and softirq; guest time lies inside user, and steal is somebody else's.
fn parse_cpus(text: &str, per_second: f64) -> BTreeMap<u32, f64> {
    text.lines()
        .filter_map(|line| {
            let rest = line.strip_prefix("cpu")?;
            // The sum over all CPUs has a blank where the others have a number.
            rest.starts_with(|first: char| first.is_ascii_digit())
                .then_some(())?;
            let mut fields = rest.split_ascii_whitespace();
            let cpu = fields.next()?.parse().ok()?;
            let ticks: Vec<u64> = fields.map_while(|field| field.parse().ok()).collect();
            let busy: u64 = [0, 1, 2, 5, 6].iter().filter_map(|at| ticks.get(*at)).sum();
            Some((cpu, busy as f64 / per_second))
        })
        .collect()
}

impl CpuTimes {
    /// Busy seconds since an earlier look, by CPU.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> BTreeMap<u32, f64> {
        let gained = |(cpu, now): (&u32, &f64)| {
            let then = earlier.busy_s.get(cpu)?;
            Some((*cpu, (now - then).max(0.0)))
        };
        self.busy_s.iter().filter_map(gained).collect()
    }
}

/// Looks at every process below SYSROOT/proc. Who cannot be looked at is left out.
#[must_use]
pub fn process_times(sysroot: &Path) -> ProcessTimes {
    let per_second = ticks_per_second();
    let entries = std::fs::read_dir(sysroot.join("proc")).into_iter().flatten();
    let times = entries.flatten().filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let bytes = std::fs::read(entry.path().join("stat")).ok()?;
        let (start, name, ticks) = parse_process(&String::from_utf8_lossy(&bytes))?;
        Some(((pid, start), (name, ticks as f64 / per_second)))
    });
    ProcessTimes(times.collect())
}

/// Start, name and ticks. The name stands in parentheses and may have some itself.
fn parse_process(text: &str) -> Option<(u64, String, u64)> {
    let (_, rest) = text.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // proc(5) counts from 1 and calls the state 3.
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some((field(22)?, name.to_owned(), field(14)? + field(15)?))
}

impl ProcessTimes {
    /// Who used most since an earlier look, `but` one; at most `count`, and nobody who used nothing.
    #[must_use]
    pub fn busiest_since(&self, earlier: &Self, but: u32, count: usize) -> Vec<Busy> {
        let mut busy: Vec<Busy> = self
            .0
            .iter()
            .filter(|((pid, _), _)| *pid != but)
            .map(|(key, (name, now))| Busy {
                pid: key.0,
                name: name.clone(),
                seconds: now - earlier.0.get(key).map_or(0.0, |(_, then)| *then),
            })
            .filter(|one| one.seconds > 0.0)
            .collect();
        busy.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
        busy.truncate(count);
        busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpus_lines_are_told_from_their_sum() {
        let text = "cpu  9 9 9 9\ncpu0 100 0 50 7000 9 25 25 900 0 0\ncpu12 1 1 1 1\nintr 5\n";
        assert_eq!(parse_cpus(text, 100.0), BTreeMap::from([(0, 2.0), (12, 0.03)]));
        assert!(parse_cpus("cpu\ncpux 1\n", 100.0).is_empty());
    }

    #[test]
    fn busy_time_is_a_difference_of_two_looks() {
        let look = |busy: &[(u32, f64)]| CpuTimes {
            busy_s: busy.iter().copied().collect(),
        };
        let gained = look(&[(0, 5.0), (1, 2.0), (2, 9.0)]).since(&look(&[(0, 4.0), (1, 3.0)]));
        assert_eq!(
            gained,
            BTreeMap::from([(0, 1.0), (1, 0.0)]),
            "a CPU that came is no time"
        );
    }

    fn process(pid: u32, start: u64, name: &str, seconds: f64) -> ((u32, u64), (String, f64)) {
        ((pid, start), (name.to_owned(), seconds))
    }

    #[test]
    fn the_busiest_are_named_first_and_the_asker_never() {
        let before = ProcessTimes([process(1, 0, "init", 9.0), process(7, 5, "hog", 1.0)].into());
        let after = ProcessTimes(
            [
                process(1, 0, "init", 9.0),
                process(7, 5, "hog", 2.0),
                process(8, 6, "new (x)", 1.5),
                process(9, 6, "me", 3.0),
            ]
            .into(),
        );
        let named: Vec<_> = after
            .busiest_since(&before, 9, 5)
            .into_iter()
            .map(|one| (one.pid, one.name))
            .collect();
        assert_eq!(named, [(8, "new (x)".to_owned()), (7, "hog".to_owned())]);
        assert_eq!(after.busiest_since(&before, 9, 1).len(), 1);
    }

    #[test]
    fn a_process_is_read_whatever_it_calls_itself() {
        let line = "42 (a) b (c) S 7 42 42 0 -1 4194304 100 200 0 0 12 3 40 5 20 0 1 0 98765 1000 10 1";
        assert_eq!(parse_process(line), Some((98_765, "a) b (c".to_owned(), 15)));
        assert_eq!(parse_process("42 (x) S 1"), None);
        assert!(!process_times(Path::new("/")).0.is_empty());
        assert!(cpu_times(Path::new("/")).is_ok());
        assert!(cpu_times(Path::new("/nonexistent")).is_err());
    }
}
