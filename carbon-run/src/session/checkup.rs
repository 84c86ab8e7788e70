//! A look at what this machine lets us measure, by the same code that measures.

use super::clocks;
use super::electricity::ElectricityError;
use super::in_force::in_force;
use super::{gpus, live, prepare};
use crate::accounting::daemon::Daemon;
use crate::accounting::{self, AccountingError};
use crate::host::{self, HostError, Topology};
use crate::launch::sheltered;
use crate::meter::{self, drm, nvml, powercap};
use crate::model::assemble::{gpu_idle_before, idle_before};
use crate::model::checkup::{Check, Checkup, IdleCheck, SCHEMA};
use crate::model::recording::{
    AccountingFacts, Backend, Choices, CpuGroup, Domain, DomainSource, Head, Host,
};
use crate::model::report::IdlePower;
use crate::model::tables::{TableError, Tables};
use crate::model::units::Watts;
use crate::settings::Settings;
use crate::sink::probe_writable;

/// Why there is no check-up.
#[derive(Debug, thiserror::Error)]
pub enum CheckupError {
    /// The tables in the binary.
    #[error(transparent)]
    Tables(#[from] TableError),
    /// The place that was named, or the file of intensities.
    #[error(transparent)]
    Electricity(#[from] ElectricityError),
    /// The person's table of CPU power.
    #[error(transparent)]
    CpuTable(#[from] super::cpu_table::CpuTableFileError),
    /// The CPUs cannot be told.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// Looks at everything.
///
/// # Errors
/// When the settings name no known place, or the machine names no CPU.
pub fn checkup(settings: &Settings) -> Result<Checkup, CheckupError> {
    let tables = Tables::embedded()?;
    let (electricity, misplaced) = in_force(settings, tables)?;
    let host = Host {
        slurm: host::slurm(std::env::vars_os()),
        ..host::probe(&settings.sysroot)
    };
    let topology = host::topology(&settings.sysroot)?;

    let opened = meter::open(&settings.sysroot, &topology.groups);
    let stated = prepare::stated_models(settings)?;
    let models = prepare::modelled(&opened.domains(), &host, &topology.groups, tables, &stated);
    let models = opened.without_inside(models);
    let (mut cpu_model, mut ram_model) = (None, None);
    for model in models {
        match model.source {
            DomainSource::CpuModel(model) => cpu_model = Some(model),
            DomainSource::RamModel(model) => ram_model = Some(model),
            DomainSource::Counter { .. } | DomainSource::Power { .. } => {}
        }
    }
    let mut said = electricity.said_at(clocks::wall().0);
    let unasked = match live::plan(settings, &electricity.place, tables) {
        Ok(plan) => {
            let asked = plan.map(|plan| format!("; while a run goes on, {} is asked", plan.said()));
            said.push_str(&asked.unwrap_or_default());
            None
        }
        Err(note) => Some(note),
    };
    let table = settings.output_dir.join(&settings.table);
    let written = probe_writable(&table);
    Ok(Checkup {
        schema: SCHEMA,
        carbon_run_version: env!("CARGO_PKG_VERSION").to_owned(),
        packages: packages(&topology.groups),
        accounting: Backend::ALL
            .map(|backend| rung(settings, backend, &topology))
            .into(),
        gpus: devices(settings),
        meters: meters(settings, &topology.groups),
        idle_power: idle_power(
            settings,
            prepare::choices(settings, electricity.place.clone(), &host, tables),
            &host,
            &topology,
            opened.domains(),
        ),
        cpu_model,
        ram_model,
        place_named: electricity.series.is_some() || !electricity.intensity.assumed,
        electricity: said,
        table: Check {
            name: table.display().to_string(),
            gives: "can be written".to_owned(),
            remedy: written.as_ref().err().and_then(crate::sink::SinkError::hint),
            failure: written.err().map(|error| error.to_string()),
        },
        settings: settings
            .explain()
            .filter_map(|(key, value, origin)| Some(format!("{} = {} ({origin})", key.name(), value?)))
            .filter(|said| !said.ends_with("(default)"))
            .chain(secrets(settings))
            .collect(),
        unused: settings
            .unused
            .iter()
            .map(|unused| format!("{} ({}): {}", unused.key, unused.origin, unused.why))
            .collect(),
        notes: settings
            .notes
            .iter()
            .cloned()
            .chain(misplaced)
            .chain(unasked)
            .collect(),
        host,
    })
}

/// That there is one, and where; never what it is.
fn secrets(settings: &Settings) -> Vec<String> {
    let origins = settings.publishing.secret_origins.iter();
    origins
        .map(|(secret, origin)| format!("{} = ... ({origin})", secret.name()))
        .collect()
}

/// By the same policy as a run's, before the run.
fn idle_power(
    settings: &Settings,
    choices: Choices,
    host: &Host,
    topology: &Topology,
    mut domains: Vec<Domain>,
) -> Vec<IdleCheck> {
    let graphics = sheltered(|| meter::open_gpus(&settings.sysroot, settings.nvml_library.as_deref()));
    let (devices, _) = gpus::facts(
        &graphics.meters,
        domains.len(),
        graphics.absent,
        &settings.gpu_idle_power,
    );
    domains.extend(graphics.meters.iter().flat_map(|meter| meter.domains().to_vec()));
    let head = Head {
        schema: String::new(),
        carbon_run_version: String::new(),
        run_id: String::new(),
        inside: None,
        project: None,
        experiment_id: None,
        command: Vec::new(),
        started_at_unix_ns: 0,
        utc_offset_s: 0,
        accounting: AccountingFacts {
            backend: Backend::Procfs,
            declined: Vec::new(),
        },
        groups: topology.groups.clone(),
        gpus: Some(devices),
        power: prepare::known_power(settings, &domains, host),
        choices,
        host: host.clone(),
        domains,
        notes: Vec::new(),
    };
    let mut checks = Vec::new();
    for (at, (domain, idle)) in head.domains.iter().zip(idle_before(&head)).enumerate() {
        if !domain.summed {
            continue;
        }
        let devices = head.gpus.iter().flat_map(|gpus| &gpus.devices);
        let gpu = devices.into_iter().find(|gpu| gpu.domain == Some(at));
        checks.push(idle_check(&domain.name, gpu.map(|_| "resident"), idle));
        // A run finds out by itself what a device draws with nobody on it.
        let deep = gpu.map(|gpu| gpu_idle_before(gpu, &head).deep);
        if let Some(deep) = deep.filter(|deep| deep.watts().is_some()) {
            checks.push(idle_check(&domain.name, Some("deep"), deep));
        }
    }
    checks
}

fn idle_check(name: &str, state: Option<&'static str>, idle: IdlePower) -> IdleCheck {
    IdleCheck {
        name: name.to_owned(),
        state,
        basis: idle.basis(),
        watts: idle.watts().map(Watts::get),
        spread_watts: idle.spread().map(Watts::get),
        as_of_unix_ns: idle.found().map(|found| found.as_of_unix_ns),
    }
}

fn rung(settings: &Settings, backend: Backend, topology: &Topology) -> Check {
    let gives = match backend {
        Backend::Daemon => "as ebpf, and the daemon's meters, without any right",
        Backend::Ebpf => "on-CPU time of every descendant and of everybody else, exact, per CPU",
        Backend::Perf => {
            "on-CPU time of every descendant, the ends of short processes from rusage; the others in clock ticks"
        }
        Backend::Cgroup => "CPU time of the job's own control group, exact; the others in clock ticks",
        Backend::Procfs => {
            "CPU time from /proc and rusage: exact for processes that were waited for, else sampled"
        }
    };
    let failure = match backend {
        Backend::Daemon => Daemon::connect(&settings.daemon_socket)
            .err()
            .map(AccountingError::from),
        Backend::Ebpf | Backend::Perf | Backend::Cgroup | Backend::Procfs => {
            accounting::open(Some(backend), &topology.groups, &topology.siblings).err()
        }
    };
    Check {
        name: backend.name().to_owned(),
        gives: gives.to_owned(),
        remedy: failure.as_ref().and_then(AccountingError::remedy),
        failure: failure.map(|error| error.to_string()),
    }
}

/// Best first: perf, powercap, hwmon.
fn meters(settings: &Settings, groups: &[CpuGroup]) -> Vec<Check> {
    let sysroot = &settings.sysroot;
    let check = |sensor: meter::Sensor| Check {
        name: sensor.name,
        gives: sensor.gives,
        failure: sensor.failure,
        remedy: sensor.remedy,
    };
    meter::perf::survey(sysroot, groups, &mut meter::perf::open_event)
        .into_iter()
        .map(check)
        .chain(zones(settings))
        .chain(meter::hwmon::survey(sysroot).into_iter().map(check))
        .collect()
}

fn zones(settings: &Settings) -> Vec<Check> {
    let nothing = |failure: String, remedy: Option<&str>| {
        vec![Check {
            name: "powercap".to_owned(),
            gives: String::new(),
            remedy: remedy.map(str::to_owned),
            failure: Some(failure),
        }]
    };
    match powercap::survey(&settings.sysroot) {
        Ok(zones) if zones.is_empty() => {
            let class = settings.sysroot.join("sys/class/powercap");
            nothing(
                format!("no energy counter under `{}`", class.display()),
                Some(powercap::NONE),
            )
        }
        Ok(zones) => zones
            .into_iter()
            .map(|zone| Check {
                gives: match &zone.name {
                    Some(name) => format!("{name}, from {}", zone.path.display()),
                    None => zone.path.display().to_string(),
                },
                name: zone.id,
                failure: zone.failure,
                remedy: zone.remedy,
            })
            .collect(),
        Err(error) => nothing(error.to_string(), error.remedy()),
    }
}

fn devices(settings: &Settings) -> Vec<Check> {
    nvml::survey(&settings.sysroot, settings.nvml_library.as_deref())
        .into_iter()
        .map(|device| Check {
            name: device.name,
            gives: device.gives,
            failure: device.failure,
            remedy: device.remedy,
        })
        .chain(cards(settings))
        .collect()
}

fn cards(settings: &Settings) -> Vec<Check> {
    let check = |name: String, gives: String, failure: Option<String>| Check {
        name,
        gives,
        failure,
        remedy: None,
    };
    match drm::survey(&settings.sysroot) {
        Ok(cards) => cards
            .into_iter()
            .map(|card| check(card.name, card.gives, card.failure))
            .collect(),
        Err(error) => vec![check("graphics cards".to_owned(), String::new(), Some(error))],
    }
}

fn packages(groups: &[CpuGroup]) -> Vec<String> {
    groups
        .iter()
        .map(|group| {
            let cpus: Vec<String> = group.cpus.iter().map(u32::to_string).collect();
            format!(
                "package {} die {}: CPUs {}",
                group.package,
                group.die,
                cpus.join(",")
            )
        })
        .collect()
}
