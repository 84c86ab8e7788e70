//! carbon-run runs a command exactly as the shell would have, and afterwards says how much energy that job used and
//! how much CO2eq that was, on a machine that other people are using at the same time.
//!
//! **A run is a [`model::recording::Recording`]; a report is a pure function of it.** What touches the machine only
//! appends plain data to a recording. `model::assemble` does all arithmetic. Outputs only print a
//! [`model::report::RunReport`].
//!
//! The command line is [`cli`] and [`settings`]; [`session`] conducts; [`launch`], [`accounting`], [`meter`], [`host`],
//! [`phase`] and [`sink`] touch the machine; [`daemon`] does so for many jobs at once, and [`wire`] is what it says to them; [`grid`]
//! asks what the electricity's intensity is now, [`publish`] tells others of a finished run, and [`http`] is how both do it; [`model`]
//! and [`output`] are pure; [`verb`] has one file per verb.

pub mod accounting;
pub mod cli;
pub mod daemon;
pub mod grid;
pub mod host;
pub mod http;
pub mod launch;
pub mod meter;
pub mod model;
pub mod output;
pub mod phase;
pub mod publish;
pub mod session;
pub mod settings;
pub mod sink;
pub mod verb;
pub mod wire;
