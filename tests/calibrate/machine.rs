//! A machine that is played: counters and /proc/stat that move together, by what is put on its CPUs. Nobody else's work
//! reaches it, so that it is as quiet as it is told to be on a machine that is not.

use std::collections::HashMap;
use std::error::Error;
use std::fmt::Display;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Watts of the package that each busy CPU adds.
pub(crate) const BUSY_W: f64 = 10.0;
/// Watts of the memory per watt of the idle package, whatever runs.
pub(crate) const DRAM_PART: f64 = 0.15;
/// The process that is busy when somebody is.
pub(crate) const HOG: u32 = 4242;

const POWERCAP: &str = "sys/class/powercap";

/// What a test can turn.
#[derive(Default)]
struct Knobs {
    stop: AtomicBool,
    /// Milliwatts of the idle package.
    idle_mw: AtomicU32,
    /// Hundredths of a CPU that the hog uses.
    hog: AtomicU32,
    /// The process whose threads named `calibrate` run here, too.
    guest: AtomicU32,
}

pub(crate) struct Machine {
    root: TempDir,
    knobs: Arc<Knobs>,
    trouble: Arc<Mutex<Option<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Machine {
    /// With as many CPUs as this one, numbered alike, in one package.
    pub(crate) fn start(idle_w: f64) -> Result<Self, Box<dyn Error>> {
        let root = tempfile::tempdir()?;
        let cpus = online()?;
        build(root.path(), &cpus)?;
        let knobs = Arc::new(Knobs::default());
        knobs.idle_mw.store((idle_w * 1000.0) as u32, Ordering::Relaxed);
        let trouble = Arc::new(Mutex::new(None));
        let (path, turned, met) = (root.path().to_owned(), Arc::clone(&knobs), Arc::clone(&trouble));
        let mut play = Play::new(path, cpus);
        play.show()?;
        let thread = std::thread::spawn(move || {
            while !turned.stop.load(Ordering::Relaxed) {
                if let Err(error) = play.go_on(&turned) {
                    *met.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
                    return;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Ok(Self {
            root,
            knobs,
            trouble,
            thread: Some(thread),
        })
    }

    pub(crate) fn sysroot(&self) -> PathBuf {
        self.root.path().to_owned()
    }

    pub(crate) fn idles_at(&self, watts: f64) {
        self.knobs
            .idle_mw
            .store((watts * 1000.0) as u32, Ordering::Relaxed);
    }

    pub(crate) fn hog_uses(&self, cpus: f64) {
        self.knobs.hog.store((cpus * 100.0) as u32, Ordering::Relaxed);
    }

    pub(crate) fn guest_is(&self, pid: u32) {
        self.knobs.guest.store(pid, Ordering::Relaxed);
    }

    /// What went wrong with the play, if anything.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.knobs.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap_or_default();
        }
    }
}

pub(crate) fn online() -> Result<Vec<u32>, Box<dyn Error>> {
    let mut cpus = Vec::new();
    for part in fs::read_to_string("/sys/devices/system/cpu/online")?
        .trim()
        .split(',')
    {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        cpus.extend(first.parse::<u32>()?..=last.parse()?);
    }
    Ok(cpus)
}

fn build(root: &Path, cpus: &[u32]) -> std::io::Result<()> {
    let write = |path: &str, value: &dyn Display| -> std::io::Result<()> {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap_or(root))?;
        fs::write(path, format!("{value}\n"))
    };
    for (zone, name) in [("intel-rapl:0", "package-0"), ("intel-rapl:0:0", "dram")] {
        write(&format!("{POWERCAP}/{zone}/name"), &name)?;
        write(
            &format!("{POWERCAP}/{zone}/max_energy_range_uj"),
            &262_143_328_850_u64,
        )?;
        write(&format!("{POWERCAP}/{zone}/energy_uj"), &format!("{:020}", 0))?;
    }
    let list: Vec<String> = cpus.iter().map(u32::to_string).collect();
    for name in ["online", "possible"] {
        write(&format!("sys/devices/system/cpu/{name}"), &list.join(","))?;
    }
    for cpu in cpus {
        let topology = format!("sys/devices/system/cpu/cpu{cpu}/topology");
        write(&format!("{topology}/physical_package_id"), &0)?;
        write(&format!("{topology}/die_id"), &0)?;
        write(&format!("{topology}/core_cpus_list"), cpu)?;
    }
    write(
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
        &"schedutil",
    )?;
    write("proc/cpuinfo", &"processor : 0\nmodel name : Example CPU 9000")?;
    write("proc/stat", &"")?;
    write(&format!("proc/{HOG}/stat"), &"")
}

/// The machine's state as time goes on.
struct Play {
    root: PathBuf,
    cpus: Vec<u32>,
    at: Instant,
    package_j: f64,
    dram_j: f64,
    /// Busy seconds by CPU.
    busy: HashMap<u32, f64>,
    hog: f64,
    /// Nanoseconds of each thread of the guest.
    threads: HashMap<u32, u64>,
}

impl Play {
    fn new(root: PathBuf, cpus: Vec<u32>) -> Self {
        Self {
            root,
            cpus,
            at: Instant::now(),
            package_j: 1000.0,
            dram_j: 10.0,
            busy: HashMap::new(),
            hog: 0.0,
            threads: HashMap::new(),
        }
    }

    fn go_on(&mut self, knobs: &Knobs) -> std::io::Result<()> {
        let now = Instant::now();
        let passed = now.duration_since(self.at).as_secs_f64();
        self.at = now;
        let mut worked = passed * f64::from(knobs.hog.load(Ordering::Relaxed)) / 100.0;
        self.hog += worked;
        if let Some(first) = self.cpus.first() {
            *self.busy.entry(*first).or_default() += worked;
        }
        for (cpu, seconds) in self.guest(knobs.guest.load(Ordering::Relaxed)) {
            *self.busy.entry(cpu).or_default() += seconds;
            worked += seconds;
        }
        let idle = f64::from(knobs.idle_mw.load(Ordering::Relaxed)) / 1000.0;
        self.package_j += passed * idle + worked * BUSY_W;
        self.dram_j += passed * idle * DRAM_PART;
        self.show()
    }

    /// What the guest's threads ran since the last time, by CPU (Documentation/scheduler/sched-stats.rst).
    fn guest(&mut self, pid: u32) -> Vec<(u32, f64)> {
        let mut ran = Vec::new();
        let tasks = fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten()
            .flatten();
        for task in tasks {
            let read = |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default();
            let tid = task.file_name().to_string_lossy().parse::<u32>();
            let (Ok(tid), "calibrate") = (tid, read("comm").trim()) else {
                continue;
            };
            let stat = read("stat");
            let cpu = stat
                .rsplit(") ")
                .next()
                .and_then(|rest| rest.split(' ').nth(36)?.parse().ok());
            let on_cpu = read("schedstat")
                .split(' ')
                .next()
                .and_then(|ns| ns.parse::<u64>().ok());
            let (Some(cpu), Some(now)) = (cpu, on_cpu) else {
                continue;
            };
            let before = self.threads.insert(tid, now).unwrap_or(0);
            ran.push((cpu, now.saturating_sub(before) as f64 / 1e9));
        }
        ran
    }

    fn show(&self) -> std::io::Result<()> {
        for (zone, joules) in [("intel-rapl:0", self.package_j), ("intel-rapl:0:0", self.dram_j)] {
            let path = self.root.join(POWERCAP).join(zone).join("energy_uj");
            let text = format!("{:020}\n", (joules * 1e6) as u64);
            OpenOptions::new()
                .write(true)
                .open(path)?
                .write_all_at(text.as_bytes(), 0)?;
        }
        let mut stat = String::from("cpu  0 0 0 0\n");
        for cpu in &self.cpus {
            let ticks = (self.busy.get(cpu).copied().unwrap_or(0.0) * 100.0) as u64;
            stat.push_str(&format!("cpu{cpu} {ticks} 0 0 0 0 0 0 0 0 0\n"));
        }
        replace(&self.root.join("proc/stat"), &stat)?;
        let zeros = "0 ".repeat(10);
        let hog = format!(
            "{HOG} (hog) R 1 {zeros}{} 0 0 0 20 0 1 0 77 0 0\n",
            (self.hog * 100.0) as u64
        );
        replace(&self.root.join(format!("proc/{HOG}/stat")), &hog)
    }
}

/// A reader sees the old or the new, as in /proc.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("new");
    fs::File::create(&new)?.write_all(text.as_bytes())?;
    fs::rename(new, path)
}
