//! The flags of `carbon-run daemon`, and the one by which others find it.

use super::flags::{Sysroot, Verbose, switch, value};
use crate::settings::{Key, Layer};
use clap::{Args, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;

/// Where the daemon is.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct DaemonSocket {
    /// Unix socket of the daemon [default: /run/carbon-run/socket]
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(super) daemon_socket: Option<OsString>,
}

/// The options of `daemon`.
#[derive(Debug, Clone, Default, Args)]
pub struct Daemon {
    #[command(flatten)]
    socket: DaemonSocket,
    /// BPF file system directory that keeps counting while the daemon is restarted [default: /sys/fs/bpf/carbon-run]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "no_pin")]
    pub pin_dir: Option<PathBuf>,
    /// Keep nothing: running jobs are counted up to the end of this daemon
    #[arg(long)]
    pub no_pin: bool,
    /// Jobs at a time, 1 to 4096 [default: 1024]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub max_jobs: Option<u32>,
    /// Jobs of one user at a time, other than root's [default: a quarter of --max-jobs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub max_jobs_per_user: Option<u32>,
    #[command(flatten)]
    sysroot: Sysroot,
    #[command(flatten)]
    verbose: Verbose,
}

impl Daemon {
    /// What the command line says.
    #[must_use]
    pub fn layer(&self) -> Layer {
        let mut layer = Layer::default();
        value(&mut layer, Key::DaemonSocket, self.socket.daemon_socket.as_ref());
        value(&mut layer, Key::Sysroot, self.sysroot.sysroot.as_ref());
        switch(&mut layer, Key::Verbose, self.verbose.verbose);
        layer
    }
}
