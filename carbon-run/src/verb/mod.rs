//! The verbs, one file each, thin.

pub mod calibrate;
pub mod completions;
pub mod daemon;
pub mod doctor;
pub mod estimate;
pub mod man;
pub mod merge;
pub mod phase;
pub mod publish;
pub mod recover;
pub mod replay;
pub mod run;
pub mod status;

use crate::cli::{self, Invocation, Stop, Verb};
use crate::model::recording::{Exit, Note};
use crate::model::tables::Tables;
use crate::sink::{Screen, write_file};
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::Path;

/// carbon-run's own failure, as env(1) has it.
pub const OWN_FAILURE: u8 = 125;

/// How this process is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// As the command ended.
    Like(Exit),
    /// With this exit status.
    Status(u8),
}

/// A failure as a person is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The exit status.
    pub code: u8,
}

impl Failure {
    /// One of our own.
    pub fn own(message: impl ToString, hint: Option<String>) -> Self {
        Self {
            message: message.to_string(),
            hint,
            code: OWN_FAILURE,
        }
    }
}

/// Does what the command line says. The first of `arguments` is the name that carbon-run was called by.
pub fn dispatch(arguments: impl IntoIterator<Item = OsString>) -> Outcome {
    let done = match cli::parse(arguments) {
        Ok(Invocation::Run { command, flags }) => run::run(command, flags.layer()),
        Ok(Invocation::Verb(verb)) => verb_of(&verb),
        Ok(Invocation::DataVersion) => data_version(),
        Err(Stop::Asked(text))
            if std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() =>
        {
            print(text.ansi().to_string().as_bytes())
        }
        Err(Stop::Asked(text)) => print(text.to_string().as_bytes()),
        Err(Stop::Wrong(error)) => Err(Failure::own(&error, Some(error.hint().to_owned()))),
    };
    done.unwrap_or_else(|failure| {
        let Failure { message, hint, code } = failure;
        Screen::stderr().tell(&Note {
            code: "failure".to_owned(),
            message,
            hint,
            degrades: false,
        });
        Outcome::Status(code)
    })
}

fn verb_of(verb: &Verb) -> Result<Outcome, Failure> {
    match verb {
        Verb::Doctor(flags) => doctor::doctor(flags),
        Verb::Replay(flags) => replay::replay(flags),
        Verb::Calibrate(flags) => calibrate::calibrate(flags),
        Verb::Daemon(flags) => daemon::daemon(flags),
        Verb::Merge(flags) => merge::merge(flags),
        Verb::Phase(flags) => phase::phase(flags),
        Verb::Recover(flags) => recover::recover(flags),
        Verb::Estimate(flags) => estimate::estimate(flags),
        Verb::Publish(flags) => publish::publish(flags),
        Verb::Status(flags) => status::status(flags),
        Verb::Completions { shell } => print(&completions::completions(*shell)),
        Verb::Man => print(&man::man().map_err(|error| Failure::own(error, None))?),
    }
}

/// `--data-version`: the tables that are built in, and whom they are from.
fn data_version() -> Result<Outcome, Failure> {
    let tables = Tables::embedded().map_err(|error| Failure::own(&error, None))?;
    let mut text = format!("data {}\n", Tables::version());
    for source in tables.sources() {
        let licence = source.licence.as_deref().unwrap_or("facts");
        let line = format!(
            "{:22}{}  {licence:18}{}, {}",
            source.id, source.year, source.publisher, source.title
        );
        text.push_str(&format!("  {line}\n"));
    }
    print(text.as_bytes())
}

/// To stdout: only what was asked for, where there is no job. A reader that has seen enough is no failure.
fn print(bytes: &[u8]) -> Result<Outcome, Failure> {
    match write_file(Path::new("-"), bytes) {
        Ok(()) => Ok(Outcome::Status(0)),
        Err(error) if error.is_broken_pipe() => Ok(Outcome::Status(0)),
        Err(error) => Err(Failure::own(&error, error.hint())),
    }
}

/// `-v`: what is being done, on stderr.
fn chatter(wanted: bool) {
    if wanted {
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(std::io::stderr)
            .without_time()
            .init();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;
    use clap::ValueEnum;
    use clap_complete::Shell;
    use std::collections::BTreeSet;

    /// The long flags of a run and of every verb.
    fn long_flags() -> BTreeSet<String> {
        let command = cli::command();
        let verbs = command.get_subcommands();
        let flags: BTreeSet<_> = std::iter::once(&command)
            .chain(verbs)
            .flat_map(|command| command.get_opts())
            .filter_map(|option| option.get_long().map(str::to_owned))
            .collect();
        assert!(flags.len() >= 20, "{flags:?}");
        flags
    }

    #[test]
    fn every_long_flag_is_in_the_help_of_its_command() {
        let mut command = cli::command();
        command.build();
        for command in std::iter::once(command.clone()).chain(command.get_subcommands().cloned()) {
            for help in [command.clone().render_help(), command.clone().render_long_help()] {
                let help = help.to_string();
                for flag in command.get_opts().filter_map(|option| option.get_long()) {
                    assert!(
                        help.contains(&format!("--{flag}")),
                        "--{flag} is missing in {}",
                        command.get_name()
                    );
                }
            }
        }
    }

    #[test]
    fn every_long_flag_and_every_verb_is_in_the_man_page() {
        let page = String::from_utf8(man::man().unwrap()).unwrap();
        for flag in long_flags() {
            let escaped = format!("\\-\\-{}", flag.replace('-', "\\-"));
            assert!(page.contains(&escaped), "--{flag}");
        }
        for verb in cli::command().get_subcommands() {
            assert!(
                page.contains(&format!(".SS carbon-run {}", verb.get_name())),
                "{}",
                verb.get_name()
            );
        }
        for heading in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "PLACE",
            "VERBS",
            "EXAMPLES",
            "SETTINGS",
            "EXIT STATUS",
        ] {
            assert!(
                page.lines()
                    .any(|line| line.trim_matches('"') == format!(".SH {heading}")
                        || line == format!(".SH \"{heading}\"")),
                "{heading}"
            );
        }
    }

    #[test]
    fn every_long_flag_is_in_the_completions_of_every_shell() {
        for shell in Shell::value_variants() {
            let script = String::from_utf8(completions::completions(*shell)).unwrap();
            for flag in long_flags() {
                // fish writes `-l country`.
                let spellings = [format!("--{flag}"), format!("-l {flag}")];
                assert!(
                    spellings.iter().any(|flag| script.contains(flag)),
                    "{flag} is missing for {shell}"
                );
            }
        }
    }
}
