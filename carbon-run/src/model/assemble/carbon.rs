//! Energy beside the carbon intensity of the time in which it was used.
//!
//! Of a series the report needs one figure: the mean intensity, weighted by the job's energy. It is a ratio of two sums over
//! the windows, `sum(e * c) / sum(e)`, so that neither windows nor steps have to be remembered.

use super::evidence::Line;
use crate::model::intensity_series::{greater, lesser};
use crate::model::recording::{IdlePolicy, Ranged};
use crate::model::units::{GramsPerKwh, Share};

/// A mean of intensities, weighted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Blend {
    weight: f64,
    /// Of low, value and high, times the weight.
    products: [f64; 3],
    /// The lowest and the highest of each.
    bounds: Bounds,
}

/// The lowest and the highest of low, value and high.
type Bounds = Option<[(GramsPerKwh, GramsPerKwh); 3]>;

fn parts(intensity: Ranged<GramsPerKwh>) -> [GramsPerKwh; 3] {
    [intensity.low, intensity.value, intensity.high]
}

impl Blend {
    /// So much (energy in joules, or time) at this intensity.
    pub(super) fn add(&mut self, weight: f64, intensity: Ranged<GramsPerKwh>) {
        if weight == 0.0 {
            return;
        }
        let parts = parts(intensity);
        self.weight += weight;
        for (product, part) in self.products.iter_mut().zip(parts) {
            *product += weight * part.get();
        }
        self.bounds = Some(widened(self.bounds, parts));
    }

    /// Another one's sums on top, times a factor.
    pub(super) fn join(&mut self, other: &Self, factor: f64) {
        self.weight += other.weight * factor;
        for (product, more) in self.products.iter_mut().zip(other.products) {
            *product += more * factor;
        }
        self.bounds = joined(self.bounds, other.bounds);
    }

    /// The mean; `None` of nothing.
    pub(super) fn mean(&self) -> Option<Ranged<GramsPerKwh>> {
        let bounds = self.bounds.filter(|_| self.weight > 0.0)?;
        Some(bounded(
            self.products.map(|product| product / self.weight),
            bounds,
        ))
    }
}

/// The lowest and the highest of two.
fn joined(one: Bounds, other: Bounds) -> Bounds {
    let Some(more) = other else { return one };
    let lowest = widened(one, more.map(|(lowest, _)| lowest));
    Some(widened(Some(lowest), more.map(|(_, highest)| highest)))
}

fn widened(bounds: Bounds, parts: [GramsPerKwh; 3]) -> [(GramsPerKwh, GramsPerKwh); 3] {
    let Some(mut bounds) = bounds else {
        return parts.map(|part| (part, part));
    };
    for (bound, part) in bounds.iter_mut().zip(parts) {
        *bound = (lesser(bound.0, part), greater(bound.1, part));
    }
    bounds
}

/// Rounding, and windows that draw less than the baseline, must not lead a mean out of what it is made of.
fn bounded(means: [f64; 3], bounds: [(GramsPerKwh, GramsPerKwh); 3]) -> Ranged<GramsPerKwh> {
    let [low, value, high] = means;
    let [in_low, in_value, in_high] = bounds;
    let within = |mean: f64, (least, most): (GramsPerKwh, GramsPerKwh)| {
        lesser(greater(GramsPerKwh::clamped(mean), least), most)
    };
    let value = within(value, in_value);
    Ranged {
        low: lesser(within(low, in_low), value),
        value,
        high: greater(within(high, in_high), value),
    }
}

/// The sums behind the job's energy under a baseline power that only the end tells ([`super::evidence::Evidence`]), once
/// as they are and once times low, value and high of the intensity.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tinted {
    plain: Lines,
    tinted: [Lines; 3],
    bounds: Bounds,
}

#[derive(Debug, Clone, Copy, Default)]
struct Lines {
    whole: Line,
    job: Line,
    /// Seconds times the job's part of the CPUs' time.
    capacity: f64,
}

impl Tinted {
    /// Enters a window, of whose dynamic energy the job has one share, and of whose CPU time another.
    pub(super) fn enter(&mut self, window: Line, job: f64, capacity: f64, intensity: Ranged<GramsPerKwh>) {
        let parts = parts(intensity);
        self.plain.enter(window, job, capacity, 1.0);
        for (lines, part) in self.tinted.iter_mut().zip(parts) {
            lines.enter(window, job, capacity, part.get());
        }
        self.bounds = Some(widened(self.bounds, parts));
    }

    /// Of one window, whose intensity need not be known.
    pub(super) fn of(window: Line, job: f64, capacity: f64, intensity: Option<Ranged<GramsPerKwh>>) -> Self {
        let mut tinted = Self::default();
        match intensity {
            Some(intensity) => tinted.enter(window, job, capacity, intensity),
            None => tinted.plain.enter(window, job, capacity, 1.0),
        }
        tinted
    }

    /// Another one's sums on top, times a factor.
    pub(super) fn join(&mut self, other: &Self, factor: f64) {
        self.plain.join(&other.plain, factor);
        for (lines, more) in self.tinted.iter_mut().zip(&other.tinted) {
            lines.join(more, factor);
        }
        self.bounds = joined(self.bounds, other.bounds);
    }

    /// What the domain drew on average, whoever used it; watts.
    pub(super) fn power(&self) -> f64 {
        let Lines { whole, .. } = self.plain;
        if whole.seconds() > 0.0 {
            whole.joules() / whole.seconds()
        } else {
            0.0
        }
    }

    /// The job's energy under a baseline power in watts, in joules.
    pub(super) fn energy(&self, power: f64, policy: IdlePolicy, allocated: Share) -> f64 {
        self.plain.energy(power, policy, allocated)
    }

    /// The mean intensity of the job's energy under a baseline power in watts; `None` where the job has no energy.
    pub(super) fn mean(
        &self,
        power: f64,
        policy: IdlePolicy,
        allocated: Share,
    ) -> Option<Ranged<GramsPerKwh>> {
        let energy = self.plain.energy(power, policy, allocated);
        let bounds = self.bounds.filter(|_| energy > 0.0)?;
        let means = self
            .tinted
            .map(|lines| lines.energy(power, policy, allocated) / energy);
        Some(bounded(means, bounds))
    }
}

impl Lines {
    fn enter(&mut self, window: Line, job: f64, capacity: f64, factor: f64) {
        self.whole.add(window, factor);
        self.job.add(window, job * factor);
        self.capacity += window.seconds() * capacity * factor;
    }

    fn join(&mut self, other: &Self, factor: f64) {
        self.whole.add(other.whole, factor);
        self.job.add(other.job, factor);
        self.capacity += other.capacity * factor;
    }

    /// The job's energy, as [`super::evidence::Evidence::books`] has it.
    fn energy(&self, power: f64, policy: IdlePolicy, allocated: Share) -> f64 {
        let base = self.whole.joules() - self.whole.at(power);
        let idle = match policy {
            IdlePolicy::None => 0.0,
            IdlePolicy::Capacity => power * self.capacity,
            IdlePolicy::Allocated => base * allocated.get(),
            IdlePolicy::Busy => power * self.job.seconds(),
            IdlePolicy::All => base,
        };
        self.job.at(power) + idle.min(base)
    }
}
