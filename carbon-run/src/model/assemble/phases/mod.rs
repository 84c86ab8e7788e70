//! The phases that a job has marked, and what of its figures is theirs.

mod accounts;
mod figures;
mod slices;
mod timeline;

pub(super) use accounts::{Parts, Slot};
pub(super) use slices::{Piece, Remade, Sign, Slice, Slices};

use super::domain::DomainBooks;
use super::note;
use super::totals::Totals;
use crate::model::attribution::split_all;
use crate::model::recording::{Note, Observation};
use crate::model::report::{Intensity, Phase, PhaseFigures, Phases};
use crate::model::units::{CpuTime, Moment};
use accounts::{OUTSIDE, after, beside, is_owner, own};
use figures::Figures;
use std::time::Duration;
use timeline::{Durations, Timeline};

/// What is kept of the phases while a run goes on, beside what each domain keeps.
#[derive(Debug, Clone, Default)]
pub(super) struct PhaseBooks {
    timeline: Timeline,
    /// The job's CPU time in nanoseconds, by account; that of [`OUTSIDE`] is the rest.
    cpu_ns: Vec<u64>,
}

/// What a run's phases are made of in the end.
pub(super) struct Ending<'a> {
    pub(super) started: Moment,
    pub(super) ended: Moment,
    pub(super) domains: &'a [DomainBooks],
    pub(super) totals: &'a Totals,
    /// The job's, of the whole run.
    pub(super) cpu_time: Option<CpuTime>,
    pub(super) intensity: &'a Intensity,
    pub(super) pue: f64,
}

impl PhaseBooks {
    /// Enters what the job said since the last observation.
    pub(super) fn mark(&mut self, observation: &Observation) {
        for mark in &observation.marks {
            self.timeline.mark(mark);
        }
    }

    /// Whether the job has marked any phase so far.
    pub(super) fn any(&self) -> bool {
        !self.timeline.nodes().is_empty()
    }

    /// Whose the time was from one moment to another.
    pub(super) fn between(&self, from: Moment, to: Moment) -> Parts {
        self.timeline.between(from, to)
    }

    /// For which part of a window each phase was open, of those that were for a part of it only.
    pub(super) fn partly_open(&self, parts: &Parts) -> Vec<(usize, f64)> {
        self.timeline.partly_open(parts)
    }

    /// The job's CPU time of a window.
    pub(super) fn cpu_time(&mut self, from: Moment, to: Moment, ns: u64) {
        let parts = self.timeline.between(from, to);
        let whole = u128::from(parts.whole().max(1));
        for (slot, weight) in parts.slots {
            if self.cpu_ns.len() <= slot {
                self.cpu_ns.resize(slot + 1, 0);
            }
            let part = u128::from(ns) * u128::from(weight) / whole;
            if let Some(sum) = self.cpu_ns.get_mut(slot) {
                *sum += u64::try_from(part).unwrap_or(u64::MAX);
            }
        }
    }

    /// An observation is entered.
    pub(super) fn settle(&mut self, observation: &Observation) {
        let readings = observation.readings.iter().filter_map(|reading| reading.at());
        self.timeline.settle(readings.fold(observation.at, Moment::max));
    }

    /// The figures of all phases.
    pub(super) fn close(&self, ending: &Ending<'_>) -> Phases {
        if !self.any() {
            return Phases::default();
        }
        let Durations { open, owned } = self.timeline.durations(ending.started, ending.ended);
        let cpu = self.cpu_times(ending.cpu_time);
        let figures = Figures::of(ending, cpu.as_deref());
        let held = |slot: Slot| owned.get(slot).copied().unwrap_or_default();
        let list = self.timeline.nodes().iter().enumerate().map(|(number, node)| {
            let inside = self.timeline.lineage(number);
            let names = inside
                .iter()
                .rev()
                .filter_map(|node| self.timeline.nodes().get(*node));
            let doubt = |books: &DomainBooks| books.phases().doubt(number);
            let duration = open.get(number).copied().unwrap_or_default();
            Phase {
                path: names.map(|node| node.name.clone()).collect(),
                parent: node.parent,
                times: node.times,
                open_at_end: node.is_open(),
                whole: figures.figures(&self.accounts(number), duration, node.times, Some(&doubt)),
                own: figures.figures(&[(own(number), Sign::Plus)], held(own(number)), node.turns, None),
            }
        });
        Phases {
            list: list.collect(),
            outside: Some(self.outside(&figures, held(OUTSIDE))),
            overlapped: self.timeline.overlapped(),
        }
    }

