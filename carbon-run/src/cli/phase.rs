//! The flags of `carbon-run phase`.

use clap::{Args, ValueEnum};
use std::ffi::OsString;

/// The options of `phase`.
#[derive(Debug, Clone, Args)]
pub struct Phase {
    /// Whether it begins or ends
    #[arg(value_name = "start|stop", hide_possible_values = true)]
    pub step: PhaseVerb,
    /// The phase: any text of up to 200 bytes; with `stop`, the one that was started last without it
    #[arg(value_name = "NAME")]
    pub name: Option<OsString>,
    /// Fail where nobody measures this job, or the mark does not get through
    #[arg(long)]
    pub strict: bool,
}

/// What to tell of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PhaseVerb {
    /// It begins
    Start,
    /// It ends
    Stop,
}
