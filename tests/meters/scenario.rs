//! A recording of four seconds on a machine of `tests/sysroots`, whose meters are moved by hand, and its report.
//!
//! Who runs is the same everywhere: one CPU of the first package is the job's, and one CPU of every package is others'. So
//! with `I` watts of idle power, `E` watts drawn and `N` CPUs the job has `I / N + (E - I) / 2` watts of what its package
//! draws (METHOD.md, policy `capacity`).

use crate::tree::Copy;
use carbon_run::meter::{self, Meters, perf::Opener};
use carbon_run::model::assemble::assemble;
use carbon_run::model::estimate::StatedModels;
use carbon_run::model::recording::{
    BusyTime, CpuGroup, CpuUsage, Observation, Origin, Place, Reading, Recording, SCHEMA,
};
use carbon_run::model::report::{Figure, RunReport};
use carbon_run::model::tables::Tables;
use carbon_run::model::units::{CpuTime, Joules, Moment};
use carbon_run::{host, session};
use serde_json::{Value, json};
use std::error::Error;
use std::fs;
use std::io;

pub(crate) const SECONDS: u64 = 4;

/// What moves.
#[derive(Clone, Copy)]
pub(crate) enum Gain {
    /// A zone's `energy_uj`: from where, and by how many microjoules a second. It goes round as the zone says.
    Zone(&'static str, u64, u64),
    /// A counter's file below the system root: from where, and by how many microjoules a second.
    Counter(&'static str, u64, u64),
}

/// Nobody may count.
pub(crate) fn refused() -> impl FnMut(&meter::perf::EventSpec) -> io::Result<std::os::fd::OwnedFd> {
    |_| Err(io::Error::from(io::ErrorKind::PermissionDenied))
}

/// Records on a copy of the tree, with perf's counts from `opener`.
pub(crate) fn record(
    tree: &str,
    idle_power: &[f64],
    gains: &[Gain],
    opener: &mut Opener<'_>,
) -> Result<RunReport, Box<dyn Error>> {
    record_paced(tree, idle_power, gains, opener, 1_000_000_000)
}

/// As [`record`], with four steps of so many nanoseconds instead of four seconds; what moves moves by step.
pub(crate) fn record_paced(
    tree: &str,
    idle_power: &[f64],
    gains: &[Gain],
    opener: &mut Opener<'_>,
    step_ns: u64,
) -> Result<RunReport, Box<dyn Error>> {
    let tree = Copy::of(tree)?;
    show(&tree, gains, 0)?;
    let tables = Tables::embedded()?;
    let host = host::probe(tree.root());
    let topology = host::topology(tree.root())?;
    let degrading = topology.notes.iter().filter(|note| note.degrades);
    assert_eq!(degrading.count(), 0, "{:?}", topology.notes);
    let groups = topology.groups;
    let mut meters = meter::open_with(tree.root(), &groups, opener);
    let mut domains = meters.domains();
    let modelled = meters.without_inside(session::modelled(
        &domains,
        &host,
        &groups,
        tables,
        &StatedModels::default(),
    ));
    let models = modelled.len();
    domains.extend(modelled);
    let observations = (0..=SECONDS)
        .map(|second| {
            show(&tree, gains, second)?;
            Ok(observe(&mut meters, &groups, Moment(second * step_ns), models)?)
        })
        .collect::<io::Result<_>>()?;
    let notes: Vec<_> = meters
        .meters
        .iter_mut()
        .flat_map(|meter| meter.take_notes())
        .collect();
    // By way of their JSON, in which a field that is added later may be missing.
    let tail = json!({
        "started": 0, "ended": SECONDS * step_ns, "exit": {"code": 0}, "process_count": null, "processes": [],
        "unlisted": {"processes": 0, "on_cpu": 0}, "survivors": [], "lost": 0, "notes": notes, "rusage_cpu": null
    });
    let head = json!({
        "schema": SCHEMA, "carbon_run_version": "", "run_id": "", "project": null, "command": [],
        "started_at_unix_ns": 0, "utc_offset_s": 0, "host": host,
        "accounting": {"backend": "ebpf", "declined": []},
        "groups": groups, "domains": domains, "notes": meters.notes,
        "choices": {
            "idle_policy": "capacity", "idle_power": idle_power, "smt_weight_permille": 575, "pue": 1.0,
            "place": "world", "allocated": null
        },
    });
    let intensity = tables.intensity(&Place::World)?;
    let recording = Recording {
        head: serde_json::from_value(head)?,
        observations,
        tail: Some(serde_json::from_value(tail)?),
    };
    Ok(assemble(&recording, intensity))
}

/// Moves everything to where it is after so many seconds.
fn show(tree: &Copy, gains: &[Gain], second: u64) -> io::Result<()> {
    for gain in gains {
        match *gain {
            Gain::Zone(zone, start, per_second) => {
                let range = fs::read_to_string(tree.file(zone, "max_energy_range_uj"))?;
                // The driver's unit for that largest value: one more than it is divisible by 2^32 - 1 (limits.rs).
                let largest: u128 = range.trim().parse().map_err(io::Error::other)?;
                let unit_nj = (largest * 1_000).div_ceil((1 << 32) - 1);
                let modulus = (unit_nj << 32) / 1_000;
                let value = (u128::from(start) + u128::from(per_second * second)) % modulus;
                tree.set(zone, u64::try_from(value).map_err(io::Error::other)?)?;
            }
            Gain::Counter(file, start, per_second) => {
                fs::write(
                    tree.root().join(file),
                    format!("{}\n", start + per_second * second),
                )?;
            }
        }
    }
    Ok(())
}

fn observe(
    meters: &mut Meters,
    groups: &[CpuGroup],
    at: Moment,
    models: usize,
) -> serde_json::Result<Observation> {
    let mut readings: Vec<_> = meters
        .meters
        .iter_mut()
        .flat_map(|meter| meter.read(&mut || at))
        .collect();
    readings.extend(std::iter::repeat_n(Reading::Modelled, models));
    let busy = |cpus: u64| BusyTime {
        alone: CpuTime(cpus * at.0),
        shared: CpuTime::ZERO,
    };
    let first_of_package = |index: usize| {
        let package = groups.get(index).map(|group| group.package);
        groups.iter().position(|group| Some(group.package) == package) == Some(index)
    };
    let usage: Vec<CpuUsage> = groups
        .iter()
        .enumerate()
        .map(|(index, group)| {
            let (job, others) = (u64::from(index == 0), u64::from(first_of_package(index)));
            let cpus = group.cpus.len() as u64;
            CpuUsage {
                online: u32::try_from(cpus).unwrap_or_default(),
                idle: CpuTime((cpus - job - others) * at.0),
                job: busy(job),
                others: busy(others),
                kernel: Some(BusyTime::default()),
                ..CpuUsage::default()
            }
        })
        .collect();
    serde_json::from_value(json!({
        "at": at, "slept_ns": 0, "readings": readings, "usage": usage, "memory": null
    }))
}

/// What a report says of measured energy, for people to check and for a snapshot to hold. Figures of models are the
/// model's tests' business.
pub(crate) fn golden(report: &RunReport) -> Value {
    let figure = |figure: &Figure<Joules>| match figure {
        Figure::Known {
            origin: Origin::Estimated(model),
            ..
        } => format!("estimated by {model}"),
        Figure::Known { ranged, .. } => format!("{} J", ranged.value.get()),
        Figure::Absent(_) => "absent".to_owned(),
    };
    let domains: Vec<String> = report
        .domains
        .iter()
        .filter_map(|domain| {
            let Origin::Measured(source) = domain.origin else {
                return None;
            };
            let ledger = domain.ledger;
            Some(format!(
                "{} {} by {}: {} uJ, of which the job {} uJ",
                domain.name,
                if domain.summed { "summed" } else { "told" },
                source.name(),
                ledger.measured.0,
                ledger.job_total().0
            ))
        })
        .collect();
    json!({
        "cpu": figure(&report.energy.cpu),
        "ram": figure(&report.energy.ram),
        "total": figure(&report.energy.total),
        "coverage": report.quality.coverage.get(),
        "wraps": report.quality.wraps,
        "resets": report.quality.resets,
        "domains": domains,
        "notes": crate::tree::codes(&report.quality.notes),
    })
}
