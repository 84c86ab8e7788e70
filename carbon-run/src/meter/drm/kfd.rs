//! AMD's compute driver: queues that a program fills itself, of which amdgpu's fdinfo counts nothing. Its sysfs says who
//! has such queues on which device (`kfd_procfs_*`, drivers/gpu/drm/amd/amdkfd/kfd_process.c; Linux 5.10).

use super::card::Card;
use super::file;
use std::path::{Path, PathBuf};

/// Which of its devices is which card.
#[derive(Debug)]
pub(super) struct Kfd {
    proc: PathBuf,
    /// By card.
    ids: Vec<Option<u64>>,
}

impl Kfd {
    pub(super) fn of(sysroot: &Path, cards: &[Card]) -> Self {
        let kfd = sysroot.join("sys/class/kfd/kfd");
        let nodes = kfd.join("topology/nodes");
        let nodes: Vec<(u64, u32)> = file::names(&nodes)
            .iter()
            .filter_map(|node| device(&nodes.join(node)))
            .collect();
        let id = |card: &Card| {
            let render = card.render?;
            nodes
                .iter()
                .find_map(|(id, minor)| (*minor == render).then_some(*id))
        };
        Self {
            proc: kfd.join("proc"),
            ids: cards.iter().map(id).collect(),
        }
    }

    /// Whether a process has memory or queues on a card; `None` where that is not said. `pid` as the host numbers it.
    pub(super) fn uses(&self, pid: u32, card: usize) -> Option<bool> {
        let id = (*self.ids.get(card)?)?;
        let process = self.proc.join(pid.to_string());
        let memory = file::number(&process.join(format!("vram_{id}"))).ok()?;
        let queues = process.join("queues");
        let queued = || {
            file::names(&queues)
                .iter()
                .any(|queue| file::number(&queues.join(queue).join("gpuid")) == Ok(id))
        };
        Some(memory > 0 || queued())
    }
}

/// A node's number among KFD's devices and its render node; `None` for a processor.
fn device(node: &Path) -> Option<(u64, u32)> {
    let id = file::number(&node.join("gpu_id")).ok().filter(|&id| id > 0)?;
    let properties = file::text(&node.join("properties")).ok()?;
    let render = properties
        .lines()
        .find_map(|line| line.strip_prefix("drm_render_minor ")?.trim().parse().ok())?;
    Some((id, render))
}
