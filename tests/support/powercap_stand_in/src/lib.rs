//! A powercap tree for accuracy tests on machines without RAPL: its counters follow a power model that is known
//! exactly, driven by what this machine's CPUs really do.
//!
//! Package `p` has gained, `t` after the start,
//! `E_p(t) = idle_p * t + k_p * (time that its CPUs were busy since the start)`, and its DRAM likewise. Power is additive, so
//! that a job's dynamic energy is `k_p` times its own CPU time on the CPUs of `p`, whoever else is running: [`JobGroup`]
//! gives that time from the kernel's books, and [`Spec::dynamic_uj`] the energy.
//!
//! A package may be said to have cores of two hardware threads ([`SmtSpec`]). Then a core draws `k_p` with one thread busy and
//! a little more with both, and what a job adds depends on its siblings: [`StandIn::follow`] counts it.
//!
//! Busy time is that of the root cpuacct cgroup (version 1): nanoseconds per CPU, all tasks of the machine. The kernel adds a
//! running task's time at the scheduler's tick and at every switch, so that the counters lag by a tick at most (4 ms at
//! HZ=250); a group's time is added by the same stroke as the root's, so that the two agree to the nanosecond.
//!
//! A thread writes the files every millisecond, the pace of RAPL's own registers, and they stand still in between. Its CPU
//! time ([`Truth::own_time`]) is part of the busy time, and somebody else's than the job's. Readers see whole numbers: a value
//! is 21 bytes, always, and written over the old one by one `pwrite` of one page.

mod core;
mod counter;
mod cpuacct;
mod engine;
mod spec;
mod tree;

pub use counter::Fault;
pub use cpuacct::JobGroup;
pub use engine::Truth;
pub use spec::{DramSpec, PackageSpec, SmtSpec, Spec};

use engine::Engine;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Why there can be no stand-in, or why it stopped.
#[derive(Debug, thiserror::Error)]
pub enum StandInError {
    /// A file that could not be read or written.
    #[error("`{}`: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// No cgroup hierarchy of version 1 with the `cpuacct` controller is mounted.
    #[error(
        "no cpuacct cgroup hierarchy is mounted, and nothing else tells busy time per CPU in nanoseconds"
    )]
    NoCpuacct,
    /// A file with something else in it than expected.
    #[error("`{}` holds `{text}`", path.display())]
    Garbage {
        /// Which.
        path: PathBuf,
        /// What.
        text: String,
    },
    /// A specification that describes no machine.
    #[error("{0}")]
    Spec(String),
    /// A zone that the tree does not have.
    #[error("no zone `{0}`")]
    NoZone(String),
    /// The thread cannot be put first.
    #[error("chrt: {0}")]
    Pace(String),
    /// The thread ended by a panic.
    #[error("the updating thread panicked")]
    Panicked,
}

impl StandInError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { path, error }
    }
}

/// A running stand-in. Ends when dropped; the tree stays.
#[derive(Debug)]
pub struct StandIn {
    sysroot: PathBuf,
    engine: Arc<Mutex<Engine>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), StandInError>>>,
    thread_id: i32,
}

impl StandIn {
    /// Builds the tree in `dir`, which should be empty, and starts counting. `dir` is then fit for `--sysroot`: it has
    /// `sys/class/powercap`, the topology under `sys/devices/system/cpu`, and this machine's `/proc`.
    ///
    /// # Errors
    /// When the specification does not give every online CPU to exactly one package, when there is no cpuacct hierarchy,
    /// or when the tree cannot be written.
    pub fn start(dir: &Path, spec: &Spec) -> Result<Self, StandInError> {
        spec.check(&tree::online_cpus()?)?;
        tree::build(dir, spec)?;
        let engine = Arc::new(Mutex::new(Engine::start(dir, spec)?));
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, stopped, every) = (Arc::clone(&engine), Arc::clone(&stop), spec.update_every);
        let (tell, told) = mpsc::channel();
        let update = move || {
            // Who started this thread is waiting for it.
            tell.send(nix::unistd::gettid().as_raw()).unwrap_or_default();
            let mut due = Instant::now();
            while !stopped.load(Ordering::Acquire) {
                {
                    let mut engine = lock(&shared);
                    engine.update()?;
                    engine.own_time_is(own_time());
                }
                // After a delay the pace is kept from then on; what was missed is in the next value.
                due = (due + every).max(Instant::now());
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            lock(&shared).update()
        };
        let thread = std::thread::Builder::new()
            .name("powercap".to_owned())
            .spawn(update)
            .map_err(StandInError::io(dir))?;
        Ok(Self {
            sysroot: dir.to_owned(),
            engine,
            stop,
            thread: Some(thread),
            thread_id: told.recv().map_err(|_| StandInError::Panicked)?,
        })
    }

