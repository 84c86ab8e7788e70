//! Energy counters that do not count.

use crate::world::{JOB, Outcome, World, assert_says, assert_unharmed};
use serde_json::Value;
use std::error::Error;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

/// A machine with one package and this content of its counter. Gives the counter.
fn machine(world: &World, energy: &str) -> Result<PathBuf, Box<dyn Error>> {
    let root = world.root().join("sysroot");
    let zone = root.join("sys/class/powercap/intel-rapl:0");
    fs::create_dir_all(&zone)?;
    fs::write(zone.join("name"), "package-0\n")?;
    fs::write(zone.join("max_energy_range_uj"), "262143328850\n")?;
    fs::write(zone.join("energy_uj"), energy)?;
    let cpus = root.join("sys/devices/system/cpu");
    fs::create_dir_all(&cpus)?;
    let online = fs::read_to_string("/sys/devices/system/cpu/online")?;
    for name in ["online", "present", "possible"] {
        fs::write(cpus.join(name), &online)?;
    }
    let last: u32 = online
        .trim()
        .rsplit([',', '-'])
        .next()
        .unwrap_or_default()
        .parse()?;
    for cpu in 0..=last {
        let topology = cpus.join(format!("cpu{cpu}/topology"));
        fs::create_dir_all(&topology)?;
        fs::write(topology.join("physical_package_id"), "0\n")?;
        fs::write(topology.join("die_id"), "0\n")?;
        fs::write(topology.join("core_id"), format!("{cpu}\n"))?;
        fs::write(topology.join("thread_siblings_list"), format!("{cpu}\n"))?;
    }
    symlink("/proc", root.join("proc"))?;
    Ok(zone.join("energy_uj"))
}

const OPTIONS: [&str; 5] = ["--no-csv", "--json", "report.json", "--sysroot", "../sysroot"];

fn report(world: &World) -> Result<Value, Box<dyn Error>> {
    Ok(serde_json::from_slice(&fs::read(
        world.work().join("report.json"),
    )?)?)
}

#[test]
fn a_counter_without_a_number_is_named_and_a_model_takes_its_place() -> Outcome {
    for energy in [
        "",
        "not a number\n",
        "\0\0\0",
        "-5\n",
        "99999999999999999999999\n",
    ] {
        let world = World::new()?;
        machine(&world, energy)?;
        let output = world.carbon_run().args(OPTIONS).args(JOB).output()?;
        let said = assert_unharmed(&output);
        assert_says(&said, &["package-0", "energy_uj", "estimated"]);
        let report = report(&world)?;
        assert_eq!(
            report["energy_origin"]["cpu"]["estimated"], "cpu-model",
            "{energy:?}"
        );
        assert_eq!(report["quality"]["clean"], false, "{energy:?}");
        world.assert_only(&["report.json"]);
    }
    Ok(())
}

#[test]
fn a_counter_that_goes_away_during_the_job_is_said_and_its_energy_is_not_made_up() -> Outcome {
    let world = World::new()?;
    let counter = machine(&world, "1000\n")?;
    // What is open stays readable on a disk, other than in sysfs: hence empty first.
    let job = format!(": > '{0}'; rm '{0}'; sleep 0.5; {1}", counter.display(), JOB[2]);
    let output = world
        .carbon_run()
        .args(OPTIONS)
        .args(["sh", "-c", &job])
        .output()?;
    let said = assert_unharmed(&output);
    assert_says(&said, &["warning", "package-0"]);
    let report = report(&world)?;
    let coverage = report["quality"]["coverage"].as_f64().ok_or("no coverage")?;
    assert!(coverage < 0.9, "{coverage}");
    world.assert_only(&["report.json"]);
    Ok(())
}

#[test]
fn counters_of_root_only_are_said_in_one_line_with_a_safe_remedy() -> Outcome {
    let world = World::new()?;
    let counter = machine(&world, "1000\n")?;
    let mode = if nix::unistd::geteuid().is_root() {
        0o400
    } else {
        0o000
    };
    fs::set_permissions(&counter, Permissions::from_mode(mode))?;
    let Some(mut run) = world.as_nobody()? else {
        return Ok(());
    };
    let output = run.args(OPTIONS).args(JOB).output()?;
    let said = assert_unharmed(&output);
    let warnings: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("energy of `package-0` may not be read"))
        .collect();
    assert_eq!(warnings.len(), 1, "{said}");
    assert_says(&said, &["permission denied", "CAP_DAC_READ_SEARCH", "udev"]);
    assert!(
        !said.contains("chmod a+r") && !said.contains("chmod o+r"),
        "{said}"
    );
    assert_eq!(report(&world)?["energy_origin"]["cpu"]["estimated"], "cpu-model");
    Ok(())
}

#[test]
fn strict_refuses_each_counter_that_would_degrade_the_report() -> Outcome {
    for energy in ["", "not a number\n"] {
        let world = World::new()?;
        machine(&world, energy)?;
        let output = world
            .carbon_run()
            .arg("--strict")
            .args(OPTIONS)
            .args(JOB)
            .output()?;
        let said = world.assert_not_started(&output);
        assert_says(&said, &["package-0"]);
        assert!(world.names().is_empty(), "{:?}", world.names());
    }
    let world = World::new()?;
    let counter = machine(&world, "1000\n")?;
    fs::set_permissions(counter, Permissions::from_mode(0o000))?;
    let Some(mut run) = world.as_nobody()? else {
        return Ok(());
    };
    let output = run.arg("--strict").args(OPTIONS).args(JOB).output()?;
    let said = world.assert_not_started(&output);
    assert_says(&said, &["package-0", "hint: "]);
    Ok(())
}
