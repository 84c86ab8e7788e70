//! From absolute on-CPU time to shares of a window.

use super::recording::{BusyTime, CpuUsage, Observation};
use super::units::{CpuTime, Moment};
use std::borrow::Cow;

/// Who used the CPUs of a domain in a window of time, in thousandths of nanoseconds where weighted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WindowUsage {
    /// Time of the CPUs, all classes and idle: the number of CPUs times the elapsed time. Nanoseconds.
    pub all_ns: u64,
    /// The job's on-CPU time, unweighted. Nanoseconds.
    pub job_ns: u64,
    /// The job's weight.
    pub job: u128,
    /// Everybody else's weight.
    pub others: u128,
    /// The weight of kernel threads and interrupts; `None` where it lies in `others`.
    pub kernel: Option<u128>,
    /// carbon-run's own weight.
    pub own: u128,
}

impl WindowUsage {
    /// What happened between two samples of the same groups.
    #[must_use]
    pub fn between(before: &[CpuUsage], after: &[CpuUsage], groups: &[usize], weights: &Weights) -> Self {
        let mut window = Self::default();
        let chosen: Vec<usize> = if groups.is_empty() {
            (0..after.len()).collect()
        } else {
            groups.to_vec()
        };
        for group in chosen {
            let (Some(before), Some(after)) = (before.get(group), after.get(group)) else {
                continue;
            };
            window.add(before, after, &weights.of(group));
        }
        window
    }

    fn add(&mut self, before: &CpuUsage, after: &CpuUsage, weight: &Weight) {
        let job = delta(before.job, after.job);
        let others = delta(before.others, after.others);
        let own = delta(before.own, after.own);
        let kernel = match (before.kernel, after.kernel) {
            (Some(before), Some(after)) => Some(delta(before, after)),
            _ => None,
        };
        let interrupts = match (before.interrupts, after.interrupts) {
            (Some(before), Some(after)) => Some(delta(before, after)),
            _ => None,
        };
        // What a hypervisor kept weighs nothing: nobody ran. The CPUs were there all the same.
        let stolen = match (before.stolen, after.stolen) {
            (Some(before), Some(after)) => after.since(before),
            _ => CpuTime::ZERO,
        };
        let idle = after.idle.since(before.idle);
        let kernels = kernel.unwrap_or_default().total() + interrupts.unwrap_or_default().total();
        let busy = job.total() + others.total() + own.total() + kernels;
        self.all_ns = self.all_ns.saturating_add((idle + busy + stolen).0);
        self.job_ns = self.job_ns.saturating_add(job.total().0);
        self.job += weight.of(job);
        self.others += weight.of(others);
        self.own += weight.of(own);
        for kernel in [kernel, interrupts].into_iter().flatten() {
            *self.kernel.get_or_insert(0) += weight.of(kernel);
        }
    }

    /// Everybody's weight together.
    #[must_use]
    pub fn busy(&self) -> u128 {
        self.job + self.others + self.kernel.unwrap_or(0) + self.own
    }
}

/// CPU time up to `at`, which is when a meter was read. Where the look has it from before and from after the meters, it is
/// taken to have grown evenly between the two; else it is what was read right before.
#[must_use]
pub fn up_to(look: &Observation, at: Moment) -> Cow<'_, [CpuUsage]> {
    let Some(after) = &look.usage_after else {
        return Cow::Borrowed(&look.usage);
    };
    let whole = after.at.since(look.at).as_nanos();
    let part = at.since(look.at).as_nanos().min(whole);
    if whole == 0 || after.usage.len() != look.usage.len() {
        return Cow::Borrowed(&look.usage);
    }
    let part = Part { part, whole };
    let rows = look.usage.iter().zip(&after.usage);
    Cow::Owned(rows.map(|(before, after)| part.usage(before, after)).collect())
}

/// So much of the way from one state to another.
#[derive(Clone, Copy)]
struct Part {
    part: u128,
    whole: u128,
}

impl Part {
    /// A class may have lost a little, when time that was taken for others' turned out to be the job's.
    fn time(self, before: CpuTime, after: CpuTime) -> CpuTime {
        let share = |distance: u64| {
            let share = u128::from(distance) * self.part / self.whole;
            u64::try_from(share).unwrap_or(distance)
        };
        if after < before {
            CpuTime(before.0 - share(before.0 - after.0))
        } else {
            CpuTime(before.0 + share(after.0 - before.0))
        }
    }

    fn busy(self, before: BusyTime, after: BusyTime) -> BusyTime {
        BusyTime {
            alone: self.time(before.alone, after.alone),
            shared: self.time(before.shared, after.shared),
        }
    }

