//! perf's counts by the real perf_event_open(2) and the real read(2), on a machine without a `power` PMU: a description
//! that names the kernel's software PMU, whose `cpu-clock` counts the nanoseconds of a CPU (config 0 of type 1,
//! include/uapi/linux/perf_event.h). With a scale of a nanojoule that is a package which draws one watt.

use crate::tree::codes;
use carbon_run::meter::Meter as _;
use carbon_run::meter::perf::{Perf, open_event};
use carbon_run::model::recording::{CpuGroup, Reading};
use carbon_run::model::units::Moment;
use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

type Outcome = Result<(), Box<dyn Error>>;

/// A system root with this machine's CPUs and that PMU.
fn one_watt() -> io::Result<TempDir> {
    let root = tempfile::tempdir()?;
    let pmu = root.path().join("sys/bus/event_source/devices/power");
    for (name, text) in [
        ("type", "1"),
        ("cpumask", "0"),
        ("format/event", "config:0-7"),
        ("events/energy-pkg", "event=0x00"),
        ("events/energy-pkg.unit", "Joules"),
        ("events/energy-pkg.scale", "1.0e-9"),
    ] {
        let path = pmu.join(name);
        fs::create_dir_all(path.parent().unwrap_or(&pmu))?;
        fs::write(path, format!("{text}\n"))?;
    }
    fs::create_dir_all(root.path().join("sys/devices"))?;
    symlink("/sys/devices/system", root.path().join("sys/devices/system"))?;
    symlink("/proc", root.path().join("proc"))?;
    Ok(root)
}

/// Whether this process may count a whole CPU; says otherwise that the test was not run.
fn may_count(test: &str) -> io::Result<bool> {
    let paranoid = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap_or_default();
    if paranoid.trim().parse::<i32>().is_ok_and(|level| level <= 0) || nix::unistd::geteuid().is_root() {
        return Ok(true);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "`{test}` needs the right to count a CPU, and in CI it has to run"
    );
    let line = format!("not run: {test}: needs root or `kernel.perf_event_paranoid` at 0\n");
    // Past libtest, which shows what `eprintln!` says only for tests that fail.
    io::stderr().write_all(line.as_bytes())?;
    Ok(false)
}

fn ticks(readings: &[Reading]) -> Result<u64, String> {
    match readings {
        [Reading::Ticks { ticks, .. }] => Ok(*ticks),
        other => Err(format!("{other:?}")),
    }
}

#[test]
fn a_count_of_the_running_kernel_is_opened_and_read() -> Outcome {
    if !may_count("a_count_of_the_running_kernel_is_opened_and_read")? {
        return Ok(());
    }
    let root = one_watt()?;
    let group = CpuGroup {
        package: 0,
        die: 0,
        cpus: vec![0],
        capacity_permille: None,
    };
    let opened = Perf::open(root.path(), &[group], &mut open_event);
    assert_eq!(codes(&opened.notes), [""; 0]);
    let mut meter = opened.meter.ok_or("no meter")?;
    let outside = Instant::now();
    let first = ticks(&meter.read(&mut || Moment(0)))?;
    let inside = Instant::now();
    std::thread::sleep(Duration::from_millis(200));
    let shortest = inside.elapsed();
    let last = ticks(&meter.read(&mut || Moment(1)))?;
    let longest = outside.elapsed();
    // Between the two ends whatever the load; the clocks are steered apart by less than a thousandth.
    let nanojoules = (last - first) as f64;
    assert!(
        nanojoules > 0.999 * shortest.as_nanos() as f64 && nanojoules < 1.001 * longest.as_nanos() as f64,
        "{nanojoules} nJ in {shortest:?} to {longest:?}"
    );
    Ok(())
}

/// carbon-run in a directory of its own.
fn carbon_run(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_carbon-run"));
    command
        .current_dir(home)
        .env_clear()
        .env("HOME", home)
        .env("PATH", "/usr/bin:/bin");
    command
}

#[test]
fn a_whole_run_is_measured_by_a_count_of_the_running_kernel() -> Outcome {
    if !may_count("a_whole_run_is_measured_by_a_count_of_the_running_kernel")? {
        return Ok(());
    }
    let (root, home) = (one_watt()?, tempfile::tempdir()?);
    let begin = Instant::now();
    let output = carbon_run(home.path())
        .args(["-q", "--no-csv", "--json", "report.json", "--sysroot"])
        .arg(root.path())
        .args(["--", "sleep", "0.5"])
        .output()?;
    let longest = begin.elapsed().as_secs_f64();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let report: serde_json::Value = serde_json::from_slice(&fs::read(home.path().join("report.json"))?)?;
    let package = &report["domains"][0];
    assert_eq!(package["origin"]["measured"], "perf", "{report}");
    let measured = package["measured_uj"].as_u64().ok_or("no energy")? as f64 / 1e6;
    assert!(
        measured > 0.499 && measured < 1.001 * longest,
        "{measured} J in {longest} s"
    );
    assert_eq!(report["quality"]["coverage"], 1.0);
    Ok(())
}

/// Readings are forced at the start and at the end: however rarely the run is looked at, all of it is known.
#[test]
fn a_run_far_shorter_than_the_interval_is_read_at_its_start_and_its_end() -> Outcome {
    if !may_count("a_run_far_shorter_than_the_interval_is_read_at_its_start_and_its_end")? {
        return Ok(());
    }
    let (root, home) = (one_watt()?, tempfile::tempdir()?);
    let output = carbon_run(home.path())
        .args([
            "-q",
            "--no-csv",
            "--interval",
            "3600",
            "--json",
            "report.json",
            "--sysroot",
        ])
        .arg(root.path())
        .args(["--", "true"])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let report: serde_json::Value = serde_json::from_slice(&fs::read(home.path().join("report.json"))?)?;
    assert_eq!(report["quality"]["coverage"], 1.0, "{report}");
    let measured = report["domains"][0]["measured_uj"].as_u64().ok_or("no energy")? as f64 / 1e6;
    let duration = report["duration_s"].as_f64().ok_or("no duration")?;
    assert!(
        measured >= 0.999 * duration,
        "{measured} J in {duration} s at one watt"
    );
    Ok(())
}
