//! What the kernel says of its `power` PMU (arch/x86/events/rapl.c): type, CPUs, and a count for each kind of energy.

use super::scale;
use crate::meter::sysfs::{self, ReadError};
use crate::model::recording::{DomainKind, TickSize};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The counts that it may have.
const ENERGIES: [(&str, DomainKind); 5] = [
    ("energy-pkg", DomainKind::Package),
    ("energy-ram", DomainKind::Dram),
    ("energy-cores", DomainKind::Core),
    ("energy-gpu", DomainKind::Uncore),
    ("energy-psys", DomainKind::Psys),
];

/// More CPUs than any kernel has: a list beyond that is garbage.
const MOST_CPUS: u32 = 1 << 20;

/// A PMU that counts energy.
#[derive(Debug)]
pub(super) struct Pmu {
    pub(super) kind: u32,
    /// One CPU for each package, or each die, ascending.
    pub(super) cpus: Vec<u32>,
    pub(super) energies: Vec<Energy>,
}

/// One of its counts.
#[derive(Debug, Clone)]
pub(super) struct Energy {
    /// `energy-pkg`.
    pub(super) event: &'static str,
    pub(super) kind: DomainKind,
    /// `perf_event_attr.config`.
    pub(super) config: u64,
    pub(super) tick: TickSize,
}

/// Where the PMU describes itself.
pub(super) fn directory(sysroot: &Path) -> PathBuf {
    sysroot.join("sys/bus/event_source/devices/power")
}

/// AMD's per-core counts (Linux 6.15): they lie inside the packages.
pub(super) fn per_core_directory(sysroot: &Path) -> PathBuf {
    sysroot.join("sys/bus/event_source/devices/power_core")
}

/// The PMU below `sysroot`; `None` where there is none.
///
/// # Errors
/// When it is there and does not say what it counts, or not in joules.
pub(super) fn find(sysroot: &Path) -> Result<Option<Pmu>, ReadError> {
    let directory = directory(sysroot);
    let path = directory.join("type");
    let kind = match sysfs::number(&path) {
        Ok(kind) => {
            u32::try_from(kind).map_err(|_| sysfs::garbage(&path, &kind.to_string(), "the type of a PMU"))?
        }
        Err(error) if error.is_absent() => return Ok(None),
        Err(error) => return Err(error),
    };
    let path = directory.join("cpumask");
    let mask = sysfs::text(&path)?;
    let cpus = cpu_list(&mask).ok_or_else(|| sysfs::garbage(&path, &mask, "a list of CPUs"))?;
    let mut energies = Vec::new();
    for (event, kind) in ENERGIES {
        energies.extend(energy(&directory, event, kind)?);
    }
    Ok(Some(Pmu { kind, cpus, energies }))
}

/// A count; `None` where the PMU has none of that name.
fn energy(directory: &Path, event: &'static str, kind: DomainKind) -> Result<Option<Energy>, ReadError> {
    let path = directory.join("events").join(event);
    let terms = match sysfs::text(&path) {
        Ok(terms) => terms,
        Err(error) if error.is_absent() => return Ok(None),
        Err(error) => return Err(error),
    };
    let config =
        config(directory, &terms).ok_or_else(|| sysfs::garbage(&path, &terms, "the terms of a count"))?;
    let beside = |what: &str| directory.join("events").join(format!("{event}.{what}"));
    let path = beside("unit");
    let unit = sysfs::text(&path)?;
    if unit != "Joules" {
        return Err(sysfs::garbage(&path, &unit, "`Joules`"));
    }
    let path = beside("scale");
    let scale = sysfs::text(&path)?;
    let tick = scale::tick(&scale).ok_or_else(|| sysfs::garbage(&path, &scale, "a scale"))?;
    Ok(Some(Energy {
        event,
        kind,
        config,
        tick,
    }))
}

