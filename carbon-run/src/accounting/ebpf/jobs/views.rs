//! What each job has had, and who is in it.

use super::super::clock::monotonic_ns;
use super::super::processes::Processes;
use super::super::records::describe;
use super::super::snapshot::{Snapshot, less, plus};
use super::kept::on_cpu;
use super::{Jobs, Listed, ended};
use crate::accounting::{Closing, proc_files};
use crate::model::recording::{CpuUsage, ProcessUse, Survivor, Unlisted, Whose};
use crate::model::units::CpuTime;
use carbon_common::{Census, OnCpu, owner};
use std::collections::HashSet;
use std::path::Path;

impl Jobs {
    /// Everybody's time now, in-flight time included.
    pub fn snapshot(&mut self) -> Snapshot {
        self.drain();
        self.engine.snapshot(self.never)
    }

    /// The machine's time as this job sees it, by group of CPUs.
    #[must_use]
    pub fn usage(&self, job: u32, snapshot: &Snapshot) -> Vec<CpuUsage> {
        snapshot.usage(&self.time(job, snapshot))
    }

    /// What a job has had, with what runs or ran inside it.
    fn time(&self, number: u32, snapshot: &Snapshot) -> Vec<OnCpu> {
        let mut time = self.own_time(number, snapshot);
        for child in self.children(number) {
            for (sum, inner) in time.iter_mut().zip(self.time(child, snapshot)) {
                *sum = plus(*sum, inner);
            }
        }
        time
    }

    /// The same without what still runs inside it.
    pub(super) fn own_time(&self, number: u32, snapshot: &Snapshot) -> Vec<OnCpu> {
        let Some(job) = self.jobs.get(&number) else {
            return Vec::new();
        };
        let mut time = snapshot.of(&[number]);
        for (group, sum) in time.iter_mut().enumerate() {
            let of = |list: &[[u64; 4]]| on_cpu(list.get(group).copied().unwrap_or_default());
            *sum = plus(less(*sum, of(&job.kept.before)), of(&job.kept.inside));
        }
        time
    }

    pub(super) fn children(&self, number: u32) -> impl Iterator<Item = u32> + '_ {
        self.jobs
            .iter()
            .filter(move |(_, job)| job.kept.parent == Some(number))
            .map(|(child, _)| *child)
    }

    /// The job and all that runs inside it.
    fn family(&self, number: u32) -> Vec<u32> {
        let mut family = vec![number];
        let mut at = 0;
        while let Some(one) = family.get(at).copied() {
            family.extend(self.children(one));
            at += 1;
        }
        family
    }

    /// How many of the job's tasks still live.
    #[must_use]
    pub fn living(&self, job: u32) -> u64 {
        let count = |number: u32| {
            let census = self.engine.census(number);
            census.tasks.saturating_sub(census.exited)
        };
        self.family(job).into_iter().map(count).sum()
    }

    /// The job's living processes, as far as there was room to list them, by their numbers in the initial PID namespace.
    #[must_use]
    pub fn living_processes(&self, job: u32) -> Vec<ProcessUse> {
        let family = self.family(job);
        let now = monotonic_ns();
        let mut listed = self.living.borrow_mut();
        let recent = listed
            .as_ref()
            .filter(|listed| now.saturating_sub(listed.at_ns) < self.list_lasts_ns);
        if recent.is_none() {
            *listed = Some(Listed {
                at_ns: now,
                living: self.engine.records.living().unwrap_or_default(),
            });
        }
        let living = listed.iter().flat_map(|listed| &listed.living);
        living
            .filter(|(_, process)| family.contains(&process.owner))
            .map(|(_, process)| describe(process))
            .collect()
    }

    /// Whose these are. Drivers tell the initial namespace's ids, which the kernel side knows; some translate them to those
    /// of a namespace, where `here` are the members.
    pub fn whose(&mut self, job: u32, pids: &[u32], here: &HashSet<u32>) -> Vec<Whose> {
        let living: HashSet<u32> = self
            .living_processes(job)
            .iter()
            .map(|process| process.pid)
            .collect();
        // Who has ended since is not in the hash any more, but in the ring.
        self.drain();
        let family = self.family(job);
        let had = |pid: u32| {
            let jobs = family.iter().filter_map(|number| self.jobs.get(number));
            jobs.into_iter().any(|job| job.processes.had(pid))
        };
        let whose = |pid: &u32| {
            if living.contains(pid) || here.contains(pid) || had(*pid) {
                Whose::Job
            } else {
                Whose::Others
            }
        };
        pids.iter().map(whose).collect()
    }

    /// The job's processes that still run, zombies left out. Only where our /proc is the initial PID namespace's.
    #[must_use]
    pub fn survivors(&self, job: u32) -> Vec<Survivor> {
        if self.living(job) == 0 {
            return Vec::new();
        }
        let living = self.living_processes(job).into_iter();
        let named = living.filter_map(|ProcessUse { pid, .. }| {
            let comm = proc_files::living_name(Path::new("/"), pid)?;
            Some(Survivor { pid, comm })
        });
        named.collect()
    }

    /// Numbers that have living tasks and are no job's here: a predecessor's.
    #[must_use]
    pub fn unknown(&self) -> Vec<u32> {
        let numbers = owner::FIRST_JOB..self.engine.owners();
        numbers
            .filter(|number| !self.jobs.contains_key(number))
            .filter(|number| {
                let census = self.engine.census(*number);
                census.tasks != census.freed
            })
            .collect()
    }

    /// What can be said of a job at its end; survivors are for others to name.
    pub fn close(&mut self, job: u32) -> Closing {
        let in_flight = self.engine.in_flight();
        let family = self.family(job);
        let jobs = &mut self.jobs;
        let living = self.engine.records.settled(|process| ended(jobs, process));
        let living = living
            .into_iter()
            .filter(|(_, process)| family.contains(&process.owner))
            .map(|(serial, mut process)| {
                let mine = in_flight.iter().filter(|(on, _)| *on == serial);
                process.on_cpu_ns += mine.map(|(_, ns)| ns).sum::<u64>();
                describe(&process)
            })
            .collect();
        let mut all = Processes::default();
        let mut census = Census::default();
        for number in &family {
            if let Some(job) = self.jobs.get(number) {
                all.take_in(job.processes.clone());
                census.processes += job.kept.inside_processes;
            }
            let own = self.engine.census(*number);
            census.processes += own.processes;
            census.unlisted_processes += own.unlisted_processes;
            census.unlisted_ns += own.unlisted_ns;
            census.lost += own.lost;
        }
        let (processes, unlisted) = all.listed(living);
        Closing {
            process_count: Some(census.processes),
            processes,
            unlisted: Unlisted {
                processes: unlisted.processes + census.unlisted_processes,
                on_cpu: unlisted.on_cpu + CpuTime(census.unlisted_ns),
            },
            survivors: Vec::new(),
            lost: census.lost,
            notes: self.engine.notes(),
        }
    }
}
