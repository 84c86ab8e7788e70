//! A job's processes one by one, the busiest at least: bounded in memory, and the job's totals never depend on it.

use super::gone::Gone;
use super::records::describe;
use crate::model::recording::{ProcessUse, Unlisted};
use crate::model::units::CpuTime;
use carbon_common::Process;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// How many of the ended processes are kept: the busiest.
const KEPT: usize = 256;

/// Those of one job that have ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Processes {
    /// The busiest; the least busy on top, to be thrown out first.
    kept: BinaryHeap<Reverse<(u64, u32, u32, String)>>,
    dropped: Unlisted,
    gone: Gone,
}

impl Processes {
    /// One has ended.
    pub(super) fn ended(&mut self, process: &Process) {
        self.gone.add(process.pid);
        self.keep(describe(process));
    }

    /// Whether it was of the job, as far as that is remembered.
    pub(super) fn had(&self, pid: u32) -> bool {
        self.gone.contains(pid)
    }

    /// Everybody of another job, too: one that ran inside this one.
    pub(super) fn take_in(&mut self, other: Self) {
        self.dropped.processes += other.dropped.processes;
        self.dropped.on_cpu += other.dropped.on_cpu;
        for pid in other.gone.pids() {
            self.gone.add(pid);
        }
        for Reverse((ns, pid, parent, comm)) in other.kept {
            self.keep(ProcessUse {
                pid,
                parent,
                comm,
                on_cpu: CpuTime(ns),
            });
        }
    }

    fn keep(&mut self, process: ProcessUse) {
        self.kept.push(Reverse((
            process.on_cpu.0,
            process.pid,
            process.parent,
            process.comm,
        )));
        if self.kept.len() > KEPT
            && let Some(Reverse((ns, ..))) = self.kept.pop()
        {
            self.dropped.processes += 1;
            self.dropped.on_cpu += CpuTime(ns);
        }
    }

    /// Everybody, the `living` included, busiest first, and what that leaves out.
    pub(super) fn listed(&self, living: Vec<ProcessUse>) -> (Vec<ProcessUse>, Unlisted) {
        let mut all = Self {
            kept: self.kept.clone(),
            dropped: self.dropped,
            gone: Gone::default(),
        };
        living.into_iter().for_each(|process| all.keep(process));
        let mut processes: Vec<ProcessUse> = all
            .kept
            .into_iter()
            .map(|Reverse((ns, pid, parent, comm))| ProcessUse {
                pid,
                parent,
                comm,
                on_cpu: CpuTime(ns),
            })
            .collect();
        processes.sort_by(|a, b| b.on_cpu.cmp(&a.on_cpu).then(a.pid.cmp(&b.pid)));
        (processes, all.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, on_cpu_ns: u64) -> Process {
        Process {
            pid,
            on_cpu_ns,
            ..Process::default()
        }
    }

    #[test]
    fn a_fork_storm_keeps_the_busiest_and_lumps_the_rest_together() {
        let mut storm = Processes::default();
        (1..=1_000).for_each(|pid| storm.ended(&process(pid, u64::from(pid))));
        let (listed, dropped) = storm.listed(Vec::new());
        let time: u64 = listed.iter().map(|process| process.on_cpu.0).sum();
        assert_eq!((listed.len(), dropped.processes), (KEPT, 744));
        assert_eq!(time + dropped.on_cpu.0, 500_500);
        assert!(storm.had(1) && !storm.had(1_001));
    }

    #[test]
    fn a_job_inside_another_is_in_the_outer_ones_list_when_it_is_over() {
        let (mut outer, mut inner) = (Processes::default(), Processes::default());
        outer.ended(&process(7, 10));
        inner.ended(&process(8, 30));
        outer.take_in(inner);
        let living = vec![describe(&process(9, 20))];
        let pids: Vec<u32> = outer.listed(living).0.iter().map(|process| process.pid).collect();
        assert_eq!(pids, [8, 9, 7]);
        assert!(outer.had(8));
    }
}
