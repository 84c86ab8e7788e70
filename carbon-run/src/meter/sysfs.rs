//! Reading the one-line files of sysfs: whole, checked, and through a handle that stays open.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Longer than any line that meters write (`u64` in decimal: 20 digits; names of zones and sensors: some 30 bytes; lists
/// of CPUs are cut to ranges).
const LINE: usize = 256;

/// Why a file gave no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReadError {
    /// The kernel's refusal.
    #[error("`{}`: {}", path.display(), cause)]
    Io {
        path: PathBuf,
        kind: ErrorKind,
        cause: String,
    },
    /// Nothing in it.
    #[error("`{}` is empty", path.display())]
    Empty { path: PathBuf },
    /// Something else in it.
    #[error("`{}` holds `{text}`, which is not {wanted}", path.display())]
    Garbage {
        path: PathBuf,
        text: String,
        wanted: &'static str,
    },
}

impl ReadError {
    pub(super) fn io(path: PathBuf, error: &io::Error) -> Self {
        let text = error.to_string();
        let mut letters = text.chars();
        let cause = letters
            .next()
            .map(|first| first.to_lowercase().chain(letters).collect())
            .unwrap_or_default();
        Self::Io {
            path,
            kind: error.kind(),
            cause,
        }
    }

    /// Whether more rights would help.
    pub(super) fn is_permission(&self) -> bool {
        matches!(self, Self::Io { kind, .. } if *kind == ErrorKind::PermissionDenied)
    }

    /// Whether there is no such file.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Io { kind, .. } if *kind == ErrorKind::NotFound)
    }
}

/// The one line of a small file, without the white space around it; never empty.
pub(super) fn text(path: &Path) -> Result<String, ReadError> {
    let file = File::open(path).map_err(|error| ReadError::io(path.to_owned(), &error))?;
    line(&file, path)
}

/// The number in a small file.
pub(super) fn number(path: &Path) -> Result<u64, ReadError> {
    text(path).and_then(|text| digits(&text, path))
}

/// A counter whose file stays open, so that a reading is one system call.
#[derive(Debug)]
pub(super) struct CounterFile {
    path: PathBuf,
    file: Option<File>,
}

impl CounterFile {
    /// Does not touch the file yet; the first reading opens it.
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, file: None }
    }

    /// The counter now. A handle that fails is given up and the file opened afresh, now and at every later reading:
    /// a zone that went away (a module reloaded, a CPU unplugged) comes back under the same name as another file.
    pub(super) fn read(&mut self) -> Result<u64, ReadError> {
        if let Some(file) = &self.file
            && let Ok(value) = self.parse(file)
        {
            return Ok(value);
        }
        self.file = None;
        let file = File::open(&self.path).map_err(|error| ReadError::io(self.path.clone(), &error))?;
        let value = self.parse(&file)?;
        self.file = Some(file);
        Ok(value)
    }

    fn parse(&self, file: &File) -> Result<u64, ReadError> {
        digits(&line(file, &self.path)?, &self.path)
    }
}

fn line(file: &File, path: &Path) -> Result<String, ReadError> {
    let mut buffer = [0; LINE];
    let length = loop {
        match file.read_at(&mut buffer, 0) {
            Ok(length) => break length,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(ReadError::io(path.to_owned(), &error)),
        }
    };
    let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
    let text = text.trim();
    if text.is_empty() {
        return Err(ReadError::Empty {
            path: path.to_owned(),
        });
    }
    if length == LINE {
        return Err(garbage(path, text, "one short line"));
    }
    Ok(text.to_owned())
}

fn digits(text: &str, path: &Path) -> Result<u64, ReadError> {
    if text.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(value) = text.parse()
    {
        return Ok(value);
    }
    Err(garbage(path, text, "a number of 64 bits"))
}

/// What a file holds is not what was wanted of it.
pub(super) fn garbage(path: &Path, text: &str, wanted: &'static str) -> ReadError {
    ReadError::Garbage {
        path: path.to_owned(),
        text: text.escape_debug().to_string(),
        wanted,
    }
}
