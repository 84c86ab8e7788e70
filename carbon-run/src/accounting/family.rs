//! The job as /proc shows it to the one who adopts its orphans (PR_SET_CHILD_SUBREAPER): every living member is below
//! carbon-run, and every dead one's time reaches it through `wait4`. Exact for the reaped, sampled for the living.
//!
//! Not seen: members whose parent ignores SIGCHLD and which end between two looks (the kernel adds their time nowhere).

use super::proc_files::{self, ProcStat};
use super::{Closing, group_of};
use crate::model::recording::{CpuGroup, ProcessUse, Survivor, Unlisted, Whose};
use crate::model::units::CpuTime;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

/// Most processes that the breakdown lists.
const LISTED: usize = 256;

/// Everybody below carbon-run who was not there before the job.
pub(super) struct Family {
    root: PathBuf,
    groups: Vec<CpuGroup>,
    ticks_per_second: u64,
    me: u32,
    /// Children that carbon-run had before the job: not the job's.
    strangers: HashSet<u32>,
    /// Time of the reaped.
    reaped: CpuTime,
    known: HashMap<(u32, u64), Known>,
    living: Vec<u32>,
}

/// A member as last seen.
struct Known {
    process: ProcessUse,
    alive: bool,
    /// What its threads had run, by their ids; kept where there are several groups to tell apart.
    threads: HashMap<u32, CpuTime>,
}

/// One look at the family.
pub(super) struct Look {
    /// All that it has used since its beginning, as far as it can be seen; never more than it used.
    pub(super) total: CpuTime,
    /// Where the living have run since the last look, per group.
    pub(super) weights: Vec<CpuTime>,
}

impl Family {
    pub(super) fn open(groups: &[CpuGroup]) -> Self {
        let me = std::process::id();
        let root = PathBuf::from("/");
        let strangers = proc_files::children(&root, me)
            .unwrap_or_default()
            .into_iter()
            .collect();
        Self {
            root,
            groups: groups.to_vec(),
            ticks_per_second: proc_files::ticks_per_second(),
            me,
            strangers,
            reaped: CpuTime::ZERO,
            known: HashMap::new(),
            living: Vec::new(),
        }
    }

    /// A member, or an orphan of the job, has been reaped by carbon-run.
    pub(super) fn reaped(&mut self, cpu: CpuTime) {
        self.reaped += cpu;
    }

    /// Who lived at the last look.
    pub(super) fn members(&self) -> Vec<u32> {
        self.living.clone()
    }

    /// Whose these numbers are. In a PID namespace of our own a driver may speak the host's, which nothing here can
    /// translate: who is not in our /proc is then nobody we know.
    pub(super) fn whose(&self, pids: &[u32]) -> Vec<Whose> {
        let initial = proc_files::in_initial_namespace();
        pids.iter()
            .map(|pid| {
                if self.known.keys().any(|(known, _)| known == pid) {
                    Whose::Job
                } else if initial || proc_files::living_name(&self.root, *pid).is_some() {
                    Whose::Others
                } else {
                    Whose::Unknown
                }
            })
            .collect()
    }

    /// How many live now.
    pub(super) fn living(&mut self) -> u64 {
        self.look();
        self.living.len() as u64
    }

    pub(super) fn look(&mut self) -> Look {
        let tree = self.tree();
        for known in self.known.values_mut() {
            known.alive = false;
        }
        let mut look = Look {
            total: self.reaped,
            weights: vec![CpuTime::ZERO; self.groups.len()],
        };
        self.living.clear();
        for stat in tree {
            self.meet(stat, &mut look);
        }
        self.forget_the_least();
        look
    }

