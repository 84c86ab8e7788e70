//! What the phases that a job has marked used of its energy.

use super::{Figure, JobEnergy};
use crate::model::units::{CpuTime, Grams, Share};
use serde::Serialize;
use std::time::Duration;

/// A job's phases.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Phases {
    /// In the order of their first start; a phase comes after the one around it. Empty where the job marked none.
    pub list: Vec<Phase>,
    /// What was used while no phase was open; `None` where the job marked none.
    pub outside: Option<PhaseFigures>,
    /// Whether phases were open at the same time without one lying in the other. Those of the top and `outside` need not
    /// add up to the job then; what phases own and `outside` always do.
    pub overlapped: bool,
}

/// One phase, all times that it was entered together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Phase {
    /// Its name, after those of the phases around it.
    pub path: Vec<String>,
    /// The phase around it, by its place in the list.
    pub parent: Option<usize>,
    /// How often it was started.
    pub times: u64,
    /// Whether it was not stopped before the job ended, and was closed then.
    pub open_at_end: bool,
    /// While it was open, with the phases inside of it.
    pub whole: PhaseFigures,
    /// While it was the innermost that was open.
    pub own: PhaseFigures,
}

/// What was used in some part of a job's time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PhaseFigures {
    /// On the monotonic clock.
    pub duration: Duration,
    /// The job's on-CPU time; `None` where nobody counted.
    pub cpu_time: Option<CpuTime>,
    /// The job's energy.
    pub energy: JobEnergy,
    /// That energy, times PUE, times the intensity of its time.
    pub emissions: Figure<Grams>,
    /// Part of that time for which the energy is known of every meter that is summed.
    pub coverage: Share,
}

impl Phase {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }
}
