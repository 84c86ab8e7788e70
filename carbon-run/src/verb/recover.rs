//! `carbon-run recover`: finishes the books of runs whose launcher was killed.

use super::{Failure, Outcome, print};
use crate::cli::Recover;
use crate::model::checkpoint::Fate;
use crate::session::kept_runs::{KeptRun, kept_runs};
use crate::settings::{self, Surroundings};
use crate::sink::Screen;

/// Delivers what such runs would have delivered.
///
/// # Errors
/// When a run that was named cannot be finished.
pub fn recover(flags: &Recover) -> Result<Outcome, Failure> {
    let settings = settings::load(Vec::new(), flags.layer(), &Surroundings::here())
        .map_err(|error| Failure::own(&error, Some(error.hint())))?;
    let runs = kept_runs(&settings.state_dirs, &flags.runs);
    if flags.list {
        return print(runs.iter().map(line).collect::<String>().as_bytes());
    }
    for id in &flags.runs {
        let found = runs.iter().find(|run| run.checkpoint.run_id.starts_with(id));
        let why = match found.map(|run| run.fate) {
            Some(Fate::Gone) => continue,
            Some(Fate::Lives) => "its launcher still runs",
            Some(Fate::Elsewhere) => {
                "its launcher was on another host or in another container, where it may still run"
            }
            None => "there is no checkpoint of it",
        };
        return Err(Failure::own(
            format!("cannot recover the run `{id}`: {why}"),
            Some("`carbon-run recover --list` shows what there is".to_owned()),
        ));
    }
    if !runs.iter().any(|run| run.fate == Fate::Gone) {
        return print(b"there is nothing to recover\n");
    }
    let mut screen = Screen::stderr();
    for run in runs.iter().filter(|run| run.fate == Fate::Gone) {
        run.recover(&mut screen).map_err(|error| {
            Failure::own(
                format!("cannot take the checkpoint `{}`: {error}", run.file().display()),
                None,
            )
        })?;
    }
    Ok(Outcome::Status(0))
}

fn line(run: &KeptRun) -> String {
    let fate = match run.fate {
        Fate::Gone => "can be recovered",
        Fate::Lives => "runs",
        Fate::Elsewhere => "on another host, or in another container",
    };
    let title = run.checkpoint.summary.lines().next().unwrap_or_default();
    format!("{}  {fate}  {title}\n", run.checkpoint.run_id)
}
