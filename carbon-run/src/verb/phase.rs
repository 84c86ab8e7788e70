//! `carbon-run phase start NAME`, `carbon-run phase stop [NAME]`: tells the run around it. Reads no settings and looks at no machine: it
//! is called from inside of a job, often.

use super::{Failure, Outcome};
use crate::cli::{Phase, PhaseVerb};
use crate::model::recording::{NoMark, Note, PhaseStep, phase_name};
use crate::phase::{VARIABLE, send};
use crate::sink::Screen;
use std::path::Path;

/// Marks the boundary of a phase. A job is not to fail because nobody measures it: that is a failure with `--strict` only.
///
/// # Errors
/// When the name is none; and with `--strict`, when the mark did not get through.
pub fn phase(flags: &Phase) -> Result<Outcome, Failure> {
    let step = step(flags)?;
    let Some(socket) = std::env::var_os(VARIABLE).filter(|socket| !socket.is_empty()) else {
        return if flags.strict {
            Err(Failure::own(
                format!("this job is not measured: `{VARIABLE}` is not set"),
                Some("run it as `carbon-run COMMAND`".to_owned()),
            ))
        } else {
            Ok(Outcome::Status(0))
        };
    };
    match send(Path::new(&socket), &step) {
        Ok(()) => Ok(Outcome::Status(0)),
        Err(error) if flags.strict => Err(Failure::own(error, None)),
        Err(error) => {
            Screen::stderr().tell(&Note {
                code: "phase".to_owned(),
                message: format!("the phase was not marked: {error}"),
                hint: None,
                degrades: false,
            });
            Ok(Outcome::Status(0))
        }
    }
}

fn step(flags: &Phase) -> Result<PhaseStep, Failure> {
    let wrong = |error: NoMark| Failure::own(error, Some("as `carbon-run phase start train`".to_owned()));
    let name = flags.name.as_deref().map(|name| {
        let text = name.to_str().ok_or(NoMark::NotText);
        text.and_then(phase_name).map_err(wrong)
    });
    match (flags.step, name.transpose()?) {
        (PhaseVerb::Start, Some(name)) => Ok(PhaseStep::Start(name)),
        (PhaseVerb::Start, None) => Err(wrong(NoMark::Nameless)),
        (PhaseVerb::Stop, name) => Ok(PhaseStep::Stop(name)),
    }
}
