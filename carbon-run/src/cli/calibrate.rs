//! The options of `calibrate`.

use super::flags::{NvmlLibrary, State, Sysroot, Verbose, switch, value};
use crate::settings::{Key, Layer};
use clap::Args;

/// The options of `calibrate`.
#[derive(Debug, Clone, Args)]
pub struct Calibrate {
    /// Measure GPUs only; the CPUs need not be quiet for that
    #[arg(long, conflicts_with = "curve")]
    pub gpus_only: bool,
    /// Measure power over load, too
    ///
    /// Keeps one CPU of each package busy, then two, and so on to all of them. Later runs beside neighbours know by it how far
    /// their share of the energy may be off.
    #[arg(long)]
    pub curve: bool,
    /// How long to look at the idle machine, 3 to 3600 seconds
    #[arg(long, value_name = "S", default_value_t = 20, value_parser = clap::value_parser!(u32).range(3..=3600))]
    pub seconds: u32,
    /// Answer in JSON on stdout
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    nvml: NvmlLibrary,
    #[command(flatten)]
    state: State,
    #[command(flatten)]
    sysroot: Sysroot,
    #[command(flatten)]
    verbose: Verbose,
}

impl Calibrate {
    /// What the command line says.
    #[must_use]
    pub fn layer(&self) -> Layer {
        let mut layer = Layer::default();
        value(&mut layer, Key::NvmlLibrary, self.nvml.nvml_library.as_ref());
        value(&mut layer, Key::StateDir, self.state.state_dir.as_ref());
        value(&mut layer, Key::Sysroot, self.sysroot.sysroot.as_ref());
        switch(&mut layer, Key::Verbose, self.verbose.verbose);
        layer
    }
}
