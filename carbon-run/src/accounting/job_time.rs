//! The job's time per group of CPUs, from a total that is known and places that may only be.

use crate::model::units::CpuTime;

/// The job's time per group so far; it never falls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JobTime(Vec<CpuTime>);

impl JobTime {
    pub(super) fn new(groups: usize) -> Self {
        Self(vec![CpuTime::ZERO; groups])
    }

    pub(super) fn groups(&self) -> &[CpuTime] {
        &self.0
    }

    pub(super) fn total(&self) -> CpuTime {
        self.0.iter().copied().sum()
    }

    /// Brings the sum up to `total`: what is new is shared out by `weights`; without any, where the job has run so far.
    pub(super) fn reach(&mut self, total: CpuTime, weights: &[CpuTime]) {
        let delta = total.since(self.total());
        let nobody = weights.iter().all(|weight| *weight == CpuTime::ZERO);
        let weights = if nobody { self.0.clone() } else { weights.to_vec() };
        for (job, part) in self.0.iter_mut().zip(shared_out(delta, &weights)) {
            *job += part;
        }
    }
}

/// `whole` in parts by `weights`, exactly: what division leaves over goes to the heaviest, and all to the first where
/// nobody weighs anything.
pub(super) fn shared_out(whole: CpuTime, weights: &[CpuTime]) -> Vec<CpuTime> {
    let sum: u128 = weights.iter().map(|weight| u128::from(weight.0)).sum();
    let mut left = whole;
    let mut parts: Vec<CpuTime> = weights
        .iter()
        .map(|weight| {
            let part = u128::from(whole.0) * u128::from(weight.0) / sum.max(1);
            let part = CpuTime(u64::try_from(part).unwrap_or(u64::MAX));
            left = left.since(part);
            part
        })
        .collect();
    let heaviest = weights
        .iter()
        .enumerate()
        .rev()
        .max_by_key(|(_, weight)| **weight)
        .map_or(0, |(group, _)| group);
    if let Some(part) = parts.get_mut(heaviest) {
        *part += left;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_nobody_was_seen_at_goes_where_the_job_has_run() {
        let mut job = JobTime::new(2);
        job.reach(CpuTime(30), &[CpuTime(1), CpuTime(2)]);
        assert_eq!(job.groups(), [CpuTime(10), CpuTime(20)]);
        job.reach(CpuTime(60), &[CpuTime::ZERO, CpuTime::ZERO]);
        assert_eq!(job.groups(), [CpuTime(20), CpuTime(40)]);
    }

    #[test]
    fn a_first_total_without_any_place_is_the_first_groups() {
        let mut job = JobTime::new(2);
        job.reach(CpuTime(7), &[CpuTime::ZERO, CpuTime::ZERO]);
        assert_eq!(job.groups(), [CpuTime(7), CpuTime::ZERO]);
    }

    proptest! {
        #[test]
        fn totals_are_reached_exactly_and_no_group_falls(
            steps in prop::collection::vec((any::<u32>(), prop::array::uniform3(any::<u32>())), 1..20),
        ) {
            let mut job = JobTime::new(3);
            let mut highest = CpuTime::ZERO;
            for (total, weights) in steps {
                let before = job.clone();
                let weights = weights.map(|weight| CpuTime(u64::from(weight)));
                job.reach(CpuTime(u64::from(total)), &weights);
                highest = highest.max(CpuTime(u64::from(total)));
                prop_assert_eq!(job.total(), highest);
                prop_assert!(job.groups().iter().zip(before.groups()).all(|(now, before)| now >= before));
            }
        }
    }
}
