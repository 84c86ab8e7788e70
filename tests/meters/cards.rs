//! Cards of AMD and Intel: which there are, whose energy is added up, and what they do while they are read.
//!
//! The trees were written by hand after the kernel's drivers and documentation: a Radeon under a desktop, two Instincts that
//! ROCm computes on, a Ryzen's own graphics, an Arc A770 by i915 beside a Core's own graphics, an Arc B580 by xe. Each has
//! the `/proc` of a few processes.

use crate::tree::{Copy, codes, original};
use carbon_run::meter::Meter as _;
use carbon_run::meter::drm::{Drm, Opened, survey};
use carbon_run::model::recording::{DomainSource, Reading};
use carbon_run::model::units::Moment;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// A device's directory.
pub(crate) fn device(tree: &Copy, card: u32) -> PathBuf {
    tree.root().join(format!("sys/class/drm/card{card}/device"))
}

/// Every card in one line: vendor and index, card, address, name, and what is known of its domain.
fn lines(opened: &Opened) -> Vec<String> {
    let Some(drm) = &opened.meter else {
        return Vec::new();
    };
    drm.gpus()
        .iter()
        .map(|gpu| {
            let domain = gpu.domain.and_then(|domain| drm.domains().get(domain));
            let meter = domain.map_or("no meter".to_owned(), |domain| {
                let (what, max) = match &domain.source {
                    DomainSource::Counter {
                        max_power, wraps_at, ..
                    } => (format!("energy {wraps_at:?}"), max_power),
                    DomainSource::Power { max_power, .. } => ("power".to_owned(), max_power),
                    DomainSource::CpuModel(_) | DomainSource::RamModel(_) => return "a model".to_owned(),
                };
                let summed = if domain.summed { "summed" } else { "told" };
                let max = max.map_or("?".to_owned(), |max| max.get().to_string());
                format!("{} {summed} {what} {max} W", domain.name)
            });
            format!(
                "card{} {} {} {}: {meter}",
                gpu.minor.map_or("?".to_owned(), |minor| minor.to_string()),
                gpu.pci.as_deref().unwrap_or("?"),
                gpu.driver.as_deref().unwrap_or("?"),
                gpu.name.as_deref().unwrap_or("?"),
            )
        })
        .collect()
}

/// What the meters show now.
fn values(drm: &mut Drm) -> Vec<Result<u64, String>> {
    drm.read(&mut || Moment(1))
        .into_iter()
        .map(|reading| match reading {
            Reading::Ticks { ticks, .. } => Ok(ticks),
            Reading::Power { microwatts, .. } => Ok(microwatts),
            Reading::Failed(reason) => Err(reason),
            Reading::Modelled => Err("modelled".to_owned()),
        })
        .collect()
}

fn meter(opened: Opened) -> io::Result<Drm> {
    opened.meter.ok_or_else(|| io::Error::other("no meter"))
}

#[test]
fn each_card_has_the_meter_that_its_driver_shows() {
    for (tree, expected) in [
        (
            "radeon-rx-7900",
            &["card1 0000:03:00.0 amdgpu PCI 1002:744c: gpu-amd-0 summed power 355 W"][..],
        ),
        (
            "instinct-mi210",
            &[
                "card1 0000:23:00.0 amdgpu AMD INSTINCT MI210: gpu-amd-0 summed power 300 W",
                "card2 0000:26:00.0 amdgpu AMD INSTINCT MI210: gpu-amd-1 summed power 300 W",
            ],
        ),
        (
            "arc-b580",
            &["card0 0000:04:00.0 xe PCI 8086:e20b: gpu-intel-0 summed energy None 190 W"],
        ),
    ] {
        let opened = Drm::open(&original(tree));
        assert_eq!(lines(&opened), expected, "{tree}");
        assert_eq!(codes(&opened.notes), [""; 0], "{tree}");
        assert_eq!(opened.absent, None, "{tree}");
    }
}

