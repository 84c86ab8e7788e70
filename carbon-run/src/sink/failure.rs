//! Why something could not be written, and what to do about it.

use nix::errno::Errno;
use std::io;
use std::path::{Path, PathBuf};

/// Why something could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The system refused.
    #[error("cannot {doing} `{}`: {}", path.display(), in_words(source))]
    Io {
        /// What was being done, as in `cannot append a row to`.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The name belongs to something that is no file to write to.
    #[error("cannot {doing} `{}`: it is {kind}", path.display())]
    NotAFile {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What it is, with its article: `a directory`.
        kind: &'static str,
    },
    /// Another process writes to it.
    #[error("cannot {doing} `{}`: another process is writing to it", path.display())]
    InUse {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
    },
    /// The file and all the names beside it hold tables with other columns, or are locked.
    #[error("cannot append a row to `{}` or beside it: the files there have other columns or stay locked", path.display())]
    NoPlaceBeside {
        /// The file that was wanted.
        path: PathBuf,
    },
}

impl SinkError {
    /// Whether a reader has gone away, as `head` does once it has seen enough.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
    }

    /// For `map_err` on an operation on `path`.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            doing,
            path: path.to_owned(),
            source,
        }
    }

    /// What the person can do about it, lower case, without a full stop; `None` when the message says it all.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { path, source, .. } => hint(path, Errno::from_raw(source.raw_os_error()?)),
            Self::NotAFile { .. } => Some("name a file".to_owned()),
            Self::InUse { .. } => Some("name another file for this run".to_owned()),
            Self::NoPlaceBeside { .. } => Some("choose another directory".to_owned()),
        }
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "there are 130 reasons, and these are those with a remedy"
)]
fn hint(path: &Path, errno: Errno) -> Option<String> {
    // What an errno means for writing a file: open(2), write(2).
    let hint = match errno {
        Errno::EACCES | Errno::EPERM => "choose a place that you may write to".to_owned(),
        Errno::EROFS => "the file system is mounted read-only; choose another place".to_owned(),
        Errno::ENOSPC | Errno::EDQUOT => "free some space, or choose another file system".to_owned(),
        Errno::EFBIG => "the limit on file sizes (`ulimit -f`) is too low for it".to_owned(),
        Errno::ENOENT => {
            let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty())?;
            format!("create the directory first: `mkdir -p {}`", directory.display())
        }
        Errno::ENOTDIR | Errno::ELOOP | Errno::ENAMETOOLONG => "check the path".to_owned(),
        Errno::ENXIO => "start the reader of the pipe first".to_owned(),
        Errno::EBADF => "open the descriptor for writing, as in `3>file`".to_owned(),
        _ => return None,
    };
    Some(hint)
}

/// The system's reason in lower case and without its number.
pub(super) fn in_words(error: &io::Error) -> String {
    let words = error.raw_os_error().map_or_else(
        || error.to_string(),
        |code| Errno::from_raw(code).desc().to_owned(),
    );
    let mut letters = words.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(errno: Errno) -> SinkError {
        SinkError::io("write", Path::new("results/run.json"))(io::Error::from(errno))
    }

    #[test]
    fn a_message_names_the_path_and_the_cause_and_the_hint_the_remedy() {
        let error = refused(Errno::ENOENT);
        assert_eq!(
            error.to_string(),
            "cannot write `results/run.json`: no such file or directory"
        );
        assert_eq!(
            error.hint().as_deref(),
            Some("create the directory first: `mkdir -p results`")
        );
        let error = refused(Errno::ENOSPC);
        assert_eq!(
            error.to_string(),
            "cannot write `results/run.json`: no space left on device"
        );
        assert_eq!(
            error.hint().as_deref(),
            Some("free some space, or choose another file system")
        );
    }

    #[test]
    fn a_cause_without_a_remedy_has_no_hint() {
        assert_eq!(refused(Errno::EIO).hint(), None);
    }
}
