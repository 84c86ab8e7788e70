//! The memory of the job's processes, each as closely as it may be read:
//!
//! 1. its proportional set size, in which a page shared by N processes counts 1/N for each
//!    (Documentation/filesystems/proc.rst, smaps_rollup, Linux 4.14). The sum over a fork tree counts shared pages once; the
//!    page cache that nobody maps is not in it. It needs the rights of a debugger, which nobody has on a setuid program's;
//! 2. otherwise, and for a glance that must cost nothing, its resident set from `statm`, which is open to everybody. Its own
//!    (anonymous) pages are the least of one process; of several, which may share them since a fork, the largest's are;
//! 3. where /proc hides processes, the memory of the control group, if the job has one for itself.

mod group;

use std::io;
use std::path::Path;

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closeness {
    /// Proportional set sizes: the kernel walks page tables for them.
    Close,
    /// Resident sets: three numbers that the kernel has at hand.
    Glance,
}

/// What was seen of all processes together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// At least this, in bytes.
    pub low_bytes: u64,
    /// At most this, in bytes.
    pub high_bytes: u64,
    /// Resident sets, summed; 0 where nobody told them.
    pub resident_bytes: u64,
    /// How many living ones could not be looked at.
    pub unreadable: u32,
}

/// Looks at the processes; those that have ended meanwhile do not count.
#[must_use]
pub fn look(pids: &[u32], closeness: Closeness) -> Seen {
    let seen = of_all(Path::new("/proc"), pids, closeness);
    if seen.unreadable > 0
        && let Some((low, high)) = group::of_job(Path::new("/"), pids, std::process::id())
    {
        return Seen {
            low_bytes: low,
            high_bytes: high,
            resident_bytes: 0,
            unreadable: 0,
        };
    }
    seen
}

fn of_all(proc: &Path, pids: &[u32], closeness: Closeness) -> Seen {
    let mut seen = Seen::default();
    let (mut exact, mut largest_own) = (0_u64, 0_u64);
    for pid in pids {
        let (high, resident) = match of_process(proc, *pid, closeness) {
            Found::Exactly { bytes, resident } => {
                exact = exact.saturating_add(bytes);
                (bytes, resident)
            }
            Found::Resident { own, all } => {
                largest_own = largest_own.max(own);
                (all, all)
            }
            Found::Ended => continue,
            Found::Hidden => {
                seen.unreadable += 1;
                continue;
            }
        };
        seen.high_bytes = seen.high_bytes.saturating_add(high);
        seen.resident_bytes = seen.resident_bytes.saturating_add(resident);
    }
    seen.low_bytes = exact.max(largest_own);
    seen
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// The proportional set size, and the resident set beside it.
    Exactly {
        bytes: u64,
        resident: u64,
    },
    /// The resident set: its own pages, and all.
    Resident {
        own: u64,
        all: u64,
    },
    Ended,
    Hidden,
}

fn of_process(proc: &Path, pid: u32, closeness: Closeness) -> Found {
    let folder = proc.join(pid.to_string());
    let resident = || {
        let text = std::fs::read_to_string(folder.join("statm"))?;
        Ok(resident(&text, page_bytes()))
    };
    if closeness == Closeness::Close {
        match std::fs::read_to_string(folder.join("smaps_rollup")) {
            Ok(text) => {
                let all = resident().ok().flatten().map_or(0, |(_, all)| all);
                return Found::Exactly {
                    bytes: pss(&text).unwrap_or(0),
                    resident: all,
                };
            }
            // A file of an address space that is gone. ENOENT may also be a kernel without this file.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Found::Ended,
            Err(_) => {}
        }
    }
    match resident() {
        Ok(Some((own, all))) => Found::Resident { own, all },
        Ok(None) => Found::Ended,
        Err(error) => refused(&error, pid),
    }
}

/// Whether a process that /proc does not show has ended, or is hidden from us (`hidepid`).
fn refused(error: &io::Error, pid: u32) -> Found {
    let gone = matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH));
    let lives = || {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX));
        matches!(
            nix::sys::signal::kill(pid, None),
            Ok(()) | Err(nix::errno::Errno::EPERM)
        )
    };
    if gone && !lives() {
        Found::Ended
    } else {
        Found::Hidden
    }
}

fn pss(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim()
        .strip_suffix(" kB")?
        .trim()
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)
}