/// `event=0x02` and the like, each term shifted to where `format/TERM` says (`config:0-7`).
fn config(directory: &Path, terms: &str) -> Option<u64> {
    terms.split(',').try_fold(0, |config, term| {
        let (name, value) = term.split_once('=')?;
        let value = match value.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok()?,
            None => value.parse().ok()?,
        };
        let place = sysfs::text(&directory.join("format").join(name)).ok()?;
        let bits = place.strip_prefix("config:")?;
        let (lowest, highest) = bits.split_once('-').unwrap_or((bits, bits));
        let (lowest, highest): (u32, u32) = (lowest.parse().ok()?, highest.parse().ok()?);
        let width = highest
            .checked_sub(lowest)?
            .checked_add(1)
            .filter(|_| highest < 64)?;
        let fits = width == 64 || value >> width == 0;
        fits.then_some(config | value << lowest)
    })
}

/// A kernel's list: `0,64` or `0-1`.
pub(super) fn cpu_list(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if last < first || last > MOST_CPUS {
            return None;
        }
        cpus.extend(first..=last);
    }
    cpus.sort_unstable();
    cpus.dedup();
    Some(cpus)
}

/// How many cores AMD's PMU of single cores counts, where there is one.
pub(super) fn cores_counted(sysroot: &Path) -> Option<usize> {
    let directory = per_core_directory(sysroot);
    match fs::metadata(directory.join("events/energy-core")) {
        Ok(_) => Some(
            sysfs::text(&directory.join("cpumask"))
                .map_or(0, |mask| cpu_list(&mask).map_or(0, |cpus| cpus.len())),
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(_) => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<Option<Pmu>, ReadError>) {
        let root = tempfile::tempdir().unwrap();
        let directory = directory(root.path());
        for (name, text) in [
            ("type", "21\n"),
            ("cpumask", "0,64\n"),
            ("format/event", "config:0-7\n"),
            ("events/energy-pkg", "event=0x02\n"),
            ("events/energy-pkg.unit", "Joules\n"),
            ("events/energy-pkg.scale", "2.3283064365386962890625e-10\n"),
        ]
        .iter()
        .chain(files)
        {
            let path = directory.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let found = find(root.path());
        (root, found)
    }

    #[test]
    fn a_pmu_says_its_type_its_cpus_and_what_each_count_is_worth() {
        let (_root, found) = described(&[]);
        let pmu = found.unwrap().unwrap();
        assert_eq!((pmu.kind, pmu.cpus.as_slice()), (21, &[0, 64][..]));
        let counts: Vec<_> = pmu
            .energies
            .iter()
            .map(|energy| (energy.event, energy.config, energy.tick.ticks))
            .collect();
        assert_eq!(counts, [("energy-pkg", 2, 67_108_864)]);
    }

    #[test]
    fn a_term_goes_to_the_bits_that_its_format_names() {
        let (_root, found) = described(&[
            ("format/event", "config:8-15\n"),
            ("format/umask", "config:0-3\n"),
            ("events/energy-pkg", "event=0x02,umask=5\n"),
        ]);
        assert_eq!(found.unwrap().unwrap().energies.first().unwrap().config, 0x205);
    }

    #[test]
    fn a_description_that_makes_no_sense_is_refused_with_the_file_and_what_it_held() {
        for (file, text) in [
            ("type", "power"),
            ("type", "99999999999"),
            ("cpumask", "0-x"),
            ("cpumask", "5-1"),
            ("cpumask", ""),
            ("format/event", "config1:0-7"),
            ("events/energy-pkg", "event=0x102"),
            ("events/energy-pkg", "pkg"),
            ("events/energy-pkg.unit", "Watts"),
            ("events/energy-pkg.scale", "much"),
            ("events/energy-pkg.scale", "0"),
        ] {
            let (_root, found) = described(&[(file, text)]);
            let error = found.expect_err(file).to_string();
            let named = if file == "format/event" {
                "events/energy-pkg"
            } else {
                file
            };
            assert!(error.contains(named), "{file}: {error}");
        }
    }

    #[test]
    fn a_machine_without_the_pmu_has_none() {
        let root = tempfile::tempdir().unwrap();
        assert!(find(root.path()).unwrap().is_none());
    }
}
