//! perf's counts through descriptors of our own: the same read(2) of the same 8 bytes as of the kernel's.

use crate::tree::{Copy, codes, groups, line, original};
use carbon_run::meter::perf::{EventSpec, Opened, Perf, survey};
use carbon_run::meter::{self, Meter as _};
use carbon_run::model::recording::{Note, Reading};
use carbon_run::model::units::Moment;
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::os::fd::OwnedFd;

/// A descriptor that gives these counts, one at each reading, and then nothing more.
pub(crate) fn descriptor(counts: impl IntoIterator<Item = u64>) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create(c"counts", MFdFlags::MFD_CLOEXEC)?);
    for count in counts {
        file.write_all(&count.to_ne_bytes())?;
    }
    file.rewind()?;
    Ok(file.into())
}

/// Package 0 draws 100 W and package 1 60 W, with dram of 10 and 6 W.
fn steady(spec: &EventSpec) -> io::Result<OwnedFd> {
    let package = if spec.cpu == 0 { 100 } else { 60 };
    let watts = if spec.config == 2 { package } else { package / 10 };
    descriptor((0..5).map(|second| (watts * second) << 32))
}

fn open(tree: &str, opener: &mut meter::perf::Opener<'_>) -> Opened {
    let sockets = carbon_run::host::topology(&original(tree)).map(|topology| topology.groups);
    Perf::open(&original(tree), &sockets.unwrap_or_default(), opener)
}

fn lines(opened: &Opened) -> Vec<String> {
    opened.meter.iter().flat_map(Perf::domains).map(line).collect()
}

fn ticks(reading: &Reading) -> Option<u64> {
    match reading {
        Reading::Ticks { ticks, .. } => Some(*ticks),
        Reading::Power { .. } | Reading::Failed(_) | Reading::Modelled => None,
    }
}

#[test]
fn each_package_is_counted_on_its_cpu_of_the_mask_and_nothing_goes_round() -> io::Result<()> {
    let mut asked = Vec::new();
    let opened = open("two-socket-xeon", &mut |spec| {
        asked.push((spec.pmu_type, spec.config, spec.cpu));
        steady(spec)
    });
    assert_eq!(asked, [(4242, 2, 0), (4242, 3, 0), (4242, 2, 2), (4242, 3, 2)]);
    assert_eq!(
        lines(&opened),
        [
            "package-0 summed [0] ? ?",
            "dram-0 summed [0] ? ?",
            "package-1 summed [1] ? ?",
            "dram-1 summed [1] ? ?",
        ]
    );
    assert_eq!(codes(&opened.notes), [""; 0]);
    let mut meter = opened.meter.ok_or_else(|| io::Error::other("no meter"))?;
    assert_eq!(meter.shortest_wrap(), None);
    for second in 0..5 {
        let readings = meter.read(&mut || Moment(second));
        let joules: Vec<_> = readings
            .iter()
            .map(|reading| ticks(reading).map(|ticks| ticks >> 32))
            .collect();
        let expected = [100, 10, 60, 6].map(|watts| Some(watts * second));
        assert_eq!(joules, expected);
    }
    // The kernel gives nothing any more; and again at the next call.
    for _ in 0..2 {
        let failed = meter.read(&mut || Moment(9));
        assert!(
            failed.iter().all(
                |reading| matches!(reading, Reading::Failed(why) if why.contains("0 bytes of a count of 8"))
            ),
            "{failed:?}"
        );
    }
    Ok(())
}

#[test]
fn a_client_has_psys_cores_and_graphics_which_are_told() {
    let opened = open("client", &mut |_| descriptor([0]));
    assert_eq!(
        lines(&opened),
        [
            "package-0 summed [0] ? ?",
            "core-0 told [0] ? ?",
            "uncore-0 told [0] ? ?",
            "psys told [] ? ?",
        ]
    );
}

#[test]
fn a_half_read_count_is_no_count() -> io::Result<()> {
    let opened = open("two-socket-xeon", &mut |_| {
        let (reader, writer) = nix::unistd::pipe()?;
        File::from(writer).write_all(&[1, 2, 3])?;
        Ok(reader)
    });
    let mut meter = opened.meter.ok_or_else(|| io::Error::other("no meter"))?;
    let readings = meter.read(&mut || Moment(0));
    assert!(
        matches!(readings.first(), Some(Reading::Failed(why)) if why.contains("3 bytes")),
        "{readings:?}"
    );
    Ok(())
}