#[test]
fn the_graphics_of_a_processor_are_told_and_not_added_to_its_package() {
    let opened = Drm::open(&original("ryzen-7840u"));
    assert_eq!(
        lines(&opened),
        ["card0 0000:c1:00.0 amdgpu PCI 1002:15bf: gpu-amd-0 told power ? W"]
    );
    assert_eq!(codes(&opened.notes), ["gpu-in-package"]);
    assert!(
        opened
            .absent
            .is_some_and(|reason| reason.contains("part of the processor"))
    );

    let opened = Drm::open(&original("arc-a770"));
    assert_eq!(
        lines(&opened),
        [
            "card0 0000:00:02.0 i915 PCI 8086:4680: no meter",
            "card1 0000:03:00.0 i915 PCI 8086:56a0: gpu-intel-1 summed energy None 225 W"
        ]
    );
    assert_eq!(codes(&opened.notes), ["gpu-in-package"]);
    assert_eq!(opened.absent, None);
}

#[test]
fn a_machine_without_such_cards_has_no_meter() {
    let opened = Drm::open(&original("epyc"));
    assert!(opened.meter.is_none());
    assert_eq!(codes(&opened.notes), [""; 0]);
    assert_eq!(opened.absent.as_deref(), Some("no GPU was found"));
}

#[test]
fn the_whole_card_is_read_and_not_its_package_nor_a_tile() -> io::Result<()> {
    for (tree, expected) in [
        ("radeon-rx-7900", vec![Ok(61_000_000)]),
        ("instinct-mi210", vec![Ok(96_000_000), Ok(41_000_000)]),
        ("arc-a770", vec![Ok(812_345_678_901)]),
        ("arc-b580", vec![Ok(23_456_789_012)]),
    ] {
        let mut drm = meter(Drm::open(&original(tree)))?;
        assert_eq!(values(&mut drm), expected, "{tree}");
    }
    Ok(())
}

#[test]
fn a_card_that_measures_its_package_only_says_so() -> io::Result<()> {
    let tree = Copy::of("arc-b580")?;
    let hwmon = device(&tree, 0).join("hwmon/hwmon7");
    fs::remove_file(hwmon.join("energy1_input"))?;
    let opened = Drm::open(tree.root());
    assert_eq!(codes(&opened.notes), ["gpu-package-only!"]);
    assert_eq!(values(&mut meter(opened)?), [Ok(17_456_789_012)]);
    Ok(())
}

#[test]
fn a_newer_card_shows_an_instant_where_it_shows_no_mean() -> io::Result<()> {
    let tree = Copy::of("radeon-rx-7900")?;
    let hwmon = device(&tree, 1).join("hwmon/hwmon4");
    fs::rename(hwmon.join("power1_average"), hwmon.join("power1_input"))?;
    assert_eq!(values(&mut meter(Drm::open(tree.root()))?), [Ok(61_000_000)]);
    Ok(())
}

#[test]
fn a_card_without_a_meter_is_missed_and_one_that_cannot_be_read_says_why() -> io::Result<()> {
    let tree = Copy::of("radeon-rx-7900")?;
    let file = device(&tree, 1).join("hwmon/hwmon4/power1_average");
    fs::write(&file, "N/A\n")?;
    let opened = Drm::open(tree.root());
    assert_eq!(codes(&opened.notes), ["gpu-unreadable!"]);
    let reason = opened.absent.unwrap_or_default();
    assert!(reason.contains("power1_average` holds `N/A`"), "{reason}");

    fs::remove_file(&file)?;
    let opened = Drm::open(tree.root());
    assert_eq!(codes(&opened.notes), ["gpu-no-meter!"]);
    assert_eq!(opened.meter.map(|drm| drm.domains().len()), Some(0));
    Ok(())
}

#[test]
fn a_meter_that_fails_is_tried_again_and_does_not_hinder_the_others() -> io::Result<()> {
    let tree = Copy::of("instinct-mi210")?;
    let mut drm = meter(Drm::open(tree.root()))?;
    let file = device(&tree, 1).join("hwmon/hwmon5/power1_average");
    for text in [
        "",
        "\n",
        "-5\n",
        "1e9\n",
        "99999999999999999999\n",
        "\u{1b}[31m7\n",
    ] {
        fs::write(&file, text)?;
        let values = values(&mut drm);
        assert!(
            matches!(&values[..], [Err(reason), Ok(41_000_000)] if reason.contains("which is no number")),
            "{values:?}"
        );
    }
    fs::remove_file(&file)?;
    assert!(matches!(&values(&mut drm)[..], [Err(reason), Ok(_)] if reason.contains("no such file")));
    fs::write(&file, "97000000\n")?;
    assert_eq!(values(&mut drm), [Ok(97_000_000), Ok(41_000_000)]);
    Ok(())
}

