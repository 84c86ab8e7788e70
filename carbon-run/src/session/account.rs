//! What is written down of a run as it goes on: the recording, and the books.

use super::clocks;
use super::live::Live;
use super::observer::Observer;
use super::phases::Marks;
use super::results::Journal;
use crate::model::assemble::Assembler;
use crate::model::journal::Line;
use crate::model::recording::{Note, Observation};
use crate::model::units::Moment;

/// What is written down of a run as it goes on.
pub(super) struct Account {
    pub(super) journal: Journal,
    pub(super) books: Assembler,
    pub(super) marks: Marks,
    /// The last boundary that is entered, and the last look.
    pub(super) marked: Moment,
    pub(super) seen: Moment,
    /// What went wrong on the way.
    pub(super) notes: Vec<Note>,
    /// Who says the carbon intensity, and the samples that wait for it.
    pub(super) live: Option<Live>,
}

impl Account {
    /// Whether the last look was made before the last boundary: the daemon's may be somewhat old.
    pub(super) fn is_behind(&self) -> bool {
        self.seen < self.marked
    }

    /// One observation; a job's memory is looked at from `started` on.
    pub(super) fn enter(&mut self, observer: &mut Observer, started: Moment) {
        // First: the sample knows then of every phase that began or ended before it.
        let marks = self.marks.take();
        match observer.observe(started) {
            Ok(mut observation) => {
                self.marked = marks.last().map_or(self.marked, |mark| mark.at);
                self.seen = observation.at;
                observation.marks = marks;
                match &mut self.live {
                    None => self.book(&observation),
                    Some(live) => {
                        let ready = live.pass(observation, clocks::now());
                        ready.iter().for_each(|observation| self.book(observation));
                    }
                }
            }
            Err(note) => {
                self.marks.put_back(marks);
                // What fails a thousand times is said once.
                if !self.notes.contains(&note) {
                    self.notes.push(note);
                }
            }
        }
    }

    fn book(&mut self, observation: &Observation) {
        self.journal.write(&Line::Observation(observation));
        self.books.observe(observation);
    }

    /// What still waits is booked.
    pub(super) fn settle(&mut self) {
        let left = self.live.as_mut().map(|live| live.close(clocks::now()));
        left.iter()
            .flatten()
            .for_each(|observation| self.book(observation));
    }
}
