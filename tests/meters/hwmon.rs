//! Sensors of power and energy: what of them is summed, what is told, and what becomes of those that fail.

use crate::tree::{Copy, codes};
use carbon_run::meter::hwmon::{Hwmon, Opened, survey};
use carbon_run::meter::{self, Meter as _};
use carbon_run::model::recording::{DomainSource, Reading};
use carbon_run::model::units::Moment;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

fn open(tree: &Copy) -> io::Result<Opened> {
    let topology = carbon_run::host::topology(tree.root()).map_err(io::Error::other)?;
    Ok(Hwmon::open(tree.root(), &topology.groups))
}

/// Name, `summed` or `told`, groups, and how long the sensor averages.
fn lines(opened: &Opened) -> Vec<String> {
    opened
        .meter
        .iter()
        .flat_map(Hwmon::domains)
        .map(|domain| {
            let how = match &domain.source {
                DomainSource::Power { averages_over, .. } => {
                    averages_over.map_or("power".to_owned(), |time| format!("power over {time:?}"))
                }
                DomainSource::Counter { .. } => "counter".to_owned(),
                DomainSource::CpuModel(_) | DomainSource::RamModel(_) => "model".to_owned(),
            };
            let summed = if domain.summed { "summed" } else { "told" };
            format!("{} {summed} {:?} {how}", domain.name, domain.groups)
        })
        .collect()
}

#[test]
fn of_a_grace_hopper_the_socket_is_summed_and_its_rails_and_the_module_are_told() -> io::Result<()> {
    let opened = open(&Copy::of("grace-hopper")?)?;
    assert_eq!(
        lines(&opened),
        [
            "package-0 summed [0] power over 50ms",
            "core-0 told [0] power over 50ms",
            "uncore-0 told [0] power over 50ms",
            "module-0 told [] power over 50ms",
        ]
    );
    assert_eq!(codes(&opened.notes), ["hwmon-memory-inside"]);
    Ok(())
}

#[test]
fn where_the_socket_cannot_be_read_its_two_rails_are_summed_instead() -> io::Result<()> {
    let tree = Copy::of("grace")?;
    fs::write(
        tree.root().join("sys/class/hwmon/hwmon1/device/power1_average"),
        "-1\n",
    )?;
    let opened = open(&tree)?;
    let summed: Vec<String> = lines(&opened)
        .into_iter()
        .filter(|line| line.contains("summed"))
        .collect();
    assert_eq!(
        summed,
        [
            "package-0 summed [0] power over 50ms",
            "io-0 summed [0] power over 50ms",
            "package-1 summed [1] power over 50ms",
        ]
    );
    assert_eq!(codes(&opened.notes), ["hwmon-failed!", "hwmon-memory-inside"]);
    Ok(())
}

#[test]
fn sockets_are_packages_in_order_whatever_the_kernel_calls_them() -> io::Result<()> {
    let opened = open(&Copy::of("altra")?)?;
    assert_eq!(
        lines(&opened),
        [
            "package-36 summed [0] power",
            "io-36 summed [0] power",
            "package-3180 summed [1] power",
            "io-3180 summed [1] power",
        ]
    );
    assert_eq!(codes(&opened.notes), [""; 0]);
    Ok(())
}

#[test]
fn counters_of_sockets_are_summed_and_those_of_cores_machines_and_gpus_are_not_read() -> io::Result<()> {
    let tree = Copy::of("epyc-amd-energy")?;
    let mut opened = open(&tree)?;
    assert_eq!(
        lines(&opened),
        ["package-0 summed [0] counter", "package-1 summed [1] counter"]
    );
    let readings = opened.meter.as_mut().map(|meter| meter.read(&mut || Moment(7)));
    let expected = [900_000_000, 1_800_000_000].map(|ticks| Reading::Ticks { ticks, at: Moment(7) });
    assert_eq!(readings, Some(expected.to_vec()));
    Ok(())
}

#[test]
fn a_package_without_a_sensor_is_missed() -> io::Result<()> {
    let tree = Copy::of("altra")?;
    fs::remove_dir_all(tree.root().join("sys/class/hwmon/hwmon1"))?;
    let opened = open(&tree)?;
    assert_eq!(codes(&opened.notes), ["hwmon-partial!"]);
    Ok(())
}

