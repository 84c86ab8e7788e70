//! The file of `--cpu-table`.

use crate::model::cpu_table::{CpuTable, CpuTableError};
use std::path::{Path, PathBuf};

/// A table of CPU power that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CpuTableFileError {
    /// The file cannot be read.
    #[error("cannot read the CPU table `{}`: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line of it is no row.
    #[error(transparent)]
    Broken(#[from] CpuTableError),
}

impl CpuTableFileError {
    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "name a CSV file that you may read, or leave `--cpu-table` out",
            Self::Broken(error) => error.hint(),
        }
    }
}

/// Reads and validates it.
///
/// # Errors
/// When it cannot be read, or a line of it is no row.
pub fn read(path: &Path) -> Result<CpuTable, CpuTableFileError> {
    let text = std::fs::read(path).map_err(|source| CpuTableFileError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    Ok(CpuTable::parse(&path.display().to_string(), &text)?)
}
