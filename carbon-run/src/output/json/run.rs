//! The whole object, in the order in which it is read.

use super::beyond::Beyond;
use super::domain::Domain;
use super::energy::{EmissionsRange, EnergyOrigins, EnergyRange, EnergyRanges, JobEnergy};
use super::gpu::Gpu;
use super::intensity::Intensity;
use super::phases::{Figures, Phase};
use super::trust::{Accounting, Quality};
use crate::model::recording::{Arg, Exit, FigureFrom};
use crate::model::report::RunReport;
use crate::output::wall_clock;
use serde::Serialize;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;

/// Why a figure of CPU time or a count is null.
pub(super) const NOT_COUNTED: &str = "the accounting in use does not count it";

#[derive(Serialize)]
pub(super) struct Run<'a> {
    schema: &'static str,
    carbon_run_version: &'a str,
    data_version: &'a str,
    run_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    inside_run: Option<&'a str>,
    project: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    experiment_id: Option<&'a str>,
    command: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_bytes: Option<Vec<String>>,
    started_at: String,
    ended_at: String,
    duration_s: f64,
    exit: Option<Ending>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_reason: Option<&'static str>,
    cpu_time_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_time_s_reason: Option<&'static str>,
    others_cpu_time_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    others_cpu_time_s_reason: Option<&'static str>,
    interrupt_time_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interrupt_time_s_reason: Option<&'static str>,
    interrupt_time_in_job_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interrupt_time_in_job_s_reason: Option<&'static str>,
    stolen_time_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stolen_time_s_reason: Option<&'static str>,
    processes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    processes_reason: Option<&'static str>,
    mean_memory_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mean_memory_bytes_reason: Option<&'static str>,
    accounting: Accounting<'a>,
    energy_j: JobEnergy<'a>,
    energy_range_j: Option<EnergyRange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    energy_range_j_reason: Option<&'a str>,
    energy_ranges_j: EnergyRanges<'a>,
    energy_origin: EnergyOrigins<'a>,
    idle_policy: &'static str,
    domains: Vec<Domain<'a>>,
    gpus: Vec<Gpu<'a>>,
    intensity: Intensity<'a>,
    pue: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pue_reason: Option<&'static str>,
    /// Absent where nobody says so and it is 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pue_source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pue_year: Option<u16>,
    emissions_g: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    emissions_g_reason: Option<&'a str>,
    emissions_range_g: Option<EmissionsRange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    emissions_range_g_reason: Option<&'a str>,
    #[serde(flatten)]
    beyond: Beyond<'a>,
    phases: Vec<Phase<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outside_phases: Option<Figures<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phases_overlap: Option<bool>,
    host: Host<'a>,
    quality: Quality<'a>,
    busiest_processes: Vec<Process<'a>>,
    unlisted_processes: Unlisted,
    survivors: Vec<Survivor<'a>>,
}

#[derive(Serialize)]
struct Ending {
    code: Option<i32>,
    signal: Option<i32>,
}

#[derive(Serialize)]
struct Host<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    os: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    architecture: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_vendor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_family: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_model_number: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_stepping: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpus: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packages: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cores: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threads_per_core: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    virtualization: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_cpus: Option<u32>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    slurm: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Process<'a> {
    pid: u32,
    parent: u32,
    comm: &'a str,
    cpu_time_s: f64,
}

#[derive(Serialize)]
struct Unlisted {
    processes: u64,
    cpu_time_s: f64,
}

#[derive(Serialize)]
struct Survivor<'a> {
    pid: u32,
    comm: &'a str,
}