#[test]
fn a_sensor_that_fails_comes_back_and_hinders_nobody() -> io::Result<()> {
    let tree = Copy::of("altra")?;
    let mut meter = open(&tree)?.meter.ok_or_else(|| io::Error::other("no meter"))?;
    let file = tree.root().join("sys/class/hwmon/hwmon0/power1_input");
    let mut shown = |text: &str| -> io::Result<Vec<Option<u64>>> {
        fs::write(&file, text)?;
        let readings = meter.read(&mut || Moment(1));
        Ok(readings
            .iter()
            .map(|reading| match reading {
                Reading::Power { microwatts, .. } => Some(*microwatts),
                Reading::Ticks { .. } | Reading::Failed(_) | Reading::Modelled => None,
            })
            .collect())
    };
    let rest = [Some(30_000_000), Some(60_000_000), Some(30_000_000)];
    for (text, value) in [("61000000\n", Some(61_000_000)), ("\n", None), ("5\n", Some(5))] {
        let shown = shown(text)?;
        assert_eq!(shown.first(), Some(&value));
        assert_eq!(shown.get(1..), Some(&rest[..]));
    }
    Ok(())
}

#[test]
fn hwmon_is_not_read_where_rapl_has_the_packages() -> io::Result<()> {
    let tree = Copy::of("epyc")?;
    let chip = tree.root().join("sys/class/hwmon/hwmon0");
    fs::create_dir_all(&chip)?;
    for (name, text) in [
        ("name", "amd_energy"),
        ("energy1_label", "Esocket0"),
        ("energy1_input", "5"),
    ] {
        fs::write(chip.join(name), format!("{text}\n"))?;
    }
    let topology = carbon_run::host::topology(tree.root()).map_err(io::Error::other)?;
    let meters = meter::open_with(tree.root(), &topology.groups, &mut crate::scenario::refused());
    let origins: Vec<_> = meters
        .domains()
        .iter()
        .map(|domain| serde_json::to_value(&domain.origin).unwrap_or_default()["measured"].clone())
        .collect();
    assert_eq!(origins, ["powercap"; 4]);
    Ok(())
}

#[test]
fn a_survey_says_of_every_sensor_what_it_is_and_whether_it_is_used() -> io::Result<()> {
    let tree = Copy::of("epyc-amd-energy")?;
    let said: Vec<String> = survey(tree.root())
        .into_iter()
        .filter(|sensor| !sensor.gives.contains("Ecore"))
        .map(|sensor| format!("{}: {} {:?}", sensor.name, sensor.gives, sensor.failure))
        .collect();
    assert_eq!(
        said,
        [
            "hwmon1 energy5_input: Esocket0 (amd_energy), used where there is no RAPL None",
            "hwmon1 energy6_input: Esocket1 (amd_energy), used where there is no RAPL None",
            "hwmon2 power1_average: no label (power_meter), not used: the whole machine or an unnamed part of it, and \
             often slow to read None",
            "hwmon3 power1_average: slowPPT (amdgpu), not used: a GPU's, which this meter leaves out None",
        ]
    );
    Ok(())
}

#[test]
fn a_sensor_that_this_user_may_not_read_is_told_with_its_remedy() -> io::Result<()> {
    let tree = Copy::of("epyc-amd-energy")?;
    let file = tree.root().join("sys/class/hwmon/hwmon1/energy5_input");
    fs::set_permissions(file, fs::Permissions::from_mode(0o000))?;
    let (opened, seen) = crate::rights::as_nobody(|| (open(&tree), survey(tree.root())))
        .unwrap_or_else(|cause| std::panic::resume_unwind(cause));
    assert_eq!(codes(&opened?.notes), ["hwmon-unreadable!", "hwmon-partial!"]);
    let refused: Vec<_> = seen
        .iter()
        .filter(|sensor| sensor.failure.is_some())
        .map(|sensor| (sensor.name.as_str(), sensor.remedy.is_some()))
        .collect();
    assert_eq!(refused, [("hwmon1 energy5_input", true)]);
    Ok(())
}

#[test]
fn what_a_sensor_averages_over_is_read_where_it_says_so() -> io::Result<()> {
    let tree = Copy::of("grace")?;
    fs::write(
        tree.root()
            .join("sys/class/hwmon/hwmon1/device/power1_average_interval"),
        "1000\n",
    )?;
    let opened = open(&tree)?;
    let first = opened.meter.iter().flat_map(Hwmon::domains).next().cloned();
    assert!(
        matches!(
            first.map(|domain| domain.source),
            Some(DomainSource::Power { averages_over: Some(time), .. }) if time == Duration::from_secs(1)
        ),
        "{:?}",
        lines(&opened)
    );
    Ok(())
}
