//! Machines whose cores are not all alike: what each kind can do at most, as the scheduler sees it.
//!
//! Arm and RISC-V: `cpu_capacity`, 1024 for the best (Documentation/ABI/testing/sysfs-devices-system-cpu). Intel hybrids: the
//! kernel has a PMU for each kind, whose `cpus` files name its CPUs (tools/perf/Documentation/intel-hybrid.txt), and the
//! scheduler's capacities are in proportion to `highest_perf` (drivers/cpufreq/intel_pstate.c, `hybrid_set_cpu_capacity`), of
//! which the favoured cores of a kind have a little more.

use super::cpu_list;
use crate::model::recording::Note;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A kind of core. The best come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    /// 0 for the best.
    pub(super) rank: u32,
    /// In thousandths of the best; `None` where the kernel does not say.
    pub(super) capacity_permille: Option<u32>,
}

/// The kind of each online CPU; empty where all are alike, or nobody says otherwise.
pub(super) fn kinds(sysroot: &Path, online: &[u32], notes: &mut Vec<Note>) -> BTreeMap<u32, Kind> {
    let kinds = by_capacity(sysroot, online).unwrap_or_else(|| by_pmu(sysroot, online));
    let found: BTreeSet<Kind> = kinds.values().copied().collect();
    if found.len() < 2 {
        return BTreeMap::new();
    }
    let told: Option<Vec<String>> = found
        .iter()
        .map(|kind| Some(kind.capacity_permille?.to_string()))
        .collect();
    let message = match told {
        Some(told) => format!(
            "the cores are of {} kinds; a second weighs by what they can do at most ({} thousandths), and what they draw \
             may differ by more",
            found.len(),
            told.join(", ")
        ),
        None => format!(
            "the cores are of {} kinds, and the kernel does not say what each can do; a second weighs the same on all",
            found.len()
        ),
    };
    notes.push(Note {
        code: "cores-differ".to_owned(),
        message,
        hint: None,
        degrades: false,
    });
    kinds
}

fn number(path: &Path) -> Option<u32> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// By `cpu_capacity`, where every CPU has one.
fn by_capacity(sysroot: &Path, online: &[u32]) -> Option<BTreeMap<u32, Kind>> {
    let cpus = sysroot.join("sys/devices/system/cpu");
    let of: BTreeMap<u32, u32> = online
        .iter()
        .map(|&cpu| Some((cpu, number(&cpus.join(format!("cpu{cpu}/cpu_capacity")))?)))
        .collect::<Option<_>>()?;
    Some(ranked(&of))
}

/// By Intel's two PMUs; nobody, where there are not both.
fn by_pmu(sysroot: &Path, online: &[u32]) -> BTreeMap<u32, Kind> {
    let listed = |pmu: &str| {
        let text = std::fs::read_to_string(sysroot.join(format!("sys/devices/{pmu}/cpus"))).ok()?;
        let mut cpus = cpu_list::parse(&text)?;
        cpus.retain(|cpu| online.contains(cpu));
        (!cpus.is_empty()).then_some(cpus)
    };
    let (Some(core), Some(atom)) = (listed("cpu_core"), listed("cpu_atom")) else {
        return BTreeMap::new();
    };
    let best = |kind: &[u32]| {
        let perf = |cpu: &u32| {
            number(&sysroot.join(format!("sys/devices/system/cpu/cpu{cpu}/acpi_cppc/highest_perf")))
        };
        kind.iter().filter_map(perf).max().filter(|perf| *perf > 0)
    };
    if let (Some(of_core), Some(of_atom)) = (best(&core), best(&atom))
        && of_core > of_atom
    {
        let core = core.into_iter().map(|cpu| (cpu, of_core));
        return ranked(&core.chain(atom.into_iter().map(|cpu| (cpu, of_atom))).collect());
    }
    let unknown = |rank| Kind {
        rank,
        capacity_permille: None,
    };
    let core = core.into_iter().map(|cpu| (cpu, unknown(0)));
    core.chain(atom.into_iter().map(|cpu| (cpu, unknown(1))))
        .collect()
}

/// From capacities in any unit to kinds.
fn ranked(of: &BTreeMap<u32, u32>) -> BTreeMap<u32, Kind> {
    let mut sizes: Vec<u32> = of.values().copied().collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes.reverse();
    let best = sizes.first().copied().unwrap_or(1).max(1);
    of.iter()
        .map(|(&cpu, &size)| {
            let rank = sizes.iter().position(|known| *known == size).unwrap_or(0);
            let kind = Kind {
                rank: u32::try_from(rank).unwrap_or(u32::MAX),
                capacity_permille: u32::try_from(u64::from(size) * 1000 / u64::from(best)).ok(),
            };
            (cpu, kind)
        })
        .collect()
}
