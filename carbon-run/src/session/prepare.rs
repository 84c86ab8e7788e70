//! Everything that is known before the command starts.

use super::allocation::allocation;
use super::beyond::beyond;
use super::by_daemon;
use super::cpu_table::{self, CpuTableFileError};
use super::electricity::{Electricity, ElectricityError, uncovered};
use super::in_force::in_force;
use super::live;
use super::observer::Observer;
use super::power_store::PowerStore;
use super::{RUN_ID, clocks, gpus, under_slurm, words};
use crate::accounting::{self, AccountingError, Opened};
use crate::host::{self, HostError};
use crate::launch::sheltered;
use crate::meter;
use crate::model::codecarbon;
use crate::model::estimate::StatedModels;
use crate::model::recording::{
    Beyond, Choices, CpuGroup, Domain, DomainKind, DomainSource, Head, Host, IdlePolicy, KnownPower, Note,
    Origin, Place, SCHEMA,
};
use crate::model::report::Intensity;
use crate::model::tables::{TableError, Tables};
use crate::settings::{Key, Origin as Said, Settings};
use std::time::Duration;

/// Why carbon-run could not get ready. The command was not started.
#[derive(Debug, thiserror::Error)]
pub enum NotPrepared {
    /// The tables in the binary.
    #[error(transparent)]
    Tables(#[from] TableError),
    /// The place that was named, or the file of intensities.
    #[error(transparent)]
    Electricity(#[from] ElectricityError),
    /// The person's table of CPU power.
    #[error(transparent)]
    CpuTable(#[from] CpuTableFileError),
    /// No way to count CPU time.
    #[error(transparent)]
    Accounting(#[from] AccountingError),
    /// The CPUs cannot be told.
    #[error(transparent)]
    Host(#[from] HostError),
    /// `--strict`, and the measurement would be degraded.
    #[error("{message}")]
    Strict {
        /// What is wrong.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// There is nothing to run.
    #[error("no command given")]
    NoCommand,
}

impl NotPrepared {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Electricity(error) => Some(error.hint()),
            Self::CpuTable(error) => Some(error.hint().to_owned()),
            Self::Accounting(error) => error.remedy(),
            Self::Strict { hint, .. } => hint.clone(),
            Self::Tables(_) | Self::Host(_) | Self::NoCommand => None,
        }
    }

    /// `--strict`: a note that would degrade the report is an error.
    pub(super) fn strict(note: &Note) -> Self {
        Self::Strict {
            message: note.message.clone(),
            hint: note.hint.clone(),
        }
    }
}

/// Ready to start.
pub(super) struct Prepared {
    pub(super) head: Head,
    pub(super) intensity: Intensity,
    pub(super) observer: Observer,
    /// The shortest time in which an energy counter can go round.
    pub(super) shortest_wrap: Option<Duration>,
    /// The longest time between two readings with which every meter's figures are good.
    pub(super) longest_pause: Option<Duration>,
    /// Who is to be asked for the carbon intensity.
    pub(super) live: Option<live::Plan>,
}

pub(super) fn prepare(settings: &Settings, run_id: String) -> Result<Prepared, NotPrepared> {
    let tables = Tables::embedded()?;
    let (electricity, misplaced) = in_force(settings, tables)?;
    let Electricity {
        place,
        intensity,
        series,
    } = electricity;

    let host = Host {
        slurm: host::slurm(std::env::vars_os()),
        ..host::probe(&settings.sysroot)
    };
    let topology = host::topology(&settings.sysroot)?;
    let daemon = by_daemon::find(settings)?;
    let groups = match &daemon {
        Ok(daemon) => daemon.machine().groups.clone(),
        Err(_) => topology.groups.clone(),
    };
    // Drivers' libraries start threads and open files.
    let opened = match &daemon {
        Ok(daemon) => by_daemon::meters(daemon),
        Err(_) => sheltered(|| meter::open(&settings.sysroot, &groups)),
    };
    let graphics = sheltered(|| meter::open_gpus(&settings.sysroot, settings.nvml_library.as_deref()));
    let (live, unasked) = match live::plan(settings, &place, tables) {
        Ok(live) => (live, None),
        Err(note) => (None, Some(note)),
    };
    let mut domains = opened.domains();
    let (gpus, unclear) = gpus::facts(
        &graphics.meters,
        domains.len(),
        graphics.absent,
        &settings.gpu_idle_power,
    );
    let mut notes: Vec<Note> = settings
        .notes
        .iter()
        .chain(&topology.notes)
        .chain(&opened.notes)
        .chain(&graphics.notes)
        .cloned()
        .chain(misplaced)
        .chain(unasked)
        .chain(unclear)
        .chain(under_slurm::elsewhere(&words(settings), &settings.cgroups))
        .chain(gpus::misfit(&gpus, &settings.gpu_idle_power))
        .collect();

    domains.extend(graphics.meters.iter().flat_map(|meter| meter.domains().to_vec()));
    let power = known_power(settings, &domains, &host);
    let stated = stated_models(settings)?;
    notes.extend(unlisted_cpu(&stated, &host, tables));
    let modelled = opened.without_inside(modelled(&domains, &host, &groups, tables, &stated));
    let memory = modelled.iter().any(|domain| domain.kind == DomainKind::Dram);
    let modelled_count = modelled.len();
    domains.extend(modelled);

    let accounting = match daemon {
        Ok(daemon) => Opened::of(Box::new(daemon)),
        Err(declined) => {
            let opened = accounting::open(settings.accounting, &groups, &topology.siblings)?;
            opened.declining(declined)
        }
    };
    if settings.strict {
        let declined = accounting
            .facts
            .declined
            .iter()
            .map(|declined| NotPrepared::Strict {
                message: format!(
                    "`{}` accounting could not be used: {}",
                    declined.backend.name(),
                    declined.reason
                ),
                hint: declined.remedy.clone(),
            });
        let uncovered = series
            .as_ref()
            .and_then(|series| uncovered(series, clocks::wall().0));
        let degraded = uncovered
            .iter()
            .chain(&notes)
            .filter(|note| note.degrades)
            .map(NotPrepared::strict);
        if let Some(error) = degraded.chain(declined).next() {
            return Err(error);
        }
    }

    let shortest_wrap = opened.shortest_wrap();
    let longest_pause = graphics
        .meters
        .iter()
        .filter_map(|meter| meter.longest_pause())
        .min();
    let mut meters = opened.meters;
    meters.extend(graphics.meters);
    let observer =
        Observer::new(accounting.accounting, meters, modelled_count, memory).with_groups(&settings.cgroups);
    let (started_at_unix_ns, utc_offset_s) = clocks::wall();
    let head = Head {
        schema: SCHEMA.to_owned(),
        carbon_run_version: env!("CARGO_PKG_VERSION").to_owned(),
        run_id,
        // An outer run gives its own to its command, and so to us.
        inside: std::env::var(RUN_ID)
            .ok()
            .filter(|outer| uuid::Uuid::parse_str(outer).is_ok()),
        project: settings.project.clone(),
        experiment_id: settings.experiment_id.clone(),
        command: words(settings),
        started_at_unix_ns,
        utc_offset_s,
        accounting: accounting.facts,
        groups,
        domains,
        choices: Choices {
            beyond: beyond(&settings.beyond, &place, &host, &gpus.devices, tables),
            live: live.as_ref().map(|live| live.known(started_at_unix_ns)),
            intensity_series: series.map(|series| series.since(started_at_unix_ns)),
            ..choices(settings, place, &host, tables)
        },
        gpus: Some(gpus),
        host,
        notes,
        power,
    };
    Ok(Prepared {
        head,
        intensity,
        observer,
        shortest_wrap,
        longest_pause,
        live,
    })
}

/// What the person says of the machine's power: the table is read, so that a mistake in it is told before the start.
pub(super) fn stated_models(settings: &Settings) -> Result<StatedModels, CpuTableFileError> {
    Ok(StatedModels {
        cpus: settings.cpu_table.as_deref().map(cpu_table::read).transpose()?,
        ram_per_gib: settings.ram_power,
        codecarbon: settings.codecarbon_compatible,
    })
}

/// A table without the machine's CPU is no mistake (it may be for many machines), but worth a word.
pub(super) fn unlisted_cpu(stated: &StatedModels, host: &Host, tables: &Tables) -> Option<Note> {
    let table = stated.cpus.as_ref()?;
    (tables.is_stated(host, stated) == Some(false)).then(|| Note {
        code: "cpu-not-in-table".to_owned(),
        message: format!(
            "`{}` has no row for this CPU, `{}`",
            table.file(),
            host.cpu_model.as_deref().unwrap_or("unknown")
        ),
        hint: Some("`model` is the name as /proc/cpuinfo has it".to_owned()),
        degrades: false,
    })
}

/// What was kept of this machine's power, for what has a meter.
pub(super) fn known_power(settings: &Settings, measured: &[Domain], host: &Host) -> KnownPower {
    if measured.is_empty() {
        return KnownPower::default();
    }
    PowerStore::of(settings).known(host::conditions(&settings.sysroot, host))
}

/// Models for what has no meter: the CPUs, the memory.
#[must_use]
pub fn modelled(
    measured: &[Domain],
    host: &Host,
    groups: &[CpuGroup],
    tables: &Tables,
    stated: &StatedModels,
) -> Vec<Domain> {
    let missing = |kind| !measured.iter().any(|domain| domain.kind == kind && domain.summed);
    let label = |model: &str| {
        let label = if stated.codecarbon {
            codecarbon::LABEL
        } else {
            model
        };
        label.to_owned()
    };
    let mut domains = Vec::new();
    if missing(DomainKind::Package) {
        let mut packages: Vec<u32> = groups.iter().map(|group| group.package).collect();
        packages.sort_unstable();
        packages.dedup();
        let count = u32::try_from(packages.len()).unwrap_or(1).max(1);
        domains.push(Domain {
            name: "cpu-model".to_owned(),
            kind: DomainKind::Package,
            origin: Origin::Estimated(label("cpu-model")),
            groups: Vec::new(),
            summed: true,
            source: DomainSource::CpuModel(tables.cpu_power(host, count, stated)),
        });
    }
    if missing(DomainKind::Dram) {
        domains.push(Domain {
            name: "ram-model".to_owned(),
            kind: DomainKind::Dram,
            origin: Origin::Estimated(label("ram-model")),
            groups: Vec::new(),
            summed: true,
            source: DomainSource::RamModel(tables.ram_power(host, stated)),
        });
    }
    domains
}

pub(super) fn choices(settings: &Settings, place: Place, host: &Host, tables: &Tables) -> Choices {
    let allocation = allocation(host);
    let (pue, pue_from) = tables.overhead(settings.pue, &place);
    let by_situation = if allocation.is_some() {
        IdlePolicy::Allocated
    } else {
        IdlePolicy::Capacity
    };
    Choices {
        idle_policy: settings.idle_policy.unwrap_or(by_situation),
        idle_power: settings.idle_power.clone(),
        smt_weight_permille: smt_weight_permille(settings),
        pue,
        pue_from,
        place,
        intensity_series: None,
        live: None,
        beyond: Beyond::default(),
        allocated: allocation.map(|allocation| allocation.share),
        // Slurm without a cpuset tells how many, and not which.
        allocated_cpus: host.allowed_cpus.and_then(|_| host::allowed_cpus()),
        allocated_among: allocation
            .and_then(|allocation| u32::try_from(allocation.among).ok())
            .filter(|tasks| *tasks > 1),
    }
}

/// CodeCarbon takes a thread beside a busy sibling for a whole one.
fn smt_weight_permille(settings: &Settings) -> u32 {
    if settings.codecarbon_compatible && *settings.origin(Key::SmtWeight) == Said::Default {
        1000
    } else {
        settings.smt_weight_permille
    }
}
