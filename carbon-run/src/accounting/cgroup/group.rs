//! A control group of the job's own, and its end.

use super::CgroupError;
use super::hierarchy::{Hierarchy, Version};
use crate::model::units::CpuTime;
use nix::fcntl::{Flock, FlockArg};
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What our groups' names begin with.
const NAME: &str = "carbon-run-";

/// Who has just ended may still be on the way out of the group.
const LEAVING: Duration = Duration::from_millis(500);

/// A group below carbon-run's own, so that every limit that held for carbon-run holds for the job.
///
/// Its directory is locked for as long as carbon-run lives: an unlocked one has been left behind by a launcher that
/// was killed, and the next to come removes it.
#[derive(Debug)]
pub(super) struct Group {
    version: Version,
    own: PathBuf,
    path: PathBuf,
    gone: bool,
    _lock: Flock<File>,
}

/// How a group ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removal {
    /// It is gone, and so many processes that were in it are in carbon-run's own group now.
    Gone(usize),
    /// It is still there.
    Left,
}

impl Group {
    pub(super) fn create(hierarchy: &Hierarchy) -> Result<Self, CgroupError> {
        let Hierarchy { version, own } = hierarchy;
        sweep(own);
        let (path, lock) = made(own)?;
        let group = Self {
            version: *version,
            own: own.clone(),
            path,
            gone: false,
            _lock: lock,
        };
        group.check()?;
        Ok(group)
    }

