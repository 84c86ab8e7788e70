//! The last resort: what cannot be written where it was wanted is saved under a name that tells which run it is.

use super::failure::SinkError;
use super::patience;
use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Names tried in one directory.
const NAMES: u32 = 20;

/// Where and under which name to save what has no place.
#[derive(Debug, Clone)]
pub struct Rescue<'a> {
    /// The run's id; part of the name.
    pub run_id: &'a str,
    /// Without its dot: `csv`, `json`, `jsonl`.
    pub extension: &'a str,
    /// Tried in order; see [`rescue_directories`].
    pub directories: &'a [PathBuf],
}

/// `$XDG_STATE_HOME/carbon-run` (by default below `~/.local/state`), which survives a reboot, then the temporary
/// directory. Reads the environment.
#[must_use]
pub fn rescue_directories() -> Vec<PathBuf> {
    let absolute = |name: &str| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    state
        .map(|state| state.join("carbon-run"))
        .into_iter()
        .chain([env::temp_dir()])
        .collect()
}

impl Rescue<'_> {
    /// Saves the bytes in the first directory that takes them, as `carbon-run-RUN_ID.EXTENSION`, readable only by its
    /// owner, never through a link and never over an existing file.
    ///
    /// # Errors
    /// When no directory takes them; the error is that of the last one.
    pub fn save(&self, bytes: &[u8]) -> Result<PathBuf, SinkError> {
        let mut last = SinkError::io("save", Path::new("carbon-run"))(ErrorKind::NotFound.into());
        for directory in self.directories {
            match self.save_in(directory, bytes) {
                Ok(path) => return Ok(path),
                Err(source) => last = SinkError::io("save a result in", directory)(source),
            }
        }
        Err(last)
    }

    fn save_in(&self, directory: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let (file, path) = self.create_in(directory)?;
        let written = patience::write_all(&file, bytes, Duration::ZERO).and_then(|()| file.sync_all());
        match written {
            Ok(()) => Ok(path),
            Err(error) => {
                // Half a result is worse than none; the error of the write is the one to tell.
                drop(fs::remove_file(&path));
                Err(error)
            }
        }
    }

    fn create_in(&self, directory: &Path) -> io::Result<(File, PathBuf)> {
        // A recording from elsewhere may carry any id; as a name it stays in its directory.
        let id: String = self
            .run_id
            .chars()
            .filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-')
            .collect();
        for number in 1..=NAMES {
            let number = if number == 1 {
                String::new()
            } else {
                format!("-{number}")
            };
            let path = directory.join(format!("carbon-run-{id}{number}.{}", self.extension));
            match OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
            {
                Ok(file) => return Ok((file, path)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_rescued_result_is_its_owners_alone_and_overwrites_nothing() {
        let home = tempfile::tempdir().unwrap();
        let directories = [
            PathBuf::from("/proc/no-such-place"),
            home.path().join("state/carbon-run"),
        ];
        let rescue = Rescue {
            run_id: "0b0e-1",
            extension: "json",
            directories: &directories,
        };
        let first = rescue.save(b"one").unwrap();
        let second = rescue.save(b"two").unwrap();
        assert_eq!(first, home.path().join("state/carbon-run/carbon-run-0b0e-1.json"));
        assert_eq!(
            second,
            home.path().join("state/carbon-run/carbon-run-0b0e-1-2.json")
        );
        assert_eq!(fs::read(&first).unwrap(), b"one");
        assert_eq!(fs::metadata(&first).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_link_that_waits_in_the_temporary_directory_is_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let victim = home.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, home.path().join("carbon-run-x.csv")).unwrap();
        let directories = [home.path().to_owned()];
        let saved = Rescue {
            run_id: "x",
            extension: "csv",
            directories: &directories,
        }
        .save(b"row")
        .unwrap();
        assert_eq!(saved, home.path().join("carbon-run-x-2.csv"));
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }

    #[test]
    fn an_id_cannot_lead_out_of_its_directory() {
        let home = tempfile::tempdir().unwrap();
        let directories = [home.path().to_owned()];
        let saved = Rescue {
            run_id: "../../etc/x",
            extension: "csv",
            directories: &directories,
        }
        .save(b"row")
        .unwrap();
        assert_eq!(saved, home.path().join("carbon-run-etcx.csv"));
    }

    #[test]
    fn without_any_place_the_error_names_the_last_one() {
        let directories = [PathBuf::from("/proc/no-such-place")];
        let error = Rescue {
            run_id: "x",
            extension: "csv",
            directories: &directories,
        }
        .save(b"row")
        .unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot save a result in `/proc/no-such-place`: "),
            "{error}"
        );
    }
}
