//! What the jobs do. The test executable is its own workload: started with `--as-workload VERB ...` it never reaches the
//! test harness, so a fresh clone needs no further program, and the job starts with one thread like any other.
#![expect(unsafe_code, reason = "processes made in every way that the kernel offers")]

mod clocked;
mod flood;
mod lineage;
mod restless;
mod storms;
mod uring;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const FLAG: &str = "--as-workload";

/// A workload's end.
type Done = Result<(), Box<dyn Error>>;

/// The command line of a workload, run by `program` (a copy of the test executable).
pub(crate) fn by(program: &Path, words: &[&str]) -> Vec<OsString> {
    let mut command = vec![program.as_os_str().to_owned(), FLAG.into()];
    command.extend(words.iter().map(OsString::from));
    command
}

/// The command line of a workload.
pub(crate) fn job(words: &[&str]) -> Result<Vec<OsString>, Box<dyn Error>> {
    Ok(by(&std::env::current_exe()?, words))
}

// The C library runs these before `main` (ELF gABI, "Initialization and Termination Functions"); std takes the
// arguments in an earlier one of the same kind, and offers no place of its own before the harness.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = before_main;

extern "C" fn before_main() {
    let mut words = std::env::args().skip(1);
    if words.next().as_deref() != Some(FLAG) {
        return;
    }
    let words: Vec<String> = words.collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    leave(match perform(&words) {
        Ok(()) => 0,
        Err(error) => {
            drop(fs::write("/dev/stderr", format!("workload {words:?}: {error}\n")));
            1
        }
    })
}

/// Ends this process, without what the test harness may have set up.
fn leave(code: i32) -> ! {
    // SAFETY: ends the process at once, nothing is left to be upset.
    unsafe { libc::_exit(code) }
}

fn perform(words: &[&str]) -> Done {
    match *words {
        ["burn", ms] => burn(milliseconds(ms)?),
        ["accounted", file, ref rest @ ..] => lineage::accounted(Path::new(file), rest)?,
        ["burn-until", file] => burn_until(Path::new(file))?,
        ["burn-then-wait", ms, started, file] => {
            fs::write(started, "")?;
            burn(milliseconds(ms)?);
            wait_for(Path::new(file))?;
        }
        ["clocked", cpu, ms, file] => clocked::run(cpu.parse()?, milliseconds(ms)?, Path::new(file))?,
        ["clocked-first", cpu, ms, file] => {
            clocked::run_first(cpu.parse()?, milliseconds(ms)?, Path::new(file))?
        }
        ["flood", ms] => flood::run(milliseconds(ms)?)?,
        ["flood-until", file] => flood::run_until(Path::new(file))?,
        ["yield", cpu, threads, ms] => restless::yielding(cpu.parse()?, threads.parse()?, milliseconds(ms)?)?,
        ["on-and-off", cpu, us, started, file] => {
            fs::write(started, "")?;
            restless::on_and_off(cpu.parse()?, Duration::from_micros(us.parse()?), Path::new(file))?;
        }
        ["threads", count, ms] => storms::threads(count.parse()?, milliseconds(ms)?),
        ["thread-storm", count, ms] => storms::short_threads(count.parse()?, milliseconds(ms)?)?,
        ["fork", count, us] => storms::forks(count.parse()?, Duration::from_micros(us.parse()?))?,
        ["unreaped", count, ms] => storms::unreaped(count.parse()?, milliseconds(ms)?)?,
        ["spawn", count, program, ref rest @ ..] => {
            storms::posix_spawns(storms::Until::Count(count.parse()?), program, rest)?
        }
        ["spawn-until-used", ms, program] => {
            storms::posix_spawns(storms::Until::Used(milliseconds(ms)?), program, &[])?
        }
        ["vfork", count, us] => storms::vforks(count.parse()?, Duration::from_micros(us.parse()?))?,
        ["into-group", path, ms] => lineage::into_group(Path::new(path), milliseconds(ms)?)?,
        ["daemon", ms, pid_file] => lineage::daemon(milliseconds(ms)?, Path::new(pid_file), false)?,
        ["daemon-and-wait", ms, pid_file] => lineage::daemon(milliseconds(ms)?, Path::new(pid_file), true)?,
        ["exec-from-thread", ms, program, ref rest @ ..] => {
            lineage::exec_from_thread(milliseconds(ms)?, program, rest)?
        }
        ["exec-chain", links, ms] => lineage::exec_chain(links.parse()?, milliseconds(ms)?)?,
        ["chroot", dir, ms] => lineage::chroot(dir, milliseconds(ms)?)?,
        ["vanish", pid_file, done] => lineage::vanish(Path::new(pid_file), Path::new(done))?,
        ["impostor", pid, ms] => lineage::impostor(pid.parse()?, milliseconds(ms)?)?,
        ["net-namespaces", count] => lineage::net_namespaces(count.parse()?)?,
        ["uring", ms, file] => uring::run(milliseconds(ms)?, Path::new(file))?,
        _ => return Err("no such workload".into()),
    }
    Ok(())
}

fn milliseconds(text: &str) -> Result<Duration, Box<dyn Error>> {
    Ok(Duration::from_millis(text.parse()?))
}

fn clock(id: ClockId) -> Duration {
    clock_gettime(id).map_or(Duration::ZERO, Duration::from)
}

/// CPU time of this thread.
fn used() -> Duration {
    clock(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

/// Uses so much CPU time on this thread, however busy the machine is.
fn burn(amount: Duration) {
    let until = used() + amount;
    while used() < until {
        compute();
    }
}

/// Some tens of microseconds of arithmetic.
fn compute() {
    let mut x = 1_u64;
    for i in 0..20_000_u64 {
        x = std::hint::black_box(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(i));
    }
}

/// Uses CPU time until a file appears, half a minute at most.
fn burn_until(file: &Path) -> Done {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !file.exists() {
        if Instant::now() > deadline {
            return Err("nobody made the file".into());
        }
        burn(Duration::from_millis(5));
    }
    Ok(())
}

/// Sleeps until a file appears.
fn wait_for(file: &Path) -> Done {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !file.exists() {
        if Instant::now() > deadline {
            return Err("nobody made the file".into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn pin(cpu: usize) -> Done {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}
