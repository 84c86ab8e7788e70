//! What a powercap zone is called, and finding the zones.
//!
//! `/sys/class/powercap` lists every zone of every depth as a link, and each zone's directory holds its subzones again
//! (Documentation/power/powercap/powercap.rst). Containers often mount only a part. So both are walked, and a zone
//! counts once, by its directory's name, which the kernel keeps unique.

use crate::meter::sysfs::{self, ReadError};
use crate::model::recording::DomainKind;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Which registers the kernel reads the zone from. In order of preference: both show the same energy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Interface {
    /// `intel-rapl`: model-specific registers (also on AMD), or TPMI, which registers the same control type.
    Msr,
    /// `intel-rapl-mmio`: the same counters through the memory-mapped host bridge, on Intel clients.
    Mmio,
}

impl Interface {
    const fn control_type(self) -> &'static str {
        match self {
            Self::Msr => "intel-rapl",
            Self::Mmio => "intel-rapl-mmio",
        }
    }
}

/// The name of a zone's directory: `intel-rapl:0:1` is subzone 1 of zone 0.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ZoneId {
    pub(super) interface: Interface,
    indices: Vec<u32>,
}

impl ZoneId {
    fn parse(name: &str) -> Option<Self> {
        let (control_type, rest) = name.split_once(':')?;
        let interface = [Interface::Msr, Interface::Mmio]
            .into_iter()
            .find(|interface| interface.control_type() == control_type)?;
        let indices = rest.split(':').map(number).collect::<Option<_>>()?;
        Some(Self { interface, indices })
    }

    /// The zones that this one lies in, nearest first.
    pub(super) fn ancestors(&self) -> impl Iterator<Item = Self> + '_ {
        (1..self.indices.len()).rev().map(|depth| Self {
            interface: self.interface,
            indices: self.indices.iter().take(depth).copied().collect(),
        })
    }
}

impl fmt::Display for ZoneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.interface.control_type())?;
        self.indices.iter().try_for_each(|index| write!(f, ":{index}"))
    }
}

/// What a zone's `name` file says that it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cover {
    /// `package-N`, or `package-N-die-M` on processors with several dies a package. The numbers are
    /// `topology_physical_package_id` and `topology_die_id` (rapl_add_package, drivers/powercap/intel_rapl_common.c).
    Package {
        /// N.
        package: u32,
        /// M.
        die: Option<u32>,
    },
    /// `dram`, `core`, `uncore`: of the package whose subzone it is.
    Part(DomainKind),
    /// `psys`, or `psys-N` on further packages (rapl_init_domains, same file): the platform, with all packages in it.
    Psys {
        /// N; 0 where none is written.
        package: u32,
    },
}

impl Cover {
    /// `None` for a name that this version does not know.
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "dram" => return Some(Self::Part(DomainKind::Dram)),
            "core" => return Some(Self::Part(DomainKind::Core)),
            "uncore" => return Some(Self::Part(DomainKind::Uncore)),
            "psys" => return Some(Self::Psys { package: 0 }),
            _ => {}
        }
        if let Some(package) = name.strip_prefix("psys-") {
            return number(package).map(|package| Self::Psys { package });
        }
        let rest = name.strip_prefix("package-")?;
        let (package, die) = match rest.split_once("-die-") {
            Some((package, die)) => (package, Some(number(die)?)),
            None => (rest, None),
        };
        number(package).map(|package| Self::Package { package, die })
    }
}

/// A directory that looks like a zone, and what its `name` file holds.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) id: ZoneId,
    pub(super) dir: PathBuf,
    pub(super) name: Result<String, ReadError>,
}

/// Where the kernel keeps them.
pub(super) fn class_dir(sysroot: &Path) -> PathBuf {
    sysroot.join("sys/class/powercap")
}

/// Every zone below `sysroot/sys/class/powercap`, in order: registers first, then by number, parents before children.
///
/// # Errors
/// When the directory is there and cannot be listed. That it is not there is no error: no zones.
pub(super) fn find(sysroot: &Path) -> Result<Vec<Found>, ReadError> {
    let class = class_dir(sysroot);
    let mut dirs = BTreeMap::new();
    let mut unlisted = vec![
        class.join(Interface::Mmio.control_type()),
        class.join(Interface::Msr.control_type()),
    ];
    match list(&class, &mut dirs, &mut unlisted) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ReadError::io(class, &error)),
    }
    while let Some(dir) = unlisted.pop() {
        // A zone that cannot be listed has no subzones to show; that it cannot be read is told when it is read.
        list(&dir, &mut dirs, &mut unlisted).unwrap_or_default();
    }
    Ok(dirs
        .into_iter()
        .map(|(id, dir)| {
            let name = sysfs::text(&dir.join("name"));
            Found { id, dir, name }
        })
        .collect())
}

/// Adds the zones in `dir`, and puts each new one on the list of those to look into. Only zones are looked into, and
/// each once, so that the links back up the tree (`device`, `subsystem`) lead nowhere.
fn list(dir: &Path, dirs: &mut BTreeMap<ZoneId, PathBuf>, unlisted: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if let Some(id) = entry.file_name().to_str().and_then(ZoneId::parse)
            && let Entry::Vacant(vacant) = dirs.entry(id)
        {
            unlisted.push(vacant.insert(entry.path()).clone());
        }
    }
    Ok(())
}

/// Decimal digits and nothing else.
fn number(text: &str) -> Option<u32> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_any_number_of_digits() {
        for (name, package, die) in [
            ("package-0", 0, None),
            ("package-12", 12, None),
            ("package-3-die-17", 3, Some(17)),
            ("package-123-die-0", 123, Some(0)),
        ] {
            assert_eq!(
                Cover::parse(name),
                Some(Cover::Package { package, die }),
                "{name}"
            );
        }
        assert_eq!(Cover::parse("psys"), Some(Cover::Psys { package: 0 }));
        assert_eq!(Cover::parse("psys-10"), Some(Cover::Psys { package: 10 }));
    }

    #[test]
    fn what_only_looks_like_a_name_is_none() {
        for name in [
            "package",
            "package-",
            "package-x",
            "package-0-die-",
            "package-+1",
            "Package-0",
            "",
            "gpu",
            "psys-",
        ] {
            assert_eq!(Cover::parse(name), None, "{name}");
        }
        for name in [
            "intel-rapl",
            "intel-rapl:",
            "intel-rapl:0:",
            "intel-rapl:-1",
            "dtpm:0",
            "intel-rapl:0:x",
        ] {
            assert_eq!(ZoneId::parse(name), None, "{name}");
        }
    }

    #[test]
    fn zones_are_in_the_order_of_their_numbers_and_know_their_ancestors() {
        let ids = [
            "intel-rapl-mmio:0",
            "intel-rapl:10",
            "intel-rapl:2:0",
            "intel-rapl:2",
        ];
        let mut ids: Vec<ZoneId> = ids.into_iter().map(|id| ZoneId::parse(id).unwrap()).collect();
        ids.sort();
        let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
        assert_eq!(
            names,
            [
                "intel-rapl:2",
                "intel-rapl:2:0",
                "intel-rapl:10",
                "intel-rapl-mmio:0"
            ]
        );
        let nested = ZoneId::parse("intel-rapl:1:2:3").unwrap();
        let up: Vec<String> = nested.ancestors().map(|id| id.to_string()).collect();
        assert_eq!(up, ["intel-rapl:1:2", "intel-rapl:1"]);
    }
}
