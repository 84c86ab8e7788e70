//! `carbon-run doctor`: what can be measured here, by what, and the remedy for the rest.

use super::{Failure, Outcome, chatter, print};
use crate::cli::Doctor;
use crate::output;
use crate::session::checkup;
use crate::settings::{self, Surroundings};
use std::io::IsTerminal;

/// Looks at the machine and tells, on stdout.
///
/// # Errors
/// When the settings are wrong.
pub fn doctor(flags: &Doctor) -> Result<Outcome, Failure> {
    let settings = settings::load(Vec::new(), flags.layer(), &Surroundings::here())
        .map_err(|error| Failure::own(&error, Some(error.hint())))?;
    chatter(settings.verbose);
    let checkup = checkup::checkup(&settings).map_err(|error| Failure::own(error, None))?;
    if flags.json {
        let json = output::checkup_json(&checkup).map_err(|error| Failure::own(error, None))?;
        return print(&json);
    }
    let color = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    print(output::checkup_text(&checkup, color).as_bytes())
}
