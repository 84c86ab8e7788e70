//! A domain's books, shared among the phases of the job: sums by account, so that a run of a month needs no more memory.
//!
//! A window in which a boundary fell is shared in proportion of time. As in [`super::super::evidence`], the sums can be read under
//! a baseline power that only the end tells.

use super::accounts::{OUTSIDE, Parts, Slot, is_owner};
use crate::model::assemble::carbon::Blend;
use crate::model::assemble::evidence::Sight;
use crate::model::attribution::{Books, split_all};
use crate::model::recording::{IdlePolicy, Ranged};
use crate::model::units::{GramsPerKwh, MicroJoules, Share};
use std::time::Duration;

/// What became of the job in a window, before it is shared.
#[derive(Debug, Clone, Copy)]
pub(in crate::model::assemble) struct Piece<'a> {
    /// The books under the baseline that is known by now.
    pub(in crate::model::assemble) books: &'a Books,
    /// What the window says under any other; `None` where the baseline does not change afterwards.
    pub(in crate::model::assemble) sight: Option<Sight>,
    pub(in crate::model::assemble) intensity: Option<Ranged<GramsPerKwh>>,
    /// Time for which the energy is known.
    pub(in crate::model::assemble) known: Duration,
}

/// An account's sums.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::model::assemble) struct Slice {
    /// The job's lines in microjoules: dynamic, of the baseline, and what that would be by busy time.
    pub(in crate::model::assemble) job: i128,
    pub(in crate::model::assemble) job_idle: i128,
    pub(in crate::model::assemble) job_idle_if_busy: i128,
    pub(in crate::model::assemble) sight: Sight,
    pub(in crate::model::assemble) blend: Blend,
    /// Nanoseconds for which the energy is known.
    pub(in crate::model::assemble) known_ns: f64,
    /// Joules squared that the account may be off by, because boundaries fell between two readings.
    pub(in crate::model::assemble) doubt: f64,
}

impl Slice {
    fn join(&mut self, other: &Self, sign: Sign) {
        let factor = sign.factor();
        self.job += other.job * sign.whole();
        self.job_idle += other.job_idle * sign.whole();
        self.job_idle_if_busy += other.job_idle_if_busy * sign.whole();
        self.sight.tinted.join(&other.sight.tinted, factor);
        self.sight.contest.join(&other.sight.contest, factor);
        self.blend.join(&other.blend, factor);
        self.known_ns += other.known_ns * factor;
        self.doubt += other.doubt;
    }

    /// The job's energy in it under the baseline that was known, in microjoules.
    fn microjoules(&self) -> u128 {
        u128::try_from(self.job + self.job_idle).unwrap_or(0)
    }
}

/// Whether an account counts for a figure or against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model::assemble) enum Sign {
    Plus,
    Minus,
}

impl Sign {
    const fn factor(self) -> f64 {
        match self {
            Self::Plus => 1.0,
            Self::Minus => -1.0,
        }
    }

    pub(in crate::model::assemble) const fn whole(self) -> i128 {
        match self {
            Self::Plus => 1,
            Self::Minus => -1,
        }
    }
}

/// All accounts of a domain.
#[derive(Debug, Clone, Default)]
pub(in crate::model::assemble) struct Slices {
    slots: Vec<Slice>,
    /// Joules squared by phase: of windows in which it was open for a part of the time.
    doubts: Vec<f64>,
}

/// The baseline power in watts under which the books were made again in the end, and how the job shares in it.
#[derive(Debug, Clone, Copy)]
pub(in crate::model::assemble) struct Remade {
    pub(in crate::model::assemble) power: f64,
    pub(in crate::model::assemble) policy: IdlePolicy,
    pub(in crate::model::assemble) allocated: Share,
}

impl Slices {
    /// Shares a window out. `open` is the part of it for which each phase was open, of those that were for a part of it only.
    pub(in crate::model::assemble) fn enter(
        &mut self,
        parts: &Parts,
        open: &[(usize, f64)],
        piece: &Piece<'_>,
    ) {
        let ledger = &piece.books.ledger;
        let [_, _, _, if_busy, _] = piece.books.job_idle_by_policy;
        let [job, job_idle, if_busy] = [ledger.job, ledger.job_idle, if_busy].map(|line| shared(line, parts));
        let whole = parts.whole().max(1) as f64;
        let energy = ledger.job_total().joules().get();
        let lines = job.into_iter().zip(job_idle).zip(if_busy);
        for ((slot, weight), ((job, job_idle), if_busy)) in parts.slots.iter().zip(lines) {
            let part = *weight as f64 / whole;
            if self.slots.len() <= *slot {
                self.slots.resize(slot + 1, Slice::default());
            }
            let Some(slice) = self.slots.get_mut(*slot) else {
                continue;
            };
            slice.job += i128::from(job);
            slice.job_idle += i128::from(job_idle);
            slice.job_idle_if_busy += i128::from(if_busy);
            if let Some(sight) = &piece.sight {
                slice.sight.tinted.join(&sight.tinted, part);
                slice.sight.contest.join(&sight.contest, part);
            }
            if let Some(intensity) = piece.intensity {
                slice.blend.add((job + job_idle) as f64 / 1e6, intensity);
            }
            slice.known_ns += piece.known.as_nanos() as f64 * part;
            slice.doubt += doubt(energy, part);
        }
        for (node, part) in open {
            if self.doubts.len() <= *node {
                self.doubts.resize(node + 1, 0.0);
            }
            if let Some(sum) = self.doubts.get_mut(*node) {
                *sum += doubt(energy, *part);
            }
        }
    }

