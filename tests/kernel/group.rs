//! A control group for a job: what the kernel itself charges to it, by the scheduler's own clock.
//!
//! `cpu.stat` of version 2 counts whether or not a controller is enabled (Documentation/admin-guide/cgroup-v2.rst), and
//! follows every descendant, io_uring workers too.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Where version 2 is mounted.
pub(crate) fn mount() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (_, at, kind) = (fields.next()?, fields.next()?, fields.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(at))
    })
}

/// An empty group at the top of the hierarchy, removed when dropped.
pub(crate) struct Group {
    path: PathBuf,
}

impl Group {
    pub(crate) fn create() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mount = mount().ok_or_else(|| io::Error::other("no cgroup2 hierarchy is mounted"))?;
        let path = mount.join(format!("carbon-run-test-{}-{number}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// The file to which a process writes its id (0: the writer) in order to join.
    pub(crate) fn procs(&self) -> PathBuf {
        self.path.join("cgroup.procs")
    }

    /// CPU time of all that was ever in the group, in seconds. What runs at this moment is up to a tick behind.
    pub(crate) fn seconds(&self) -> io::Result<f64> {
        let text = fs::read_to_string(self.path.join("cpu.stat"))?;
        text.lines()
            .find_map(|line| line.strip_prefix("usage_usec ")?.trim().parse::<f64>().ok())
            .map(|microseconds| microseconds / 1e6)
            .ok_or_else(|| io::Error::other(format!("no `usage_usec` in {text:?}")))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // What has just ended may still be leaving; what a failed test has left running is ended here.
        let until = Instant::now() + Duration::from_secs(2);
        while fs::remove_dir(&self.path).is_err() && Instant::now() < until {
            let left = fs::read_to_string(self.procs()).unwrap_or_default();
            for pid in left.lines().filter_map(|line| line.parse().ok()) {
                let pid = nix::unistd::Pid::from_raw(pid);
                // It may have gone meanwhile.
                let _gone = nix::sys::signal::kill(pid, nix::sys::signal::SIGKILL).is_err();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
