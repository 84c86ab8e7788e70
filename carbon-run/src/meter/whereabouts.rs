//! Which CPUs a meter's domain feeds.

use crate::model::recording::CpuGroup;

/// A package, or a die of it; no package for the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Whereabouts {
    pub(super) package: Option<u32>,
    pub(super) die: Option<u32>,
}

impl Whereabouts {
    /// A whole package.
    pub(super) const fn package(package: u32) -> Self {
        Self {
            package: Some(package),
            die: None,
        }
    }

    /// The whole machine.
    pub(super) const PLATFORM: Self = Self {
        package: None,
        die: None,
    };

    /// As the report shows a part of it: `dram-0`, `package-0-die-1`, `psys`.
    pub(super) fn name(self, what: &str) -> String {
        match (self.package, self.die) {
            (Some(package), Some(die)) => format!("{what}-{package}-die-{die}"),
            (Some(package), None) => format!("{what}-{package}"),
            (None, _) => what.to_owned(),
        }
    }

    /// The groups of a package or die; `None` where there are none. A die that the topology does not tell apart feeds
    /// its whole package, and where nothing is known of the topology, or for the platform, it is everything: an empty
    /// list.
    pub(super) fn feeds(self, groups: &[CpuGroup]) -> Option<Vec<usize>> {
        let Some(package) = self.package.filter(|_| !groups.is_empty()) else {
            return Some(Vec::new());
        };
        let of_package = || {
            groups
                .iter()
                .enumerate()
                .filter(move |(_, group)| group.package == package)
        };
        let of_die: Vec<usize> = of_package()
            .filter(|(_, group)| self.die.is_none_or(|die| group.die == die))
            .map(|(position, _)| position)
            .collect();
        if !of_die.is_empty() {
            return Some(of_die);
        }
        let whole: Vec<usize> = of_package().map(|(position, _)| position).collect();
        (!whole.is_empty()).then_some(whole)
    }
}
