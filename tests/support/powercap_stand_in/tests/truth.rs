//! Whether the counters follow their model: against the kernel's books as these tests read them themselves.

use nix::time::clock_getcpuclockid;
use nix::unistd::{Pid, SysconfVar, sysconf};
use powercap_stand_in::{DramSpec, Fault, JobGroup, PackageSpec, SmtSpec, Spec, StandIn};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

type Outcome = Result<(), Box<dyn Error>>;

/// A process that keeps one CPU busy until it is dropped.
struct Busy(Child);

impl Busy {
    fn start() -> std::io::Result<Self> {
        Command::new("sh")
            .args(["-c", "while :; do :; done"])
            .spawn()
            .map(Self)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        self.0.wait().map(drop).unwrap_or_default();
    }
}

fn cpus() -> Result<Vec<u32>, Box<dyn Error>> {
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

/// Two packages where there are CPUs for two.
fn machine() -> Result<Spec, Box<dyn Error>> {
    let cpus = cpus()?;
    let halves = cpus.chunks(cpus.len().div_ceil(2)).map(<[u32]>::to_vec);
    let powers = [(20.0, 40.0), (7.0, 25.0)];
    let packages = halves
        .zip(powers)
        .map(|(cpus, (idle, busy))| PackageSpec::new(cpus, idle, busy));
    Ok(Spec::new(packages.collect()))
}

/// The root cpuacct group's nanoseconds by CPU number.
fn busy() -> Result<Vec<u64>, Box<dyn Error>> {
    let text = fs::read_to_string("/sys/fs/cgroup/cpuacct/cpuacct.usage_percpu")?;
    text.split_whitespace()
        .map(|number| Ok(number.parse()?))
        .collect()
}

fn counter(root: &Path, zone: &str) -> Result<u64, Box<dyn Error>> {
    let path = root.join("sys/class/powercap").join(zone).join("energy_uj");
    Ok(fs::read_to_string(path)?.trim().parse()?)
}

/// `got` is `wanted` but for a part of it, and as much as the two readings may be apart for known reasons.
fn assert_within_or(part: f64, apart: f64, got: f64, wanted: f64, what: &str) {
    let error = (got - wanted).abs();
    assert!(
        error <= part * wanted + apart,
        "{what}: {got} instead of {wanted}, {:.2} % off, with {apart} allowed beside {part}",
        error / wanted * 100.0
    );
}

#[test]
fn over_two_seconds_of_a_busy_loop_each_counter_gains_idle_power_and_busy_time_within_one_percent() -> Outcome
{
    let dir = tempfile::tempdir()?;
    let mut spec = machine()?;
    for package in &mut spec.packages {
        package.dram = Some(DramSpec {
            idle_w: 3.0,
            watts_per_busy_cpu: 2.0,
        });
    }
    let _busy = Busy::start()?;
    let stand_in = StandIn::start(dir.path(), &spec)?;
    let zones: Vec<(usize, String, f64, f64)> = spec
        .packages
        .iter()
        .enumerate()
        .flat_map(|(number, package)| {
            let zone = format!("intel-rapl:{number}");
            [
                (number, format!("{zone}:0"), 3.0, 2.0),
                (number, zone, package.idle_w, package.watts_per_busy_cpu),
            ]
        })
        .collect();
    let (start, before) = (Instant::now(), busy()?);
    let shown: Vec<u64> = zones
        .iter()
        .map(|(_, zone, ..)| counter(dir.path(), zone))
        .collect::<Result<_, _>>()?;
    std::thread::sleep(Duration::from_secs(2));
    let gained: Vec<u64> = zones
        .iter()
        .zip(&shown)
        .map(|((_, zone, ..), then)| Ok(counter(dir.path(), zone)? - then))
        .collect::<Result<_, Box<dyn Error>>>()?;
    let (seconds, after) = (start.elapsed().as_secs_f64(), busy()?);
    let truth = stand_in.stop()?;
    // The counters were read up to so long after their last step, and before this clock.
    let stand = truth.longest_stand.as_secs_f64();
    for ((number, zone, idle, per_cpu), gained) in zones.into_iter().zip(gained) {
        let busy_ns: u64 = spec.packages[number]
            .cpus
            .iter()
            .map(|&cpu| after[cpu as usize] - before[cpu as usize])
            .sum();
        let expected = idle * seconds + per_cpu * busy_ns as f64 / 1e9;
        let cpus = spec.packages[number].cpus.len() as f64;
        let apart = (idle + per_cpu * cpus) * stand;
        assert_within_or(0.01, apart, gained as f64 / 1e6, expected, &zone);
    }
    let own = truth.own_time.as_secs_f64() / truth.elapsed.as_secs_f64();
    assert!(own < 0.1, "the stand-in took {:.1} % of a CPU", own * 100.0);
    Ok(())
}

/// What /proc/stat has for all CPUs together, in seconds.
struct Stat {
    /// Nobody was on, waiting for a disk or not.
    idle: f64,
    /// A hypervisor kept the CPU from whoever was on; the kernel's clock of CPU time stands still meanwhile
    /// (CONFIG_PARAVIRT_TIME_ACCOUNTING, kernel/sched/core.c: `update_rq_clock_task`), and so does cpuacct's.
    stolen: f64,
}

impl Stat {
    fn read() -> Result<Self, Box<dyn Error>> {
        let tick = sysconf(SysconfVar::CLK_TCK)?.ok_or("no clock tick")?;
        let text = fs::read_to_string("/proc/stat")?;
        let fields: Vec<f64> = text
            .lines()
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .skip(1)
            .map(|ticks| Ok(ticks.parse::<f64>()? / tick as f64))
            .collect::<Result<_, Box<dyn Error>>>()?;
        // user nice system idle iowait irq softirq steal
        Ok(Self {
            idle: fields[3] + fields[4],
            stolen: fields[7],
        })
    }
}

#[test]
fn busy_time_is_what_neither_the_idle_task_nor_a_hypervisor_got() -> Outcome {
    // A second witness: /proc/stat counts idle and stolen time in its own way, in ticks of 10 ms.
    let dir = tempfile::tempdir()?;
    let cpus = cpus()?;
    let spec = Spec::new(vec![PackageSpec::new(cpus.clone(), 10.0, 40.0)]);
    let _busy = cpus
        .iter()
        .map(|_| Busy::start())
        .collect::<Result<Vec<_>, _>>()?;
    let stand_in = StandIn::start(dir.path(), &spec)?;
    let (start, before) = (Instant::now(), Stat::read()?);
    let energy_before = stand_in.truth()?.energy_uj[0];
    std::thread::sleep(Duration::from_secs(4));
    let gained = (stand_in.truth()?.energy_uj[0] - energy_before) as f64 / 1e6;
    let (seconds, after) = (start.elapsed().as_secs_f64(), Stat::read()?);
    let stolen = after.stolen - before.stolen;
    let busy_seconds = seconds * cpus.len() as f64 - (after.idle - before.idle) - stolen;
    // Ticks are told when they are full, and what was stolen is told at the next one.
    let untold = 0.02 * cpus.len() as f64;
    let stand = stand_in.stop()?.longest_stand.as_secs_f64() * cpus.len() as f64;
    let off = 40.0 * (untold + stand + 0.1 * stolen);
    assert_within_or(0.01, off, gained, 10.0 * seconds + 40.0 * busy_seconds, "energy");
    Ok(())
}

#[test]
fn a_job_group_knows_the_time_of_its_processes_within_a_tick() -> Outcome {
    let group = JobGroup::create()?;
    let job = Busy::start()?;
    let pid = Pid::from_raw(i32::try_from(job.0.id())?);
    let clock = clock_getcpuclockid(pid)?;
    group.add(job.0.id())?;
    let witness = || -> Result<f64, Box<dyn Error>> { Ok(Duration::from(clock.now()?).as_secs_f64()) };
    let booked = || -> Result<f64, Box<dyn Error>> { Ok(group.busy_ns()?.iter().sum::<u64>() as f64 / 1e9) };
    // Whatever runs between the two readings is in one and not in the other: the first reading is taken on both sides.
    let both = || -> Result<_, Box<dyn Error>> { Ok((witness()?, booked()?, witness()?)) };
    let (least, booked_before, most) = both()?;
    let until = Instant::now() + Duration::from_secs(60);
    while witness()? - most < 1.0 {
        assert!(
            Instant::now() < until,
            "the job did not get a second of CPU time in a minute"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    let (least_now, booked_now, most_now) = both()?;
    let middle = ((least_now + most_now) - (least + most)) / 2.0;
    let apart = (most_now - least_now + most - least) / 2.0;
    assert_within_or(0.01, apart, booked_now - booked_before, middle, "seconds");
    // What the others do is not in it, and what it does is in the machine's.
    let all = busy()?;
    assert!(group.busy_ns()?.iter().zip(&all).all(|(job, all)| job <= all));
    let spec = Spec::new(vec![PackageSpec::new(cpus()?, 10.0, 40.0)]);
    let job_ns = group.busy_ns()?;
    let dynamic = spec.dynamic_uj(&job_ns)?;
    assert_eq!(dynamic, [job_ns.iter().sum::<u64>() * 40 / 1_000]);
    Ok(())
}

#[test]
fn a_reader_never_sees_half_a_number_and_never_one_that_goes_back() -> Outcome {
    let dir = tempfile::tempdir()?;
    let mut spec = machine()?;
    spec.update_every = Duration::ZERO;
    let stand_in = StandIn::start(dir.path(), &spec)?;
    let (mut last, mut seen) = (0, 0);
    let until = Instant::now() + Duration::from_millis(500);
    while Instant::now() < until {
        let now = counter(dir.path(), "intel-rapl:0")?;
        assert!(now >= last, "{now} after {last}");
        seen += u32::from(now > last);
        last = now;
    }
    let start = spec.packages[0].start_uj;
    assert!(last >= start && last - start <= stand_in.stop()?.energy_uj[0]);
    assert!(seen > 10, "the counter stepped {seen} times");
    Ok(())
}

#[test]
fn the_tree_is_fit_for_a_sysroot() -> Outcome {
    let dir = tempfile::tempdir()?;
    let spec = machine()?;
    let stand_in = StandIn::start(dir.path(), &spec)?;
    let read = |path: &str| fs::read_to_string(dir.path().join(path));
    for (number, package) in spec.packages.iter().enumerate() {
        assert_eq!(
            read(&format!("sys/class/powercap/intel-rapl:{number}/name"))?,
            format!("package-{number}\n")
        );
        for cpu in &package.cpus {
            let topology = format!("sys/devices/system/cpu/cpu{cpu}/topology");
            assert_eq!(
                read(&format!("{topology}/physical_package_id"))?,
                format!("{number}\n")
            );
            assert_eq!(read(&format!("{topology}/die_id"))?, "0\n");
        }
    }
    for file in ["cpuinfo", "meminfo", "stat"] {
        assert!(!read(&format!("proc/{file}"))?.is_empty(), "{file}");
    }
    assert_eq!(stand_in.sysroot(), dir.path());
    Ok(())
}

#[test]
fn a_followed_job_added_what_its_own_time_draws() -> Outcome {
    let dir = tempfile::tempdir()?;
    let spec = Spec::new(vec![PackageSpec::new(cpus()?, 10.0, 40.0)]);
    let stand_in = StandIn::start(dir.path(), &spec)?;
    let group = JobGroup::create()?;
    let job = Busy::start()?;
    stand_in.follow(&group)?;
    group.add(job.0.id())?;
    let until = Instant::now() + Duration::from_secs(60);
    while group.busy_ns()?.iter().sum::<u64>() < 500_000_000 {
        assert!(
            Instant::now() < until,
            "the job did not get half a second in a minute"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(job);
    let followed: u64 = stand_in.unfollow()?.iter().sum();
    let wanted: u64 = spec.dynamic_uj(&group.busy_ns()?)?.iter().sum();
    assert_eq!(followed, wanted);
    assert_eq!(stand_in.unfollow()?, [0]);
    Ok(())
}

#[test]
fn hardware_threads_are_siblings_in_the_tree_and_nobody_elses_in_the_spec() -> Outcome {
    let cpus = cpus()?;
    let mut package = PackageSpec::new(cpus.clone(), 10.0, 40.0);
    let smt = |core| {
        Some(SmtSpec {
            cores: vec![core],
            both_busy_permille: 1150,
        })
    };
    if let [one, other, ..] = *cpus {
        package.smt = smt([one, other]);
        let dir = tempfile::tempdir()?;
        let _stand_in = StandIn::start(dir.path(), &Spec::new(vec![package.clone()]))?;
        for cpu in [one, other] {
            let topology = dir
                .path()
                .join(format!("sys/devices/system/cpu/cpu{cpu}/topology"));
            let read = |name: &str| fs::read_to_string(topology.join(name));
            assert_eq!(read("thread_siblings_list")?, format!("{one},{other}\n"));
            assert_eq!(read("core_id")?, format!("{one}\n"));
        }
    }
    for core in [[cpus[0], cpus[0]], [cpus[0], 4_000_000]] {
        package.smt = smt(core);
        let dir = tempfile::tempdir()?;
        assert!(
            StandIn::start(dir.path(), &Spec::new(vec![package.clone()])).is_err(),
            "{core:?}"
        );
    }
    Ok(())
}

#[test]
fn a_zone_can_misbehave_and_recover_while_the_truth_goes_on() -> Outcome {
    let dir = tempfile::tempdir()?;
    let stand_in = StandIn::start(dir.path(), &machine()?)?;
    let before = stand_in.truth()?.energy_uj[0];
    stand_in.fault("intel-rapl:0", Fault::Vanish)?;
    assert!(counter(dir.path(), "intel-rapl:0").is_err());
    stand_in.heal("intel-rapl:0")?;
    assert!(counter(dir.path(), "intel-rapl:0")? > 1_000_000_000);
    stand_in.fault("intel-rapl:0", Fault::Reset)?;
    assert!(counter(dir.path(), "intel-rapl:0")? < 1_000_000_000);
    assert!(stand_in.fault("intel-rapl:9", Fault::Vanish).is_err());
    assert!(stand_in.stop()?.energy_uj[0] > before);
    Ok(())
}

#[test]
fn a_machine_that_is_not_this_one_is_refused() -> Outcome {
    let dir = tempfile::tempdir()?;
    for cpus in [vec![], vec![0, 0], vec![4_000_000]] {
        let spec = Spec::new(vec![PackageSpec::new(cpus.clone(), 1.0, 1.0)]);
        assert!(StandIn::start(dir.path(), &spec).is_err(), "{cpus:?}");
    }
    let mut spec = machine()?;
    spec.packages[0].idle_w = -1.0;
    assert!(StandIn::start(dir.path(), &spec).is_err());
    Ok(())
}