    fn meet(&mut self, stat: ProcStat, look: &mut Look) {
        let several = self.groups.len() > 1;
        let threads = proc_files::threads(&self.root, stat.pid, several);
        // Ticks cover threads that have ended, nanoseconds the living: the larger is nearer to the truth.
        let ran = threads.iter().flatten().map(|thread| thread.ran).sum::<CpuTime>();
        let own = ran.max(stat.own);
        look.total += own + stat.waited_for;
        let alive = stat.state != 'Z';
        if alive {
            self.living.push(stat.pid);
        }
        let known = self
            .known
            .entry((stat.pid, stat.start_ticks))
            .or_insert_with(|| Known {
                process: ProcessUse {
                    pid: stat.pid,
                    parent: stat.parent,
                    comm: String::new(),
                    on_cpu: CpuTime::ZERO,
                },
                alive,
                threads: HashMap::new(),
            });
        match threads.filter(|_| several) {
            Some(threads) => {
                let mut now = HashMap::with_capacity(threads.len());
                for thread in threads {
                    let before = known.threads.get(&thread.id).copied().unwrap_or_default();
                    if let Some(weight) = look.weights.get_mut(group_of(&self.groups, thread.cpu)) {
                        *weight += thread.ran.since(before);
                    }
                    now.insert(thread.id, thread.ran);
                }
                known.threads = now;
            }
            None => {
                if let Some(weight) = look.weights.get_mut(group_of(&self.groups, stat.cpu)) {
                    *weight += own.since(known.process.on_cpu);
                }
            }
        }
        known.alive = alive;
        known.process.parent = stat.parent;
        known.process.comm = stat.comm;
        known.process.on_cpu = known.process.on_cpu.max(own);
    }

    /// Every process below carbon-run, the strangers' families left out.
    fn tree(&self) -> Vec<ProcStat> {
        let Some(first) = proc_files::children(&self.root, self.me) else {
            return self.tree_from_all();
        };
        let mut found = Vec::new();
        let mut open: Vec<u32> = first
            .into_iter()
            .filter(|pid| !self.strangers.contains(pid))
            .collect();
        while let Some(pid) = open.pop() {
            let Some(stat) = proc_files::stat(&self.root, pid, self.ticks_per_second) else {
                continue;
            };
            open.extend(proc_files::children(&self.root, pid).unwrap_or_default());
            found.push(stat);
        }
        found
    }

    fn tree_from_all(&self) -> Vec<ProcStat> {
        let all: Vec<ProcStat> = proc_files::all_pids(&self.root)
            .into_iter()
            .filter_map(|pid| proc_files::stat(&self.root, pid, self.ticks_per_second))
            .collect();
        let mut members: HashSet<u32> = HashSet::new();
        let mut found: Vec<ProcStat> = Vec::new();
        loop {
            let more: Vec<&ProcStat> = all
                .iter()
                .filter(|stat| !members.contains(&stat.pid) && !self.strangers.contains(&stat.pid))
                .filter(|stat| stat.parent == self.me || members.contains(&stat.parent))
                .collect();
            if more.is_empty() {
                return found;
            }
            members.extend(more.iter().map(|stat| stat.pid));
            found.extend(more.into_iter().cloned());
        }
    }

    /// Bounds the memory of who has been seen.
    fn forget_the_least(&mut self) {
        if self.known.len() <= 4 * LISTED {
            return;
        }
        let mut dead: Vec<((u32, u64), CpuTime)> = self
            .known
            .iter()
            .filter(|(_, known)| !known.alive)
            .map(|(key, known)| (*key, known.process.on_cpu))
            .collect();
        dead.sort_by_key(|(_, on_cpu)| std::cmp::Reverse(*on_cpu));
        for (key, _) in dead.into_iter().skip(LISTED) {
            self.known.remove(&key);
        }
    }

    /// The busiest of all that were seen, what of the job's `total` they leave out, and who lives on. `child` is the
    /// command itself, which has been reaped.
    pub(super) fn closing(&self, child: u32, total: CpuTime) -> Closing {
        let mut processes: Vec<ProcessUse> = self.known.values().map(|known| known.process.clone()).collect();
        processes.sort_by(|a, b| b.on_cpu.cmp(&a.on_cpu).then(a.pid.cmp(&b.pid)));
        processes.truncate(LISTED);
        let listed: CpuTime = processes.iter().map(|process| process.on_cpu).sum();
        let survivors = self
            .known
            .values()
            .filter(|known| known.alive && known.process.pid != child)
            .map(|known| Survivor {
                pid: known.process.pid,
                comm: known.process.comm.clone(),
            })
            .collect();
        Closing {
            process_count: None,
            processes,
            unlisted: Unlisted {
                processes: 0,
                on_cpu: total.since(listed),
            },
            survivors,
            lost: 0,
            notes: Vec::new(),
        }
    }
}
