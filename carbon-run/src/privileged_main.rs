//! The privileged part of one run, for machines without the daemon: has the rights that `carbon-run` has not, in a process of its own,
//! and serves the one that started it over its standard input, a socket. It takes neither arguments nor settings.

use std::process::ExitCode;

fn main() -> ExitCode {
    match carbon_run::daemon::serve_stdin() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