    /// Real counters do not wait for a CPU: lets the updating thread go before all usual ones (`SCHED_FIFO`). On a full
    /// machine it would wait for longer than a sample, and a machine that seems to draw nothing proves its stated idle power
    /// wrong.
    ///
    /// # Errors
    /// When chrt(1) is not there or not allowed to.
    pub fn keep_pace(&self) -> Result<(), StandInError> {
        let output = Command::new("chrt")
            .args(["-f", "-p", "1", &self.thread_id.to_string()])
            .output()
            .map_err(StandInError::io(Path::new("chrt")))?;
        if output.status.success() {
            return Ok(());
        }
        Err(StandInError::Pace(
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ))
    }

    /// The directory for `--sysroot`.
    #[must_use]
    pub fn sysroot(&self) -> &Path {
        &self.sysroot
    }

    /// Brings the counters up to now, and says what they have gained since the start, before any wrap, reset or fault.
    ///
    /// # Errors
    /// When busy time cannot be read or a counter cannot be written.
    pub fn truth(&self) -> Result<Truth, StandInError> {
        let mut engine = lock(&self.engine);
        engine.update()?;
        Ok(engine.truth())
    }

    /// Counts the dynamic energy of that job from now on, and of no other. The group must last until [`Self::unfollow`].
    ///
    /// # Errors
    /// When the group's books cannot be read.
    pub fn follow(&self, group: &JobGroup) -> Result<(), StandInError> {
        lock(&self.engine).follow(group.usage()?)
    }

    /// The followed job's dynamic energy up to now in microjoules, by package and without DRAM.
    ///
    /// # Errors
    /// When busy time cannot be read or a counter cannot be written.
    pub fn unfollow(&self) -> Result<Vec<u64>, StandInError> {
        lock(&self.engine).unfollow()
    }

    /// Makes a zone misbehave from now on, as `fault("intel-rapl:0", Fault::Vanish)`. Its energy goes on being counted.
    ///
    /// # Errors
    /// When there is no such zone, or its file cannot be changed.
    pub fn fault(&self, zone: &str, fault: Fault) -> Result<(), StandInError> {
        lock(&self.engine).fault(zone, fault)
    }

    /// Ends a zone's fault: the counter is back, where it would be without it.
    ///
    /// # Errors
    /// When there is no such zone, or its file cannot be changed.
    pub fn heal(&self, zone: &str) -> Result<(), StandInError> {
        lock(&self.engine).heal(zone)
    }

    /// Stops counting and gives the last truth; the files show it too.
    ///
    /// # Errors
    /// The first error that the updating thread met, if any.
    pub fn stop(mut self) -> Result<Truth, StandInError> {
        self.end()?;
        let truth = lock(&self.engine).truth();
        Ok(truth)
    }

    fn end(&mut self) -> Result<(), StandInError> {
        self.stop.store(true, Ordering::Release);
        self.thread.take().map_or(Ok(()), |thread| {
            thread.join().unwrap_or(Err(StandInError::Panicked))
        })
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        // Who wants to know about errors calls `stop`.
        self.end().unwrap_or_default();
    }
}

/// CPU time of the calling thread.
fn own_time() -> Option<Duration> {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID)
        .ok()
        .map(Duration::from)
}

fn lock(engine: &Mutex<Engine>) -> MutexGuard<'_, Engine> {
    engine.lock().unwrap_or_else(PoisonError::into_inner)
}
