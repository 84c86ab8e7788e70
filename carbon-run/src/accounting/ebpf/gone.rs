//! Process ids of members that have ended: a GPU's driver tells of a process's use up to seconds later.

use std::collections::{HashSet, VecDeque};

/// How many are remembered, the latest: the smallest number of processes after which the kernel gives an id again
/// (`pid_max`, proc_sys_kernel(5)). One that has been given to a stranger would be taken for a member.
const KEPT: usize = 32_768;

#[derive(Debug, Clone, Default)]
pub(super) struct Gone {
    order: VecDeque<u32>,
    pids: HashSet<u32>,
}

impl Gone {
    pub(super) fn add(&mut self, pid: u32) {
        if !self.pids.insert(pid) {
            return;
        }
        self.order.push_back(pid);
        if self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.pids.remove(&oldest);
        }
    }

    /// All of them, the oldest first.
    pub(super) fn pids(&self) -> impl Iterator<Item = u32> + '_ {
        self.order.iter().copied()
    }

    pub(super) fn contains(&self, pid: u32) -> bool {
        self.pids.contains(&pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered_and_memory_stays_bounded() {
        let mut gone = Gone::default();
        let all = u32::try_from(KEPT).unwrap() + 10;
        (0..all).for_each(|pid| gone.add(pid));
        gone.add(all - 1);
        assert!(gone.contains(all - 1) && gone.contains(10));
        assert!(!gone.contains(9));
        assert_eq!((gone.order.len(), gone.pids.len()), (KEPT, KEPT));
    }
}
