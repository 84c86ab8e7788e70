//! Busy time per CPU from the kernel's cpuacct controller (cgroup version 1), for the machine and for one job.

use crate::StandInError;
use std::fs::{self, File};
use std::num::NonZero;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Where the hierarchy is mounted.
pub(crate) fn mount() -> Result<PathBuf, StandInError> {
    let mounts = Path::new("/proc/self/mounts");
    let text = fs::read_to_string(mounts).map_err(StandInError::io(mounts))?;
    text.lines()
        .filter_map(|line| {
            let mut fields = line.split(' ');
            let (_, at, kind, options) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
            (kind == "cgroup" && options.split(',').any(|option| option == "cpuacct"))
                .then(|| PathBuf::from(at))
        })
        .next()
        .ok_or(StandInError::NoCpuacct)
}

/// A group's `cpuacct.usage_percpu`, held open.
#[derive(Debug)]
pub(crate) struct Usage {
    path: PathBuf,
    file: File,
    /// More bytes than the file is expected to have.
    length: usize,
}

impl Usage {
    pub(crate) fn of(group: &Path) -> Result<Self, StandInError> {
        let path = group.join("cpuacct.usage_percpu");
        let file = File::open(&path).map_err(StandInError::io(&path))?;
        // At most 20 digits and a space for each CPU, and there may be more CPUs than this thread can use.
        let cpus = std::thread::available_parallelism().map_or(1, NonZero::get);
        let length = 64 * cpus.next_multiple_of(8);
        Ok(Self { path, file, length })
    }

    /// Nanoseconds by CPU number.
    pub(crate) fn read(&self) -> Result<Vec<u64>, StandInError> {
        let mut buffer = vec![0; self.length];
        let mut length = self
            .file
            .read_at(&mut buffer, 0)
            .map_err(StandInError::io(&self.path))?;
        while length == buffer.len() {
            buffer.resize(2 * length, 0);
            length = self
                .file
                .read_at(&mut buffer, 0)
                .map_err(StandInError::io(&self.path))?;
        }
        let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
        text.split_whitespace()
            .map(|number| {
                number.parse().map_err(|_| StandInError::Garbage {
                    path: self.path.clone(),
                    text: text.trim().to_owned(),
                })
            })
            .collect()
    }
}

/// A cpuacct group for a job, whose processes and all their descendants it follows: the truth about its CPU time.
///
/// A job that should be in it from its first instruction joins by itself, as in
/// `sh -c 'echo $$ > "$0" && exec "$@"' PROCS COMMAND ARG...` with [`JobGroup::procs`] for PROCS.
#[derive(Debug)]
pub struct JobGroup {
    path: PathBuf,
    usage: Usage,
}

impl JobGroup {
    /// An empty group at the top of the hierarchy.
    ///
    /// # Errors
    /// When there is no cpuacct hierarchy, or no right to make a group in it.
    pub fn create() -> Result<Self, StandInError> {
        Self::create_in(&mount()?)
    }

    /// An empty group inside this one, which has its time as well.
    ///
    /// # Errors
    /// When there is no right to make a group in it.
    pub fn inner(&self) -> Result<Self, StandInError> {
        Self::create_in(&self.path)
    }

    fn create_in(parent: &Path) -> Result<Self, StandInError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("powercap-stand-in-{}-{number}", std::process::id()));
        fs::create_dir(&path).map_err(StandInError::io(&path))?;
        let usage = Usage::of(&path)?;
        Ok(Self { path, usage })
    }

    /// The file to write a process id to (0 for the writer).
    #[must_use]
    pub fn procs(&self) -> PathBuf {
        self.path.join("cgroup.procs")
    }

    /// Moves a process, with all its threads, into the group.
    ///
    /// # Errors
    /// When there is no such process, or no right to move it.
    pub fn add(&self, pid: u32) -> Result<(), StandInError> {
        let procs = self.procs();
        fs::write(&procs, pid.to_string()).map_err(StandInError::io(&procs))
    }

    pub(crate) fn usage(&self) -> Result<Usage, StandInError> {
        Usage::of(&self.path)
    }

    /// CPU time of everything that was ever in the group while it was there: nanoseconds by CPU number. Lags by a tick
    /// at most for what is running now.
    ///
    /// # Errors
    /// When the kernel's file cannot be read.
    pub fn busy_ns(&self) -> Result<Vec<u64>, StandInError> {
        self.usage.read()
    }
}

impl Drop for JobGroup {
    fn drop(&mut self) {
        // A process that has just ended may still be leaving. A group with survivors in it stays, and is found by its name.
        let until = Instant::now() + Duration::from_secs(1);
        while fs::remove_dir(&self.path).is_err() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
