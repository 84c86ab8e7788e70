//! The files around the counters: zones, CPU topology, `/proc`.

use crate::StandInError;
use crate::spec::{PackageSpec, SmtSpec, Spec, microwatts};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const CPUS: &str = "sys/devices/system/cpu";
const CLASS: &str = "sys/class/powercap";
const DEVICES: &str = "sys/devices/virtual/powercap/intel-rapl";

pub(crate) fn package_zone(number: usize) -> String {
    format!("intel-rapl:{number}")
}

pub(crate) fn dram_zone(package: usize) -> String {
    format!("{}:0", package_zone(package))
}

/// By way of the class directory's link.
pub(crate) fn zone_dir(dir: &Path, zone: &str) -> PathBuf {
    dir.join(CLASS).join(zone)
}

/// This machine's online CPUs.
pub(crate) fn online_cpus() -> Result<BTreeSet<u32>, StandInError> {
    let path = Path::new("/").join(CPUS).join("online");
    let text = fs::read_to_string(&path).map_err(StandInError::io(&path))?;
    parse_list(&text).ok_or(StandInError::Garbage { path, text })
}

/// A kernel list: `0-3,8`.
fn parse_list(text: &str) -> Option<BTreeSet<u32>> {
    let mut cpus = BTreeSet::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        cpus.extend(first.parse::<u32>().ok()?..=last.parse().ok()?);
    }
    Some(cpus)
}

fn list<'a>(cpus: impl IntoIterator<Item = &'a u32>) -> String {
    cpus.into_iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

pub(crate) fn build(dir: &Path, spec: &Spec) -> Result<(), StandInError> {
    make_dir(&dir.join(CLASS))?;
    make_dir(&dir.join(DEVICES))?;
    link(
        "../../devices/virtual/powercap/intel-rapl",
        &dir.join(CLASS).join("intel-rapl"),
    )?;
    link("../../../../class/powercap", &dir.join(DEVICES).join("subsystem"))?;
    for (number, package) in spec.packages.iter().enumerate() {
        let zone = package_zone(number);
        build_zone(dir, &zone, &zone, &format!("package-{number}"), package)?;
        if package.dram.is_some() {
            let dram = dram_zone(number);
            build_zone(dir, &dram, &format!("{zone}/{dram}"), "dram", package)?;
        }
        build_topology(dir, number, package)?;
    }
    let online: BTreeSet<&u32> = spec.packages.iter().flat_map(|package| &package.cpus).collect();
    for name in ["online", "present", "possible"] {
        write(&dir.join(CPUS).join(name), list(online.iter().copied()))?;
    }
    link("/proc", &dir.join("proc"))
}

/// A zone's directory without its counter, and the link to it from the class.
fn build_zone(
    dir: &Path,
    zone: &str,
    inside: &str,
    name: &str,
    spec: &PackageSpec,
) -> Result<(), StandInError> {
    let real = dir.join(DEVICES).join(inside);
    make_dir(&real)?;
    link(
        &format!("../../devices/virtual/powercap/intel-rapl/{inside}"),
        &zone_dir(dir, zone),
    )?;
    write(&real.join("name"), name)?;
    write(&real.join("enabled"), 1)?;
    if let Some(range) = spec.range_uj {
        write(&real.join("max_energy_range_uj"), range)?;
    }
    if let Some(watts) = spec.max_power_w {
        write(&real.join("constraint_0_name"), "long_term")?;
        write(&real.join("constraint_0_max_power_uw"), microwatts(watts)?)?;
    }
    Ok(())
}

/// The CPUs of a package, of one die each. Hardware threads of one core stay so where both are in the package and nothing
/// else is said of it.
fn build_topology(dir: &Path, number: usize, package: &PackageSpec) -> Result<(), StandInError> {
    for &cpu in &package.cpus {
        let real = Path::new("/").join(CPUS).join(format!("cpu{cpu}/topology"));
        let read = |name: &str| fs::read_to_string(real.join(name)).unwrap_or_default();
        let of_spec = |smt: &SmtSpec| smt.cores.iter().find(|core| core.contains(&cpu)).copied();
        let siblings: BTreeSet<u32> = match &package.smt {
            Some(smt) => of_spec(smt).into_iter().flatten().collect(),
            None => parse_list(&read("thread_siblings_list")).unwrap_or_default(),
        };
        let mut siblings: Vec<&u32> = package
            .cpus
            .iter()
            .filter(|other| siblings.contains(other))
            .collect();
        siblings.sort();
        if siblings.is_empty() {
            siblings.push(&cpu);
        }
        let core: u32 = match package.smt {
            Some(_) => siblings.first().copied().copied().unwrap_or(cpu),
            None => read("core_id").trim().parse().unwrap_or(cpu),
        };
        let topology = dir.join(CPUS).join(format!("cpu{cpu}/topology"));
        make_dir(&topology)?;
        write(&topology.join("physical_package_id"), number)?;
        write(&topology.join("die_id"), 0)?;
        write(&topology.join("core_id"), core)?;
        for name in ["thread_siblings_list", "core_cpus_list"] {
            write(&topology.join(name), list(siblings.iter().copied()))?;
        }
        for name in ["core_siblings_list", "package_cpus_list", "die_cpus_list"] {
            write(&topology.join(name), list(&package.cpus))?;
        }
    }
    Ok(())
}

fn make_dir(path: &Path) -> Result<(), StandInError> {
    fs::create_dir_all(path).map_err(StandInError::io(path))
}

fn write(path: &Path, value: impl Display) -> Result<(), StandInError> {
    fs::write(path, format!("{value}\n")).map_err(StandInError::io(path))
}

fn link(target: &str, path: &Path) -> Result<(), StandInError> {
    symlink(target, path).map_err(StandInError::io(path))
}
