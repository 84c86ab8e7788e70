//! The accounts that a job's figures are kept in, three for each phase, and what of a window belongs to which.

use crate::model::units::MicroJoules;

/// An account: [`OUTSIDE`], or one of three of each phase.
pub(in crate::model::assemble) type Slot = usize;

/// Of what no phase owns.
pub(in crate::model::assemble) const OUTSIDE: Slot = 0;

/// Of what the phase owns.
pub(in crate::model::assemble) const fn own(node: usize) -> Slot {
    3 * node + 1
}

/// Of what somebody else owned than it and its descendants, while it was open.
pub(in crate::model::assemble) const fn beside(node: usize) -> Slot {
    3 * node + 2
}

/// Of what its descendants owned while it was not open.
pub(in crate::model::assemble) const fn after(node: usize) -> Slot {
    3 * node + 3
}

/// Whether the slot is [`OUTSIDE`] or [`own`]: of those there is one at each moment.
pub(in crate::model::assemble) const fn is_owner(slot: Slot) -> bool {
    slot == OUTSIDE || slot % 3 == 1
}

/// Whose a window of time was: weights of the slots, which are nanoseconds or energy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::model::assemble) struct Parts {
    /// Each slot once, those of owners with the others.
    pub(in crate::model::assemble) slots: Vec<(Slot, u64)>,
}

impl Parts {
    pub(in crate::model::assemble) fn add(&mut self, slot: Slot, weight: u64) {
        match self.slots.iter_mut().find(|(known, _)| *known == slot) {
            Some((_, sum)) => *sum = sum.saturating_add(weight),
            None if weight > 0 => self.slots.push((slot, weight)),
            None => {}
        }
    }

    /// Those of a window with so much energy on top, weighted by that: in nanojoules, and never nothing.
    pub(in crate::model::assemble) fn gather(&mut self, window: &Self, energy: MicroJoules) {
        let whole = u128::from(window.whole().max(1));
        let nanojoules = (u128::from(energy.0) + 1) * 1000;
        for (slot, weight) in &window.slots {
            let part = nanojoules * u128::from(*weight) / whole;
            self.add(*slot, u64::try_from(part).unwrap_or(u64::MAX));
        }
    }

    /// The weight of all owners.
    pub(in crate::model::assemble) fn whole(&self) -> u64 {
        let owners = self.slots.iter().filter(|(slot, _)| is_owner(*slot));
        owners.map(|(_, weight)| *weight).sum()
    }
}
