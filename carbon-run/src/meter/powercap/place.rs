//! Which zones are domains, what each is called, and which CPUs it feeds.

use super::notes;
use super::zone::{Cover, Found, Interface, ZoneId};
use crate::meter::whereabouts::Whereabouts;
use crate::model::recording::{CpuGroup, DomainKind, Note};
use std::collections::HashMap;
use std::path::PathBuf;

/// A zone that can become a domain.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) id: ZoneId,
    pub(super) dir: PathBuf,
    pub(super) kind: DomainKind,
    pub(super) at: Whereabouts,
    /// As the report shows it: `package-0-die-1`, `dram-0`, `psys`.
    pub(super) name: String,
    /// Positions of the CPU groups that it feeds; empty for all.
    pub(super) groups: Vec<usize>,
}

impl Placed {
    /// Whether the energy lies outside that of every other domain. `core` and `uncore` lie inside their package, `psys`
    /// contains everything.
    pub(super) const fn is_summed(&self) -> bool {
        matches!(self.kind, DomainKind::Package | DomainKind::Dram)
    }

    /// Whether both speak of the same part of the same package. One interface may name dies where the other does not.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        self.kind == other.kind && self.at.package == other.at.package
    }

    pub(super) fn is_mmio(&self) -> bool {
        self.id.interface == Interface::Mmio
    }
}

/// What a zone is, apart from the CPUs: its kind, place and name. `None` for a name nobody knows, and for a part whose
/// package is not told.
pub(super) fn identify(found: &[Found]) -> Vec<Option<(DomainKind, Whereabouts, String)>> {
    let covers: Vec<Option<Cover>> = found
        .iter()
        .map(|zone| zone.name.as_deref().ok().and_then(Cover::parse))
        .collect();
    let packages: HashMap<&ZoneId, Whereabouts> = found
        .iter()
        .zip(&covers)
        .filter_map(|(zone, cover)| match (*cover)? {
            Cover::Package { package, die } => Some((
                &zone.id,
                Whereabouts {
                    package: Some(package),
                    die,
                },
            )),
            Cover::Part(_) | Cover::Psys { .. } => None,
        })
        .collect();
    found
        .iter()
        .zip(&covers)
        .map(|(zone, cover)| match (*cover)? {
            Cover::Package { package, die } => {
                let at = Whereabouts {
                    package: Some(package),
                    die,
                };
                Some((DomainKind::Package, at, at.name("package")))
            }
            Cover::Part(kind) => {
                let at = zone.id.ancestors().find_map(|id| packages.get(&id).copied())?;
                Some((kind, at, at.name(zone.name.as_deref().unwrap_or_default())))
            }
            Cover::Psys { package } => {
                let at = Whereabouts::PLATFORM;
                let name = if package == 0 {
                    "psys".to_owned()
                } else {
                    format!("psys-{package}")
                };
                Some((DomainKind::Psys, at, name))
            }
        })
        .collect()
}

/// The zones that can become domains, in the order found. Why others cannot goes to `notes`.
pub(super) fn place(found: &[Found], groups: &[CpuGroup], notes: &mut Vec<Note>) -> Vec<Placed> {
    let mut placed = Vec::new();
    for (zone, identity) in found.iter().zip(identify(found)) {
        let Some((kind, at, name)) = identity else {
            notes.push(notes::unknown_zone(zone));
            continue;
        };
        let Some(groups) = at.feeds(groups) else {
            notes.push(notes::unmapped(&name));
            continue;
        };
        placed.push(Placed {
            id: zone.id.clone(),
            dir: zone.dir.clone(),
            kind,
            at,
            name,
            groups,
        });
    }
    placed
}
