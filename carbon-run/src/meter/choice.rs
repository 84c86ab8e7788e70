//! Which of the meters is used: perf, then powercap, then hwmon; and never two for the same package.

use super::witness::{Witnessed, same};
use super::{Meter, Meters, hwmon, perf, powercap};
use crate::model::recording::{Domain, DomainKind, Note};

/// Of perf and powercap, the better one; where neither has a package, what `hwmon` gives.
pub(super) fn choose(
    perf: perf::Opened,
    powercap: powercap::Opened,
    hwmon: impl FnOnce() -> hwmon::Opened,
) -> Meters {
    match (perf.meter, powercap.meter) {
        (Some(counted), Some(shown)) if gives_all_of(counted.domains(), shown.domains()) => {
            let names = ("perf", "powercap");
            let both = Witnessed::new(Box::new(counted), Box::new(shown), names);
            Meters::of(Box::new(both), perf.notes)
        }
        (Some(counted), Some(shown)) => {
            let mut notes = powercap.notes;
            notes.push(differ(counted.domains(), shown.domains()));
            Meters::of(Box::new(shown), notes)
        }
        (Some(counted), None) => Meters::of(Box::new(counted), perf.notes),
        (None, Some(shown)) => Meters::of(Box::new(shown), powercap.notes),
        (None, None) => {
            let sensed = hwmon();
            let mut notes: Vec<Note> = powercap.notes.into_iter().chain(perf.notes).collect();
            let Some(meter) = sensed.meter else {
                notes.extend(sensed.notes);
                return Meters {
                    notes,
                    ..Meters::default()
                };
            };
            // That there is no RAPL is no news where something else measures.
            notes.retain(|note| note.degrades);
            notes.extend(sensed.notes);
            let memory_inside = meter.memory_inside();
            Meters {
                memory_inside,
                ..Meters::of(Box::new(meter), notes)
            }
        }
    }
}

/// Whether whoever sums `all` sums everything of `some`, and nothing else that might contain a part of it or lie in it.
fn gives_all_of(all: &[Domain], some: &[Domain]) -> bool {
    let count = |domains: &[Domain], wanted: &Domain| domains.iter().filter(|one| same(one, wanted)).count();
    let covered = some
        .iter()
        .filter(|one| one.summed)
        .all(|one| count(all, one) >= count(some, one));
    let apart = all
        .iter()
        .filter(|one| one.summed)
        .all(|one| match count(some, one) {
            0 => !some.iter().any(|other| overlap(one, other)),
            listed => count(all, one) == listed,
        });
    covered && apart
}

fn overlap(one: &Domain, other: &Domain) -> bool {
    let shared = || one.groups.iter().any(|group| other.groups.contains(group));
    one.summed
        && other.summed
        && one.kind == other.kind
        && (one.groups.is_empty() || other.groups.is_empty() || shared())
}

fn differ(counted: &[Domain], shown: &[Domain]) -> Note {
    let names = |domains: &[Domain]| {
        domains
            .iter()
            .filter(|domain| domain.summed)
            .map(|domain| format!("`{}`", domain.name))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let packages = |domains: &[Domain]| {
        domains
            .iter()
            .filter(|domain| domain.summed && domain.kind == DomainKind::Package)
            .count()
    };
    Note {
        code: "meters-differ".to_owned(),
        message: format!(
            "perf counts {} and powercap shows {}: powercap is used",
            names(counted),
            names(shown)
        ),
        hint: None,
        // Less of the memory is no doubt about the packages.
        degrades: packages(counted) != packages(shown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::recording::{DomainSource, Origin, Source, TickSize};

    fn domains(listed: &[(DomainKind, &[usize])]) -> Vec<Domain> {
        listed
            .iter()
            .map(|(kind, groups)| Domain {
                name: format!("{kind:?}-{groups:?}"),
                kind: *kind,
                origin: Origin::Measured(Source::Perf),
                groups: groups.to_vec(),
                summed: *kind != DomainKind::Psys,
                source: DomainSource::Counter {
                    tick: TickSize::MICROJOULE,
                    wraps_at: None,
                    max_power: None,
                },
            })
            .collect()
    }

    #[test]
    fn perf_is_preferred_where_it_has_all_that_powercap_has() {
        use DomainKind::{Dram, Package, Psys};
        let both = domains(&[(Package, &[0]), (Dram, &[0]), (Package, &[1])]);
        assert!(gives_all_of(&both, &both));
        // A package that powercap could not read, and what is only told.
        let fewer = domains(&[(Package, &[0]), (Psys, &[])]);
        assert!(gives_all_of(&both, &fewer));
    }

    #[test]
    fn powercap_is_kept_where_perf_lacks_something_or_cuts_the_machine_otherwise() {
        use DomainKind::{Dram, Package};
        let shown = domains(&[(Package, &[0, 1]), (Dram, &[0, 1])]);
        for counted in [
            domains(&[(Package, &[0, 1])]),
            domains(&[(Package, &[0]), (Package, &[1]), (Dram, &[0, 1])]),
            domains(&[(Package, &[0, 1]), (Package, &[1]), (Dram, &[0, 1])]),
            domains(&[(Package, &[0, 1]), (Package, &[0, 1]), (Dram, &[0, 1])]),
            domains(&[(Package, &[0, 1]), (Package, &[]), (Dram, &[0, 1])]),
        ] {
            assert!(!gives_all_of(&counted, &shown), "{counted:?}");
        }
    }
}
