//! `carbon-run replay RECORDING`: the report again, with other policies or another place if asked. Needs no rights and
//! looks at no machine.

use super::{Failure, Outcome, chatter};
use crate::cli::Replay;
use crate::model::assemble::assemble;
use crate::model::estimate::StatedModels;
use crate::model::journal;
use crate::model::recording::{Choices, DomainSource, FigureFrom, Head, Recording};
use crate::model::tables::Tables;
use crate::session::beyond::replace as replace_beyond;
use crate::session::cpu_table;
use crate::session::electricity::Words;
use crate::session::results::Results;
use crate::settings::{self, ReplaySettings};
use crate::sink::Screen;
use std::collections::BTreeSet;

/// Recomputes a report.
///
/// # Errors
/// When the recording cannot be read, or a place is unknown.
pub fn replay(flags: &Replay) -> Result<Outcome, Failure> {
    let settings = settings::resolve_replay(flags.recording.clone(), &flags.layer())
        .map_err(|error| Failure::own(&error, Some(error.hint().to_owned())))?;
    chatter(settings.verbose);
    let path = &settings.recording;
    let bytes = std::fs::read(path).map_err(|error| {
        Failure::own(
            format!("cannot read the recording `{}`: {error}", path.display()),
            None,
        )
    })?;
    let mut recording = journal::parse(&bytes).map_err(|error| {
        Failure::own(
            format!("`{}` is no recording: {error}", path.display()),
            Some("recordings are written by `carbon-run --record FILE COMMAND`".to_owned()),
        )
    })?;

    let tables = Tables::embedded().map_err(|error| Failure::own(&error, None))?;
    choose(&mut recording, &settings, tables)?;
    remodel(&mut recording, &settings, tables)?;
    let intensity = tables
        .intensity(&recording.head.choices.place)
        .map_err(|error| Failure::own(&error, Some(error.hint())))?;
    let report = assemble(&recording, intensity);
    let csv = settings.csv.then(|| settings.output_dir.join(&settings.table));
    Results::wanted(csv, settings.json, !settings.quiet).deliver(&report, &mut Screen::stderr());
    Ok(Outcome::Status(0))
}

/// Puts models that the person states in the place of the recorded ones. What was metered stays as it is.
fn remodel(recording: &mut Recording, settings: &ReplaySettings, tables: &Tables) -> Result<(), Failure> {
    let stated = StatedModels {
        cpus: settings
            .cpu_table
            .as_deref()
            .map(cpu_table::read)
            .transpose()
            .map_err(|error| Failure::own(&error, Some(error.hint().to_owned())))?,
        ram_per_gib: settings.ram_power,
        codecarbon: false,
    };
    let Head {
        domains,
        host,
        groups,
        ..
    } = &mut recording.head;
    let packages: BTreeSet<u32> = groups.iter().map(|group| group.package).collect();
    let packages = u32::try_from(packages.len()).unwrap_or(1);
    for domain in domains {
        match &mut domain.source {
            DomainSource::CpuModel(model) if tables.is_stated(host, &stated) == Some(true) => {
                *model = tables.cpu_power(host, packages, &stated);
            }
            DomainSource::RamModel(model) if stated.ram_per_gib.is_some() => {
                *model = tables.ram_power(host, &stated);
            }
            DomainSource::CpuModel(_)
            | DomainSource::RamModel(_)
            | DomainSource::Counter { .. }
            | DomainSource::Power { .. } => {}
        }
    }
    Ok(())
}

/// Puts what was asked for in the place of what was chosen when recording.
fn choose(recording: &mut Recording, settings: &ReplaySettings, tables: &Tables) -> Result<(), Failure> {
    let Choices {
        idle_policy,
        idle_power,
        smt_weight_permille,
        pue,
        pue_from,
        place,
        intensity_series,
        beyond,
        ..
    } = &mut recording.head.choices;
    let words = Words::of(&settings.place);
    if words.any() {
        let meant = words
            .electricity(tables)
            .map_err(|error| Failure::own(&error, Some(error.hint())))?;
        (*place, *intensity_series) = (meant.place, meant.series);
        // Another facility; what the person said of the old one holds. Older recordings do not tell who said it.
        let published = matches!(pue_from, Some(FigureFrom::Published { .. }));
        if published || (pue_from.is_none() && *pue <= 1.0) {
            (*pue, *pue_from) = tables.overhead(None, place);
        }
    }
    let devices = recording.head.gpus.as_ref().map(|gpus| gpus.devices.as_slice());
    let moved = words.any().then_some(&*place);
    let host = &recording.head.host;
    replace_beyond(
        beyond,
        &settings.beyond,
        moved,
        host,
        devices.unwrap_or_default(),
        tables,
    );
    if let Some(said) = settings.pue {
        (*pue, *pue_from) = (said, Some(FigureFrom::User));
    }
    *idle_policy = settings.idle_policy.unwrap_or(*idle_policy);
    *smt_weight_permille = settings.smt_weight_permille.unwrap_or(*smt_weight_permille);
    if let Some(stated) = &settings.idle_power {
        idle_power.clone_from(stated);
    }
    if let (Some(stated), Some(gpus)) = (&settings.gpu_idle_power, &mut recording.head.gpus) {
        gpus.state_idle(stated);
    }
    Ok(())
}
