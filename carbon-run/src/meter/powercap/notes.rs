//! What there is to say about zones that are not measured, or not as one might expect.

use super::place::Placed;
use super::zone::Found;
use crate::meter::sysfs::ReadError;
use crate::model::recording::Note;
use std::path::Path;

/// How to be allowed to read the counters. Never the advice to open them to everybody.
pub(super) const RIGHTS: &str = "run as root or with CAP_DAC_READ_SEARCH, or let a group of trusted users read it by a \
    udev rule: `SUBSYSTEM==\"powercap\", ACTION==\"add\", RUN+=\"/bin/sh -c 'chgrp energy /sys%p/energy_uj && chmod \
    g+r /sys%p/energy_uj'\"` (not all users: fine energy readings leak secrets from one to another, PLATYPUS, \
    CVE-2020-8694)";

/// How to get counters where the kernel shows none.
pub const NONE: &str = "on bare metal `modprobe intel_rapl_msr` (Intel and AMD); in a container make the host's \
    `/sys/class/powercap` and `/sys/devices/virtual/powercap` visible; virtual machines rarely have any";

/// What to do about a zone that cannot be read, where something can be done.
pub(super) fn remedy(error: &ReadError) -> Option<&'static str> {
    error.is_permission().then_some(RIGHTS)
}

fn note(code: &str, message: String, hint: Option<&str>, degrades: bool) -> Note {
    Note {
        code: code.to_owned(),
        message,
        hint: hint.map(str::to_owned),
        degrades,
    }
}

pub(super) fn absent(class: &Path) -> Note {
    let message = format!("no energy counter of a CPU package under `{}`", class.display());
    note("powercap-absent", message, Some(NONE), false)
}

pub(super) fn unlistable(error: &ReadError) -> Note {
    let message = format!("energy counters cannot be looked for: {error}");
    note("powercap-unreadable", message, remedy(error), true)
}

pub(super) fn unknown_zone(zone: &Found) -> Note {
    match &zone.name {
        Ok(name) => {
            let message = format!(
                "zone `{}` is called `{name}`, which says nothing about what it covers",
                zone.id
            );
            note("powercap-unknown-zone", message, None, false)
        }
        Err(error) => {
            let message = format!("zone `{}` does not say what it covers: {error}", zone.id);
            note("powercap-unknown-zone", message, remedy(error), true)
        }
    }
}

pub(super) fn unmapped(name: &str) -> Note {
    let message =
        format!("`{name}` belongs to a package without an online CPU: its energy is not in the figures");
    note("powercap-unmapped", message, None, true)
}

/// One note for all zones that lack rights, which is one matter with one remedy, and one for each other failure.
pub(super) fn failures(failed: &[(Placed, ReadError)]) -> Vec<Note> {
    let (refused, broken): (Vec<_>, Vec<_>) = failed.iter().partition(|(_, error)| error.is_permission());
    let refused_note = refused.first().map(|(_, first)| {
        let names = list(refused.iter().map(|(zone, _)| zone.name.as_str()));
        let message = format!("energy of {names} may not be read: {first}");
        let degrades = refused.iter().any(|(zone, _)| zone.is_summed());
        note("powercap-unreadable", message, Some(RIGHTS), degrades)
    });
    let broken_notes = broken.iter().map(|(zone, error)| {
        let message = format!("energy of `{}` cannot be read: {error}", zone.name);
        note("powercap-failed", message, None, zone.is_summed())
    });
    refused_note.into_iter().chain(broken_notes).collect()
}

/// Some packages are measured and some are not.
pub(super) fn partial(measured: usize, missing: &[String]) -> Note {
    let message = format!(
        "{measured} of {} package counters can be read: the energy of {} is not in the figures",
        measured + missing.len(),
        list(missing.iter().map(String::as_str)),
    );
    note("powercap-partial", message, None, true)
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
