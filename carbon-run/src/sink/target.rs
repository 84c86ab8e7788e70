//! What a name on the command line stands for.

use super::failure::SinkError;
use super::inherited;
use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, RawFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Where bytes can go.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// `-` and the names of stdout.
    Stdout,
    /// Another descriptor that we were started with.
    Descriptor(RawFd),
    /// A pipe with a name, or a character device.
    Stream(PathBuf),
    /// A regular file, with every symbolic link resolved, or one that does not exist yet.
    File {
        /// Its path.
        path: PathBuf,
        /// Whether it is there.
        exists: bool,
    },
}

impl Target {
    /// Looks at what `path` names; `doing` is for the error.
    pub(super) fn of(path: &Path, doing: &'static str) -> Result<Self, SinkError> {
        if let Some(descriptor) = named_descriptor(path) {
            return Ok(if descriptor == libc::STDOUT_FILENO {
                Self::Stdout
            } else {
                Self::Descriptor(descriptor)
            });
        }
        let failed = SinkError::io(doing, path);
        match fs::metadata(path) {
            Ok(found) if found.is_file() => {
                let path = fs::canonicalize(path).map_err(failed)?;
                Ok(Self::File { path, exists: true })
            }
            Ok(found) if found.file_type().is_fifo() || found.file_type().is_char_device() => {
                Ok(Self::Stream(path.to_owned()))
            }
            Ok(found) => Err(not_a_file(doing, path, kind(found.file_type()))),
            Err(error) if error.kind() == ErrorKind::NotFound && !path.as_os_str().is_empty() => {
                // A link to nowhere would make us create a file at a place that nobody named.
                if fs::symlink_metadata(path).is_ok() {
                    return Err(not_a_file(doing, path, "a symbolic link to nothing"));
                }
                Ok(Self::File {
                    path: path.to_owned(),
                    exists: false,
                })
            }
            Err(error) => Err(failed(error)),
        }
    }
}

/// The descriptor behind `-`, `/dev/stdout`, `/dev/fd/3` and their like.
fn named_descriptor(path: &Path) -> Option<RawFd> {
    let name = path.to_str()?;
    match name {
        "-" | "/dev/stdout" => return Some(libc::STDOUT_FILENO),
        "/dev/stderr" => return Some(libc::STDERR_FILENO),
        _ => {}
    }
    let number = name
        .strip_prefix("/dev/fd/")
        .or(name.strip_prefix("/proc/self/fd/"))?;
    number
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| number.parse().ok())
        .flatten()
}

/// stdout, past the standard library's buffer.
pub(super) fn stdout() -> io::Result<File> {
    io::stdout().as_fd().try_clone_to_owned().map(File::from)
}

/// The descriptor, if it was opened for writing.
pub(super) fn descriptor(number: RawFd) -> io::Result<File> {
    let file = inherited::duplicate(number)?;
    let flags = nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_GETFL)?;
    if flags & libc::O_ACCMODE == libc::O_RDONLY {
        return Err(nix::errno::Errno::EBADF.into());
    }
    Ok(file)
}

/// A pipe or a device, without waiting for a reader: `ENXIO` when a pipe has none (fifo(7)). A terminal opened here does
/// not become ours.
pub(super) fn stream(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
}

pub(super) fn not_a_file(doing: &'static str, path: &Path, kind: &'static str) -> SinkError {
    SinkError::NotAFile {
        doing,
        path: path.to_owned(),
        kind,
    }
}

/// What it is, with its article.
pub(super) fn kind(found: FileType) -> &'static str {
    if found.is_dir() {
        "a directory"
    } else if found.is_socket() {
        "a socket"
    } else if found.is_block_device() {
        "a block device"
    } else if found.is_fifo() {
        "a pipe"
    } else if found.is_char_device() {
        "a device"
    } else {
        "no regular file"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn names_of_descriptors_are_not_paths() {
        let target = |name: &str| Target::of(Path::new(name), "write").unwrap();
        assert_eq!(target("-"), Target::Stdout);
        assert_eq!(target("/dev/stdout"), Target::Stdout);
        assert_eq!(target("/dev/fd/1"), Target::Stdout);
        assert_eq!(target("/dev/stderr"), Target::Descriptor(2));
        assert_eq!(target("/proc/self/fd/7"), Target::Descriptor(7));
        assert_eq!(target("/dev/null"), Target::Stream(PathBuf::from("/dev/null")));
    }

    #[test]
    fn a_link_to_a_file_is_that_file_and_a_link_to_nothing_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let [real, link, lost] = ["real", "link", "lost"].map(|name| home.path().join(name));
        fs::write(&real, "x").unwrap();
        symlink(&real, &link).unwrap();
        symlink(home.path().join("nowhere"), &lost).unwrap();
        let resolved = fs::canonicalize(&real).unwrap();
        assert_eq!(
            Target::of(&link, "write").unwrap(),
            Target::File {
                path: resolved,
                exists: true
            }
        );
        let message = Target::of(&lost, "write").unwrap_err().to_string();
        assert!(message.ends_with("it is a symbolic link to nothing"), "{message}");
    }

    #[test]
    fn a_directory_and_a_loop_are_refused_by_name() {
        let home = tempfile::tempdir().unwrap();
        let message = Target::of(home.path(), "write").unwrap_err().to_string();
        assert!(message.ends_with("it is a directory"), "{message}");
        let ring = home.path().join("ring");
        symlink(&ring, &ring).unwrap();
        let error = Target::of(&ring, "write").unwrap_err();
        assert!(error.to_string().contains("symbolic links"), "{error}");
        assert_eq!(error.hint().as_deref(), Some("check the path"));
    }

    #[test]
    fn a_descriptor_that_is_closed_or_only_read_is_refused() {
        use std::os::fd::AsRawFd;
        let read_only = File::open("/dev/null").unwrap();
        assert!(descriptor(read_only.as_raw_fd()).is_err());
        assert!(descriptor(1_000_000).is_err());
        let writable = OpenOptions::new().write(true).open("/dev/null").unwrap();
        assert!(descriptor(writable.as_raw_fd()).is_ok());
    }
}