/// Anonymous and all resident pages of `statm`, in bytes (proc_pid_statm(5): the second field is all of them, the third
/// those of files and of shared memory). `None` for a process without an address space: a zombie.
fn resident(text: &str, page_bytes: u64) -> Option<(u64, u64)> {
    let mut fields = text.split_ascii_whitespace().skip(1).map(str::parse::<u64>);
    let resident = fields.next()?.ok()?;
    let shared = fields.next()?.ok()?;
    let bytes = |pages: u64| pages.saturating_mul(page_bytes);
    (resident > 0).then(|| (bytes(resident.saturating_sub(shared)), bytes(resident)))
}

fn page_bytes() -> u64 {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE);
    size.ok()
        .flatten()
        .and_then(|size| u64::try_from(size).ok())
        .unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pss_line_is_found_among_its_kin() {
        let text = "00400000-7fff [rollup]\nRss:  884 kB\nPss:   385 kB\nPss_Anon:  301 kB\nSwapPss: 7 kB\n";
        assert_eq!(pss(text), Some(385 * 1024));
        assert_eq!(pss("Rss: 1 kB\n"), None);
    }

    #[test]
    fn our_own_memory_can_be_read_and_the_dead_have_none() {
        let own = look(&[std::process::id()], Closeness::Close);
        assert!(own.low_bytes > 100 * 1024, "{own:?}");
        assert_eq!((own.low_bytes, own.unreadable), (own.high_bytes, 0));
        assert_eq!(look(&[i32::MAX as u32], Closeness::Close), Seen::default());
    }

    #[test]
    fn a_glance_is_a_range_around_the_close_look() {
        let me = [std::process::id()];
        // Pages that are certainly ours, so that the range has something to hold.
        let ballast = vec![1_u8; 16 << 20];
        let (glance, close) = (look(&me, Closeness::Glance), look(&me, Closeness::Close));
        assert!(glance.low_bytes >= ballast.len() as u64, "{glance:?}");
        // The kernel counts resident pages per CPU and gathers them now and then: 64 pages per CPU of slack.
        let slack = 8 << 20;
        assert!(
            glance.low_bytes <= close.low_bytes + slack,
            "{glance:?} {close:?}"
        );
        assert!(
            close.high_bytes <= glance.high_bytes + slack,
            "{glance:?} {close:?}"
        );
    }

    #[test]
    fn who_may_not_be_read_closely_is_read_by_the_resident_set() {
        let proc = tempfile::tempdir().unwrap();
        std::fs::create_dir(proc.path().join("7")).unwrap();
        std::fs::write(proc.path().join("7/statm"), "900 300 100 1 0 50 0\n").unwrap();
        let page = page_bytes();
        assert_eq!(
            of_process(proc.path(), 7, Closeness::Close),
            Found::Resident {
                own: 200 * page,
                all: 300 * page
            }
        );
        std::fs::write(proc.path().join("7/statm"), "0 0 0 0 0 0 0\n").unwrap();
        assert_eq!(
            of_process(proc.path(), 7, Closeness::Close),
            Found::Ended,
            "a zombie"
        );
    }

    #[test]
    fn what_several_processes_may_share_since_a_fork_is_not_known_to_be_there_twice() {
        let proc = tempfile::tempdir().unwrap();
        for (pid, statm) in [("7", "900 300 100"), ("8", "900 250 50"), ("9", "1 10 5")] {
            std::fs::create_dir(proc.path().join(pid)).unwrap();
            std::fs::write(proc.path().join(pid).join("statm"), statm).unwrap();
        }
        std::fs::write(proc.path().join("9/smaps_rollup"), "Pss: 16 kB\n").unwrap();
        let page = page_bytes();
        let glance = of_all(proc.path(), &[7, 8, 9], Closeness::Glance);
        assert_eq!(
            (glance.low_bytes, glance.high_bytes, glance.resident_bytes),
            (200 * page, 560 * page, 560 * page)
        );
        let close = of_all(proc.path(), &[7, 8, 9], Closeness::Close);
        assert_eq!(
            (close.low_bytes, close.high_bytes, close.unreadable),
            (200 * page, 550 * page + 16 * 1024, 0)
        );
    }

    #[test]
    fn a_living_process_that_proc_does_not_show_is_hidden_and_not_ended() {
        let proc = tempfile::tempdir().unwrap();
        assert_eq!(
            of_process(proc.path(), std::process::id(), Closeness::Close),
            Found::Hidden
        );
        assert_eq!(
            of_process(proc.path(), i32::MAX as u32, Closeness::Close),
            Found::Ended
        );
    }
}
