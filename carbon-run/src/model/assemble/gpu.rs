//! A GPU's books. Its counter and its users are seen in different rhythms, so energy is gathered until there is
//! something to split it by.

use super::gauge::Gauge;
use super::gpu_idle::GpuIdle;
use super::note;
use super::uncertainty::{self, Parts};
use crate::model::attribution::Books;
use crate::model::gpu_share::{self, Ownership, Use, Window};
use crate::model::recording::{Choices, Gpu, GpuLook, Gpus, IdlePolicy, Note};
use crate::model::report::{FoundIdle, GpuReport, IdlePower};
use crate::model::units::{MicroJoules, Share, Watts};
use std::time::Duration;

/// For so long energy waits for a sample of anybody's use. Drivers sample every sixth of a second to every second.
const PATIENCE: Duration = Duration::from_secs(2);

/// Shortest window whose mean power says what a device draws: its counter steps every 20 to 100 ms.
const PROOF: Duration = Duration::from_secs(1);

/// The users' side of a GPU.
#[derive(Debug, Clone)]
pub(super) struct GpuBooks {
    pub(super) gauge: Gauge,
    gpu: Gpu,
    ownership: Ownership,
    allocated_by: Option<String>,
    window: Window,
    /// Not split yet.
    energy: MicroJoules,
    elapsed: Duration,
    /// What the last samples said.
    recent: Option<(Use, Share)>,
    idle: IdlePower,
    /// The least that it is known to draw with nobody on it, and how that was measured before the run.
    deep: Option<Watts>,
    deep_found: Option<FoundIdle>,
    /// Whether somebody was on it when the window began.
    occupied: bool,
    /// Baseline so far, and how much of it is only assumed.
    base: MicroJoules,
    assumed: MicroJoules,
    blind: bool,
}

impl GpuBooks {
    pub(super) fn new(gauge: Gauge, gpu: &Gpu, gpus: &Gpus, idle: GpuIdle) -> Self {
        Self {
            gauge,
            gpu: gpu.clone(),
            ownership: Ownership {
                allocated: gpu.allocated,
                stated: gpu.allocated.is_some(),
            },
            allocated_by: gpu.allocated.and(gpus.allocated_by.as_ref()).cloned(),
            window: Window::default(),
            energy: MicroJoules::ZERO,
            elapsed: Duration::ZERO,
            recent: None,
            idle: idle.resident,
            deep: idle.deep.watts(),
            deep_found: idle.deep.found(),
            occupied: false,
            base: MicroJoules::ZERO,
            assumed: MicroJoules::ZERO,
            blind: false,
        }
    }

    /// Enters energy, if there was any, and a look, and gives the books of what can be split now.
    pub(super) fn observe(
        &mut self,
        energy: Option<(MicroJoules, Duration)>,
        look: Option<&GpuLook>,
        choices: &Choices,
    ) -> Option<Books> {
        if let Some((energy, elapsed)) = energy {
            self.energy += energy;
            self.elapsed += elapsed;
        }
        if let Some(look) = look {
            self.window.take(look);
        }
        let due = self.window.is_sampled() || self.elapsed >= PATIENCE;
        (due && self.elapsed > Duration::ZERO).then(|| self.split(choices))
    }

    /// The books of what is left.
    pub(super) fn close(&mut self, choices: &Choices) -> Option<Books> {
        (self.elapsed > Duration::ZERO).then(|| self.split(choices))
    }

    fn split(&mut self, choices: &Choices) -> Books {
        let energy = std::mem::take(&mut self.energy);
        let elapsed = std::mem::take(&mut self.elapsed);
        let (mut weights, mut capacity) = self.window.weights(&self.gpu);
        if self.window.is_sampled() {
            self.recent = Some((weights, capacity));
        } else if elapsed < PATIENCE
            && self.window.anybody()
            && let Some(recent) = self.recent
        {
            // The run ended before the driver's next sample.
            (weights, capacity) = recent;
        }
        self.blind |= self.window.is_blind();
        let base = self.baseline(energy, elapsed);
        self.window.turn();
        self.occupied = self.window.is_held();
        gpu_share::apportion(
            energy,
            base,
            weights,
            capacity,
            choices.idle_policy,
            self.ownership,
        )
    }

