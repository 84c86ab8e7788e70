//! A table that many runs append to at once: one whole row each, one header for all, nobody's file damaged.
//!
//! Writers take turns by flock(2). Whoever finds the file empty writes the header together with its row, in one write;
//! if the disk takes only a part of it, that part is cut off again before the lock is released.

mod layout;

use super::failure::SinkError;
use super::patience::{self, Lock};
use super::target;
use crate::model::recording::Note;
use layout::{Layout, line};
use nix::errno::Errno;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

const DOING: &str = "append a row to";

/// How long to wait for the other writers of a table. A turn takes well under a millisecond.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often to open a file again that others replace while we wait for it.
const REOPENINGS: u32 = 100;

/// Names tried beside a file that is not ours to append to.
const NAMES_BESIDE: u32 = 20;

/// Where a row went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The file that has it now.
    pub path: PathBuf,
    /// What the person should know: the file that was wanted was not the one.
    pub notes: Vec<Note>,
}

/// Appends a row under an exclusive lock. A new or empty file gets the header first. A file with the same columns in
/// another order gets the row in its order. One with other columns, or whose lock stays taken, is left alone: the row
/// goes to `NAME.carbon-run.EXTENSION` beside it, then `NAME.carbon-run-2.EXTENSION` and so on, and a note says so.
///
/// # Errors
/// When the file is no regular file, or the system refuses; it then is as it was.
pub fn append_row(path: &Path, header: &[&str], row: &[String]) -> Result<Appended, SinkError> {
    append_row_within(path, header, row, PATIENCE)
}

fn append_row_within(
    path: &Path,
    header: &[&str],
    row: &[String],
    patience: Duration,
) -> Result<Appended, SinkError> {
    let mut first_refusal = None;
    for number in 0..=NAMES_BESIDE {
        let (candidate, patience) = if number == 0 {
            (path.to_owned(), patience)
        } else {
            (beside(path, number), patience / 10)
        };
        let why_not = match append(&candidate, header, row, patience)? {
            outcome @ (Outcome::Appended | Outcome::AppendedUnlocked) => {
                let mut notes =
                    Vec::from_iter(first_refusal.map(|why| written_beside(path, why, &candidate)));
                if matches!(outcome, Outcome::AppendedUnlocked) {
                    notes.push(unlocked(&candidate));
                }
                return Ok(Appended {
                    path: candidate,
                    notes,
                });
            }
            Outcome::OtherColumns => "has other columns",
            Outcome::Stuck => "stays locked by another process",
        };
        first_refusal.get_or_insert(why_not);
    }
    Err(SinkError::NoPlaceBeside {
        path: path.to_owned(),
    })
}

