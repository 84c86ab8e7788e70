//! What there is to say about cards that are not measured, or not as one might expect.

use super::card::Card;
use super::sensor::NoSensor;
use crate::model::recording::Note;

/// How to see everybody's use.
pub(super) const RIGHTS: &str =
    "run as root or with CAP_SYS_PTRACE; in a container, with the host's process namespace";

fn note(code: &str, message: String, hint: Option<&str>, degrades: bool) -> Note {
    Note {
        code: code.to_owned(),
        message,
        hint: hint.map(str::to_owned),
        degrades,
    }
}

/// `card0 (PCI 1002:744c, amdgpu)`.
pub(super) fn shown(card: &Card) -> String {
    let name = card.name.iter().map(String::as_str);
    let words: Vec<&str> = name.chain([card.driver.name()]).collect();
    format!("card{} ({})", card.number, words.join(", "))
}

pub(super) fn unlistable(error: &str) -> Note {
    let message = format!("graphics cards cannot be looked for: {error}");
    note("gpu-unlisted", message, None, true)
}

/// Its energy is in the CPU's.
pub(super) fn integrated(card: &Card) -> Note {
    let message = format!(
        "the GPU {} is part of the processor: its energy is in the package's",
        shown(card)
    );
    note("gpu-in-package", message, None, false)
}

pub(super) fn unmeasured(card: &Card, why: &NoSensor) -> Note {
    let name = shown(card);
    match why {
        NoSensor::None => {
            let message = format!(
                "the driver shows neither energy nor power of the GPU {name}: its energy is not in the figures"
            );
            note("gpu-no-meter", message, None, true)
        }
        NoSensor::Unreadable(error) => {
            let message = format!("the energy of the GPU {name} cannot be read: {error}");
            note("gpu-unreadable", message, None, true)
        }
    }
}

pub(super) fn package_only(card: &Card) -> Note {
    let message = format!(
        "the meter of the GPU {} is its package's: memory and board are not in the figure",
        shown(card)
    );
    note("gpu-package-only", message, None, true)
}

pub(super) fn unseen() -> Note {
    let message = "who else uses the GPUs cannot be seen: not all processes may be looked at".to_owned();
    note("gpu-users-unseen", message, Some(RIGHTS), false)
}
