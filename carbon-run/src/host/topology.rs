//! Which CPUs share a package, a die, a core (Documentation/admin-guide/cputopology.rst).

use super::kinds::{Kind, kinds};
use super::{cpu_list, cpuinfo};
use crate::model::recording::{CpuGroup, Note};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The online CPUs and how they hang together.
#[derive(Debug, Clone, PartialEq)]
pub struct Topology {
    /// The online CPUs by package, die and kind of core, ascending. One group with all of them where the kernel does not tell packages
    /// apart.
    pub groups: Vec<CpuGroup>,
    /// By CPU number, as long as `possible`: another hardware thread of the same core, where there is one online. With
    /// more than two threads to a core, the next one round.
    pub siblings: Vec<Option<u32>>,
    /// One more than the highest CPU number that this kernel could ever have.
    pub possible: u32,
    /// What could not be read or made no sense.
    pub notes: Vec<Note>,
}

/// The CPUs could not be counted.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Neither sysfs nor /proc/cpuinfo names a CPU.
    #[error("no CPU is named in `{}`, nor in `{}`", sysfs.display(), cpuinfo.display())]
    NoCpus {
        /// The list of online CPUs.
        sysfs: PathBuf,
        /// The older way.
        cpuinfo: PathBuf,
    },
    /// A list of CPUs is none.
    #[error("`{}` has `{value}`, which is no list of CPUs", path.display())]
    List {
        /// The file.
        path: PathBuf,
        /// What it says.
        value: String,
    },
}

impl Topology {
    /// The online CPUs.
    pub fn online(&self) -> impl Iterator<Item = u32> {
        self.groups.iter().flat_map(|group| group.cpus.iter().copied())
    }

    /// Physical cores with an online CPU. A CPU without siblings is a core of its own.
    pub(super) fn cores(&self) -> Option<u32> {
        let mut seen = BTreeSet::new();
        let mut cores = 0_u32;
        for cpu in self.online() {
            if seen.contains(&cpu) {
                continue;
            }
            cores += 1;
            seen.extend(self.threads_of(cpu));
        }
        (cores > 0).then_some(cores)
    }

    /// The most online hardware threads that any core has.
    pub(super) fn threads_per_core(&self) -> Option<u32> {
        self.online()
            .filter_map(|cpu| u32::try_from(self.threads_of(cpu).len()).ok())
            .max()
    }

    /// The CPU and all its siblings: the ring that [`Self::siblings`] makes.
    fn threads_of(&self, cpu: u32) -> BTreeSet<u32> {
        let mut ring = BTreeSet::from([cpu]);
        let mut at = cpu;
        while let Some(next) = self.siblings.get(at as usize).copied().flatten() {
            if !ring.insert(next) {
                break;
            }
            at = next;
        }
        ring
    }
}

/// Reads SYSROOT/sys/devices/system/cpu.
///
/// # Errors
/// When no CPU is found, or the list of online CPUs is garbage. Anything missing below that is made up for and noted.
pub fn topology(sysroot: &Path) -> Result<Topology, HostError> {
    let cpus = sysroot.join("sys/devices/system/cpu");
    let online = match list(&cpus.join("online"))? {
        Some(online) if !online.is_empty() => online,
        _ => by_cpuinfo(sysroot, &cpus)?,
    };
    let highest = online.last().copied().unwrap_or_default();
    let possible = list(&cpus.join("possible"))?
        .and_then(|all| all.last().copied())
        .unwrap_or(highest)
        .max(highest);
    let mut notes = Vec::new();
    let groups = groups(&cpus, &online, &kinds(sysroot, &online, &mut notes), &mut notes);
    let mut siblings = vec![None; possible as usize + 1];
    for &cpu in &online {
        if let Some(slot) = siblings.get_mut(cpu as usize) {
            *slot = sibling(&cpus, cpu, &online, &mut notes);
        }
    }
    Ok(Topology {
        groups,
        siblings,
        possible: possible + 1,
        notes,
    })
}

