//! CPUs that come and go: which group a newcomer belongs to, and what of a CPU's idle time it was not there for.
//!
//! An offline CPU keeps its idle task for ever (kernel/sched/idle.c: `do_idle` ends in `arch_cpu_idle_dead`), so that its
//! slot counts idle time all the while.

use crate::accounting::proc_files;
use crate::model::recording::{CpuGroup, Note};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Who is there.
pub(super) struct Online {
    root: PathBuf,
    groups: Vec<CpuGroup>,
    /// Online when accounting began, whether in a group or not.
    at_first: BTreeSet<u32>,
    absences: BTreeMap<u32, Absence>,
    newcomers: BTreeSet<u32>,
}

/// A CPU that has been away.
#[derive(Debug, Clone, Copy, Default)]
struct Absence {
    /// Its idle time when it went, if it is away now.
    since: Option<u64>,
    /// Idle nanoseconds that it was not there for.
    away_ns: u64,
}

impl Online {
    pub(super) fn new(root: PathBuf, groups: &[CpuGroup]) -> Self {
        let at_first = proc_files::online_cpus(&root).unwrap_or_default();
        Self {
            root,
            groups: groups.to_vec(),
            at_first,
            absences: BTreeMap::new(),
            newcomers: BTreeSet::new(),
        }
    }

    /// The groups, with everybody in them who has ever been there.
    pub(super) fn groups(&self) -> &[CpuGroup] {
        &self.groups
    }

    /// Looks who is there now. `idle_ns` tells a CPU's idle time up to its last switch, and up to now.
    pub(super) fn look(&mut self, idle_ns: impl Fn(u32) -> Option<(u64, u64)>) {
        // Where the list cannot be read, everybody is taken to be where they were.
        let Some(online) = proc_files::online_cpus(&self.root) else {
            return;
        };
        let come: Vec<u32> = online.difference(&self.at_first).copied().collect();
        for cpu in come {
            if self.newcomers.insert(cpu) {
                self.admit(cpu);
            }
        }
        for cpu in self.groups.iter().flat_map(|group| &group.cpus) {
            let there = online.contains(cpu);
            let away = self
                .absences
                .get(cpu)
                .is_some_and(|absence| absence.since.is_some());
            if there != away {
                continue;
            }
            let Some((at_last_switch, now)) = idle_ns(*cpu) else {
                continue;
            };
            let absence = self.absences.entry(*cpu).or_default();
            match absence.since.take() {
                Some(since) => absence.away_ns += now.saturating_sub(since),
                None => absence.since = Some(at_last_switch),
            }
        }
    }

    /// What of a CPU's idle time counts, and whether it is there.
    pub(super) fn idle(&self, cpu: u32, idle_ns: u64) -> (u64, bool) {
        match self.absences.get(&cpu) {
            None => (idle_ns, true),
            Some(absence) => {
                let until = absence.since.unwrap_or(idle_ns);
                (until.saturating_sub(absence.away_ns), absence.since.is_none())
            }
        }
    }

    /// Puts a CPU that was not there at first into the group of its package and die, which only an online CPU tells.
    fn admit(&mut self, cpu: u32) {
        let home = proc_files::package_and_die(&self.root, cpu);
        let fits = |group: &CpuGroup| Some((group.package, group.die)) == home;
        let near = |group: &CpuGroup| home.is_some_and(|(package, _)| group.package == package);
        let position = self.groups.iter().position(fits);
        let position = position
            .or_else(|| self.groups.iter().position(near))
            .unwrap_or(0);
        if let Some(group) = self.groups.get_mut(position) {
            group.cpus.push(cpu);
            group.cpus.sort_unstable();
        }
    }

    /// What the reader should know.
    pub(super) fn notes(&self) -> Vec<Note> {
        let listed = |cpus: Vec<u32>| cpus.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        let note = |code: &str, message| Note {
            code: code.to_owned(),
            message,
            hint: None,
            degrades: false,
        };
        let mut notes = Vec::new();
        if !self.absences.is_empty() {
            let cpus = listed(self.absences.keys().copied().collect());
            notes.push(note(
                "cpu-offline",
                format!("CPU {cpus} went offline during the run, and counts for as long as it was there"),
            ));
        }
        if !self.newcomers.is_empty() {
            let cpus = listed(self.newcomers.iter().copied().collect());
            notes.push(note(
                "cpu-online",
                format!(
                    "CPU {cpus} came online during the run, and counts from then on, as if it shared no core"
                ),
            ));
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    fn online(root: &Path, list: &str) {
        fs::create_dir_all(root.join("sys/devices/system/cpu")).unwrap();
        fs::write(root.join("sys/devices/system/cpu/online"), format!("{list}\n")).unwrap();
    }

    fn at(root: &Path, cpu: u32, package: u32) {
        let topology = root.join(format!("sys/devices/system/cpu/cpu{cpu}/topology"));
        fs::create_dir_all(&topology).unwrap();
        fs::write(topology.join("physical_package_id"), format!("{package}\n")).unwrap();
        fs::write(topology.join("die_id"), "0\n").unwrap();
    }

    fn two_packages(root: &Path) -> Online {
        let group = |package, cpus: &[u32]| CpuGroup {
            package,
            cpus: cpus.to_vec(),
            ..CpuGroup::default()
        };
        Online::new(root.to_owned(), &[group(0, &[0, 1]), group(1, &[2])])
    }

    #[test]
    fn idle_time_counts_until_a_cpu_goes_and_again_from_when_it_is_back() {
        let root = tempfile::tempdir().unwrap();
        online(root.path(), "0-2");
        let mut here = two_packages(root.path());
        here.look(|_| Some((100, 150)));
        assert_eq!(here.idle(1, 150), (150, true));
        online(root.path(), "0,2");
        here.look(|_| Some((200, 300)));
        assert_eq!(here.idle(1, 300), (200, false));
        here.look(|_| Some((200, 900)));
        assert_eq!(
            (here.idle(1, 900), here.idle(0, 900)),
            ((200, false), (900, true))
        );
        online(root.path(), "0-2");
        here.look(|_| Some((950, 1_000)));
        assert_eq!(here.idle(1, 1_000), (200, true));
        assert_eq!(here.idle(1, 1_010), (210, true));
        let told: Vec<String> = here.notes().into_iter().map(|note| note.code).collect();
        assert_eq!(told, ["cpu-offline"]);
    }

    #[test]
    fn a_cpu_that_comes_online_joins_its_packages_group_and_one_of_an_unknown_package_the_first() {
        let root = tempfile::tempdir().unwrap();
        online(root.path(), "0-2");
        let mut here = two_packages(root.path());
        online(root.path(), "0-4");
        at(root.path(), 3, 1);
        here.look(|_| None);
        let cpus: Vec<&[u32]> = here.groups().iter().map(|group| &*group.cpus).collect();
        assert_eq!(cpus, [&[0, 1, 4][..], &[2, 3]]);
        assert_eq!(here.notes().len(), 1);
    }

    #[test]
    fn without_a_list_everybody_is_there() {
        let root = tempfile::tempdir().unwrap();
        let mut here = two_packages(root.path());
        here.look(|_| Some((1, 2)));
        assert_eq!(here.idle(0, 2), (2, true));
        assert!(here.notes().is_empty());
    }
}