/// `emissions.csv` to `emissions.carbon-run.csv`, `emissions.carbon-run-2.csv`.
fn beside(path: &Path, number: u32) -> PathBuf {
    let mut name: OsString = path.file_stem().unwrap_or_default().to_owned();
    name.push(".carbon-run");
    if number > 1 {
        name.push(format!("-{number}"));
    }
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

fn written_beside(path: &Path, why: &str, taken: &Path) -> Note {
    Note {
        code: "table-beside".to_owned(),
        message: format!(
            "`{}` {why} and was left as it is; the row was written to `{}`",
            path.display(),
            taken.display()
        ),
        hint: Some("use another directory, or move that file away".to_owned()),
        degrades: false,
    }
}

fn unlocked(path: &Path) -> Note {
    Note {
        code: "table-unlocked".to_owned(),
        message: format!(
            "the file system of `{}` has no locks, so runs that end together may clash there",
            path.display()
        ),
        hint: None,
        degrades: false,
    }
}

enum Outcome {
    Appended,
    AppendedUnlocked,
    OtherColumns,
    Stuck,
}

fn append(path: &Path, header: &[&str], row: &[String], patience: Duration) -> Result<Outcome, SinkError> {
    let failed = |source| SinkError::io(DOING, path)(source);
    for _ in 0..REOPENINGS {
        let (file, created) = match open(path) {
            Ok(opened) => opened,
            // Removed, or created by somebody else, between two looks at it.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => match fs::metadata(path) {
                Err(gone) if gone.kind() == ErrorKind::NotFound && fs::symlink_metadata(path).is_ok() => {
                    return Err(target::not_a_file(DOING, path, "a symbolic link to nothing"));
                }
                _ => continue,
            },
            Err(error) if error.raw_os_error() == Some(Errno::EISDIR as i32) => {
                return Err(target::not_a_file(DOING, path, "a directory"));
            }
            Err(error) => return Err(failed(error)),
        };
        let found = file.metadata().map_err(failed)?;
        if !found.is_file() {
            return Err(target::not_a_file(DOING, path, target::kind(found.file_type())));
        }
        let lock = patience::lock(&file, patience);
        if lock == Lock::Stuck {
            return Ok(Outcome::Stuck);
        }
        if !is_still_at(&file, path) {
            continue;
        }
        let written = write_in_turn(&file, header, row);
        if written.is_err() && created && file.metadata().is_ok_and(|now| now.len() == 0) {
            // Under the lock still: whoever waits for it sees that the file is gone and makes a new one.
            drop(fs::remove_file(path));
        }
        return match written.and_then(|fits| close(file).map(|()| fits)) {
            Ok(false) => Ok(Outcome::OtherColumns),
            Ok(true) if lock == Lock::Unsupported => Ok(Outcome::AppendedUnlocked),
            Ok(true) => Ok(Outcome::Appended),
            Err(error) => Err(failed(error)),
        };
    }
    Err(failed(Errno::EBUSY.into()))
}

/// The file to append to, and whether it was made now. It is never made through a dangling link (`O_EXCL`), and a pipe
/// under its name does not hold us up (`O_NONBLOCK`, which regular files ignore).
fn open(path: &Path) -> io::Result<(File, bool)> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .append(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    match options.open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            options.create_new(true).open(path).map(|file| (file, true))
        }
        opened => opened.map(|file| (file, false)),
    }
}

/// Whether the name still means the file that we have locked: others may have renamed or removed it meanwhile.
fn is_still_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(named)) => (ours.dev(), ours.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// Appends while the lock is held; false when the file's columns are others.
fn write_in_turn(file: &File, header: &[&str], row: &[String]) -> io::Result<bool> {
    if row.len() != header.len() {
        return Err(ErrorKind::InvalidInput.into());
    }
    let length = file.metadata()?.len();
    let bytes = match Layout::of(file, header)? {
        Layout::Empty => alone(header, row)?,
        Layout::Ours {
            order,
            ends_in_newline,
            carriage_returns,
        } => {
            let cells: Vec<&str> = order
                .iter()
                .filter_map(|column| row.get(*column))
                .map(String::as_str)
                .collect();
            // A last line without its end is somebody's; it gets its end, and the row a line of its own.
            let missing_end: &[u8] = if ends_in_newline { b"" } else { b"\n" };
            [missing_end.to_vec(), line(&cells, carriage_returns)?].concat()
        }
        Layout::Others => return Ok(false),
    };
    match patience::write_all(file, &bytes, Duration::ZERO) {
        Ok(()) => Ok(true),
        Err(error) => {
            file.set_len(length)?;
            Err(error)
        }
    }
}

/// A table of one row.
pub(super) fn alone(header: &[&str], row: &[String]) -> io::Result<Vec<u8>> {
    Ok([line(header, false)?, line(row, false)?].concat())
}

/// Some file systems, NFS among them, say only now that there was no room (close(2)).
fn close(file: File) -> io::Result<()> {
    nix::unistd::close(OwnedFd::from(file)).map_err(io::Error::from)
}

#[cfg(test)]
mod tests;