/// The CPUs in a file; `None` when there is no such file.
fn list(path: &Path) -> Result<Option<Vec<u32>>, HostError> {
    let Ok(text) = std::fs::read_to_string(path) else {
        return Ok(None);
    };
    match cpu_list::parse(&text) {
        Some(cpus) => Ok(Some(cpus)),
        None => Err(HostError::List {
            path: path.to_owned(),
            value: text.trim().to_owned(),
        }),
    }
}

fn by_cpuinfo(sysroot: &Path, cpus: &Path) -> Result<Vec<u32>, HostError> {
    let mut found = cpuinfo::read(sysroot).processors;
    found.sort_unstable();
    found.dedup();
    // Numbers beyond any kernel's would be taken for sizes further on.
    found.retain(|cpu| cpu_list::parse(&cpu.to_string()).is_some());
    if found.is_empty() {
        return Err(HostError::NoCpus {
            sysfs: cpus.join("online"),
            cpuinfo: sysroot.join("proc/cpuinfo"),
        });
    }
    Ok(found)
}

fn groups(cpus: &Path, online: &[u32], kinds: &BTreeMap<u32, Kind>, notes: &mut Vec<Note>) -> Vec<CpuGroup> {
    let mut groups: BTreeMap<(u32, u32, Option<Kind>), Vec<u32>> = BTreeMap::new();
    let mut homeless = Vec::new();
    for &cpu in online {
        let file = |name: &str| cpus.join(format!("cpu{cpu}/topology/{name}"));
        match id(&file("physical_package_id")) {
            Some(package) => {
                // Kernels before 5.2 have no die_id; -1 is "not known".
                let die = id(&file("die_id")).unwrap_or(0);
                groups
                    .entry((package, die, kinds.get(&cpu).copied()))
                    .or_default()
                    .push(cpu);
            }
            None => homeless.push(cpu),
        }
    }
    // A CPU in the wrong package spoils two ledgers; all in one group spoil none, they are only coarse.
    if !homeless.is_empty() {
        notes.push(Note {
            code: "topology-unknown".to_owned(),
            message: format!(
                "the kernel does not say in which package {} of {} CPUs are, so all are taken as one package",
                homeless.len(),
                online.len()
            ),
            hint: None,
            degrades: !groups.is_empty(),
        });
        return vec![CpuGroup {
            package: 0,
            die: 0,
            cpus: online.to_vec(),
            capacity_permille: None,
        }];
    }
    groups
        .into_iter()
        .map(|((package, die, kind), cpus)| CpuGroup {
            package,
            die,
            cpus,
            capacity_permille: kind.and_then(|kind| kind.capacity_permille),
        })
        .collect()
}

/// An id file; missing, -1 and garbage are all "not known".
fn id(path: &Path) -> Option<u32> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The next online hardware thread of the CPU's core, round the list.
fn sibling(cpus: &Path, cpu: u32, online: &[u32], notes: &mut Vec<Note>) -> Option<u32> {
    let file = |name: &str| cpus.join(format!("cpu{cpu}/topology/{name}"));
    // core_cpus_list since 5.2, thread_siblings_list before.
    for name in ["core_cpus_list", "thread_siblings_list"] {
        match list(&file(name)) {
            Ok(None) => {}
            Ok(Some(threads)) => {
                let mut ring: Vec<u32> = threads
                    .into_iter()
                    .filter(|thread| online.contains(thread))
                    .collect();
                let up_to_here = ring.partition_point(|thread| *thread <= cpu);
                ring.rotate_left(up_to_here);
                return ring.into_iter().find(|thread| *thread != cpu);
            }
            Err(error) => {
                notes.push(Note {
                    code: "topology-garbage".to_owned(),
                    message: error.to_string(),
                    hint: None,
                    degrades: true,
                });
                return None;
            }
        }
    }
    None
}
