//! Memory without a meter: watts per GiB of the job's own memory, over time (METHOD.md, "RAM model").

use super::carbon::Blend;
use super::phases::{PhaseBooks, Slices};
use super::supply::Supply;
use crate::model::codecarbon;
use crate::model::recording::{MemoryUse, RamPowerModel, Ranged, Tail};
use crate::model::units::{Joules, MicroJoules, Moment, Watts};
use std::time::Duration;

/// Bytes of a GiB.
const GIB: f64 = 1_073_741_824.0;

/// The job's memory over time.
#[derive(Debug, Clone, Default)]
pub(super) struct MemoryBooks {
    first: Option<MemoryUse>,
    last: Option<MemoryUse>,
    /// Byte-seconds so far, from the least to the most.
    integral: [f64; 3],
    /// Seconds of modules at full power, as CodeCarbon guesses them.
    module_seconds: f64,
    /// Whether there is an integral without any look: by the peak alone.
    by_peak: bool,
    /// What was proportional of the resident memory at the last close look.
    proportion: Option<f64>,
    /// The most processes that a look could not look at.
    unreadable: u32,
    /// The intensity of the likeliest byte-seconds, where it changes with time.
    carbon: Blend,
    /// Likeliest byte-seconds by the phases' accounts, and their intensity.
    by_phase: Vec<(f64, Blend)>,
}

/// What goes with the time: its electricity and its phases.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times<'a> {
    pub(super) supply: &'a Supply,
    pub(super) phases: &'a PhaseBooks,
}

/// The least, the likeliest and the most, in bytes.
fn bytes(memory: &MemoryUse) -> [f64; 3] {
    let value = memory.pss_bytes as f64;
    let (low, high) = memory.range.unwrap_or((memory.pss_bytes, memory.pss_bytes));
    [value.min(low as f64), value, value.max(high as f64)]
}

