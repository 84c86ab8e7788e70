//! Reading the layers: the files, the environment. The only part of the settings that touches the machine.

use super::codecarbon::{self, Words};
use super::file::{self, FileError};
use super::layer::{Layer, of_environment};
use super::{Key, Origin, Settings, SettingsError, resolve};
use crate::model::recording::Note;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What settings are read from.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The environment.
    pub environment: Vec<(OsString, OsString)>,
    /// The host's config file.
    pub system_file: PathBuf,
    /// The directory whose `carbon-run.toml` is read.
    pub directory: PathBuf,
    /// The user id that carbon-run acts as.
    pub user: u32,
}

impl Surroundings {
    /// Those of this process.
    #[must_use]
    pub fn here() -> Self {
        Self {
            environment: std::env::vars_os().collect(),
            system_file: PathBuf::from("/etc/carbon-run.toml"),
            directory: PathBuf::from("."),
            user: nix::unistd::geteuid().as_raw(),
        }
    }

    fn variable(&self, name: &str) -> Option<&OsStr> {
        let found = self.environment.iter().find(|(variable, _)| variable == name);
        found
            .map(|(_, value)| value.as_os_str())
            .filter(|value| !value.is_empty())
    }

    fn home(&self) -> Option<&Path> {
        self.variable("HOME").map(Path::new)
    }

    /// `config.toml` in the person's directory of configuration. A relative `XDG_CONFIG_HOME` is to be ignored (XDG Base
    /// Directory Specification 0.8).
    fn user_file(&self) -> Option<PathBuf> {
        let directory = self
            .variable("XDG_CONFIG_HOME")
            .map(Path::new)
            .filter(|path| path.is_absolute());
        let directory = directory
            .map(Path::to_owned)
            .or_else(|| self.home().map(|home| home.join(".config")))?;
        Some(directory.join("carbon-run/config.toml"))
    }

    /// Where what is known of this host's power is kept: the first is written to. root's is the host's, which everybody
    /// reads; anybody else has one in the person's directory of state (XDG Base Directory Specification 0.8). root looks at
    /// nobody else's.
    #[must_use]
    pub fn state_directories(&self) -> Vec<PathBuf> {
        let own = || {
            let state = self
                .variable("XDG_STATE_HOME")
                .map(Path::new)
                .filter(|path| path.is_absolute());
            let state = state
                .map(Path::to_owned)
                .or_else(|| self.home().map(|home| home.join(".local/state")))?;
            Some(state.join("carbon-run"))
        };
        let own = if self.user == 0 { None } else { own() };
        own.into_iter()
            .chain([PathBuf::from("/var/lib/carbon-run")])
            .collect()
    }

    /// Whether a file of that user may say what is written to: one's own, root's, and under sudo those of the person who
    /// called it.
    pub(super) fn trusts(&self, owner: u32) -> bool {
        let caller = self
            .variable("SUDO_UID")
            .and_then(OsStr::to_str)
            .and_then(|uid| uid.parse().ok());
        owner == self.user || owner == 0 || (self.user == 0 && caller == Some(owner))
    }

    /// The config files, lowest first, whether or not they are there.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        [
            Some(self.system_file.clone()),
            self.user_file(),
            Some(self.directory.join("carbon-run.toml")),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The settings in force, from the files, the environment and the flags.
///
/// # Errors
/// When a config file is there and cannot be used, or when a value in force is out of its range. Nothing is ignored: the
/// figures would be wrong without a word.
pub fn load(
    command: Vec<OsString>,
    flags: Layer,
    surroundings: &Surroundings,
) -> Result<Settings, SettingsError> {
    let theirs = codecarbon(surroundings).meant();
    let mut layers = vec![theirs.layer];
    let mut notes = theirs.notes;
    let mut owners = BTreeMap::new();
    for path in surroundings.files() {
        match read(&path)? {
            Found::Text { bytes, owner } => {
                layers.push(file::parse(&bytes, &path, surroundings.home())?);
                owners.insert(path, owner);
            }
            Found::Nothing => {}
            Found::Hidden(error) => notes.push(hidden(&path, &error)),
        }
    }
    let (environment, unknown) = of_environment(&surroundings.environment);
    notes.extend(unknown);
    layers.extend([environment, flags]);
    let mut settings = resolve(command, &layers)?;
    for key in Key::WRITTEN {
        if let Origin::File { path, line } = settings.origin(key)
            && let Some(owner) = owners
                .get(path)
                .copied()
                .filter(|owner| !surroundings.trusts(*owner))
        {
            return Err(FileError::Stranger {
                path: path.clone(),
                line: *line,
                key,
                owner,
            }
            .into());
        }
    }
    if settings.state_dirs.is_empty() {
        settings.state_dirs = surroundings.state_directories();
    }
    settings.notes = notes;
    settings.unused = theirs.unused;
    Ok(settings)
}

/// What is said to CodeCarbon, in the order in which it reads it.
fn codecarbon(surroundings: &Surroundings) -> Words {
    let mut words = Words::default();
    let home = surroundings.home();
    let places = [home.map(Path::to_owned), Some(surroundings.directory.clone())];
    for path in places
        .into_iter()
        .flatten()
        .map(|place| place.join(codecarbon::FILE))
    {
        let shown = codecarbon::shown(&path, home);
        match read(&path) {
            Ok(Found::Text { bytes, owner }) => {
                let stranger = Some(owner).filter(|owner| !surroundings.trusts(*owner));
                words.of_file(&bytes, &shown, stranger);
            }
            Ok(Found::Nothing | Found::Hidden(_)) => {}
            Err(FileError::Unreadable { source, .. }) => words.unreadable(&shown, &source.to_string()),
            Err(_) => words.unreadable(&shown, "it is not a regular file"),
        }
    }
    words.of_environment(&surroundings.environment);
    words
}

enum Found {
    Text {
        bytes: Vec<u8>,
        /// A user id.
        owner: u32,
    },
    Nothing,
    /// Its directory may not be entered, so that nobody can say whether there is a file.
    Hidden(io::Error),
}

fn read(path: &Path) -> Result<Found, FileError> {
    let unreadable = |source| FileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    // Opening a pipe would otherwise wait for its writer.
    let mut file = match OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
    {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Found::Nothing);
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied && fs::metadata(path).is_err() => {
            return Ok(Found::Hidden(error));
        }
        Err(error) => return Err(unreadable(error)),
    };
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(FileError::NotAFile {
            path: path.to_owned(),
        });
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(Found::Text {
        bytes,
        owner: metadata.uid(),
    })
}

/// `sudo -u other` keeps HOME on many systems: no reason to refuse the run, but worth a word.
fn hidden(path: &Path, error: &io::Error) -> Note {
    Note {
        code: "config-hidden".to_owned(),
        message: format!("cannot look for the config file `{}`: {error}", path.display()),
        hint: Some("set HOME to the home directory of the user who runs carbon-run".to_owned()),
        degrades: false,
    }
}