#[test]
fn dies_that_count_the_same_register_are_counted_once_for_the_package() {
    // A step at every look, which takes two readings, and both from 0 as perf counts.
    let opened = open("threadripper-mirrored-dies", &mut |_| {
        descriptor((0..4_000_u64).map(|reading| (reading / 2) * (reading / 2) * 65_536))
    });
    assert_eq!(
        lines(&opened),
        [
            "package-0-die-0 summed [0, 1] ? ?",
            "package-0-die-1 told [1] ? ?"
        ]
    );
    assert_eq!(codes(&opened.notes), ["perf-mirrored"]);
}

#[test]
fn without_the_right_to_count_the_remedy_is_a_capability_and_no_sysctl_for_everybody() {
    let mut refused = |_: &EventSpec| Err(io::Error::from_raw_os_error(nix::libc::EACCES));
    let opened = open("two-socket-xeon", &mut refused);
    assert!(opened.meter.is_none());
    assert_eq!(codes(&opened.notes), ["perf-unreadable!"]);
    let note = opened.notes.first();
    let hint = note.and_then(|note| note.hint.clone()).unwrap_or_default();
    assert!(
        hint.contains("CAP_PERFMON") && hint.contains("PLATYPUS"),
        "{hint}"
    );
    let message = note.map(|note| note.message.clone()).unwrap_or_default();
    assert!(
        message.contains("`package-0`, `dram-0`, `package-1`, `dram-1`")
            && message.contains("permission denied"),
        "{message}"
    );
    let seen = survey(&original("two-socket-xeon"), &groups(&[(0, 0)]), &mut refused);
    let said: Vec<_> = seen
        .iter()
        .map(|sensor| (sensor.name.as_str(), sensor.remedy.is_some()))
        .collect();
    assert_eq!(
        said,
        [
            ("perf energy-pkg on CPU 0", true),
            ("perf energy-ram on CPU 0", true)
        ]
    );
}

/// The meters that are chosen, as `SOURCE NAME` of what is summed, and the notes.
fn chosen(tree: &Copy, opener: &mut meter::perf::Opener<'_>) -> (Vec<String>, Vec<Note>) {
    let meters = meter::open_with(tree.root(), &groups_of(tree), opener);
    let summed = meters
        .domains()
        .iter()
        .filter(|domain| domain.summed)
        .map(|domain| {
            format!(
                "{} {}",
                serde_json::to_value(&domain.origin).unwrap_or_default()["measured"],
                domain.name
            )
        })
        .collect();
    (summed, meters.notes)
}

fn groups_of(tree: &Copy) -> Vec<carbon_run::model::recording::CpuGroup> {
    carbon_run::host::topology(tree.root())
        .map(|topology| topology.groups)
        .unwrap_or_default()
}

#[test]
fn perf_is_preferred_to_powercap_and_no_package_is_summed_by_both() -> io::Result<()> {
    let tree = Copy::of("two-socket-xeon")?;
    let (summed, notes) = chosen(&tree, &mut steady);
    assert_eq!(
        summed,
        [
            "\"perf\" package-0",
            "\"perf\" dram-0",
            "\"perf\" package-1",
            "\"perf\" dram-1"
        ]
    );
    assert_eq!(codes(&notes), [""; 0]);
    Ok(())
}

#[test]
fn powercap_is_used_where_perf_is_refused_and_nobody_is_bothered_with_that() -> io::Result<()> {
    let tree = Copy::of("two-socket-xeon")?;
    let (summed, notes) = chosen(&tree, &mut crate::scenario::refused());
    assert!(
        summed.iter().all(|domain| domain.starts_with("\"powercap\"")),
        "{summed:?}"
    );
    assert_eq!((summed.len(), codes(&notes)), (4, Vec::new()));
    Ok(())
}

#[test]
fn powercap_is_used_where_perf_counts_less_and_that_is_said() -> io::Result<()> {
    let tree = Copy::of("two-socket-xeon")?;
    fs::remove_file(
        tree.root()
            .join("sys/bus/event_source/devices/power/events/energy-ram"),
    )?;
    let (summed, notes) = chosen(&tree, &mut steady);
    assert!(
        summed.iter().all(|domain| domain.starts_with("\"powercap\"")),
        "{summed:?}"
    );
    assert_eq!(codes(&notes), ["meters-differ"]);
    Ok(())
}

#[test]
fn perf_alone_is_used_where_powercap_has_no_package() -> io::Result<()> {
    let tree = Copy::of("two-socket-xeon")?;
    for zone in ["intel-rapl:0", "intel-rapl:1"] {
        tree.write(zone, "energy_uj", "garbage\n")?;
    }
    let (summed, notes) = chosen(&tree, &mut steady);
    assert_eq!(summed.len(), 4);
    assert!(
        summed.iter().all(|domain| domain.starts_with("\"perf\"")),
        "{summed:?}"
    );
    assert_eq!(codes(&notes), [""; 0]);
    Ok(())
}
