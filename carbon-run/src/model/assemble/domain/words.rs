//! What is to be said of a domain: where its figures come from, and what its reader should know.

use super::{DomainBooks, Meter};
use crate::model::assemble::gauge::explain;
use crate::model::assemble::{idle, note};
use crate::model::recording::{Note, Origin};

impl DomainBooks {
    pub(super) fn origin(&self) -> Origin {
        if self.is_known() {
            return self.domain.origin.clone();
        }
        if self.stands_still() {
            return Origin::Absent("its counter does not move".to_owned());
        }
        Origin::Absent(match (&self.meter, &self.failed) {
            (Meter::RamModel { refused: true, .. }, _) => {
                "the memory of the job's processes could not be read".to_owned()
            }
            (Meter::RamModel { refused: false, .. }, _) => {
                "the run ended before its memory could be looked at".to_owned()
            }
            (_, Some((reason, _))) => reason.clone(),
            (Meter::Read { .. } | Meter::Gpu(_) | Meter::CpuModel { .. }, None) => {
                "fewer than two usable readings".to_owned()
            }
        })
    }

    /// What to say of it. A gap in what is not summed makes no figure of the job worse.
    pub(in crate::model::assemble) fn notes(&self) -> Vec<Note> {
        let name = &self.domain.name;
        let note = |code, message, hint| Note {
            degrades: self.domain.summed,
            ..note(code, message, hint)
        };
        let mut notes = match &self.meter {
            Meter::Gpu(gpu) => gpu.notes(name, &self.books, self.known),
            Meter::Read { .. } | Meter::CpuModel { .. } | Meter::RamModel { .. } => Vec::new(),
        };
        if let Some((reason, times)) = &self.failed {
            notes.push(note(
                "meter-failed",
                match times {
                    1 => format!("`{name}` could not be read once: {reason}"),
                    _ => format!("`{name}` could not be read {times} times: {reason}"),
                },
                None,
            ));
        }
        if self.stands_still() {
            notes.push(note(
                "meter-still",
                format!("the counter of `{name}` does not move; its energy is not known"),
                None,
            ));
        }
        if let Some((first, count)) = self.resets {
            notes.push(note(
                "meter-reset",
                match count {
                    1 => format!("an interval of `{name}` is left out: {}", explain(first)),
                    _ => format!("{count} intervals of `{name}` are left out: {}", explain(first)),
                },
                None,
            ));
        }
        if self.is_known() {
            notes.extend(idle::note_of(&self.domain, self.idle));
        }
        notes
    }
}
