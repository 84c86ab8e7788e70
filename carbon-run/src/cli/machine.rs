//! Where things of the machine are: a library, what is kept, the files of the hardware. Several verbs take these.

use clap::{Args, ValueHint};
use std::ffi::OsString;

#[derive(Debug, Clone, Default, Args)]
pub(super) struct NvmlLibrary {
    /// Load NVIDIA's management library from FILE, instead of where the driver put it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) nvml_library: Option<OsString>,
}

#[derive(Debug, Clone, Default, Args)]
pub(super) struct State {
    /// Keep what is known of this host's power in DIR
    ///
    /// By default /var/lib/carbon-run for root, else carbon-run under $XDG_STATE_HOME or ~/.local/state; what root's has is
    /// read by everybody. Runs with `--sysroot` keep what they saw only where this is given.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) state_dir: Option<OsString>,
}

#[derive(Debug, Clone, Default, Args)]
pub(super) struct Sysroot {
    /// Read hardware files from DIR/sys and DIR/proc
    ///
    /// For containers and for tests. It changes nothing about the command.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) sysroot: Option<OsString>,
}