    /// The account's sums.
    pub(in crate::model::assemble) fn of(&self, slot: Slot) -> Slice {
        self.slots.get(slot).copied().unwrap_or_default()
    }

    /// Joules squared that a phase's figure may be off by.
    pub(in crate::model::assemble) fn doubt(&self, node: usize) -> f64 {
        self.doubts.get(node).copied().unwrap_or_default()
    }

    /// The sums of several accounts.
    pub(in crate::model::assemble) fn sum(&self, accounts: &[(Slot, Sign)]) -> Slice {
        let mut sum = Slice::default();
        for (slot, sign) in accounts {
            sum.join(&self.of(*slot), *sign);
        }
        sum
    }

    /// Of a whole run's energy that is shared by weights alone.
    pub(in crate::model::assemble) fn by_weight(
        job: MicroJoules,
        weights: &[u128],
        blends: &[Blend],
    ) -> Self {
        let shares = shares_of(job, weights).into_iter().enumerate();
        let slice = |(slot, share): (usize, u64)| Slice {
            job: i128::from(share),
            blend: blends.get(slot).copied().unwrap_or_default(),
            ..Slice::default()
        };
        Self {
            slots: shares.map(slice).collect(),
            doubts: Vec::new(),
        }
    }

    /// Each account's microjoules of the job's energy in this domain. Those of owners add up to it, to the microjoule.
    pub(in crate::model::assemble) fn microjoules(
        &self,
        job: MicroJoules,
        remade: Option<Remade>,
    ) -> Vec<u64> {
        let weight = |slice: &Slice| match remade {
            None => slice.microjoules() * 1000,
            Some(Remade {
                power,
                policy,
                allocated,
            }) => (slice.sight.tinted.energy(power, policy, allocated).max(0.0) * 1e9) as u128,
        };
        let weights: Vec<u128> = self.slots.iter().map(weight).collect();
        shares_of(job, &weights)
    }
}

/// Shares the job's energy out by weights of the accounts: exactly among owners, and in the same measure for the others.
pub(in crate::model::assemble) fn shares_of(job: MicroJoules, weights: &[u128]) -> Vec<u64> {
    let owners: Vec<u128> = weights
        .iter()
        .enumerate()
        .map(|(slot, weight)| if is_owner(slot) { *weight } else { 0 })
        .collect();
    let Some(mut parts) = split_all(job.0, &owners) else {
        // Nothing says whose it was.
        let mut parts = vec![0; weights.len().max(1)];
        if let Some(outside) = parts.get_mut(OUTSIDE) {
            *outside = job.0;
        }
        return parts;
    };
    let whole = owners.iter().sum::<u128>() as f64;
    for (slot, (part, weight)) in parts.iter_mut().zip(weights).enumerate() {
        if !is_owner(slot) {
            *part = (job.0 as f64 * (*weight as f64 / whole)).round() as u64;
        }
    }
    parts
}

/// A line of the books, shared among the parts.
fn shared(line: MicroJoules, parts: &Parts) -> Vec<u64> {
    if let [_] = parts.slots.as_slice() {
        return vec![line.0];
    }
    let weight = |(slot, weight): &(Slot, u64)| if is_owner(*slot) { u128::from(*weight) } else { 0 };
    let owners: Vec<u128> = parts.slots.iter().map(weight).collect();
    let whole = parts.whole().max(1);
    let shares = split_all(line.0, &owners).unwrap_or_else(|| vec![0; owners.len()]);
    let shares = shares.into_iter().zip(&parts.slots);
    shares
        .map(|(share, (slot, weight))| {
            let part = u128::from(line.0) * u128::from(*weight) / u128::from(whole);
            if is_owner(*slot) {
                share
            } else {
                u64::try_from(part).unwrap_or(u64::MAX)
            }
        })
        .collect()
}

/// A part `f` of a window is given `f` of its energy. Its power may have been anything from none to three times the window's (judgement; in
/// half of a window, where it can be anything up to twice, that is all that is possible), and so `2 * f * (1 - f)` of the
/// window's energy is the half-width. Windows are independent: squares are added.
fn doubt(energy: f64, part: f64) -> f64 {
    let part = part.clamp(0.0, 1.0);
    (2.0 * part * (1.0 - part) * energy).powi(2)
}
