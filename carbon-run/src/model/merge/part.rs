//! What of a run's JSON report is added up.

use crate::model::slurm::SlurmTask;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A file that is no report.
#[derive(Debug, thiserror::Error)]
pub enum BadPart {
    /// Not JSON, or not with the fields of a report.
    #[error("it is no report: {0}")]
    Shape(#[from] serde_json::Error),
    /// Another document.
    #[error("its schema is `{0}`, not `carbon-run/report/1`")]
    Schema(String),
    /// A time that is none.
    #[error("`{0}` is no time")]
    Time(String),
}

/// A report, as far as it is added up.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The run's id.
    pub run_id: String,
    /// The run inside which it ran.
    pub inside_run: Option<String>,
    /// The version of carbon-run.
    pub version: String,
    /// The project.
    pub project: Option<String>,
    /// The experiment's id.
    pub experiment_id: Option<String>,
    /// The command, for people.
    pub command: Vec<String>,
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    pub started_ns: i64,
    /// Seconds.
    pub duration_s: f64,
    /// CPU seconds; `None`: not counted.
    pub cpu_time_s: Option<f64>,
    /// Processes; `None`: not counted.
    pub processes: Option<u64>,
    /// The job's energy.
    pub energy: PartEnergy,
    /// Whether any of it is an estimate; `None` where there is none.
    pub estimated: Option<bool>,
    /// Grams, with their range.
    pub emissions_g: Option<(f64, f64, f64)>,
    /// Who pays for idle power.
    pub idle_policy: String,
    /// Where the electricity comes from.
    pub place: String,
    /// Facility energy per IT energy.
    pub pue: f64,
    /// The machine's name.
    pub hostname: Option<String>,
    /// Its task in a Slurm job.
    pub task: Option<SlurmTask>,
    /// Slurm's account of the job.
    pub account: Option<String>,
    /// Domains whose energy is known.
    pub domains: Vec<PartDomain>,
    /// Whether it has no warnings.
    pub clean: bool,
    /// Whether its launcher saw the end of the command; otherwise it was killed, or still runs.
    pub finished: bool,
}

/// Joules; each `None` where it is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
pub struct PartEnergy {
    /// All of it.
    pub total: Option<f64>,
    /// CPUs.
    pub cpu: Option<f64>,
    /// Memory.
    pub ram: Option<f64>,
    /// GPUs.
    pub gpu: Option<f64>,
    /// The range of the total.
    #[serde(skip)]
    pub range: Option<(f64, f64)>,
}

/// A domain.
#[derive(Debug, Clone, PartialEq)]
pub struct PartDomain {
    /// Its name on that machine.
    pub name: String,
    /// Whether it is added up.
    pub summed: bool,
    /// Whether a meter was read.
    pub metered: bool,
    /// What the machine used, microjoules.
    pub measured_uj: f64,
    /// What it covers: `package`, `dram`, `gpu`.
    pub kind: String,
    /// What of it is the job's, idle part included, microjoules.
    pub job_uj: f64,
    /// The idle part of that, microjoules.
    pub idle_uj: f64,
}

#[derive(Deserialize)]
struct Report {
    run_id: String,
    inside_run: Option<String>,
    carbon_run_version: String,
    project: Option<String>,
    experiment_id: Option<String>,
    command: Vec<String>,
    started_at: String,
    duration_s: f64,
    cpu_time_s: Option<f64>,
    processes: Option<u64>,
    energy_j: PartEnergy,
    energy_range_j: Option<Bounds>,
    energy_origin: Origins,
    emissions_g: Option<f64>,
    emissions_range_g: Option<Bounds>,
    idle_policy: String,
    intensity: Electricity,
    pue: f64,
    host: Machine,
    #[serde(default)]
    domains: Vec<Domain>,
    quality: Trust,
    exit: Option<Value>,
}

#[derive(Deserialize, Clone, Copy)]
struct Bounds {
    low: f64,
    high: f64,
}

#[derive(Deserialize)]
struct Origins {
    total: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Electricity {
    place: String,
}

#[derive(Deserialize)]
struct Machine {
    hostname: Option<String>,
    #[serde(default)]
    slurm: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Domain {
    name: String,
    kind: String,
    summed: bool,
    origin: BTreeMap<String, Value>,
    measured_uj: Option<f64>,
    job_uj: Option<f64>,
    job_idle_uj: Option<f64>,
}

#[derive(Deserialize)]
struct Trust {
    clean: bool,
}

impl Part {
    /// A report as `--json` writes it.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(json: &[u8]) -> Result<Self, BadPart> {
        let value: Value = serde_json::from_slice(json)?;
        let schema = value.get("schema").and_then(Value::as_str).unwrap_or("none");
        if schema != "carbon-run/report/1" {
            return Err(BadPart::Schema(schema.to_owned()));
        }
        let report: Report = serde_json::from_value(value)?;
        let started = report.started_at.parse::<jiff::Timestamp>();
        let started = started.map_err(|_| BadPart::Time(report.started_at.clone()))?;
        let range = report.energy_range_j.map(|range| (range.low, range.high));
        let emissions = report.emissions_g.map(|grams| {
            let range = report.emissions_range_g.unwrap_or(Bounds {
                low: grams,
                high: grams,
            });
            (range.low, grams, range.high)
        });
        Ok(Self {
            task: SlurmTask::of(&report.host.slurm),
            account: report.host.slurm.get("job_account").cloned(),
            started_ns: i64::try_from(started.as_nanosecond())
                .map_err(|_| BadPart::Time(report.started_at.clone()))?,
            energy: PartEnergy {
                range,
                ..report.energy_j
            },
            estimated: report
                .energy_j
                .total
                .map(|_| report.energy_origin.total.contains_key("estimated")),
            emissions_g: emissions,
            run_id: report.run_id,
            inside_run: report.inside_run,
            version: report.carbon_run_version,
            project: report.project,
            experiment_id: report.experiment_id,
            command: report.command,
            duration_s: report.duration_s,
            cpu_time_s: report.cpu_time_s,
            processes: report.processes,
            idle_policy: report.idle_policy,
            place: report.intensity.place,
            pue: report.pue,
            hostname: report.host.hostname,
            domains: report.domains.into_iter().filter_map(PartDomain::of).collect(),
            clean: report.quality.clean,
            finished: report.exit.is_some(),
        })
    }
}

impl Part {
    /// When it ended: nanoseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn ended_ns(&self) -> i64 {
        self.started_ns.saturating_add((self.duration_s * 1e9) as i64)
    }
}

impl PartDomain {
    /// A domain of a report; `None`: its energy is not known.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(json: &[u8]) -> Result<Option<Self>, BadPart> {
        Ok(Self::of(serde_json::from_slice(json)?))
    }

    fn of(domain: Domain) -> Option<Self> {
        let idle_uj = domain.job_idle_uj?;
        Some(Self {
            metered: domain.origin.contains_key("measured"),
            measured_uj: domain.measured_uj?,
            job_uj: domain.job_uj? + idle_uj,
            idle_uj,
            name: domain.name,
            kind: domain.kind,
            summed: domain.summed,
        })
    }
}
