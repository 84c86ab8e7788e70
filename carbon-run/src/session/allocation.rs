//! What of the machine is set aside for the job.

use crate::model::recording::Host;
use crate::model::slurm::tasks_on_node;
use crate::model::units::Share;

/// The part of the machine's CPUs that is set aside for the job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Allocation {
    pub(super) share: Share,
    /// How many tasks have it together.
    pub(super) among: u64,
}

/// What the job may run on, where that is fewer CPUs than all; else what Slurm gave the step on this node. Where that is no more than
/// what all tasks of the step on this node have together, each of them has its part: as many parts as there are tasks are the whole.
pub(super) fn allocation(host: &Host) -> Option<Allocation> {
    let all = u64::from(host.cpus?);
    let by_slurm = host
        .slurm
        .get("cpus_on_node")
        .and_then(|cpus| cpus.parse::<u64>().ok());
    let allowed = host.allowed_cpus.map(u64::from).filter(|allowed| *allowed < all);
    let mine = allowed.or(by_slurm)?;
    // A task that is bound has fewer than the step, and has them for itself.
    let bound = allowed.is_some_and(|allowed| by_slurm.is_none_or(|step| allowed < step));
    let among = if bound { 1 } else { tasks_on_node(&host.slurm) };
    Some(Allocation {
        share: Share::of(mine, all.saturating_mul(among)),
        among,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine of 64 CPUs, where Slurm gave the step so many, and two tasks of it are here.
    fn allocated(allowed: Option<u32>, on_node: &str) -> Option<(f64, u64)> {
        let slurm = [("step_id", "0"), ("gtids", "4,5"), ("cpus_on_node", on_node)];
        let host = Host {
            cpus: Some(64),
            allowed_cpus: allowed,
            slurm: slurm
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..Host::default()
        };
        allocation(&host).map(|allocation| (allocation.share.get(), allocation.among))
    }

    #[test]
    fn tasks_of_a_step_share_its_cpus_unless_each_is_bound_to_its_own() {
        assert_eq!(allocated(None, "32"), Some((0.25, 2)), "by count");
        assert_eq!(allocated(Some(32), "32"), Some((0.25, 2)), "a cpuset of the step");
        assert_eq!(allocated(Some(16), "32"), Some((0.25, 1)), "bound");
        assert_eq!(
            allocated(Some(16), "?"),
            Some((0.25, 1)),
            "a cpuset, whosever it is"
        );
        assert_eq!(allocated(None, "?"), None);
    }
}