#[test]
fn a_card_that_sleeps_is_not_woken() -> io::Result<()> {
    let tree = Copy::of("radeon-rx-7900")?;
    let mut drm = meter(Drm::open(tree.root()))?;
    let status = device(&tree, 1).join("power/runtime_status");
    fs::write(&status, "suspended\n")?;
    assert_eq!(values(&mut drm), [Ok(0)]);
    let looks = drm.look(&mut || Moment(1));
    assert_eq!(looks.first().map(|look| look.busy_percent), Some(None));
    fs::write(&status, "active\n")?;
    assert_eq!(values(&mut drm), [Ok(61_000_000)]);

    let tree = Copy::of("arc-a770")?;
    let status = device(&tree, 1).join("power/runtime_status");
    let energy = device(&tree, 1).join("hwmon/hwmon3/energy1_input");
    fs::write(&status, "suspended\n")?;
    let opened = Drm::open(tree.root());
    assert_eq!(codes(&opened.notes), ["gpu-in-package"]);
    let mut drm = meter(opened)?;
    assert!(matches!(&values(&mut drm)[..], [Err(reason)] if reason.contains("sleeps")));
    fs::write(&status, "active\n")?;
    fs::write(&energy, "812345999999\n")?;
    assert_eq!(values(&mut drm), [Ok(812_345_999_999)]);
    fs::write(&status, "suspended\n")?;
    fs::write(&energy, "5\n")?;
    assert_eq!(values(&mut drm), [Ok(812_345_999_999)]);
    Ok(())
}

#[test]
fn power_is_read_often_and_intels_register_before_it_goes_round() -> io::Result<()> {
    let radeon = meter(Drm::open(&original("radeon-rx-7900")))?;
    assert_eq!(radeon.longest_pause(), Some(Duration::from_millis(100)));
    assert_eq!(radeon.shortest_wrap(), None);
    let arc = meter(Drm::open(&original("arc-a770")))?;
    assert_eq!(arc.longest_pause(), None);
    // 2^18 J at 1.5 times 225 W.
    assert_eq!(arc.shortest_wrap().map(|time| time.as_secs()), Some(776));
    let apu = meter(Drm::open(&original("ryzen-7840u")))?;
    assert_eq!(
        apu.longest_pause(),
        None,
        "what is only told need not be read often"
    );
    Ok(())
}

#[test]
fn a_survey_lists_every_card_and_what_it_gives() -> io::Result<()> {
    let told = |tree: &str| -> io::Result<Vec<String>> {
        let devices = survey(&original(tree)).map_err(io::Error::other)?;
        let root = original(tree).display().to_string();
        let line = |device: carbon_run::meter::drm::Device| {
            format!(
                "{}: {} {:?}",
                device.name,
                device.gives.replace(&root, ""),
                device.failure
            )
        };
        Ok(devices.into_iter().map(line).collect())
    };
    assert_eq!(
        told("radeon-rx-7900")?,
        ["card1 (PCI 1002:744c, amdgpu): power from \
          /sys/class/drm/card1/device/hwmon/hwmon4/power1_average None"]
    );
    assert_eq!(
        told("arc-a770")?,
        [
            "card0 (PCI 8086:4680, i915): part of the processor: its energy is in the package's None",
            "card1 (PCI 8086:56a0, i915): energy from \
             /sys/class/drm/card1/device/hwmon/hwmon3/energy1_input None",
        ]
    );
    assert_eq!(
        told("ryzen-7840u")?,
        [
            "card0 (PCI 1002:15bf, amdgpu): power of the processor it is part of, told and not added, from \
          /sys/class/drm/card0/device/hwmon/hwmon6/power1_average None"
        ]
    );
    Ok(())
}
