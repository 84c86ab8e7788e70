//! A user without rights.

use crate::world::{JOB, Outcome, World, assert_says, assert_unharmed};
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn without_rights_there_is_a_useful_report_and_one_line_says_what_is_missing() -> Outcome {
    let world = World::new()?;
    let Some(mut run) = world.as_nobody()? else {
        return Ok(());
    };
    let output = run.args(["--json", "report.json"]).args(JOB).output()?;
    let said = assert_unharmed(&output);
    // The best rung that needs no right: the kernel's task clock, where the kernel lets everybody have it.
    let paranoid = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap_or_default();
    let open = paranoid.trim().parse::<i32>().is_ok_and(|level| level <= 2);
    let rung = if open { "perf" } else { "procfs" };
    assert_says(&said, &[&format!("by {rung}"), "energy", "CO2eq"]);
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("`ebpf`")).collect();
    assert_eq!(lines.len(), 1, "{said}");
    assert_says(lines[0], &["as root", "carbon-run daemon"]);
    let report: serde_json::Value = serde_json::from_slice(&fs::read(world.work().join("report.json"))?)?;
    assert_eq!(report["accounting"]["backend"], rung);
    assert!(report["cpu_time_s"].as_f64() > Some(0.0), "{report:#}");
    assert!(report["energy_j"]["total"].as_f64() > Some(0.0), "{report:#}");
    world.assert_only(&["report.json", "emissions.csv"]);
    Ok(())
}

#[test]
fn accounting_that_is_asked_for_and_not_allowed_is_an_error_with_the_remedy() -> Outcome {
    let world = World::new()?;
    for flags in [&["--accounting", "ebpf"][..], &["--strict"]] {
        let Some(mut run) = world.as_nobody()? else {
            return Ok(());
        };
        let output = run.args(flags).args(JOB).output()?;
        let said = world.assert_not_started(&output);
        assert_says(&said, &["eBPF", "\nhint: ", "as root", "carbon-run daemon"]);
        assert!(world.names().is_empty(), "{:?}", world.names());
    }
    Ok(())
}

#[test]
fn strict_refuses_each_place_that_a_result_could_not_go_to() -> Outcome {
    for flags in [
        ["--output-dir", "missing"],
        ["--json", "missing/report.json"],
        ["--record", "missing/run.jsonl"],
        ["--json", "/proc"],
    ] {
        let world = World::new()?;
        let output = world
            .carbon_run()
            .arg("--strict")
            .args(flags)
            .args(JOB)
            .output()?;
        let said = world.assert_not_started(&output);
        assert_says(&said, &[flags[1], "hint: "]);
        assert!(world.names().is_empty(), "{:?}", world.names());
        assert!(world.rescued().is_empty());
    }
    Ok(())
}

#[test]
fn strict_refuses_a_setting_that_nothing_reads() -> Outcome {
    let world = World::new()?;
    let output = world
        .carbon_run()
        .env("CARBON_RUN_CONTRY", "FR")
        .arg("--strict")
        .args(JOB)
        .output()?;
    let said = world.assert_not_started(&output);
    assert_says(&said, &["CARBON_RUN_CONTRY", "CARBON_RUN_COUNTRY"]);
    Ok(())
}

/// A description of the kernel's software PMU as a `power` PMU: no user without rights may count a whole CPU.
#[test]
fn doctor_names_every_meter_what_right_is_missing_and_how_to_get_it() -> Outcome {
    let level = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid")?;
    if level.trim().parse::<i32>()? <= 0 {
        return crate::world::not_run::<()>("everybody may count here").map(drop);
    }
    let world = World::new()?;
    for (name, text) in [
        ("sys/bus/event_source/devices/power/type", "1"),
        ("sys/bus/event_source/devices/power/cpumask", "0"),
        ("sys/bus/event_source/devices/power/format/event", "config:0-7"),
        (
            "sys/bus/event_source/devices/power/events/energy-pkg",
            "event=0x00",
        ),
        (
            "sys/bus/event_source/devices/power/events/energy-pkg.unit",
            "Joules",
        ),
        (
            "sys/bus/event_source/devices/power/events/energy-pkg.scale",
            "1e-9",
        ),
        ("sys/class/powercap/intel-rapl:0/name", "package-0"),
        ("sys/class/powercap/intel-rapl:0/energy_uj", "1"),
        ("sys/class/hwmon/hwmon0/name", "power_meter"),
        ("sys/class/hwmon/hwmon0/power1_average", "1"),
        ("sys/devices/system/cpu/online", "0"),
        ("sys/devices/system/cpu/cpu0/topology/physical_package_id", "0"),
    ] {
        let path = world.root().join("machine").join(name);
        fs::create_dir_all(path.parent().ok_or("no directory")?)?;
        fs::write(&path, format!("{text}\n"))?;
        if name.ends_with("energy_uj") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o400))?;
        }
    }
    let Some(mut doctor) = world.as_nobody()? else {
        return Ok(());
    };
    let sysroot = world.root().join("machine");
    let output = doctor
        .args(["doctor", "--json", "--sysroot"])
        .arg(sysroot)
        .output()?;
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let check = |name: &str| {
        let meters = report["meters"].as_array().into_iter().flatten();
        meters
            .into_iter()
            .find(|meter| meter["name"] == name)
            .cloned()
            .unwrap_or_default()
    };
    let perf = check("perf energy-pkg on CPU 0");
    assert_says(&perf["failure"].to_string(), &["permission denied"]);
    assert_says(&perf["remedy"].to_string(), &["CAP_PERFMON", "PLATYPUS"]);
    if nix::unistd::geteuid().is_root() {
        let zone = check("intel-rapl:0");
        assert_says(&zone["failure"].to_string(), &["permission denied"]);
        assert_says(&zone["remedy"].to_string(), &["CAP_DAC_READ_SEARCH"]);
    }
    assert_says(
        &check("hwmon0 power1_average")["gives"].to_string(),
        &["not used"],
    );
    Ok(())
}
