//! Checkpoints of runs, found and finished.

use super::checkpoints::directory;
use crate::host;
use crate::model::checkpoint::{Checkpoint, Fate, SCHEMA};
use crate::model::recording::Note;
use crate::sink::{Rescue, Screen, deliver_file, deliver_row, rescue_directories};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// More than this is none of our files.
const LARGEST: u64 = 16 << 20;

/// A run that was not finished.
#[derive(Debug)]
pub struct KeptRun {
    /// What it left.
    pub checkpoint: Checkpoint,
    /// What became of its launcher.
    pub fate: Fate,
    file: PathBuf,
}

/// Those in the state directories whose id begins with any of `wanted`; all, where none is. Files of others that cannot be read, and
/// what is no checkpoint, are left out.
#[must_use]
pub fn kept_runs(states: &[PathBuf], wanted: &[String]) -> Vec<KeptRun> {
    let me = host::myself();
    let mut runs: Vec<KeptRun> = states
        .iter()
        .filter_map(|state| fs::read_dir(directory(state)).ok())
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let file = entry.path();
            let name = file.file_name()?.to_str()?;
            if !name.ends_with(".json") || entry.metadata().ok()?.len() > LARGEST {
                return None;
            }
            let checkpoint: Checkpoint = serde_json::from_slice(&fs::read(&file).ok()?).ok()?;
            let is_wanted = wanted.is_empty() || wanted.iter().any(|id| checkpoint.run_id.starts_with(id));
            (checkpoint.schema == SCHEMA && is_wanted).then(|| KeptRun {
                fate: checkpoint
                    .launcher
                    .fate(&me, host::started_ticks(checkpoint.launcher.pid)),
                checkpoint,
                file,
            })
        })
        .collect();
    runs.sort_by_key(|run| run.checkpoint.at_unix_ns);
    runs
}

impl KeptRun {
    /// Delivers what the run would have delivered, once: of several who try, one has it. `false`: another was first.
    ///
    /// # Errors
    /// When the checkpoint cannot be taken.
    pub fn recover(&self, screen: &mut Screen) -> io::Result<bool> {
        // Whoever has renamed it has it.
        let taken = self.file.with_extension(format!("taken-{}", std::process::id()));
        match fs::rename(&self.file, &taken) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        }
        let Checkpoint {
            run_id,
            csv,
            json,
            summary,
            report,
            ..
        } = &self.checkpoint;
        screen.print(summary);
        let directories = rescue_directories();
        let rescue = |extension| Rescue {
            run_id,
            extension,
            directories: &directories,
        };
        let mut told: Vec<Note> = Vec::new();
        if let Some(row) = csv {
            let header: Vec<&str> = row.header.iter().map(String::as_str).collect();
            told.extend(deliver_row(&row.path, &header, &row.cells, &rescue("csv")).notes);
        }
        if let Some(path) = json {
            told.extend(deliver_file(path, report.get().as_bytes(), &rescue("json")).notes);
        }
        told.iter().for_each(|note| screen.tell(note));
        fs::remove_file(&taken)?;
        Ok(true)
    }

    /// Where it is kept.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }
}
