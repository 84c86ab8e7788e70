//! The command line: structs without side effects. One definition per flag feeds the help, the man page and the completions.
//!
//! Values stay text here; [`crate::settings`] holds them to their ranges, in every layer alike.

mod beyond;
mod calibrate;
mod daemon;
mod doctor;
mod estimate;
mod flags;
mod kept_runs;
mod live;
mod machine;
mod merge;
mod offered;
mod phase;
mod place;
mod publish;
mod text;
mod usage;

pub use calibrate::Calibrate;
pub use daemon::Daemon;
pub use doctor::Doctor;
pub use estimate::Estimate;
pub use flags::{Replay, RunFlags, Verb};
pub use kept_runs::{Recover, Status};
pub use merge::Merge;
pub use phase::{Phase, PhaseVerb};
pub use publish::Publish;
pub use usage::UsageError;

use clap::builder::StyledStr;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory, FromArgMatches, Parser, ValueHint};
use std::ffi::OsString;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "carbon-run",
    version,
    about = text::ABOUT,
    long_about = text::LONG_ABOUT,
    override_usage = text::USAGE,
    after_help = text::AFTER_SHORT_HELP,
    after_long_help = text::AFTER_LONG_HELP,
    subcommand_value_name = "VERB",
    subcommand_help_heading = "Verbs",
    disable_help_subcommand = true,
    args_override_self = true,
    max_term_width = 100
)]
struct CommandLine {
    /// The command to run, and its arguments
    ///
    /// Everything after the command's name belongs to the command. Put `--` before a command whose name is a verb or begins
    /// with a dash.
    #[arg(
        value_names = ["COMMAND", "ARG"],
        num_args = 0..,
        trailing_var_arg = true,
        value_hint = ValueHint::CommandWithArguments
    )]
    command: Vec<OsString>,
    #[command(flatten)]
    flags: RunFlags,
    /// Print which tables of factors are built in, and their sources
    #[arg(long, help_heading = None::<&str>)]
    data_version: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
}

/// What is to be done.
#[derive(Debug)]
pub enum Invocation {
    /// Run a command.
    Run {
        /// The command and its arguments, byte for byte; never empty.
        command: Vec<OsString>,
        /// The flags before it.
        flags: Box<RunFlags>,
    },
    /// Say which tables are built in.
    DataVersion,
    /// Anything else.
    Verb(Verb),
}

/// Why there is nothing to be done.
#[derive(Debug)]
pub enum Stop {
    /// The help or the version was asked for: it goes to stdout, and all is well.
    Asked(StyledStr),
    /// The command line makes no sense: it goes to stderr, and the exit status is that of our own failures.
    Wrong(UsageError),
}

/// Takes a command line apart. The first of `arguments` is the name that carbon-run was called by.
///
/// # Errors
/// When help is asked for, or when the command line makes no sense.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, Stop> {
    let matches = command()
        .try_get_matches_from(arguments)
        .map_err(|error| stop(&error))?;
    if let Some((verb, _)) = matches.subcommand()
        && let Some(option) = option_of_a_run(&matches)
    {
        return Err(Stop::Wrong(UsageError::option_before_verb(&option, verb)));
    }
    let line = CommandLine::from_arg_matches(&matches).map_err(|error| stop(&error))?;
    match line.verb {
        Some(verb) => Ok(Invocation::Verb(verb)),
        None if line.data_version => Ok(Invocation::DataVersion),
        None if line.command.is_empty() => Err(Stop::Wrong(UsageError::no_command())),
        None => Ok(Invocation::Run {
            command: line.command,
            flags: Box::new(line.flags),
        }),
    }
}

fn stop(error: &clap::Error) -> Stop {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        Stop::Asked(error.render())
    } else {
        Stop::Wrong(UsageError::from_parser(error))
    }
}

/// The definition behind the parser, the help, the man page and the completions.
#[must_use]
pub fn command() -> clap::Command {
    CommandLine::command().mut_subcommand("replay", |replay| replay.mut_args(as_recorded))
}

/// The choices of a run that `replay` shares have other defaults there: those of the recording.
fn as_recorded(option: Arg) -> Arg {
    if !matches!(option.get_help_heading(), Some("Place" | "Attribution")) {
        return option;
    }
    let help = option.get_help().map(ToString::to_string).unwrap_or_default();
    let help = help.split(" [default: ").next().unwrap_or_default().to_owned();
    option.help(help).long_help(None::<&str>)
}

/// An option of a run that was given. Before a verb it would be ignored without a word.
fn option_of_a_run(matches: &ArgMatches) -> Option<String> {
    let command = command();
    let given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    command
        .get_opts()
        .find(|option| given(option.get_id().as_str()))
        .and_then(|option| option.get_long().map(|long| format!("--{long}")))
}

#[cfg(test)]
mod tests;
