//! What there is to say about sensors that are not read, or contain more than one might expect.

use super::place::Placed;
use crate::meter::sysfs::ReadError;
use crate::model::recording::Note;

/// How to be allowed to read.
const RIGHTS: &str =
    "run as root or with CAP_DAC_READ_SEARCH, or let a group of trusted users read it by a udev rule";

/// What to do about it, where something can be done.
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

pub(super) fn unlistable(error: &ReadError) -> Note {
    let message = format!("sensors of power cannot be looked for: {error}");
    note("hwmon-unreadable", message, remedy(error), true)
}

pub(super) fn failed(placed: &Placed, error: &ReadError) -> Note {
    let label = placed.sensor.label.as_deref().unwrap_or(&placed.sensor.channel);
    let code = if error.is_permission() {
        "hwmon-unreadable"
    } else {
        "hwmon-failed"
    };
    let message = format!("`{label}` of `{}` cannot be read: {error}", placed.sensor.chip);
    note(code, message, remedy(error), true)
}

pub(super) fn unmapped(placed: &Placed) -> Note {
    let message = format!(
        "socket {} of `{}` has no online CPU: its energy is not in the figures",
        placed.socket, placed.sensor.chip
    );
    note("hwmon-unmapped", message, None, true)
}

pub(super) fn partial(missing: &[String]) -> Note {
    let message = format!(
        "no sensor shows {}: its energy is not in the figures",
        missing.join(", ")
    );
    note("hwmon-partial", message, None, true)
}

pub(super) fn memory_inside(names: &[String]) -> Note {
    let message = format!(
        "the memory is inside the figures of {}, and has none of its own",
        names.join(", ")
    );
    note("hwmon-memory-inside", message, None, false)
}
