//! The flags of `carbon-run doctor`.

use super::daemon::DaemonSocket;
use super::flags::{NvmlLibrary, State, Sysroot, Verbose, switch, value};
use crate::settings::{Key, Layer};
use clap::Args;

/// The options of `doctor`.
#[derive(Debug, Clone, Default, Args)]
pub struct Doctor {
    /// Answer in JSON on stdout
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    daemon: DaemonSocket,
    #[command(flatten)]
    nvml: NvmlLibrary,
    #[command(flatten)]
    state: State,
    #[command(flatten)]
    sysroot: Sysroot,
    #[command(flatten)]
    verbose: Verbose,
}

impl Doctor {
    /// What the command line says.
    #[must_use]
    pub fn layer(&self) -> Layer {
        let mut layer = Layer::default();
        value(&mut layer, Key::DaemonSocket, self.daemon.daemon_socket.as_ref());
        value(&mut layer, Key::NvmlLibrary, self.nvml.nvml_library.as_ref());
        value(&mut layer, Key::StateDir, self.state.state_dir.as_ref());
        value(&mut layer, Key::Sysroot, self.sysroot.sysroot.as_ref());
        switch(&mut layer, Key::Verbose, self.verbose.verbose);
        layer
    }
}
