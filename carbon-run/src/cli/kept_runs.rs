//! The flags of `carbon-run recover` and `carbon-run status`.

use super::flags::{State, value};
use crate::settings::{Key, Layer};
use clap::Args;

/// The options of `recover`.
#[derive(Debug, Clone, Default, Args)]
pub struct Recover {
    /// Runs, by their ids or the beginnings of those; all of this host whose launcher is gone without it
    #[arg(value_name = "RUN_ID")]
    pub runs: Vec<String>,
    /// List what is there, and change nothing
    #[arg(long)]
    pub list: bool,
    #[command(flatten)]
    state: State,
}

/// The options of `status`.
#[derive(Debug, Clone, Default, Args)]
pub struct Status {
    /// A run, by its id or the beginning of that; the run that this is inside of, else all, without it
    #[arg(value_name = "RUN_ID")]
    pub run: Option<String>,
    /// Answer in JSON on stdout
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    state: State,
}

impl Recover {
    /// What the command line says.
    #[must_use]
    pub fn layer(&self) -> Layer {
        layer(&self.state)
    }
}

impl Status {
    /// What the command line says.
    #[must_use]
    pub fn layer(&self) -> Layer {
        layer(&self.state)
    }
}

fn layer(state: &State) -> Layer {
    let mut layer = Layer::default();
    value(&mut layer, Key::StateDir, state.state_dir.as_ref());
    layer
}
