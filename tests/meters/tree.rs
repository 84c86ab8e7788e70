//! The powercap trees of `tests/sysroots`, as they are or as a copy that a test may change under the meter's hands.

use carbon_run::meter::Meter as _;
use carbon_run::meter::powercap::{Opened, Powercap};
use carbon_run::model::counter::{Counter, Step};
use carbon_run::model::recording::{CpuGroup, Domain, DomainSource, Note, Reading};
use carbon_run::model::units::Moment;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A tree of `tests/sysroots`.
pub(crate) fn original(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/sysroots")
        .join(name);
    assert!(path.is_dir(), "{} is missing", path.display());
    path
}

/// CPU groups, each with two CPUs of its own.
pub(crate) fn groups(packages_and_dies: &[(u32, u32)]) -> Vec<CpuGroup> {
    packages_and_dies
        .iter()
        .zip(0..)
        .map(|(&(package, die), group)| CpuGroup {
            package,
            die,
            cpus: vec![2 * group, 2 * group + 1],
            capacity_permille: None,
        })
        .collect()
}

/// A domain in one line: name, whether it is summed, groups, microjoules to a wrap, watts at most.
pub(crate) fn line(domain: &Domain) -> String {
    let DomainSource::Counter {
        wraps_at, max_power, ..
    } = &domain.source
    else {
        return format!("{} is no counter", domain.name);
    };
    format!(
        "{} {} {:?} {} {}",
        domain.name,
        if domain.summed { "summed" } else { "told" },
        domain.groups,
        wraps_at.map_or("?".to_owned(), |range| range.to_string()),
        max_power.map_or("?".to_owned(), |watts| format!("{} W", watts.get())),
    )
}

/// The domains of a tree, one line each.
pub(crate) fn lines(opened: &Opened) -> Vec<String> {
    opened
        .meter
        .iter()
        .flat_map(Powercap::domains)
        .map(line)
        .collect()
}

/// The codes of notes, with a `!` on those that say that figures are worse.
pub(crate) fn codes(notes: &[Note]) -> Vec<String> {
    let mark = |note: &Note| if note.degrades { "!" } else { "" };
    notes
        .iter()
        .map(|note| format!("{}{}", note.code, mark(note)))
        .collect()
}

/// A copy of a tree that may be changed.
pub(crate) struct Copy(TempDir);

impl Copy {
    pub(crate) fn of(name: &str) -> io::Result<Self> {
        let copy = tempfile::tempdir()?;
        fs::set_permissions(copy.path(), fs::Permissions::from_mode(0o755))?;
        copy_dir(&original(name), copy.path())?;
        Ok(Self(copy))
    }

    pub(crate) fn root(&self) -> &Path {
        self.0.path()
    }

    /// A file of a zone, as `zone("intel-rapl:0", "energy_uj")`. `client` nests its zones, the others have links.
    pub(crate) fn file(&self, zone: &str, file: &str) -> PathBuf {
        let class = self.root().join("sys/class/powercap");
        let (control_type, _) = zone.split_once(':').unwrap_or((zone, ""));
        [class.join(zone), class.join(control_type).join(zone)]
            .into_iter()
            .find(|dir| dir.is_dir())
            .unwrap_or(class)
            .join(file)
    }

    /// Overwrites a file in place, as the kernel does: an open handle sees it.
    pub(crate) fn write(&self, zone: &str, file: &str, text: &str) -> io::Result<()> {
        fs::write(self.file(zone, file), text)
    }

    pub(crate) fn set(&self, zone: &str, energy_uj: u64) -> io::Result<()> {
        self.write(zone, "energy_uj", &format!("{energy_uj}\n"))
    }

    /// Takes a zone's counter away; an open handle reads nothing more.
    pub(crate) fn remove(&self, zone: &str) -> io::Result<()> {
        self.write(zone, "energy_uj", "")?;
        fs::remove_file(self.file(zone, "energy_uj"))
    }
}

fn copy_dir(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, target)?;
        } else if kind.is_dir() {
            fs::create_dir(&target)?;
            copy_dir(&entry.path(), &target)?;
        } else {
            fs::write(target, fs::read(entry.path())?)?;
        }
    }
    Ok(())
}

/// A meter read once a second of a clock of its own, and what the model makes of it.
pub(crate) struct Run {
    pub(crate) meter: Powercap,
    counters: Vec<Counter>,
    second: u64,
}

impl Run {
    /// `None` where the tree has no meter.
    pub(crate) fn of(opened: Opened) -> Option<Self> {
        let meter = opened.meter?;
        let counters = meter
            .domains()
            .iter()
            .filter_map(|domain| Counter::of(&domain.source))
            .collect();
        Some(Self {
            meter,
            counters,
            second: 0,
        })
    }

    /// What the next second gave, per domain.
    pub(crate) fn next(&mut self) -> Vec<(String, Step)> {
        self.second += 1;
        let mut clock = self.second * 1_000_000_000;
        let readings: Vec<Reading> = self.meter.read(&mut || {
            clock += 1_000;
            Moment(clock)
        });
        assert_eq!(readings.len(), self.meter.domains().len());
        self.meter
            .domains()
            .iter()
            .zip(self.counters.iter_mut().zip(&readings))
            .map(|(domain, (counter, reading))| (domain.name.clone(), counter.step(reading, false)))
            .collect()
    }

    /// The microjoules that the next second gave one domain, if that is known, and whether it wrapped.
    pub(crate) fn gained(&mut self, name: &str) -> Option<(u64, bool)> {
        self.next().into_iter().find_map(|(domain, step)| match step {
            Step::Energy { energy, wrapped, .. } if domain == name => Some((energy.0, wrapped)),
            Step::Energy { .. } | Step::First | Step::Reset { .. } | Step::Slept | Step::Missing(_) => None,
        })
    }
}