impl MemoryBooks {
    /// Enters a look at the memory. Between two looks it is taken to change evenly, and may have been at either all the time.
    pub(super) fn observe(&mut self, memory: Option<MemoryUse>, times: Times<'_>) {
        let Some(now) = memory else { return };
        self.unreadable = self.unreadable.max(now.unreadable);
        if now.pss_bytes == 0 && now.unreadable > 0 {
            // Nothing was seen, which is not the same as nothing.
            return;
        }
        let now = self.in_proportion(now);
        if let Some(last) = &self.last {
            let ([low, value, high], [low_now, value_now, high_now]) = (bytes(last), bytes(&now));
            let between = [
                low.min(low_now),
                f64::midpoint(value, value_now),
                high.max(high_now),
            ];
            self.add(between, (last.at, now.at), times);
        }
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    /// A look that has resident sets only is taken to share as much as the last one that knew.
    fn in_proportion(&mut self, mut look: MemoryUse) -> MemoryUse {
        let resident = look.resident_bytes.filter(|resident| *resident > 0);
        match (look.range, resident.map(|resident| resident as f64)) {
            (None, Some(resident)) => self.proportion = Some(look.pss_bytes as f64 / resident),
            (Some((low, high)), Some(resident)) => {
                if let Some(proportion) = self.proportion {
                    let likely = (resident * proportion).round() as u64;
                    look.pss_bytes = likely.max(low.min(high)).min(low.max(high));
                }
            }
            (_, None) => {}
        }
        look
    }

    /// Before the first look it was as then, and after the last, and may have been nothing or the peak that the kernel
    /// keeps of the largest process. A look may fall just outside of the run. Without any look there is the peak alone:
    /// one process may have had it all the time, or each of them at once, or nobody for long.
    pub(super) fn close(&mut self, started: Moment, ended: Moment, tail: Option<&Tail>, times: Times<'_>) {
        let peak = tail.and_then(|tail| tail.peak_rss_bytes).map(|peak| peak as f64);
        if let (Some(first), Some(last)) = (self.first, self.last) {
            for (look, from, to) in [(first, started, first.at), (last, last.at, ended)] {
                let [low, value, high] = bytes(&look);
                if from < to {
                    self.add([0.0, value, high.max(peak.unwrap_or(0.0))], (from, to), times);
                } else {
                    self.add([low, value, high], (from, to), times);
                }
            }
            self.integral = self.integral.map(|part| part.max(0.0));
            // What is taken off for a look outside of the run is taken off by that look.
            let [low, value, high] = &mut self.integral;
            *low = low.min(*value);
            *high = high.max(*value);
        } else if let Some((peak, tail)) = peak.zip(tail) {
            let processes = tail.process_count.unwrap_or(tail.processes.len() as u64).max(1);
            self.by_peak = true;
            self.add(
                [0.0, peak / 2.0, peak * processes as f64],
                (started, ended),
                times,
            );
        }
    }

    /// So much memory from one moment to another; time that runs backwards is taken off.
    fn add(&mut self, bytes: [f64; 3], (from, to): (Moment, Moment), times: Times<'_>) {
        let seconds = seconds(from, to);
        let (earlier, later) = (from.min(to), from.max(to));
        let [_, value, _] = bytes;
        let intensity = times.supply.between(earlier, later);
        if let Some(intensity) = intensity {
            self.carbon.add(value * seconds, intensity);
        }
        let [_, likeliest, _] = bytes;
        self.module_seconds += codecarbon::drawing_modules(likeliest / GIB) * seconds;
        let parts = times.phases.between(earlier, later);
        let whole = parts.whole().max(1) as f64;
        for (slot, weight) in parts.slots {
            if self.by_phase.len() <= slot {
                self.by_phase.resize(slot + 1, Default::default());
            }
            if let Some((sum, blend)) = self.by_phase.get_mut(slot) {
                let part = value * seconds * (weight as f64 / whole);
                *sum += part;
                if let Some(intensity) = intensity {
                    blend.add(part, intensity);
                }
            }
        }
        for (part, bytes) in self.integral.iter_mut().zip(bytes) {
            *part += bytes * seconds;
        }
    }

    /// The job's energy by the phases' accounts, in proportion of its memory in them.
    pub(super) fn phases(&self, job: MicroJoules) -> Slices {
        let weights: Vec<u128> = self
            .by_phase
            .iter()
            .map(|(sum, _)| sum.max(0.0) as u128)
            .collect();
        let blends: Vec<Blend> = self.by_phase.iter().map(|(_, blend)| *blend).collect();
        Slices::by_weight(job, &weights, &blends)
    }

    /// The most processes of the job that a look could not look at.
    pub(super) fn unreadable(&self) -> u32 {
        self.unreadable
    }

    /// The intensity of what the memory used, weighted by its likeliest size.
    pub(super) fn carbon(&self) -> Blend {
        self.carbon
    }

    /// Mean over the run, in bytes; `None` when nobody looked.
    pub(super) fn mean_bytes(&self, duration: Duration) -> Option<u64> {
        let last = self.last?;
        let [_, value, _] = self.integral;
        let seconds = duration.as_secs_f64();
        Some(if seconds > 0.0 {
            (value / seconds).round() as u64
        } else {
            last.pss_bytes
        })
    }

    /// The energy under a model; `None` when nobody looked and nobody kept the peak.
    pub(super) fn energy(&self, model: &RamPowerModel) -> Option<Ranged<Joules>> {
        if self.last.is_none() && !self.by_peak {
            return None;
        }
        let [low, value, high] = self.integral;
        let at = |per_gib: Watts, byte_seconds: f64| Joules::clamped(per_gib.get() * byte_seconds / GIB);
        let by_size = Ranged {
            low: at(model.per_gib.low, low),
            value: at(model.per_gib.value, value),
            high: at(model.per_gib.high, high),
        };
        let Some(per_module) = model.per_module else {
            return Some(by_size);
        };
        let value = Joules::clamped(per_module.get() * self.module_seconds.max(0.0));
        Some(Ranged {
            low: Joules::clamped(by_size.low.get().min(value.get())),
            value,
            high: Joules::clamped(by_size.high.get().max(value.get())),
        })
    }
}

/// From one moment to another, negative when that was earlier.
fn seconds(from: Moment, to: Moment) -> f64 {
    to.since(from).as_secs_f64() - from.since(to).as_secs_f64()
}
