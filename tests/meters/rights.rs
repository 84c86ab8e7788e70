//! Counters that this user may not read. The kernel gives them mode 0400 since PLATYPUS (CVE-2020-8694).

use crate::tree::{Copy, codes, groups, lines};
use carbon_run::meter::powercap::{Opened, Powercap, survey};
use nix::unistd::{Uid, geteuid, setfsuid};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;

/// Runs `work` as a user who is not root as far as files are concerned. The file system's idea of the user belongs to a
/// thread, and giving up root there takes the capabilities over files along (capabilities(7)).
pub(crate) fn as_nobody<T: Send>(work: impl FnOnce() -> T + Send) -> std::thread::Result<T> {
    std::thread::scope(|scope| {
        scope
            .spawn(|| {
                if geteuid().is_root() {
                    setfsuid(Uid::from_raw(65_534));
                }
                work()
            })
            .join()
    })
}

fn forbid(tree: &Copy, zone: &str) -> io::Result<()> {
    fs::set_permissions(tree.file(zone, "energy_uj"), fs::Permissions::from_mode(0o000))
}

fn open_as_nobody(tree: &Copy, sockets: &[(u32, u32)]) -> Opened {
    as_nobody(|| Powercap::open(tree.root(), &groups(sockets)))
        .unwrap_or_else(|cause| std::panic::resume_unwind(cause))
}

#[test]
fn counters_of_root_only_are_no_meter_and_the_remedy_is_exact_and_safe() -> io::Result<()> {
    let tree = Copy::of("epyc")?;
    for zone in ["intel-rapl:0", "intel-rapl:0:0", "intel-rapl:1", "intel-rapl:1:0"] {
        forbid(&tree, zone)?;
    }
    let opened = open_as_nobody(&tree, &[(0, 0), (1, 0)]);
    assert!(opened.meter.is_none());
    assert_eq!(codes(&opened.notes), ["powercap-unreadable!"]);
    let note = opened.notes.first().cloned();
    let message = note.as_ref().map(|note| note.message.clone()).unwrap_or_default();
    assert!(
        message.starts_with("energy of `package-0`, `core-0`, `package-1`, `core-1` may not be read"),
        "{message}"
    );
    assert!(
        message.ends_with("intel-rapl:0/energy_uj`: permission denied (os error 13)"),
        "{message}"
    );
    let hint = note.and_then(|note| note.hint).unwrap_or_default();
    for part in ["root", "CAP_DAC_READ_SEARCH", "udev", "CVE-2020-8694"] {
        assert!(hint.contains(part), "{hint}");
    }
    assert!(!hint.contains("a+r") && !hint.contains("o+r"), "{hint}");
    Ok(())
}

#[test]
fn one_socket_of_two_is_measured_and_the_coverage_is_told() -> io::Result<()> {
    let tree = Copy::of("epyc")?;
    forbid(&tree, "intel-rapl:1")?;
    let opened = open_as_nobody(&tree, &[(0, 0), (1, 0)]);
    assert_eq!(
        lines(&opened),
        [
            "package-0 summed [0] 65532611002 ?",
            "core-0 told [0] 65532611002 ?",
            "core-1 told [1] 65532611002 ?"
        ]
    );
    assert_eq!(
        codes(&opened.notes),
        ["powercap-unreadable!", "powercap-partial!"]
    );
    Ok(())
}

#[test]
fn what_is_only_told_may_be_unreadable_without_harm_to_the_figures() -> io::Result<()> {
    let tree = Copy::of("epyc")?;
    forbid(&tree, "intel-rapl:0:0")?;
    let opened = open_as_nobody(&tree, &[(0, 0), (1, 0)]);
    assert_eq!(lines(&opened).len(), 3);
    assert_eq!(codes(&opened.notes), ["powercap-unreadable"]);
    Ok(())
}

#[test]
fn a_directory_that_may_not_be_listed_is_not_taken_for_a_machine_without_counters() -> io::Result<()> {
    let tree = Copy::of("epyc")?;
    let class = tree.root().join("sys/class/powercap");
    fs::set_permissions(&class, fs::Permissions::from_mode(0o000))?;
    let opened = open_as_nobody(&tree, &[(0, 0), (1, 0)]);
    fs::set_permissions(&class, fs::Permissions::from_mode(0o755))?;
    assert!(opened.meter.is_none());
    assert_eq!(codes(&opened.notes), ["powercap-unreadable!"]);
    Ok(())
}

#[test]
fn a_survey_names_what_may_not_be_read_and_how_to_get_it() -> io::Result<()> {
    let tree = Copy::of("epyc")?;
    forbid(&tree, "intel-rapl:1")?;
    let zones = as_nobody(|| survey(tree.root()))
        .unwrap_or_else(|cause| std::panic::resume_unwind(cause))
        .map_err(io::Error::other)?;
    let refused: Vec<&str> = zones
        .iter()
        .filter(|zone| zone.failure.is_some())
        .map(|zone| zone.id.as_str())
        .collect();
    assert_eq!(refused, ["intel-rapl:1"]);
    let remedies: Vec<bool> = zones.iter().map(|zone| zone.remedy.is_some()).collect();
    assert_eq!(remedies, [false, false, true, false]);
    Ok(())
}
