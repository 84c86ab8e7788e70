//! What a run leaves of itself from time to time, for whoever finishes its books if its launcher is killed: the outputs as they would
//! be if it ended now. Small, however long the run is.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::path::PathBuf;

/// The version of this shape. Fields are added, never renamed or moved.
pub const SCHEMA: &str = "carbon-run/checkpoint/1";

/// A checkpoint.
#[derive(Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    /// [`SCHEMA`].
    pub schema: String,
    /// The run's id.
    pub run_id: String,
    /// Which launcher, of all that there ever were.
    pub launcher: Launcher,
    /// When it was made: nanoseconds since 1970-01-01T00:00:00Z.
    pub at_unix_ns: i64,
    /// The row of `emissions.csv`, if one is wanted and its figures are known.
    pub csv: Option<PendingRow>,
    /// Where the JSON report is to go, if anywhere; `-` is stdout.
    pub json: Option<PathBuf>,
    /// The summary.
    pub summary: String,
    /// The JSON report.
    pub report: Box<RawValue>,
}

/// A process, whatever becomes of its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launcher {
    /// The host, as files of it are named.
    pub host: String,
    /// `/proc/sys/kernel/random/boot_id`: numbers start anew with the machine.
    pub boot: String,
    /// Its PID namespace, by the number of its file.
    pub namespace: u64,
    /// Its number.
    pub pid: u32,
    /// When it was started, in clock ticks after boot.
    pub started_ticks: u64,
}

/// A row that is not in its table yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRow {
    /// The table.
    pub path: PathBuf,
    /// Its columns.
    pub header: Vec<String>,
    /// The cells.
    pub cells: Vec<String>,
}

/// What is to be thought of a launcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It runs.
    Lives,
    /// It is gone.
    Gone,
    /// It cannot be told from here: another host, or another PID namespace.
    Elsewhere,
}

impl Launcher {
    /// What became of it, seen from `here`, where the process of its number was started at `started_ticks`, if there is one.
    #[must_use]
    pub fn fate(&self, here: &Self, started_ticks: Option<u64>) -> Fate {
        if self.host != here.host {
            return Fate::Elsewhere;
        }
        if self.boot != here.boot {
            return Fate::Gone;
        }
        if self.namespace != here.namespace {
            return Fate::Elsewhere;
        }
        if started_ticks == Some(self.started_ticks) {
            Fate::Lives
        } else {
            Fate::Gone
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_was_given_to_another_process_is_not_the_launcher() {
        let launcher = Launcher {
            host: "node7".to_owned(),
            boot: "b1".to_owned(),
            namespace: 5,
            pid: 42,
            started_ticks: 1_000,
        };
        let fate = |change: fn(&mut Launcher), ticks| {
            let mut here = launcher.clone();
            change(&mut here);
            launcher.fate(&here, ticks)
        };
        assert_eq!(fate(|_| (), Some(1_000)), Fate::Lives);
        assert_eq!(fate(|_| (), Some(2_000)), Fate::Gone);
        assert_eq!(fate(|_| (), None), Fate::Gone);
        assert_eq!(fate(|here| here.boot = "b2".to_owned(), Some(1_000)), Fate::Gone);
        assert_eq!(fate(|here| here.host = "node8".to_owned(), None), Fate::Elsewhere);
        assert_eq!(fate(|here| here.namespace = 6, None), Fate::Elsewhere);
    }
}
