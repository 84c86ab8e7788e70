//! The flags of `carbon-run merge`.

use clap::{Args, ValueHint};
use std::path::PathBuf;

/// The options of `merge`.
#[derive(Debug, Clone, Default, Args)]
pub struct Merge {
    /// JSON reports, as `--json` or a run under Slurm writes them
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub reports: Vec<PathBuf>,
    /// Write the merged report as JSON; `-` is stdout, in place of the summary
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub json: Option<PathBuf>,
    /// Add one row to emissions.csv
    #[arg(long)]
    pub csv: bool,
    /// Directory of emissions.csv [default: the working directory]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output_dir: Option<PathBuf>,
    /// No summary
    #[arg(long, short)]
    pub quiet: bool,
}