impl<'a> From<&'a RunReport> for Run<'a> {
    fn from(report: &'a RunReport) -> Self {
        let why = |missing: bool| missing.then_some(NOT_COUNTED);
        let total = &report.energy.total;
        let pue = Some(report.pue).filter(|pue| pue.is_finite());
        Self {
            schema: super::SCHEMA,
            carbon_run_version: &report.carbon_run_version,
            data_version: &report.data_version,
            run_id: &report.run_id,
            inside_run: report.inside.as_deref(),
            project: report.project.as_deref(),
            experiment_id: report.experiment_id.as_deref(),
            command: report.command.iter().map(Arg::lossy).collect(),
            command_bytes: command_bytes(&report.command),
            started_at: wall_clock::start(report).rfc3339(),
            ended_at: wall_clock::end(report).rfc3339(),
            duration_s: report.duration.as_secs_f64(),
            exit: report.exit.map(Ending::from),
            exit_reason: report
                .exit
                .is_none()
                .then_some("carbon-run did not live to see the command end"),
            cpu_time_s: report.cpu_time.map(|time| time.seconds()),
            cpu_time_s_reason: why(report.cpu_time.is_none()),
            others_cpu_time_s: report.others_cpu_time.map(|time| time.seconds()),
            others_cpu_time_s_reason: why(report.others_cpu_time.is_none()),
            interrupt_time_s: report.taken.interrupts.map(|time| time.seconds()),
            interrupt_time_s_reason: why(report.taken.interrupts.is_none()),
            interrupt_time_in_job_s: report.taken.interrupts_in_job.map(|time| time.seconds()),
            interrupt_time_in_job_s_reason: why(report.taken.interrupts_in_job.is_none()),
            stolen_time_s: report.taken.stolen.map(|time| time.seconds()),
            stolen_time_s_reason: why(report.taken.stolen.is_none()),
            processes: report.process_count,
            processes_reason: why(report.process_count.is_none()),
            mean_memory_bytes: report.mean_memory_bytes,
            mean_memory_bytes_reason: report
                .mean_memory_bytes
                .is_none()
                .then_some("the job's memory was not looked at"),
            accounting: Accounting::from(report),
            energy_j: JobEnergy::from(&report.energy),
            energy_range_j: total.ranged().map(EnergyRange::from),
            energy_range_j_reason: total.reason(),
            energy_ranges_j: EnergyRanges::from(&report.energy),
            energy_origin: EnergyOrigins::from(&report.energy),
            idle_policy: report.idle_policy.name(),
            domains: report.domains.iter().map(Domain::from).collect(),
            gpus: Gpu::all(report),
            intensity: Intensity::from(&report.intensity),
            pue,
            pue_source: report.pue_from.as_ref().map(FigureFrom::who),
            pue_year: report.pue_from.as_ref().and_then(FigureFrom::year),
            pue_reason: pue.is_none().then_some("not a number"),
            emissions_g: report.emissions.value().map(|mass| mass.get()),
            emissions_g_reason: report.emissions.reason(),
            emissions_range_g: report.emissions.ranged().map(EmissionsRange::from),
            emissions_range_g_reason: report.emissions.reason(),
            beyond: Beyond::from(&report.beyond),
            phases: Phase::all(report),
            outside_phases: report.phases.outside.as_ref().map(Figures::from),
            phases_overlap: report
                .phases
                .outside
                .is_some()
                .then_some(report.phases.overlapped),
            host: Host::from(&report.host),
            quality: Quality::from(&report.quality),
            busiest_processes: report.processes.iter().map(Process::from).collect(),
            unlisted_processes: Unlisted {
                processes: report.unlisted.processes,
                cpu_time_s: report.unlisted.on_cpu.seconds(),
            },
            survivors: report
                .survivors
                .iter()
                .map(|one| Survivor {
                    pid: one.pid,
                    comm: &one.comm,
                })
                .collect(),
        }
    }
}

/// All arguments in hexadecimal, when the text alone would lose any of them.
fn command_bytes(command: &[Arg]) -> Option<Vec<String>> {
    let lossy = command.iter().any(|arg| arg.to_os_string().to_str().is_none());
    let hexadecimal = |arg: &Arg| {
        arg.to_os_string()
            .as_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    lossy.then(|| command.iter().map(hexadecimal).collect())
}

impl From<Exit> for Ending {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Code(code) => Self {
                code: Some(code),
                signal: None,
            },
            Exit::Signal(signal) => Self {
                code: None,
                signal: Some(signal),
            },
        }
    }
}

impl<'a> From<&'a crate::model::recording::Host> for Host<'a> {
    fn from(host: &'a crate::model::recording::Host) -> Self {
        Self {
            hostname: host.hostname.as_deref(),
            os: host.os.as_deref(),
            architecture: host.architecture.as_deref(),
            cpu_model: host.cpu_model.as_deref(),
            cpu_vendor: host.cpu_vendor.as_deref(),
            cpu_family: host.cpu_family,
            cpu_model_number: host.cpu_model_number,
            cpu_stepping: host.cpu_stepping,
            cpus: host.cpus,
            packages: host.packages,
            cores: host.cores,
            threads_per_core: host.threads_per_core,
            memory_bytes: host.memory_bytes,
            virtualization: host.virtualization.as_deref(),
            allowed_cpus: host.allowed_cpus,
            slurm: &host.slurm,
        }
    }
}

impl<'a> From<&'a crate::model::recording::ProcessUse> for Process<'a> {
    fn from(process: &'a crate::model::recording::ProcessUse) -> Self {
        Self {
            pid: process.pid,
            parent: process.parent,
            comm: &process.comm,
            cpu_time_s: process.on_cpu.seconds(),
        }
    }
}
