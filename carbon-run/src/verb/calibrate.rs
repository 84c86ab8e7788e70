//! `carbon-run calibrate`: the power of this machine with nothing to do, kept for later runs.

use super::{Failure, Outcome, chatter, print};
use crate::cli::Calibrate;
use crate::output;
use crate::session::calibrate::{self, Wish};
use crate::settings::{self, Surroundings};
use crate::sink::Screen;
use std::io::IsTerminal;
use std::time::Duration;

/// A machine that is not quiet is no failure of carbon-run.
const NOT_QUIET: u8 = 1;

/// Measures, keeps, and tells, on stdout.
///
/// # Errors
/// When the machine is not quiet, has no meter, or there is no place to keep the result.
pub fn calibrate(flags: &Calibrate) -> Result<Outcome, Failure> {
    let settings = settings::load(Vec::new(), flags.layer(), &Surroundings::here())
        .map_err(|error| Failure::own(&error, Some(error.hint())))?;
    chatter(settings.verbose);
    let wish = Wish {
        cpus: !flags.gpus_only,
        curve: flags.curve,
        length: Duration::from_secs(u64::from(flags.seconds)),
    };
    if std::io::stderr().is_terminal() {
        let then = if flags.curve { ", then under load" } else { "" };
        Screen::stderr().print(&format!(
            "looking at the idle machine for {} s{then}\n",
            flags.seconds
        ));
    }
    let made = calibrate::calibrate(&settings, wish).map_err(|error| Failure {
        code: if error.is_busy() {
            NOT_QUIET
        } else {
            super::OWN_FAILURE
        },
        hint: error.hint(),
        message: error.to_string(),
    })?;
    if flags.json {
        let json = output::calibration_json(&made).map_err(|error| Failure::own(error, None))?;
        return print(&json);
    }
    print(output::calibration_text(&made).as_bytes())
}
