//! `carbon-run publish`: sends what could not be delivered, or what is in recordings.

use super::{Failure, Outcome, print};
use crate::cli::Publish;
use crate::model::assemble::assemble;
use crate::model::journal;
use crate::model::tables::Tables;
use crate::session::publishing;
use crate::settings::{self, Settings, Surroundings};
use crate::sink::Screen;
use std::path::Path;

/// What a shell takes for "not all of it".
const INCOMPLETE: u8 = 1;

/// Sends, and says what stays.
///
/// # Errors
/// When settings are wrong, a recording cannot be read, or nobody is named to be told of it.
pub fn publish(flags: &Publish) -> Result<Outcome, Failure> {
    let settings = settings::load(Vec::new(), flags.layer(), &Surroundings::here())
        .map_err(|error| Failure::own(&error, Some(error.hint())))?;
    if flags.list {
        return print(publishing::list_kept(&settings).as_bytes());
    }
    let mut screen = Screen::stderr();
    if flags.recordings.is_empty() {
        let (sent, notes) = publishing::send_kept(&settings);
        notes.iter().for_each(|note| screen.tell(note));
        let said = match (sent, notes.len()) {
            (0, 0) => "there is nothing to send\n".to_owned(),
            (sent, 0) => format!("{sent} sent\n"),
            (sent, kept) => format!("{sent} sent, {kept} still kept\n"),
        };
        print(said.as_bytes())?;
        return Ok(Outcome::Status(if notes.is_empty() { 0 } else { INCOMPLETE }));
    }
    let to = &settings.publishing;
    if publishing::lingers(to).is_zero() && to.prometheus_file.is_none() {
        return Err(Failure::own(
            "nobody is named to be told",
            Some(
                "name them with `--codecarbon-api`, `--webhook`, `--prometheus-push` or `--prometheus-file`"
                    .to_owned(),
            ),
        ));
    }
    let mut whole = true;
    for path in &flags.recordings {
        whole &= tell(path, &settings, &mut screen)?;
    }
    Ok(Outcome::Status(if whole { 0 } else { INCOMPLETE }))
}

/// A recording has the experiment that it was made for; the settings' one stands in where it has none.
fn tell(path: &Path, settings: &Settings, screen: &mut Screen) -> Result<bool, Failure> {
    let unreadable =
        |why: String, hint: Option<String>| Failure::own(format!("`{}`: {why}", path.display()), hint);
    let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string(), None))?;
    let mut recording = journal::parse(&bytes).map_err(|error| {
        let hint = "recordings are written by `carbon-run --record FILE COMMAND`".to_owned();
        unreadable(format!("no recording: {error}"), Some(hint))
    })?;
    let head = &mut recording.head;
    head.experiment_id = head.experiment_id.take().or(settings.experiment_id.clone());
    let tables = Tables::embedded().map_err(|error| Failure::own(&error, None))?;
    let intensity = tables
        .intensity(&recording.head.choices.place)
        .map_err(|error| Failure::own(&error, Some(error.hint())))?;
    let report = assemble(&recording, intensity);
    Ok(publishing::publish(settings, &report, screen, &|| false))
}
