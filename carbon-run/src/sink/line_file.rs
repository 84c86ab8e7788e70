//! Lines that are written while the job runs, for whoever has to make sense of it should we be killed.
//!
//! Each line goes out in one write of its own. The first failure ends the writing and is told once: a recording with a
//! gap would give wrong figures, and a job must not be disturbed by the same trouble every second.

use super::failure::SinkError;
use super::patience::{self, Lock};
use super::target::{self, Target};
use crate::model::recording::Note;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

const DOING: &str = "record to";

/// How long a line may wait for room in a pipe. The next sample is due soon.
const PATIENCE: Duration = Duration::from_millis(20);

/// A file of lines under way.
#[derive(Debug)]
pub struct LineWriter {
    file: File,
    path: PathBuf,
    /// Of a regular file: what it holds in whole lines. `None` for what cannot be cut.
    length: Option<u64>,
    created: bool,
    written: bool,
    failed: bool,
    trouble: Option<Note>,
}

impl LineWriter {
    /// Opens `path` for a new recording. What it holds now is kept until the first line is written, so that a run that
    /// never starts destroys nothing; a file made here and never written to is removed again.
    ///
    /// # Errors
    /// When it cannot be opened, another run is recording to it, or it is a pipe that nobody reads.
    pub fn create(path: &Path) -> Result<Self, SinkError> {
        let failed = |source| SinkError::io(DOING, path)(source);
        let (file, path, regular, created) = match Target::of(path, DOING)? {
            Target::Stdout => (target::stdout().map_err(failed)?, path.to_owned(), false, false),
            Target::Descriptor(number) => (
                target::descriptor(number).map_err(failed)?,
                path.to_owned(),
                false,
                false,
            ),
            Target::Stream(path) => (target::stream(&path).map_err(failed)?, path, false, false),
            Target::File { path, exists } => {
                let mut options = OpenOptions::new();
                let file = options
                    .write(true)
                    .create_new(!exists)
                    .open(&path)
                    .map_err(failed)?;
                (file, path, true, !exists)
            }
        };
        if regular && patience::lock(&file, Duration::ZERO) == Lock::Stuck {
            return Err(SinkError::InUse { doing: DOING, path });
        }
        let length = regular.then_some(0);
        Ok(Self {
            file,
            path,
            length,
            created,
            written: false,
            failed: false,
            trouble: None,
        })
    }

    /// Appends a line, whose newline is added here. Never fails; after the first trouble it does nothing.
    pub fn append(&mut self, line: &[u8]) {
        if self.failed {
            return;
        }
        if let Err(source) = self.write(line) {
            self.failed = true;
            self.trouble = Some(self.note(source));
        }
    }

    /// What went wrong, the first time it is asked for.
    pub fn take_trouble(&mut self) -> Option<Note> {
        self.trouble.take()
    }

    /// Ends the recording and sees it safely to the disk. Gives what went wrong and was not yet taken.
    #[must_use]
    pub fn finish(mut self) -> Option<Note> {
        if !self.failed
            && self.length.is_some()
            && let Err(source) = self.file.sync_all()
        {
            self.trouble = Some(self.note(source));
        }
        self.take_trouble()
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if !self.written && self.length.is_some() {
            self.file.set_len(0)?;
        }
        self.written = true;
        let bytes = [line, b"\n"].concat();
        let outcome = patience::write_all(&self.file, &bytes, PATIENCE);
        if let Some(length) = &mut self.length {
            match outcome {
                Ok(()) => *length += u64::try_from(bytes.len()).unwrap_or(0),
                // The error of the write is the one to tell.
                Err(_) => drop(self.file.set_len(*length)),
            }
        }
        outcome
    }

    fn note(&self, source: io::Error) -> Note {
        let error = SinkError::io(DOING, &self.path)(source);
        Note {
            code: "recording-stopped".to_owned(),
            message: format!("{error}; what was recorded so far is kept"),
            hint: error.hint(),
            degrades: false,
        }
    }
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        if self.created && !self.written {
            drop(fs::remove_file(&self.path));
        }
    }
}

#[cfg(test)]
mod tests;