    fn usage(self, before: &CpuUsage, after: &CpuUsage) -> CpuUsage {
        CpuUsage {
            online: before.online,
            idle: self.time(before.idle, after.idle),
            job: self.busy(before.job, after.job),
            others: self.busy(before.others, after.others),
            kernel: before
                .kernel
                .zip(after.kernel)
                .map(|(before, after)| self.busy(before, after)),
            own: self.busy(before.own, after.own),
            interrupts: before
                .interrupts
                .zip(after.interrupts)
                .map(|(before, after)| self.busy(before, after)),
            interrupts_in_job: self.time(before.interrupts_in_job, after.interrupts_in_job),
            stolen: before
                .stolen
                .zip(after.stolen)
                .map(|(before, after)| self.time(before, after)),
        }
    }
}

fn delta(before: BusyTime, after: BusyTime) -> BusyTime {
    BusyTime {
        alone: after.alone.since(before.alone),
        shared: after.shared.since(before.shared),
    }
}

/// What a second weighs, by where it was spent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Weights {
    /// Beside a busy sibling, in thousandths of one alone.
    pub shared_permille: u32,
    /// Of a group's cores, in thousandths of the machine's best; 1000 for groups that are not in the list.
    pub capacity_permille: Vec<u32>,
}

impl Weights {
    /// For machines whose cores are all alike.
    #[must_use]
    pub fn alike(shared_permille: u32) -> Self {
        Self {
            shared_permille,
            capacity_permille: Vec::new(),
        }
    }

    fn of(&self, group: usize) -> Weight {
        let capacity = self.capacity_permille.get(group).copied().unwrap_or(1000);
        Weight {
            shared: self.shared_permille.into(),
            capacity: capacity.into(),
        }
    }
}

/// What a second weighs in one group.
struct Weight {
    shared: u128,
    capacity: u128,
}

impl Weight {
    fn of(&self, time: BusyTime) -> u128 {
        let CpuTime(alone) = time.alone;
        let CpuTime(shared) = time.shared;
        (u128::from(alone) * 1000 + u128::from(shared) * self.shared) * self.capacity / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(ns: u64) -> BusyTime {
        BusyTime {
            alone: CpuTime(ns),
            shared: CpuTime::ZERO,
        }
    }

    #[test]
    fn interrupts_weigh_as_the_kernels_and_stolen_time_weighs_nothing_but_passes() {
        let after = CpuUsage {
            online: 1,
            idle: CpuTime(100),
            job: alone(400),
            kernel: Some(alone(50)),
            interrupts: Some(BusyTime {
                alone: CpuTime(30),
                shared: CpuTime(20),
            }),
            interrupts_in_job: CpuTime(40),
            stolen: Some(CpuTime(400)),
            ..CpuUsage::default()
        };
        let before = CpuUsage {
            kernel: Some(BusyTime::default()),
            interrupts: Some(BusyTime::default()),
            stolen: Some(CpuTime::ZERO),
            ..CpuUsage::default()
        };
        let window = WindowUsage::between(&[before], &[after], &[], &Weights::alike(500));
        assert_eq!((window.all_ns, window.job_ns), (1_000, 400));
        assert_eq!(
            (window.job, window.kernel),
            (400_000, Some(50_000 + 30_000 + 10_000))
        );
        assert_eq!(window.busy(), 490_000);
    }

    #[test]
    fn a_second_of_a_lesser_core_weighs_less_and_is_as_long() {
        let row = CpuUsage {
            job: alone(600),
            others: alone(400),
            ..CpuUsage::default()
        };
        let before = [CpuUsage::default(); 2];
        let weights = Weights {
            shared_permille: 575,
            capacity_permille: vec![1000, 250],
        };
        let window = WindowUsage::between(&before, &[row, row], &[], &weights);
        assert_eq!((window.job_ns, window.all_ns), (1_200, 2_000));
        assert_eq!((window.job, window.others), (750_000, 500_000));
        let lesser = WindowUsage::between(&before, &[row, row], &[1], &weights);
        assert_eq!((lesser.job, lesser.others), (150_000, 100_000));
    }

    #[test]
    fn a_recording_from_before_interrupts_were_told_apart_has_none() {
        let row = r#"{"online":1,"idle":5,"job":{"alone":1,"shared":0},"others":{"alone":0,"shared":0},
                      "kernel":{"alone":2,"shared":0},"own":{"alone":0,"shared":0}}"#;
        let usage: CpuUsage = serde_json::from_str(row).unwrap();
        let window = WindowUsage::between(&[CpuUsage::default()], &[usage], &[], &Weights::alike(1000));
        assert_eq!((usage.interrupts, usage.stolen), (None, None));
        assert_eq!((window.all_ns, window.kernel), (6, None));
    }
}
