//! The `carbon-run` command: parse, run, end as the command ended.

use carbon_run::launch;
use carbon_run::verb::{self, Outcome};
use std::process::ExitCode;

fn main() -> ExitCode {
    match verb::dispatch(std::env::args_os()) {
        Outcome::Like(exit) => launch::end_as(exit),
        Outcome::Status(code) => ExitCode::from(code),
    }
}
