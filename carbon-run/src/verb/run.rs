//! `carbon-run COMMAND`: run it, and report.

use super::{Failure, Outcome, chatter};
use crate::session;
use crate::settings::{self, Layer, Surroundings};
use std::ffi::OsString;

/// Runs the command.
///
/// # Errors
/// When it was not started.
pub fn run(command: Vec<OsString>, flags: Layer) -> Result<Outcome, Failure> {
    let settings = settings::load(command, flags, &Surroundings::here())
        .map_err(|error| Failure::own(&error, Some(error.hint())))?;
    chatter(settings.verbose);
    session::run(&settings)
        .map(Outcome::Like)
        .map_err(|error| Failure {
            message: error.to_string(),
            hint: error.hint(),
            code: error.exit_code(),
        })
}
