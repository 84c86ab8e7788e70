//! What could not be delivered to a receiver, kept until somebody sends it.

use crate::publish::{Parcel, SCHEMA};
use crate::sink::write_file;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A receiver that never comes back must not fill the disk.
const MOST: usize = 1000;

/// More than this is none of our files.
const LARGEST: u64 = 16 << 20;

fn directory(state: &Path) -> PathBuf {
    state.join("unsent")
}

/// Keeps a parcel; one of the same run for the same kind of receiver is replaced.
///
/// # Errors
/// When it cannot be written, or there are too many already.
pub(super) fn keep(state: &Path, parcel: &Parcel) -> io::Result<PathBuf> {
    let directory = directory(state);
    // What was run, and who is told of it, is nobody else's business; the state above is everybody's.
    let made = |directory: &Path, mode| DirBuilder::new().recursive(true).mode(mode).create(directory);
    made(state, 0o755)?;
    made(&directory, 0o700)?;
    let file = directory.join(format!("{}-{}.json", parcel.run_id, parcel.content.name()));
    if !file.exists() && fs::read_dir(&directory)?.count() >= MOST {
        let full = format!("`{}` holds {MOST} already", directory.display());
        return Err(io::Error::other(full));
    }
    let bytes = serde_json::to_vec(parcel)?;
    write_file(&file, &bytes).map_err(io::Error::other)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    Ok(file)
}

/// Everything that is kept, oldest first, with its file.
pub(super) fn kept(state: &Path) -> Vec<(PathBuf, Parcel)> {
    let entries = fs::read_dir(directory(state)).into_iter().flatten().flatten();
    let mut kept: Vec<_> = entries
        .filter_map(|entry| {
            let metadata = entry.metadata().ok()?;
            if !metadata.is_file() || metadata.len() > LARGEST {
                return None;
            }
            let parcel: Parcel = serde_json::from_slice(&fs::read(entry.path()).ok()?).ok()?;
            (parcel.schema == SCHEMA).then(|| (metadata.modified().ok(), entry.path(), parcel))
        })
        .collect();
    kept.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    kept.into_iter().map(|(_, file, parcel)| (file, parcel)).collect()
}
