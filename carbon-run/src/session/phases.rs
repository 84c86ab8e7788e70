//! What the job says of its phases: the socket, read in the session's own loop, within bounds.

use super::clocks;
use crate::model::recording::{Note, PhaseMark};
use crate::model::units::Moment;
use crate::phase::PhaseSocket;
use std::ffi::{OsStr, OsString};
use std::time::Duration;

/// So many datagrams are taken at once; then it is the others' turn.
const AT_ONCE: usize = 64;
/// And so many before a sample, so that it knows what came before.
const BEFORE_A_SAMPLE: usize = 512;

/// Marks in a second, in the long run and in a burst. What comes faster is left out: a recording is not to be filled by it.
const PER_SECOND: u32 = 1000;
const BURST: u32 = 2 * PER_SECOND;

/// The job's marks.
pub(super) struct Marks {
    socket: Option<PhaseSocket>,
    /// Since the last observation.
    pending: Vec<PhaseMark>,
    allowance: Allowance,
    notes: Vec<Note>,
}

impl Marks {
    /// Opens the run's socket. Without one the run goes on.
    pub(super) fn open(run_id: &str) -> Self {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR");
        let opened = PhaseSocket::open(runtime.as_deref(), &std::env::temp_dir(), run_id);
        let mut notes = Vec::new();
        let socket = opened
            .inspect_err(|error| {
                notes.push(Note {
                    code: "phases-unavailable".to_owned(),
                    message: format!("the job cannot mark phases: {error}"),
                    hint: Some("`TMPDIR` or `XDG_RUNTIME_DIR` names another directory".to_owned()),
                    degrades: false,
                });
            })
            .ok();
        Self {
            socket,
            pending: Vec::new(),
            allowance: Allowance::default(),
            notes,
        }
    }

    /// What the command finds in [`crate::phase::VARIABLE`]. Without a socket it is empty if it is there at all: the phases of this run
    /// are not those of the run around it.
    pub(super) fn value(&self) -> Option<OsString> {
        match &self.socket {
            Some(socket) => Some(socket.path().as_os_str().to_owned()),
            None => std::env::var_os(crate::phase::VARIABLE).map(|_| OsStr::new("").to_owned()),
        }
    }

    /// Waits until there is something to read.
    pub(super) async fn readable(&self) {
        match &self.socket {
            Some(socket) => socket.readable().await,
            None => std::future::pending().await,
        }
    }

    /// Reads a turn's worth, and says whether there was a mark in it.
    pub(super) fn read(&mut self) -> bool {
        self.read_at_most(AT_ONCE)
    }

    /// The marks since the last time, for an observation that is about to be made.
    pub(super) fn take(&mut self) -> Vec<PhaseMark> {
        self.read_at_most(BEFORE_A_SAMPLE);
        std::mem::take(&mut self.pending)
    }

    /// There was no observation after all.
    pub(super) fn put_back(&mut self, mut marks: Vec<PhaseMark>) {
        marks.append(&mut self.pending);
        self.pending = marks;
    }

    fn read_at_most(&mut self, most: usize) -> bool {
        let Some(socket) = &mut self.socket else {
            return false;
        };
        let (marks, _) = socket.take(most, &mut clocks::both);
        let before = self.pending.len();
        let allowance = &mut self.allowance;
        self.pending
            .extend(marks.into_iter().filter(|mark| allowance.admits(mark.at)));
        self.pending.len() > before
    }

    /// What was left out.
    pub(super) fn notes(mut self) -> Vec<Note> {
        let refused = self.socket.as_ref().map(PhaseSocket::refused).cloned();
        let refused = refused.unwrap_or_default();
        let mut say = |code: &str, message: String, hint: &str| {
            self.notes.push(Note {
                code: code.to_owned(),
                message,
                hint: Some(hint.to_owned()),
                degrades: true,
            });
        };
        if let Some(why) = refused.first {
            say(
                "phase-marks-malformed",
                match refused.malformed {
                    1 => format!("a datagram for the job's phases is no mark: {why}"),
                    more => format!("{more} datagrams for the job's phases are no marks; the first: {why}"),
                },
                "a datagram is `start NAME`, `stop NAME` or `stop`, of at most 200 bytes of UTF-8 in the name",
            );
        }
        if refused.strangers > 0 {
            say(
                "phase-marks-refused",
                match refused.strangers {
                    1 => "a datagram of another user was refused".to_owned(),
                    more => format!("{more} datagrams of other users were refused"),
                },
                "only processes of the user who runs carbon-run, and root, mark its phases",
            );
        }
        if self.allowance.dropped > 0 {
            say(
                "phase-marks-dropped",
                format!(
                    "{} marks of phases were left out: more than {PER_SECOND} came in a second",
                    self.allowance.dropped
                ),
                "mark longer phases",
            );
        }
        self.notes
    }
}

/// How many marks may still come.
#[derive(Debug, Default)]
struct Allowance {
    /// As long as those that were admitted take in the long run.
    used: Duration,
    at: Moment,
    dropped: u64,
}

impl Allowance {
    fn admits(&mut self, at: Moment) -> bool {
        const EACH: Duration = Duration::from_nanos(1_000_000_000 / PER_SECOND as u64);
        self.used = self.used.saturating_sub(at.since(self.at));
        self.at = self.at.max(at);
        let room = self.used < EACH * BURST;
        if room {
            self.used += EACH;
        } else {
            self.dropped += 1;
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_no_setting_of_a_run_within_a_run() {
        assert!(crate::settings::OWN_VARIABLES.contains(&crate::phase::VARIABLE));
    }

    fn admitted(moments: impl Iterator<Item = u64>) -> (usize, u64) {
        let mut allowance = Allowance::default();
        let admitted = moments.filter(|at| allowance.admits(Moment(*at))).count();
        (admitted, allowance.dropped)
    }

    #[test]
    fn a_thousand_marks_a_second_are_read_for_ever_and_a_burst_of_two_thousand() {
        let ms = 1_000_000;
        assert_eq!(
            admitted((0..100_000).map(|number| 5 * ms + number * ms)),
            (100_000, 0)
        );
        assert_eq!(admitted((0..5_000).map(|_| 5 * ms)), (2_000, 3_000));
        let (flood, dropped) = admitted((0..1_000_000).map(|number| 5 * ms + number * 1_000));
        assert_eq!(flood as u64 + dropped, 1_000_000);
        assert!((2_990..=3_010).contains(&flood), "{flood}");
        let pauses = (0..4_000).map(|number| 5 * ms + number / 2_000 * 3_000 * ms);
        assert_eq!(admitted(pauses), (4_000, 0));
    }
}
