//! How much of something a user may have in a while.

use crate::model::units::Moment;
use std::collections::BTreeMap;
use std::time::Duration;

/// So much at once, and so much a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    /// What may be taken at once after a pause.
    pub(super) burst: u64,
    /// What comes back in a second; at least 1.
    pub(super) per_second: u64,
}

/// What each user has left of a rate (a token bucket each). Users who have taken nothing for long are forgotten.
#[derive(Debug)]
pub(super) struct Budget {
    rate: Rate,
    users: BTreeMap<u32, Purse>,
}

#[derive(Debug, Clone, Copy)]
struct Purse {
    /// In billionths, so that what comes back in a nanosecond is a whole number.
    left: u128,
    at: Moment,
}

/// Billionths of one.
const ONE: u128 = 1_000_000_000;

impl Budget {
    pub(super) fn new(rate: Rate) -> Self {
        Self {
            rate,
            users: BTreeMap::new(),
        }
    }

    /// Takes `amount`, if that much is left.
    pub(super) fn take(&mut self, user: u32, amount: u64, now: Moment) -> bool {
        let purse = self.purse(user, now);
        let amount = u128::from(amount) * ONE;
        if purse.left < amount {
            return false;
        }
        purse.left -= amount;
        true
    }

    /// Spends `amount`, which has been had already, and says how long the user has to wait before the next of it.
    pub(super) fn spend(&mut self, user: u32, amount: u64, now: Moment) -> Duration {
        let per_second = u128::from(self.rate.per_second.max(1));
        let debt_at_most = u128::from(self.rate.burst) * ONE;
        let purse = self.purse(user, now);
        let amount = u128::from(amount) * ONE;
        let debt = amount.saturating_sub(purse.left).min(debt_at_most);
        purse.left = purse.left.saturating_sub(amount);
        Duration::from_nanos(u64::try_from(debt / per_second).unwrap_or(u64::MAX))
    }

    fn purse(&mut self, user: u32, now: Moment) -> &mut Purse {
        let full = u128::from(self.rate.burst) * ONE;
        let per_second = u128::from(self.rate.per_second.max(1));
        // Whoever has a full purse is as one who never came.
        self.users.retain(|_, purse| {
            let back = now.since(purse.at).as_nanos() * per_second;
            purse.left + back < full
        });
        let purse = self.users.entry(user).or_insert(Purse { left: full, at: now });
        let back = now.since(purse.at).as_nanos() * per_second;
        purse.left = (purse.left + back).min(full);
        purse.at = now;
        purse
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RATE: Rate = Rate {
        burst: 3,
        per_second: 2,
    };

    fn at(ms: u64) -> Moment {
        Moment(1_000_000_000 + ms * 1_000_000)
    }

    #[test]
    fn a_burst_is_had_at_once_and_then_as_much_as_comes_back() {
        let mut budget = Budget::new(RATE);
        let had = |budget: &mut Budget, ms| budget.take(7, 1, at(ms));
        assert_eq!(
            [0, 0, 0, 0].map(|ms| had(&mut budget, ms)),
            [true, true, true, false]
        );
        assert!(!had(&mut budget, 499));
        assert!(had(&mut budget, 500));
        assert!(!had(&mut budget, 600));
        assert!(
            budget.take(8, 3, at(600)),
            "another user has a purse of their own"
        );
    }

    #[test]
    fn who_has_had_more_than_there_was_waits_until_it_is_back() {
        let mut budget = Budget::new(RATE);
        assert_eq!(budget.spend(7, 3, at(0)), Duration::ZERO);
        assert_eq!(budget.spend(7, 1, at(0)), Duration::from_millis(500));
        // However much that was, a request is answered some day.
        assert_eq!(budget.spend(7, 1_000_000, at(0)), Duration::from_millis(1_500));
    }

    #[test]
    fn users_who_are_content_are_forgotten() {
        let mut budget = Budget::new(RATE);
        for user in 0..1_000 {
            assert!(budget.take(user, 1, at(0)));
        }
        assert!(budget.take(1_000, 1, at(10_000)));
        assert_eq!(budget.users.len(), 1);
    }

    proptest! {
        #[test]
        fn nobody_gets_more_than_the_burst_and_the_rate(pauses in proptest::collection::vec(0_u64..400, 1..200)) {
            let mut budget = Budget::new(RATE);
            let (mut now, mut had) = (0, 0);
            for pause in pauses {
                now += pause;
                had += u64::from(budget.take(1, 1, at(now)));
                prop_assert!(had <= RATE.burst + RATE.per_second * now / 1000);
            }
        }
    }
}
