//! The machine that is played, and who runs on it.

use powercap_stand_in::{JobGroup, PackageSpec, SmtSpec, Spec, StandIn};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// What 6-targets and METHOD.md promise of the job's dynamic energy.
pub(crate) const TARGET: f64 = 0.01;

/// A wait that takes longer has failed.
const DEADLINE: Duration = Duration::from_secs(120);

/// One test at a time has the machine: the figures would be right all the same, but a run would take as many times as long
/// as there are tests.
static MACHINE: Mutex<()> = Mutex::new(());

/// Counters that move, and a directory for results.
pub(crate) struct Stage {
    pub(crate) spec: Spec,
    pub(crate) stand_in: StandIn,
    home: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Stage {
    /// `None`, and said so, where this machine does not allow it; an error then when `CI` is set.
    pub(crate) fn open(
        describe: impl FnOnce(&[u32]) -> Option<Spec>,
    ) -> Result<Option<Self>, Box<dyn Error>> {
        let turn = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
        let cpus = online_cpus()?;
        let Some(spec) = describe(&cpus) else {
            return not_run(&format!("{} CPUs are too few", cpus.len()));
        };
        let home = tempfile::tempdir()?;
        let sysroot = home.path().join("sysroot");
        fs::create_dir(&sysroot)?;
        let opened = JobGroup::create().and_then(|_| StandIn::start(&sysroot, &spec));
        match opened {
            Ok(stand_in) => {
                stand_in.keep_pace()?;
                Ok(Some(Self {
                    spec,
                    stand_in,
                    home,
                    _turn: turn,
                }))
            }
            Err(error) => not_run(&error.to_string()),
        }
    }

    pub(crate) fn sysroot(&self) -> PathBuf {
        self.home.path().join("sysroot")
    }

    /// For results of one run.
    pub(crate) fn directory(&self) -> std::io::Result<PathBuf> {
        Ok(tempfile::tempdir_in(&self.home)?.keep())
    }
}

#[expect(clippy::print_stdout, reason = "a test that is not run says so")]
fn not_run(why: &str) -> Result<Option<Stage>, Box<dyn Error>> {
    println!("not run: {why}");
    if std::env::var_os("CI").is_some() {
        return Err(format!("`CI` is set, and this test cannot run: {why}").into());
    }
    Ok(None)
}

/// The stand-in wakes up for every step of its counters, before everybody else. At RAPL's own pace it is a neighbour that
/// preempts a thousand times a second, and of two threads of a core, in whose truth a step is the smallest unit, one that makes that truth
/// too coarse; so these counters step less often.
fn at_pace(packages: Vec<PackageSpec>) -> Spec {
    Spec {
        update_every: Duration::from_millis(5),
        ..Spec::new(packages)
    }
}

/// All CPUs in one package.
pub(crate) fn one_package(cpus: &[u32]) -> Option<Spec> {
    Some(at_pace(vec![PackageSpec::new(cpus, 20.0, 30.0)]))
}

/// All CPUs in one package, each pair of them a core whose threads draw 1.15 times what one draws (HaPPy: two weigh 0.575).
pub(crate) fn pairs(cpus: &[u32]) -> Option<Spec> {
    let mut spec = one_package(cpus)?;
    let cores: Vec<[u32; 2]> = cpus
        .chunks_exact(2)
        .filter_map(|pair| pair.try_into().ok())
        .collect();
    spec.packages.first_mut()?.smt = (!cores.is_empty()).then_some(SmtSpec {
        cores,
        both_busy_permille: 1150,
    });
    spec.packages.first()?.smt.is_some().then_some(spec)
}

/// The first half of the CPUs and the second, of different powers.
pub(crate) fn two_packages(cpus: &[u32]) -> Option<Spec> {
    let (one, other) = cpus.split_at(cpus.len() / 2);
    (!one.is_empty()).then(|| {
        at_pace(vec![
            PackageSpec::new(one, 20.0, 40.0),
            PackageSpec::new(other, 7.0, 25.0),
        ])
    })
}

fn online_cpus() -> Result<Vec<u32>, Box<dyn Error>> {
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

/// The CPUs of a package as taskset(1) wants them.
pub(crate) fn list(cpus: &[u32]) -> String {
    let cpus: Vec<String> = cpus.iter().map(u32::to_string).collect();
    cpus.join(",")
}

const PULSES: &str = "while :; do timeout 0.17 sh -c 'while :; do :; done'; sleep 0.23; done";

/// Somebody else who keeps CPUs busy until dropped.
pub(crate) struct Neighbours(Vec<Child>);

impl Neighbours {
    /// As many as there are CPUs, so that the machine is full.
    pub(crate) fn everywhere() -> Result<Self, Box<dyn Error>> {
        let mut neighbours = Self(Vec::new());
        for _ in online_cpus()? {
            neighbours.add(Command::new("sh"))?;
        }
        Ok(neighbours)
    }

    /// As many as there are CPUs, which work for 170 ms and sleep for 230.
    pub(crate) fn pulsing() -> Result<Self, Box<dyn Error>> {
        let mut neighbours = Self(Vec::new());
        for _ in online_cpus()? {
            neighbours.add_with(Command::new("sh"), PULSES)?;
        }
        Ok(neighbours)
    }

    /// One on a CPU, which works for 170 ms and sleeps for 230.
    pub(crate) fn pulsing_on(cpu: u32) -> std::io::Result<Self> {
        let mut command = Command::new("taskset");
        command.args(["-c", &cpu.to_string(), "sh"]);
        let mut neighbours = Self(Vec::new());
        neighbours.add_with(command, PULSES)?;
        Ok(neighbours)
    }

    /// One, on these CPUs.
    pub(crate) fn on(cpus: &[u32]) -> std::io::Result<Self> {
        let mut command = Command::new("taskset");
        command.args(["-c", &list(cpus), "sh"]);
        let mut neighbours = Self(Vec::new());
        neighbours.add(command)?;
        Ok(neighbours)
    }

    fn add(&mut self, shell: Command) -> std::io::Result<()> {
        self.add_with(shell, "while :; do :; done")
    }

    fn add_with(&mut self, mut shell: Command, script: &str) -> std::io::Result<()> {
        let child = shell.args(["-c", script]).stdin(Stdio::null()).spawn()?;
        self.0.push(child);
        Ok(())
    }
}

impl Drop for Neighbours {
    fn drop(&mut self) {
        for child in &mut self.0 {
            child.kill().unwrap_or_default();
            child.wait().map(drop).unwrap_or_default();
        }
    }
}

/// Waits until it is so.
pub(crate) fn wait_until(what: &str, mut so: impl FnMut() -> Result<bool, Box<dyn Error>>) -> Outcome {
    let until = Instant::now() + DEADLINE;
    while !so()? {
        if Instant::now() > until {
            return Err(format!("waited {} s in vain: {what}", DEADLINE.as_secs()).into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// A figure beside the truth.
pub(crate) struct Figure {
    what: String,
    got: f64,
    wanted: f64,
}

impl Figure {
    pub(crate) fn new(what: impl Into<String>, got: f64, wanted: f64) -> Self {
        Self {
            what: what.into(),
            got,
            wanted,
        }
    }

    fn error(&self) -> f64 {
        (self.got - self.wanted) / self.wanted
    }
}

/// The figures are within the target. A counter that steps every 5 ms is uncertain by a step where load changes, and whoever
/// else is on the machine makes more such changes. So a first measurement that misses is made four times more, and the
/// median counts.
#[expect(clippy::print_stdout, reason = "`--nocapture` shows how near the target is")]
pub(crate) fn assert_true(mut measure: impl FnMut() -> Result<Vec<Figure>, Box<dyn Error>>) -> Outcome {
    let mut all: Vec<Vec<Figure>> = Vec::new();
    while all.len() < 5 {
        let figures = measure()?;
        assert!(!figures.is_empty());
        for figure in &figures {
            let Figure { what, got, wanted } = figure;
            println!(
                "{what}: {got:.0} for {wanted:.0}, {:+.3} %",
                figure.error() * 100.0
            );
        }
        let within = figures.iter().all(|figure| figure.error().abs() <= TARGET);
        all.push(figures);
        if all.len() == 1 && within {
            return Ok(());
        }
    }
    for (number, figure) in all.iter().flatten().take(all[0].len()).enumerate() {
        let mut errors: Vec<f64> = all.iter().map(|figures| figures[number].error()).collect();
        errors.sort_by(f64::total_cmp);
        let median = errors[2];
        assert!(median.abs() <= TARGET, "{}: {errors:?}", figure.what);
    }
    Ok(())
}

/// A zone's counter as its file has it.
pub(crate) fn shown(sysroot: &Path, zone: &str) -> Result<u64, Box<dyn Error>> {
    let path = sysroot.join("sys/class/powercap").join(zone).join("energy_uj");
    Ok(fs::read_to_string(path)?.trim().parse()?)
}
