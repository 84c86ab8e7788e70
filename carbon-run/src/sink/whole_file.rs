//! A whole file at once: it is either the old one or the new one, never half of it.

use super::failure::SinkError;
use super::patience;
use super::probe::directory_of;
use super::target::{self, Target};
use nix::errno::Errno;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::Path;
use std::time::Duration;

const DOING: &str = "write";

/// How long a pipe may be without a reader, or without room.
const PATIENCE: Duration = Duration::from_secs(5);

/// Writes `bytes` to `path`. A regular file is replaced atomically and keeps its mode and, where we may, its owner; a
/// symbolic link keeps pointing to it. `-`, `/dev/stdout`, `/dev/fd/N`, named pipes and devices are written to directly.
///
/// # Errors
/// When it is no file, or the system refuses; a regular file is then as it was, unless its directory did not admit a
/// second file beside it.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), SinkError> {
    let written = match Target::of(path, DOING)? {
        Target::Stdout => target::stdout().and_then(|file| patience::write_all(&file, bytes, PATIENCE)),
        Target::Descriptor(number) => {
            target::descriptor(number).and_then(|file| patience::write_all(&file, bytes, PATIENCE))
        }
        Target::Stream(path) => stream(&path, bytes),
        Target::File { path, .. } => replace(&path, bytes),
    };
    written.map_err(SinkError::io(DOING, path))
}

fn stream(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let no_reader = |error: &io::Error| error.raw_os_error() == Some(Errno::ENXIO as i32);
    let attempt = || match target::stream(path) {
        Err(error) if no_reader(&error) => None,
        opened => Some(opened),
    };
    let file = patience::until(PATIENCE, attempt).unwrap_or_else(|| Err(Errno::ENXIO.into()))?;
    patience::write_all(&file, bytes, PATIENCE)
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let old = fs::metadata(path).ok();
    let replaced = beside_and_rename(path, bytes, old.as_ref());
    match replaced {
        // The directory takes no second file, or the name is a mount point; the file itself may still be ours to write.
        Err(error) if old.is_some() && is_the_directorys_fault(&error) => in_place(path, bytes),
        outcome => outcome,
    }
}

fn beside_and_rename(path: &Path, bytes: &[u8], old: Option<&Metadata>) -> io::Result<()> {
    // By a closure of our own, because the crate's wraps errors and hides their numbers.
    let new = tempfile::Builder::new()
        .prefix(".carbon-run-")
        .suffix(".tmp")
        .make_in(directory_of(path), |name| {
            OpenOptions::new().write(true).create_new(true).open(name)
        })?;
    if let Some(old) = old {
        keep_owner_and_mode(new.as_file(), old)?;
    }
    patience::write_all(new.as_file(), bytes, PATIENCE)?;
    // Without it, a crash soon after the rename can leave an empty file under the name (ext4(5), `auto_da_alloc`).
    new.as_file().sync_all()?;
    new.persist(path).map(drop).map_err(|failed| failed.error)
}

/// Owner first: changing it clears the set-id bits (chown(2)).
fn keep_owner_and_mode(new: &File, old: &Metadata) -> io::Result<()> {
    match fchown(new, Some(old.uid()), Some(old.gid())) {
        // Somebody else's file in a directory of ours: the new one is then ours.
        Err(error) if error.raw_os_error() == Some(Errno::EPERM as i32) => {}
        outcome => outcome?,
    }
    new.set_permissions(old.permissions())
}

fn is_the_directorys_fault(error: &io::Error) -> bool {
    let codes = [
        Errno::EACCES,
        Errno::EPERM,
        Errno::EROFS,
        Errno::EBUSY,
        Errno::EXDEV,
    ];
    codes
        .iter()
        .any(|code| error.raw_os_error() == Some(*code as i32))
}

/// Overwrites, and cuts only what is left of the old content once all of the new is there.
fn in_place(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    patience::write_all(&file, bytes, PATIENCE)?;
    file.set_len(u64::try_from(bytes.len()).unwrap_or(u64::MAX))?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
