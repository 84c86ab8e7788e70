//! Where the socket is: a directory that only its user may enter, and no other run's file in it.

use nix::unistd::geteuid;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest path of a socket, without the zero that ends it (unix(7): `sun_path` has 108 bytes).
const LONGEST: usize = 107;

/// A socket that is younger may be about to be listened at.
const YOUNG: Duration = Duration::from_secs(60);

/// At most so many of others' sockets are looked at in a launch.
const LOOKED_AT: usize = 64;

const EXTENSION: &str = "phases";

/// Why there is no place for a socket.
#[derive(Debug, thiserror::Error)]
pub enum NoPlace {
    /// The path does not fit into an address.
    #[error("`{0}` is too long for a socket's path")]
    TooLong(PathBuf),
    /// Somebody else's, or open to others.
    #[error("`{0}` is not a directory that is this user's alone")]
    NotOurs(PathBuf),
    /// It cannot be made.
    #[error("cannot make `{directory}`: {source}")]
    Directory {
        /// Which.
        directory: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// The directories that would do, best first: the user's runtime directory, then what lies in memory (a disk, or a file system of the
/// network, may take its time, and a launch does not wait for it), then the temporary directory.
pub(super) fn candidates(runtime: Option<&OsStr>, temporary: &Path) -> Vec<PathBuf> {
    let user = geteuid().as_raw();
    // Under `sudo` the variable may be another user's.
    let is_ours = |directory: &PathBuf| {
        let known = fs::metadata(directory);
        directory.is_absolute() && known.is_ok_and(|known| known.uid() == user)
    };
    let stated = runtime.map(PathBuf::from);
    let usual = PathBuf::from(format!("/run/user/{user}"));
    let runtime = stated.into_iter().chain([usual]).filter(is_ours);
    let mine = format!("carbon-run-{user}");
    let shared = [Path::new("/dev/shm"), temporary, Path::new("/tmp")].map(|directory| directory.join(&mine));
    runtime
        .map(|directory| directory.join("carbon-run"))
        .chain(shared)
        .collect()
}

/// The path of a run's socket in that directory, which is made where it is not there.
pub(super) fn ready(directory: &Path, run_id: &str) -> Result<PathBuf, NoPlace> {
    let path = directory.join(run_id).with_extension(EXTENSION);
    if path.as_os_str().len() > LONGEST || path.as_os_str().as_bytes().contains(&0) {
        return Err(NoPlace::TooLong(path));
    }
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(NoPlace::Directory {
                directory: directory.to_owned(),
                source: error,
            });
        }
        Ok(()) | Err(_) => {}
    }
    // Not through a link: in a directory that all may write to, somebody else may have been faster.
    let ours = fs::symlink_metadata(directory)
        .is_ok_and(|found| found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o077 == 0);
    if !ours {
        return Err(NoPlace::NotOurs(directory.to_owned()));
    }
    Ok(path)
}

/// Removes the sockets of launchers that were killed: nobody listens there any more.
pub(super) fn tidy(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.take(LOOKED_AT).flatten() {
        let path = entry.path();
        let is_socket = |path: &Path| {
            let known = fs::symlink_metadata(path).ok()?;
            let old = known.modified().ok()?.elapsed().ok()? > YOUNG;
            (known.file_type().is_socket() && old).then_some(())
        };
        if path.extension() != Some(OsStr::new(EXTENSION)) || is_socket(&path).is_none() {
            continue;
        }
        let Ok(probe) = UnixDatagram::unbound() else {
            return;
        };
        let gone = probe
            .connect(&path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        if gone {
            fs::remove_file(&path).unwrap_or_default();
        }
    }
}

/// Removes a socket, and its directory if no other run is in it.
pub(super) fn remove(path: &Path) {
    fs::remove_file(path).unwrap_or_default();
    if let Some(directory) = path.parent() {
        fs::remove_dir(directory).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::SystemTime;

    #[test]
    fn the_directory_is_the_users_alone_and_no_link() {
        let home = tempfile::tempdir().unwrap();
        let mine = home.path().join("carbon-run");
        let path = ready(&mine, "7f0a").unwrap();
        assert_eq!(path, mine.join("7f0a.phases"));
        assert_eq!(fs::metadata(&mine).unwrap().mode() & 0o777, 0o700);
        assert!(ready(&mine, "7f0b").is_ok(), "it may be there already");
        fs::set_permissions(&mine, Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(ready(&mine, "7f0c"), Err(NoPlace::NotOurs(_))));
        let link = home.path().join("link");
        fs::create_dir(home.path().join("real")).unwrap();
        fs::set_permissions(home.path().join("real"), Permissions::from_mode(0o700)).unwrap();
        symlink("real", &link).unwrap();
        assert!(matches!(ready(&link, "7f0a"), Err(NoPlace::NotOurs(_))));
    }

    #[test]
    fn a_path_that_is_no_address_is_refused_before_anything_is_made() {
        let home = tempfile::tempdir().unwrap();
        let long = home.path().join("x".repeat(100));
        assert!(matches!(ready(&long, "7f0a"), Err(NoPlace::TooLong(_))));
        assert!(!long.exists());
    }

    #[test]
    fn only_a_runtime_directory_of_the_users_own_is_taken() {
        let home = tempfile::tempdir().unwrap();
        let temporary = Path::new("/tmp");
        let mine = candidates(Some(home.path().as_os_str()), temporary);
        assert_eq!(mine.first(), Some(&home.path().join("carbon-run")));
        for other in ["relative", "/no/such/directory", ""] {
            let without = candidates(Some(OsStr::new(other)), temporary);
            assert_eq!(without, candidates(None, temporary), "{other}");
            assert!(without.iter().any(|directory| directory.starts_with(temporary)));
        }
    }

    #[test]
    fn what_a_killed_launcher_left_is_removed_and_what_is_in_use_or_young_is_not() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name).with_extension(EXTENSION);
        let in_use = UnixDatagram::bind(at("in-use")).unwrap();
        for name in ["left", "young"] {
            drop(UnixDatagram::bind(at(name)).unwrap());
        }
        fs::write(at("file"), "").unwrap();
        let long_ago = SystemTime::now() - 2 * YOUNG;
        let age = |path: &Path| {
            let stamp = nix::sys::time::TimeSpec::from_duration(
                long_ago.duration_since(SystemTime::UNIX_EPOCH).unwrap(),
            );
            let here = nix::fcntl::AT_FDCWD;
            let flags = nix::sys::stat::UtimensatFlags::NoFollowSymlink;
            nix::sys::stat::utimensat(here, path, &stamp, &stamp, flags).unwrap();
        };
        ["in-use", "left", "file"].iter().for_each(|name| age(&at(name)));
        tidy(home.path());
        let there: Vec<bool> = ["in-use", "left", "young", "file"]
            .map(|name| at(name).exists())
            .to_vec();
        assert_eq!(there, [true, false, true, true]);
        drop(in_use);
    }
}