    fn outside(&self, figures: &Figures<'_>, duration: Duration) -> PhaseFigures {
        let tops = self.timeline.nodes().iter().filter(|node| node.parent.is_none());
        let turns = tops.map(|node| node.times).sum();
        figures.figures(&[(OUTSIDE, Sign::Plus)], duration, turns, None)
    }

    /// The accounts of all that was used while a phase was open.
    fn accounts(&self, node: usize) -> Vec<(Slot, Sign)> {
        let descendants = (0..self.timeline.nodes().len())
            .filter(|other| self.timeline.lineage(*other).contains(&node))
            .map(|other| (own(other), Sign::Plus));
        let put_right = [(beside(node), Sign::Plus), (after(node), Sign::Minus)];
        descendants.chain(put_right).collect()
    }

    /// The job's CPU time by account. Those of owners are all of it.
    fn cpu_times(&self, whole: Option<CpuTime>) -> Option<Vec<u64>> {
        let whole = whole?;
        let mut weights: Vec<u128> = self.cpu_ns.iter().map(|ns| u128::from(*ns)).collect();
        let slots = 3 * self.timeline.nodes().len() + 1;
        weights.resize(slots.max(weights.len()), 0);
        let of_phases: u128 = (0..self.timeline.nodes().len())
            .filter_map(|node| weights.get(own(node)))
            .sum();
        if let Some(outside) = weights.first_mut() {
            *outside = u128::from(whole.0).saturating_sub(of_phases);
        }
        let owners: Vec<u128> = weights
            .iter()
            .enumerate()
            .map(|(slot, weight)| if is_owner(slot) { *weight } else { 0 })
            .collect();
        let mut parts = split_all(whole.0, &owners).unwrap_or_else(|| vec![0; owners.len()]);
        for (slot, (part, weight)) in parts.iter_mut().zip(weights).enumerate() {
            if !is_owner(slot) {
                *part = u64::try_from(weight).unwrap_or(u64::MAX);
            }
        }
        Some(parts)
    }

    /// What the reader should know of the marks.
    pub(super) fn notes(&self) -> Vec<Note> {
        let odd = self.timeline.oddities();
        let mut notes = Vec::new();
        if odd.strays > 0 {
            let which = match odd.first_stray.as_str() {
                "" => "no phase was open".to_owned(),
                name => format!("`{name}` was not open"),
            };
            let more = match odd.strays - 1 {
                0 => String::new(),
                1 => ", and once more".to_owned(),
                more => format!(", and {more} times more"),
            };
            notes.push(note(
                "phase-stop-without-start",
                format!("a phase was stopped, but {which}{more}"),
                Some("each `phase stop` needs a `phase start` of the same name before it".to_owned()),
            ));
        }
        if odd.unlisted > 0 {
            notes.push(note(
                "phases-too-many",
                format!(
                    "{} starts of phases are part of the phases around them: {} different phases are told apart, and {} may \
                     be open at once",
                    odd.unlisted,
                    timeline::MOST_PATHS,
                    timeline::MOST_OPEN
                ),
                Some("give phases of one kind one name: they add up".to_owned()),
            ));
        }
        let open: Vec<&str> = self
            .timeline
            .nodes()
            .iter()
            .filter(|node| node.is_open())
            .map(|node| node.name.as_str())
            .collect();
        if let Some(first) = open.first() {
            let more = match open.len() - 1 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            notes.push(Note {
                degrades: false,
                ..note(
                    "phase-open-at-end",
                    format!("the phase `{first}`{more} was still open at the end, and ends there"),
                    None,
                )
            });
        }
        notes
    }
}

#[cfg(test)]
mod tests;
