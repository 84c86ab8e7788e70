//! What is not known is a range with the truth in it, and what is measured twice is counted once.

use crate::measured::{Measured, WORK, run};
use crate::stage::{Figure, Neighbours, Outcome, Stage, assert_true, one_package};
use std::error::Error;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What the job has caused by the capacity policy, in joules: what it added, and its part of the idle machine.
fn truth(stage: &Stage, job: &Measured) -> Result<f64, Box<dyn Error>> {
    let dynamic: u64 = stage.spec.dynamic_uj(&job.busy_ns)?.iter().sum();
    let package = stage.spec.packages.first().ok_or("no package")?;
    Ok(dynamic as f64 / 1e6 + package.idle_w * job.busy_s() / package.cpus.len() as f64)
}

#[test]
fn with_an_unknown_idle_power_the_range_has_the_truth_in_it_and_the_remedy_is_named() -> Outcome {
    let Some(stage) = Stage::open(one_package)? else {
        return Ok(());
    };
    for crowded in [false, true] {
        let neighbours = crowded.then(Neighbours::everywhere).transpose()?;
        let job = run(&stage, &["--idle-policy", "capacity"], WORK)?;
        drop(neighbours);
        job.assert_ledgers()?;
        let truth = truth(&stage, &job)?;
        let range = &job.report["energy_ranges_j"]["cpu"];
        let (low, high) = (range["low"].as_f64(), range["high"].as_f64());
        println!("crowded {crowded}: {low:?} <= {truth} <= {high:?}");
        assert!(
            low <= Some(truth) && Some(truth) <= high,
            "{range} has not {truth}"
        );
        let basis = &job.domain("package-0")?["idle_power"]["basis"];
        if !crowded && basis != "unknown" {
            // This machine's own load went up and down meanwhile, and these counters are a straight line over it.
            assert!(basis == "regression" || basis == "learned", "{basis}");
            continue;
        }
        assert_eq!(basis, "unknown");
        let notes = job.report["quality"]["notes"].to_string();
        assert!(notes.contains("--idle-power"), "{notes}");
    }
    Ok(())
}

/// A zone without a model behind it: twice the package's energy would be nearer to truth than not to move at all.
fn add_zone(sysroot: &Path, zone: &str, inside: &str, name: &str) -> std::io::Result<File> {
    let devices = "sys/devices/virtual/powercap/intel-rapl";
    let real = sysroot.join(devices).join(inside);
    fs::create_dir_all(&real)?;
    fs::write(real.join("name"), format!("{name}\n"))?;
    fs::write(real.join("enabled"), "1\n")?;
    fs::write(real.join("max_energy_range_uj"), "262143999999\n")?;
    fs::write(real.join("energy_uj"), format!("{:020}\n", 0))?;
    symlink(
        Path::new("../../devices/virtual/powercap/intel-rapl").join(inside),
        sysroot.join("sys/class/powercap").join(zone),
    )?;
    File::options().write(true).open(real.join("energy_uj"))
}

#[test]
fn counters_of_the_whole_machine_and_of_parts_of_a_package_are_told_and_never_added() -> Outcome {
    let Some(stage) = Stage::open(one_package)? else {
        return Ok(());
    };
    let sysroot = stage.sysroot();
    let mut counters = vec![
        add_zone(&sysroot, "intel-rapl:1", "intel-rapl:1", "psys")?,
        add_zone(&sysroot, "intel-rapl:0:0", "intel-rapl:0/intel-rapl:0:0", "core")?,
        add_zone(
            &sysroot,
            "intel-rapl:0:1",
            "intel-rapl:0/intel-rapl:0:1",
            "uncore",
        )?,
    ];
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut energy = 0;
            while !stop.load(Ordering::Acquire) {
                for (number, counter) in (1_u64..).zip(&mut counters) {
                    energy += 100_000 * number;
                    let shown = format!("{energy:020}\n");
                    counter.write_all_at(shown.as_bytes(), 0).unwrap_or_default();
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let outcome = assert_true(|| counted_once(&stage));
        stop.store(true, Ordering::Release);
        outcome
    })
}

fn counted_once(stage: &Stage) -> Result<Vec<Figure>, Box<dyn Error>> {
    let job = run(stage, &["--idle-power", "20", "--idle-policy", "none"], WORK)?;
    job.assert_ledgers()?;
    for name in ["psys", "core-0", "uncore-0"] {
        let domain = job.domain(name)?;
        assert_eq!(domain["summed"], false, "{name}");
        assert!(domain["measured_uj"].as_u64() > Some(1_000_000), "{domain:#}");
    }
    let dynamic = job.line("package-0", "job_uj")?;
    let cpu = job.report["energy_j"]["cpu"].as_f64().ok_or("no energy")?;
    assert!((cpu * 1e6 - dynamic).abs() < 1.0, "{cpu} J for {dynamic} µJ");
    let wanted: u64 = stage.spec.dynamic_uj(&job.busy_ns)?.iter().sum();
    Ok(vec![Figure::new(
        "beside psys, core and uncore",
        dynamic,
        wanted as f64,
    )])
}