    /// With nobody on it, all that it draws is baseline. With somebody there it is what a context that does nothing
    /// takes; where that is not known, anything from the device without a context to all.
    fn baseline(&mut self, energy: MicroJoules, elapsed: Duration) -> MicroJoules {
        let base = if !self.window.anybody() {
            if elapsed >= PROOF {
                let power = Watts::clamped(energy.joules().get() / elapsed.as_secs_f64());
                if self.deep.is_none_or(|deep| power < deep) {
                    (self.deep, self.deep_found) = (Some(power), None);
                }
            }
            energy
        } else {
            // Before the first context, and after the last one, it may draw less.
            if elapsed >= PROOF && self.occupied && self.window.is_held_still() {
                self.idle = lowered(self.idle, energy, elapsed);
            }
            let drawn = |power: Watts| {
                let drawn = u128::from(power.microwatts()) * elapsed.as_nanos() / 1_000_000_000;
                MicroJoules(u64::try_from(drawn).unwrap_or(u64::MAX)).min(energy)
            };
            match self.idle {
                IdlePower::Given(power)
                | IdlePower::Found(FoundIdle { power, .. })
                | IdlePower::Lowered { used: power, .. }
                | IdlePower::Model(power) => drawn(power),
                IdlePower::Unknown => {
                    let least = self.least().map_or(MicroJoules::ZERO, drawn);
                    let assumed = MicroJoules((energy.0 - least.0) / 2);
                    self.assumed += assumed;
                    least + assumed
                }
            }
        };
        self.base += base;
        base
    }

    /// The least that it can draw with somebody on it, as far as is known.
    fn least(&self) -> Option<Watts> {
        let spread = self.deep_found.map_or(Watts::ZERO, |found| found.spread);
        self.deep.map(|deep| Watts::clamped(deep.get() - spread.get()))
    }

    pub(super) fn idle_power(&self) -> IdlePower {
        self.idle
    }

    /// The parts of the range of the job's figure.
    pub(super) fn parts(&self, books: &Books, known: Duration) -> Parts {
        let unsure = Share::of(self.assumed.0, self.base.0);
        uncertainty::of_gpu(books, self.idle, unsure, known)
    }

    pub(super) fn report(&self, wanted: IdlePolicy) -> GpuReport {
        GpuReport {
            gpu: self.gpu.clone(),
            allocated_by: self.allocated_by.clone(),
            idle_policy: self.ownership.policy(wanted),
            deep_idle: self.deep,
            deep_found: self.deep_found,
        }
    }

    pub(super) fn notes(&self, name: &str, books: &Books, known: Duration) -> Vec<Note> {
        /// Below this part of the job's energy a matter is not worth a word.
        const WORTH: f64 = 0.05;
        let job = books.ledger.job_total().joules().get();
        let unattributed = books.ledger.unattributed.joules().get();
        let mut notes = Vec::new();
        if unattributed > 0.0 && unattributed > job * WORTH / 10.0 {
            let why = if self.blind {
                "the driver does not say who uses it"
            } else {
                "others hold it, too, or use it under numbers that cannot be matched, and the driver has no samples \
                 that tell them apart"
            };
            notes.push(note(
                "gpu-unattributed",
                format!("{unattributed:.0} J of `{name}` may be the job's or not: {why}"),
                Some("the range covers both; run the job alone on its GPU, or as root".to_owned()),
            ));
        }
        if matches!(self.idle, IdlePower::Unknown) && self.parts(books, known).idle > job * WORTH {
            notes.push(Note {
                code: "gpu-idle-power-unknown".to_owned(),
                message: format!(
                    "what `{name}` draws with a context that does nothing is not known; the range covers every \
                     possible power"
                ),
                hint: Some(
                    "`carbon-run calibrate` measures it, while a context is held that does nothing; or give \
                     `--gpu-idle-power` (watts per GPU with such a context)"
                        .to_owned(),
                ),
                degrades: false,
            });
        }
        notes
    }
}

/// A device that draws less than its stated idle power proves the statement wrong.
fn lowered(idle: IdlePower, energy: MicroJoules, elapsed: Duration) -> IdlePower {
    let (given, used, found) = match idle {
        IdlePower::Given(power) => (power, power, None),
        IdlePower::Found(found) => (found.power, found.power, Some(found)),
        IdlePower::Lowered { given, used, found } => (given, used, found),
        IdlePower::Model(_) | IdlePower::Unknown => return idle,
    };
    let drawn = Watts::clamped(energy.joules().get() / elapsed.as_secs_f64());
    if drawn < used {
        IdlePower::Lowered {
            given,
            used: drawn,
            found,
        }
    } else {
        idle
    }
}

#[cfg(test)]
#[path = "gpu_tests.rs"]
mod tests;