    /// Whether the job can be put into it, and would notice nothing.
    fn check(&self) -> Result<(), CgroupError> {
        if let Ok(kind) = fs::read_to_string(self.path.join("cgroup.type"))
            && kind.trim() != "domain"
        {
            return Err(CgroupError::Threaded(self.own.clone()));
        }
        // With CONFIG_RT_GROUP_SCHED a new group of version 1 may run nothing in real time (sched-rt-group.rst).
        if self.version == Version::One && self.path.join("cpu.rt_runtime_us").exists() {
            return Err(CgroupError::RealTime);
        }
        self.entrance()?;
        // Whoever moves a process must be allowed to write to where both groups meet, which is our own (cgroups(7)).
        if self.version == Version::Two {
            writable(&self.own.join("cgroup.procs"))?;
        }
        self.usage()?;
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where a process writes `0` in order to be in it.
    pub(super) fn entrance(&self) -> Result<OwnedFd, CgroupError> {
        writable(&self.path.join("cgroup.procs")).map(OwnedFd::from)
    }

    /// Whether nobody has ever come in.
    pub(super) fn is_unused(&self) -> bool {
        let nobody =
            fs::read_to_string(self.path.join("cgroup.procs")).is_ok_and(|pids| pids.trim().is_empty());
        nobody
            && self
                .usage()
                .is_ok_and(|usage| usage.into_iter().sum::<CpuTime>() == CpuTime::ZERO)
    }

    /// Whether [`Self::usage`] has a value for each CPU.
    pub(super) fn is_per_cpu(&self) -> bool {
        self.version == Version::One
    }

    /// CPU time of all who were ever in it or below: by CPU number in version 1, one value in version 2. Who is on a CPU
    /// at this moment is charged up to its last tick.
    pub(super) fn usage(&self) -> Result<Vec<CpuTime>, CgroupError> {
        let path = self.path.join(match self.version {
            Version::One => "cpuacct.usage_percpu",
            Version::Two => "cpu.stat",
        });
        let text = fs::read_to_string(&path);
        let usage = text.and_then(|text| match self.version {
            Version::One => per_cpu(&text),
            Version::Two => stat(&text),
        });
        usage.map_err(|source| CgroupError::Read { path, source })
    }

    /// Ends it. Who is still in it goes to where it would be without carbon-run; what the job has made below it goes if
    /// it is empty. A group with somebody in a group below it stays: to whom that belongs is not ours to say.
    pub(super) fn remove(&mut self) -> Removal {
        let until = Instant::now() + LEAVING;
        let mut moved = 0;
        loop {
            if emptied(&self.path) {
                self.gone = true;
                return Removal::Gone(moved);
            }
            moved += self.send_home();
            if Instant::now() > until {
                return Removal::Left;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Moves who is in the group to our own. How many that were.
    fn send_home(&self) -> usize {
        let Ok(pids) = fs::read_to_string(self.path.join("cgroup.procs")) else {
            return 0;
        };
        let home = self.own.join("cgroup.procs");
        // One process per write (cgroups(7)). Who has gone meanwhile is not there to be moved.
        pids.split_whitespace()
            .filter(|pid| fs::write(&home, pid).is_ok())
            .count()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.gone && !emptied(&self.path) {
            tracing::warn!(path = %self.path.display(), "a control group is left behind");
        }
    }
}

/// Makes a directory that did not exist and locks it.
fn made(own: &Path) -> Result<(PathBuf, Flock<File>), CgroupError> {
    const TRIES: u32 = 100;
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for number in 0..TRIES {
        let path = own.join(format!("{NAME}{}-{number}", std::process::id()));
        let locked = fs::create_dir(&path).and_then(|()| lock(&path));
        match locked {
            // Between the two another launcher may have taken it for an abandoned one.
            Ok(lock) if path.exists() => return Ok((path, lock)),
            Ok(_) => {}
            Err(error) => {
                let again = matches!(
                    error.kind(),
                    io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound | io::ErrorKind::WouldBlock
                );
                // A group below no group: our own has been removed under us.
                if !again || !own.exists() {
                    return Err(CgroupError::Create { path, source: error });
                }
                last = error;
            }
        }
    }
    Err(CgroupError::Create {
        path: own.to_path_buf(),
        source: last,
    })
}

/// Locks a directory if nobody has.
fn lock(path: &Path) -> io::Result<Flock<File>> {
    Flock::lock(File::open(path)?, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| error.into())
}

/// Removes what killed launchers have left behind here.
fn sweep(own: &Path) {
    let Ok(entries) = fs::read_dir(own) else { return };
    for entry in entries.flatten() {
        if is_ours(&entry.file_name())
            && let Ok(_lock) = lock(&entry.path())
            && !emptied(&entry.path())
        {
            tracing::debug!(path = %entry.path().display(), "still in use, without its launcher");
        }
    }
}

/// Whether a group has a name as [`made`] gives.
fn is_ours(name: &OsStr) -> bool {
    let numbers = name
        .to_str()
        .and_then(|name| name.strip_prefix(NAME)?.split_once('-'));
    numbers.is_some_and(|(launcher, number)| launcher.parse::<u32>().is_ok() && number.parse::<u32>().is_ok())
}

/// Removes a group with all groups below it, where nobody is in any of them. Whether it is gone.
fn emptied(path: &Path) -> bool {
    match fs::remove_dir(path) {
        Ok(()) => return true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return true,
        Err(_) => {}
    }
    if is_populated(path) {
        return false;
    }
    let Ok(entries) = fs::read_dir(path) else {
        return false;
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) && !emptied(&entry.path()) {
            return false;
        }
    }
    fs::remove_dir(path).is_ok()
}

/// Whether somebody is in the group or below it.
fn is_populated(path: &Path) -> bool {
    let somebody = fs::read_to_string(path.join("cgroup.procs")).is_ok_and(|pids| !pids.trim().is_empty());
    let below = || {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let mut groups = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        groups.any(|group| is_populated(&group.path()))
    };
    somebody || below()
}

fn writable(path: &Path) -> Result<File, CgroupError> {
    OpenOptions::new()
        .write(true)
        .open(path)
        .map_err(|source| CgroupError::Join {
            path: path.to_path_buf(),
            source,
        })
}

/// `cpuacct.usage_percpu`: nanoseconds, by CPU number.
fn per_cpu(text: &str) -> io::Result<Vec<CpuTime>> {
    text.split_whitespace()
        .map(|number| number.parse().map(CpuTime).map_err(io::Error::other))
        .collect()
}

/// `cpu.stat`: `usage_usec` among others.
fn stat(text: &str) -> io::Result<Vec<CpuTime>> {
    let microseconds = text
        .lines()
        .find_map(|line| line.strip_prefix("usage_usec ")?.trim().parse::<u64>().ok());
    match microseconds {
        Some(microseconds) => Ok(vec![CpuTime(microseconds.saturating_mul(1000))]),
        None => Err(io::Error::other("no `usage_usec`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_in_both_versions_and_garbage_is_not_zero() {
        let ns = |times: io::Result<Vec<CpuTime>>| times.map_err(|error| error.to_string());
        assert_eq!(
            ns(per_cpu("12 0 7 \n")),
            Ok(vec![CpuTime(12), CpuTime(0), CpuTime(7)])
        );
        assert!(per_cpu("12 x").is_err());
        assert_eq!(ns(stat("usage_usec 5\nuser_usec 3\n")), Ok(vec![CpuTime(5000)]));
        assert!(stat("user_usec 3\n").is_err());
    }

    /// An ordinary directory in the place of a group: everything but the kernel's files.
    #[test]
    fn what_a_killed_launcher_left_behind_is_swept_and_what_a_living_one_holds_is_not() {
        let own = tempfile::tempdir().unwrap();
        let (held, lock) = made(own.path()).unwrap();
        let (abandoned, gone) = made(own.path()).unwrap();
        assert_ne!(held, abandoned);
        drop(gone);
        let others = [
            "somebody-elses",
            "carbon-run-test-1-0",
            "carbon-run-1",
            "carbon-run-1-x",
        ];
        for name in others {
            fs::create_dir(own.path().join(name)).unwrap();
        }
        sweep(own.path());
        assert!(held.exists() && !abandoned.exists());
        assert!(others.iter().all(|name| own.path().join(name).exists()));
        drop(lock);
    }

    #[test]
    fn a_place_that_is_gone_is_an_error() {
        let error = made(Path::new("/nonexistent")).unwrap_err();
        assert!(matches!(error, CgroupError::Create { .. }), "{error}");
    }
}
