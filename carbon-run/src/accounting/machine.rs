//! Everybody's time from /proc/stat, in clock ticks: what a rung that sees only the job says of the others.

use super::{group_of, now, proc_files};
use crate::model::recording::{BusyTime, CpuGroup, CpuUsage};
use crate::model::units::{CpuTime, Moment};
use nix::sys::resource::{UsageWho, getrusage};
use std::io;
use std::path::PathBuf;

/// /proc cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// Not even the machine's own counters.
    #[error("cannot read `/proc/stat`: {0}")]
    Stat(#[source] io::Error),
}

/// The machine's time since it was opened, and carbon-run's own.
pub(super) struct Machine {
    root: PathBuf,
    groups: Vec<CpuGroup>,
    tick_ns: u64,
    opened: Moment,
    at_start: Vec<Ticks>,
    now: Vec<Ticks>,
    own_at_start: CpuTime,
    /// Own and others per group, so far; they never fall.
    own: Vec<CpuTime>,
    others: Vec<CpuTime>,
}

/// A group's CPUs together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Ticks {
    busy: u64,
    stolen: u64,
}

/// What the CPUs of a group did between two looks, in clock ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) busy: u64,
    /// The hypervisor had the CPU, and somebody here wanted it.
    pub(super) stolen: u64,
}

impl Window {
    /// The part of `time`, which somebody was on a CPU by a clock that runs on while the CPU is stolen, in which the CPU
    /// was really here. Who was on when it was taken is not told: all who ran bear it alike.
    pub(super) fn not_stolen(self, time: CpuTime) -> CpuTime {
        let all = self.busy.saturating_add(self.stolen);
        if self.stolen == 0 {
            return time;
        }
        let kept = u128::from(time.0) * u128::from(self.busy) / u128::from(all);
        CpuTime(u64::try_from(kept).unwrap_or(u64::MAX))
    }
}

impl Machine {
    /// Takes the machine's counters as they are now.
    pub(super) fn open(groups: &[CpuGroup]) -> Result<Self, MachineError> {
        let mut machine = Self {
            root: PathBuf::from("/"),
            groups: groups.to_vec(),
            tick_ns: 1_000_000_000 / proc_files::ticks_per_second(),
            opened: now(),
            at_start: Vec::new(),
            now: vec![Ticks::default(); groups.len()],
            own_at_start: own_cpu(),
            own: vec![CpuTime::ZERO; groups.len()],
            others: vec![CpuTime::ZERO; groups.len()],
        };
        machine.look()?;
        machine.at_start.clone_from(&machine.now);
        Ok(machine)
    }

    /// Reads the counters. What they did since the last time, per group.
    pub(super) fn look(&mut self) -> Result<Vec<Window>, MachineError> {
        let cpus = proc_files::cpu_ticks(&self.root).map_err(MachineError::Stat)?;
        let before = self.now.clone();
        self.now = self
            .groups
            .iter()
            .map(|group| {
                let mut sum = Ticks::default();
                for cpu in cpus.iter().filter(|cpu| group.cpus.contains(&cpu.cpu)) {
                    sum.busy += cpu.busy;
                    sum.stolen += cpu.stolen;
                }
                sum
            })
            .collect();
        let passed = self.now.iter().zip(&before);
        Ok(passed
            .map(|(now, before)| Window {
                busy: now.busy.saturating_sub(before.busy),
                stolen: now.stolen.saturating_sub(before.stolen),
            })
            .collect())
    }

    /// One row per group: the job as given, the others as the last look has them.
    pub(super) fn rows(&mut self, at: Moment, job: &[CpuTime]) -> Vec<CpuUsage> {
        let own_total = own_cpu().since(self.own_at_start);
        let here = nix::sched::sched_getcpu().map_or(0, |cpu| u32::try_from(cpu).unwrap_or(0));
        let so_far: CpuTime = self.own.iter().copied().sum();
        if let Some(own) = self.own.get_mut(group_of(&self.groups, here)) {
            *own += own_total.since(so_far);
        }
        let elapsed = u64::try_from(at.since(self.opened).as_nanos()).unwrap_or(u64::MAX);
        (0..self.groups.len())
            .map(|index| self.row(index, elapsed, job.get(index).copied().unwrap_or_default()))
            .collect()
    }

    fn row(&mut self, index: usize, elapsed: u64, job: CpuTime) -> CpuUsage {
        let cpus = self.groups.get(index).map_or(0, |group| group.cpus.len());
        let online = u32::try_from(cpus).unwrap_or(u32::MAX);
        let all = CpuTime(elapsed.saturating_mul(u64::from(online)));
        let job = job.min(all);
        let own = self
            .own
            .get(index)
            .copied()
            .unwrap_or_default()
            .min(all.since(job));
        let ticks = |of: &[Ticks]| of.get(index).map_or(0, |ticks| ticks.busy);
        let busy = ticks(&self.now).saturating_sub(ticks(&self.at_start));
        let busy = CpuTime(busy.saturating_mul(self.tick_ns));
        let others = self.others.get_mut(index).map_or(CpuTime::ZERO, |others| {
            // Ticks and nanoseconds do not meet exactly: what seems to run backwards waits.
            *others = busy.since(job + own).max(*others).min(all.since(job + own));
            *others
        });
        let alone = |time| BusyTime {
            alone: time,
            shared: CpuTime::ZERO,
        };
        CpuUsage {
            online,
            idle: all.since(job + own + others),
            job: alone(job),
            others: alone(others),
            kernel: None,
            own: alone(own),
            ..CpuUsage::default()
        }
    }
}

fn own_cpu() -> CpuTime {
    getrusage(UsageWho::RUSAGE_SELF).map_or(CpuTime::ZERO, |usage| {
        let us = |time: nix::sys::time::TimeVal| {
            u64::try_from(time.tv_sec()).unwrap_or(0) * 1_000_000 + u64::try_from(time.tv_usec()).unwrap_or(0)
        };
        CpuTime((us(usage.user_time()) + us(usage.system_time())) * 1_000)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stolen_time_is_borne_by_all_who_ran_and_by_nobody_where_none_was_stolen() {
        let time = CpuTime(1_000_000);
        let window = |busy, stolen| Window { busy, stolen };
        assert_eq!(window(0, 0).not_stolen(time), time);
        assert_eq!(window(10, 0).not_stolen(time), time);
        assert_eq!(window(9, 1).not_stolen(time), CpuTime(900_000));
        assert_eq!(window(0, 3).not_stolen(time), CpuTime::ZERO);
    }

    #[test]
    fn rows_add_up_to_the_time_that_passed_and_never_fall() {
        let groups = [CpuGroup {
            package: 0,
            die: 0,
            cpus: vec![0],
            capacity_permille: None,
        }];
        let mut machine = Machine::open(&groups).unwrap();
        let mut before = CpuUsage::default();
        for job_ms in [0, 3, 3, 500_000] {
            machine.look().unwrap();
            let at = now();
            let [row] = machine
                .rows(at, &[CpuTime(job_ms * 1_000_000)])
                .try_into()
                .unwrap();
            let all = row.idle + row.job.total() + row.others.total() + row.own.total();
            assert_eq!(u128::from(all.0), at.since(machine.opened).as_nanos());
            assert_eq!(row.kernel, None);
            assert!(row.job.total() >= before.job.total(), "{row:?} after {before:?}");
            before = row;
        }
    }
}
