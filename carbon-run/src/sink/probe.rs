//! Whether something could be written, asked before the job starts and without leaving a trace.

use super::failure::SinkError;
use super::target::{self, Target};
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::{AccessFlags, faccessat};
use std::io;
use std::path::Path;

const DOING: &str = "write";

/// Checks that `path` could be written. Creates nothing and changes nothing, so it cannot foresee a full disk.
///
/// # Errors
/// When it is a directory, a dangling link, below a missing or unwritable directory, on a read-only file system, or a
/// descriptor that is not open for writing.
pub fn probe_writable(path: &Path) -> Result<(), SinkError> {
    let failed = SinkError::io(DOING, path);
    match Target::of(path, DOING)? {
        Target::Stdout => target::stdout().map(drop).map_err(failed),
        Target::Descriptor(number) => target::descriptor(number).map(drop).map_err(failed),
        Target::Stream(path) | Target::File { path, exists: true } => {
            permitted(&path, AccessFlags::W_OK).map_err(failed)
        }
        Target::File { path, exists: false } => {
            // A new entry needs both rights on the directory (path_resolution(7)).
            permitted(directory_of(&path), AccessFlags::W_OK | AccessFlags::X_OK).map_err(failed)
        }
    }
}

/// The directory in which `path` is, or would be.
pub(super) fn directory_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// By the rights that we act with, which under `sudo` or set-uid are not those that access(2) would check.
fn permitted(path: &Path, how: AccessFlags) -> io::Result<()> {
    faccessat(AT_FDCWD, path, how, AtFlags::AT_EACCESS).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn asking_leaves_no_trace() {
        let home = tempfile::tempdir().unwrap();
        let old = home.path().join("old.json");
        fs::write(&old, "precious").unwrap();
        probe_writable(&old).unwrap();
        probe_writable(&home.path().join("new.json")).unwrap();
        probe_writable(Path::new("-")).unwrap();
        probe_writable(Path::new("/dev/null")).unwrap();
        assert_eq!(fs::read_to_string(&old).unwrap(), "precious");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_could_never_be_written_is_refused_before_the_job() {
        let home = tempfile::tempdir().unwrap();
        let error = probe_writable(&home.path().join("missing/run.json")).unwrap_err();
        assert!(
            error.hint().is_some_and(|hint| hint.contains("mkdir -p")),
            "{error}"
        );
        assert!(probe_writable(home.path()).is_err());
        assert!(probe_writable(Path::new("/proc/version")).is_err() || nix::unistd::geteuid().is_root());
        let file = home.path().join("file");
        fs::write(&file, "").unwrap();
        let error = probe_writable(&file.join("below.json")).unwrap_err();
        assert!(error.to_string().ends_with("not a directory"), "{error}");
        assert!(probe_writable(Path::new("")).is_err());
    }
}
