//! Where the program and its maps are kept in a BPF file system, so that they go on counting when whoever started them is gone.

use super::engine::Room;
use super::load::OBJECT;
use std::fs;
use std::path::{Path, PathBuf};

/// The directory, below `pins`, of this object for so many jobs: another version's counts cannot be read.
pub(super) fn place(pins: &Path, room: Room) -> PathBuf {
    // FNV-1a, 64 bits (Fowler, Noll and Vo): any spreading will do.
    let hash = OBJECT.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    pins.join(format!("{hash:016x}_{}_{}", room.jobs, room.processes))
}

/// Removes all that is there: the kernel side of another version, or one that was not pinned to the end. It ends with its last name.
pub(super) fn clear(pins: &Path) {
    let directories = fs::read_dir(pins).into_iter().flatten().filter_map(Result::ok);
    for directory in directories {
        remove(&directory.path());
    }
}

/// Removes one; what it has not got is not there to be removed.
fn remove(directory: &Path) {
    let objects = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(Result::ok);
    for object in objects {
        fs::remove_file(object.path()).unwrap_or_default();
    }
    fs::remove_dir(directory).unwrap_or_default();
}

/// Removes everything that [`super::Jobs::start_pinned`] has left below `pins`.
pub fn remove_all(pins: &Path) {
    clear(pins);
    fs::remove_dir(pins).unwrap_or_default();
}
