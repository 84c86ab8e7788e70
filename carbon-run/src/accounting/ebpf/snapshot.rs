//! Everybody's time at one moment.

use super::clock::CpuNow;
use crate::model::recording::{BusyTime, CpuUsage};
use crate::model::units::{CpuTime, Moment};
use carbon_common::{OnCpu, owner};

/// Everybody's time up to one moment, by group of CPUs: of one look at all CPUs come the views of all jobs.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// When.
    pub at: Moment,
    pub(super) groups: Vec<GroupTime>,
    pub(super) tells: Tells,
}

/// What this kernel tells apart from who was on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tells {
    pub(super) interrupts: bool,
    pub(super) stolen: bool,
}

/// The time of a group of CPUs.
#[derive(Debug, Clone, Default)]
pub(super) struct GroupTime {
    /// By owner.
    rows: Vec<OnCpu>,
    /// Of all owners, and of all jobs and others: every job's view starts from these.
    all: OnCpu,
    strangers: OnCpu,
    /// Of the idle task, while its CPU was online.
    idle_ns: u64,
    stolen_ns: u64,
    online: u32,
}

impl GroupTime {
    /// Adds a CPU. `idle` is what counts of its idle time, and whether it is online.
    pub(super) fn add(&mut self, cpu: &CpuNow, (idle_ns, online): (u64, bool)) {
        if self.rows.len() < cpu.times.len() {
            self.rows.resize(cpu.times.len(), OnCpu::default());
        }
        for (owner, (sum, time)) in (0_u32..).zip(self.rows.iter_mut().zip(&cpu.times)) {
            *sum = plus(*sum, *time);
            self.all = plus(self.all, *time);
            if owner == owner::OTHERS || owner >= owner::FIRST_JOB {
                self.strangers = plus(self.strangers, *time);
            }
        }
        self.idle_ns += idle_ns;
        self.stolen_ns += cpu.slot.stolen_ns;
        self.online += u32::from(online);
    }

    fn row(&self, owner: u32) -> OnCpu {
        self.rows.get(owner as usize).copied().unwrap_or_default()
    }
}

impl Snapshot {
    /// What these owners have had so far, by group.
    pub(super) fn of(&self, owners: &[u32]) -> Vec<OnCpu> {
        let sum = |group: &GroupTime| {
            let rows = owners.iter().map(|owner| group.row(*owner));
            rows.fold(OnCpu::default(), plus)
        };
        self.groups.iter().map(sum).collect()
    }

    /// The machine's time as a job sees it, which has had `job` of it, by group: all other jobs are others.
    pub(super) fn usage(&self, job: &[OnCpu]) -> Vec<CpuUsage> {
        self.groups
            .iter()
            .zip(job.iter().chain(std::iter::repeat(&OnCpu::default())))
            .map(|(group, job)| self.view(group, *job))
            .collect()
    }

    fn view(&self, group: &GroupTime, job: OnCpu) -> CpuUsage {
        let interrupted = |row: &OnCpu| BusyTime {
            alone: CpuTime(row.interrupted_alone_ns),
            shared: CpuTime(row.interrupted_shared_ns),
        };
        CpuUsage {
            online: group.online,
            idle: CpuTime(group.idle_ns),
            job: busy(job),
            others: busy(less(group.strangers, job)),
            kernel: Some(busy(group.row(owner::KERNEL))),
            own: busy(group.row(owner::OWN)),
            interrupts: self.tells.interrupts.then(|| interrupted(&group.all)),
            interrupts_in_job: if self.tells.interrupts {
                interrupted(&job).total()
            } else {
                CpuTime::ZERO
            },
            stolen: self.tells.stolen.then_some(CpuTime(group.stolen_ns)),
        }
    }
}

fn busy(time: OnCpu) -> BusyTime {
    BusyTime {
        alone: CpuTime(time.alone_ns),
        shared: CpuTime(time.shared_ns),
    }
}

/// Both together.
pub(super) fn plus(a: OnCpu, b: OnCpu) -> OnCpu {
    OnCpu {
        alone_ns: a.alone_ns + b.alone_ns,
        shared_ns: a.shared_ns + b.shared_ns,
        interrupted_alone_ns: a.interrupted_alone_ns + b.interrupted_alone_ns,
        interrupted_shared_ns: a.interrupted_shared_ns + b.interrupted_shared_ns,
    }
}

/// What is left of `a` without `b`.
pub(super) fn less(a: OnCpu, b: OnCpu) -> OnCpu {
    OnCpu {
        alone_ns: a.alone_ns.saturating_sub(b.alone_ns),
        shared_ns: a.shared_ns.saturating_sub(b.shared_ns),
        interrupted_alone_ns: a.interrupted_alone_ns.saturating_sub(b.interrupted_alone_ns),
        interrupted_shared_ns: a.interrupted_shared_ns.saturating_sub(b.interrupted_shared_ns),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carbon_common::Slot;

    fn ran(alone_ns: u64, interrupted_alone_ns: u64) -> OnCpu {
        OnCpu {
            alone_ns,
            interrupted_alone_ns,
            ..OnCpu::default()
        }
    }

    /// One CPU: idle, others, kernel, own, and two jobs.
    fn snapshot() -> Snapshot {
        let cpu = CpuNow {
            slot: Slot {
                stolen_ns: 9,
                ..Slot::default()
            },
            times: vec![
                ran(1_000, 1),
                ran(100, 2),
                ran(10, 4),
                ran(1, 0),
                ran(500, 8),
                ran(70, 16),
            ],
            ..CpuNow::default()
        };
        let mut group = GroupTime::default();
        group.add(&cpu, (1_000, true));
        Snapshot {
            at: Moment(5),
            groups: vec![group],
            tells: Tells {
                interrupts: true,
                stolen: true,
            },
        }
    }

    #[test]
    fn to_each_job_the_other_ones_are_others_and_the_sum_is_the_same() {
        let snapshot = snapshot();
        let seen = |job: u32| {
            let usage = snapshot.usage(&snapshot.of(&[job]))[0];
            let kernel = usage.kernel.unwrap().total() + usage.interrupts.unwrap().total();
            let sum = usage.job.total()
                + usage.others.total()
                + usage.own.total()
                + kernel
                + usage.idle
                + usage.stolen.unwrap();
            (
                usage.job.total().0,
                usage.others.total().0,
                usage.interrupts_in_job.0,
                sum.0,
            )
        };
        assert_eq!(seen(4), (500, 170, 8, 1_721));
        assert_eq!(seen(5), (70, 600, 16, 1_721));
    }

    #[test]
    fn a_job_that_had_its_number_after_another_has_none_of_its_time() {
        let snapshot = snapshot();
        let before = vec![ran(300, 8)];
        let job: Vec<OnCpu> = snapshot
            .of(&[4])
            .into_iter()
            .zip(before)
            .map(|(now, then)| less(now, then))
            .collect();
        let usage = snapshot.usage(&job)[0];
        assert_eq!((usage.job.total().0, usage.others.total().0), (200, 470));
        assert_eq!(usage.interrupts_in_job.0, 0);
    }
}
