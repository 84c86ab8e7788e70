//! What there is to say about counts that cannot be had.

use super::Failed;
use crate::meter::sysfs::ReadError;
use crate::model::recording::Note;
use std::io::ErrorKind;

/// How to be allowed to count. Not the advice to lower `kernel.perf_event_paranoid` for everybody.
pub(super) const RIGHTS: &str = "run as root or with CAP_PERFMON (`setcap cap_perfmon=ep` on the program); \
    `kernel.perf_event_paranoid` at 0 would do as well, and would let all users read the energy of the machine \
    (PLATYPUS, CVE-2020-8694)";

/// How to get the PMU where there is none.
pub(super) const NONE: &str = "on bare metal of x86 `modprobe rapl`, or a kernel with `CONFIG_PERF_EVENTS_INTEL_RAPL` (Intel \
    and AMD); powercap has the same counters, and virtual machines rarely have either";

/// What to do about it, where something can be done.
pub(super) fn remedy(error: &std::io::Error) -> Option<&'static str> {
    (error.kind() == ErrorKind::PermissionDenied).then_some(RIGHTS)
}

fn note(code: &str, message: String, hint: Option<&str>, degrades: bool) -> Note {
    Note {
        code: code.to_owned(),
        message,
        hint: hint.map(str::to_owned),
        degrades,
    }
}

pub(super) fn garbled(error: &ReadError) -> Note {
    let message = format!("the `power` PMU does not say what it counts: {error}");
    note("perf-failed", message, None, true)
}

pub(super) fn unmapped(cpu: u32) -> Note {
    let message = format!(
        "the `power` PMU counts a package by CPU {cpu}, which is not online: its energy is not in the figures"
    );
    note("perf-unmapped", message, None, true)
}

/// One note for all that lacks rights, which is one matter with one remedy, and one for each other failure.
pub(super) fn failures(failed: &[Failed]) -> Vec<Note> {
    let (refused, broken): (Vec<_>, Vec<_>) = failed
        .iter()
        .partition(|failed| failed.error.kind() == ErrorKind::PermissionDenied);
    let refused_note = refused.first().map(|first| {
        let names: Vec<String> = refused
            .iter()
            .map(|failed| format!("`{}`", failed.name))
            .collect();
        let message = format!(
            "energy of {} may not be counted by perf: {}",
            names.join(", "),
            said(&first.error)
        );
        let degrades = refused.iter().any(|failed| failed.summed);
        note("perf-unreadable", message, Some(RIGHTS), degrades)
    });
    let broken_notes = broken.iter().map(|failed| {
        let message = format!(
            "energy of `{}` cannot be counted by perf: {}",
            failed.name,
            said(&failed.error)
        );
        note("perf-failed", message, None, failed.summed)
    });
    refused_note.into_iter().chain(broken_notes).collect()
}

/// The kernel's words in lower case.
pub(super) fn said(error: &std::io::Error) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}
