//! Why a command could not be started, in words and as an exit code.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The command did not start; nothing of it has run.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// Signals could not be blocked or watched, or timers not be moved.
    #[error("cannot prepare the launch: {}", cause(.0))]
    Preparation(#[source] io::Error),
    /// [`super::Launch::spawn`] was called outside of a tokio runtime.
    #[error("cannot prepare the launch: no tokio runtime is running")]
    NoRuntime,
    /// [`super::Launch::spawn`] was called in a process with this many threads that signals reach. They would end the others.
    #[error(
        "cannot prepare the launch: {0} threads are running that signals can reach, and there may be but one"
    )]
    Threads(usize),
    /// A variable for the command's environment is none.
    #[error("cannot set the environment variable `{}`: {}", name.display(), cause(source))]
    Variable {
        /// Its name.
        name: OsString,
        /// Why not.
        source: io::Error,
    },
    /// There is no new process to be had.
    #[error("cannot start a process for `{}`: {}", program.display(), cause(source))]
    Fork {
        /// The command's name.
        program: OsString,
        /// Why not.
        source: io::Error,
    },
    /// There is no such command.
    #[error("cannot find the command `{}`", program.display())]
    NotFound {
        /// The command's name as it was given.
        program: OsString,
    },
    /// There is such a file, but not the program that it asks to be run by (`#!`, or the dynamic loader).
    #[error("cannot run `{}`: the interpreter that it names is missing", file.display())]
    NoInterpreter {
        /// The file.
        file: PathBuf,
    },
    /// There is such a file, but it cannot be executed.
    #[error("cannot run `{}`: {}", program.display(), cause(source))]
    NotExecutable {
        /// The command's name as it was given.
        program: OsString,
        /// What the kernel said.
        source: io::Error,
    },
}

impl SpawnError {
    /// The exit code that tells of it, by the convention of env(1): 127 not found, 126 found and cannot be executed,
    /// 125 carbon-run's own failure.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotFound { .. } | Self::NoInterpreter { .. } => 127,
            Self::NotExecutable { .. } => 126,
            Self::Preparation(_)
            | Self::NoRuntime
            | Self::Threads(_)
            | Self::Variable { .. }
            | Self::Fork { .. } => 125,
        }
    }

    /// What to do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { program } => not_found_hint(program),
            Self::NoInterpreter { file } => interpreter_hint(file),
            Self::NotExecutable { program, .. } => not_executable_hint(program),
            Self::Fork { .. } => {
                Some("the limit on processes or memory is reached: see `ulimit -u`".to_owned())
            }
            Self::Preparation(_) | Self::NoRuntime | Self::Threads(_) | Self::Variable { .. } => None,
        }
    }

    /// Sorts what `Command::spawn` says. The error is that of fork or that of exec, and only the number tells which.
    pub(super) fn from_spawn(program: &OsStr, source: io::Error) -> Self {
        let program = program.to_owned();
        match source.raw_os_error() {
            Some(libc::ENOENT) => match found(&program) {
                Some(file) => Self::NoInterpreter { file },
                None => Self::NotFound { program },
            },
            Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE) => Self::Fork { program, source },
            Some(_) => Self::NotExecutable { program, source },
            // Not from the kernel: an argument with a NUL byte, which no argument can have.
            None => Self::Preparation(source),
        }
    }
}

/// The launcher lost sight of the command.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// Signals can no longer be read.
    #[error("cannot read signals: {}", cause(.0))]
    Signals(#[source] io::Error),
    /// The command's status cannot be had.
    #[error("cannot wait for the command: {}", cause(.0))]
    Wait(#[source] io::Error),
}

/// The kernel's words, as they fit into the middle of a sentence.
fn cause(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(
        || error.to_string(),
        |number| nix::errno::Errno::from_raw(number).desc().to_lowercase(),
    )
}

/// The file that the command's name means, whether or not it can be executed.
fn found(program: &OsStr) -> Option<PathBuf> {
    if program.is_empty() {
        return None;
    }
    if program.as_bytes().contains(&b'/') {
        return Some(PathBuf::from(program)).filter(|path| path.exists());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

fn not_found_hint(program: &OsStr) -> Option<String> {
    if program.is_empty() || program.as_bytes().contains(&b'/') {
        return None;
    }
    let name = program.display();
    if Path::new(program).is_file() {
        return Some(format!("there is one in this directory: say `./{name}`"));
    }
    Some(format!("`{name}` is in none of the directories in `PATH`"))
}

fn interpreter_hint(file: &Path) -> Option<String> {
    let start = first_line(file).ok()?;
    let Some(line) = start.strip_prefix(b"#!") else {
        return Some("it was built for another system, or its dynamic loader is not installed".to_owned());
    };
    if line.ends_with(b"\r") {
        return Some(
            "its first line ends in a carriage return: convert the file to Unix line ends".to_owned(),
        );
    }
    Some(format!(
        "its first line says `#!{}`",
        String::from_utf8_lossy(line)
    ))
}

fn not_executable_hint(program: &OsStr) -> Option<String> {
    let Some(file) = found(program) else {
        let searched = !program.as_bytes().contains(&b'/');
        return searched.then(|| "a directory in `PATH` may not be searched".to_owned());
    };
    let facts = file.metadata().ok()?;
    let name = file.display();
    if facts.is_dir() {
        return Some(format!("`{name}` is a directory"));
    }
    if facts.permissions().mode() & 0o111 == 0 {
        return Some(format!(
            "it has no execute permission; name its interpreter, as in `sh {name}`"
        ));
    }
    None
}

/// The first line, as far as the kernel would look for an interpreter (execve(2): 255 bytes).
fn first_line(file: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut start = Vec::new();
    std::fs::File::open(file)?.take(255).read_to_end(&mut start)?;
    let end = start
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(start.len());
    start.truncate(end);
    Ok(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(program: &str, number: i32) -> SpawnError {
        SpawnError::from_spawn(OsStr::new(program), io::Error::from_raw_os_error(number))
    }

    #[test]
    fn the_exit_codes_are_those_of_env() {
        assert_eq!(failing("carbon-no-such-command", libc::ENOENT).exit_code(), 127);
        assert_eq!(failing("/etc", libc::EACCES).exit_code(), 126);
        assert_eq!(failing("/etc/passwd/x", libc::ENOTDIR).exit_code(), 126);
        assert_eq!(failing("true", libc::EAGAIN).exit_code(), 125);
        assert_eq!(SpawnError::NoRuntime.exit_code(), 125);
    }

    #[test]
    fn a_script_whose_interpreter_is_missing_is_not_called_missing_itself() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script");
        std::fs::write(&script, "#!/no/such/interpreter\r\n").unwrap();
        let error = failing(script.to_str().unwrap(), libc::ENOENT);
        assert!(
            error
                .to_string()
                .ends_with("script`: the interpreter that it names is missing"),
            "{error}"
        );
        assert!(error.hint().unwrap().contains("carriage return"));
    }

    #[test]
    fn the_kernels_words_are_part_of_the_sentence() {
        let message = failing("/etc", libc::EACCES).to_string();
        assert_eq!(message, "cannot run `/etc`: permission denied");
    }

    #[test]
    fn a_directory_is_told_from_a_file_without_permission() {
        let hint = failing("/etc", libc::EACCES).hint();
        assert_eq!(hint.as_deref(), Some("`/etc` is a directory"));
        let hint = failing("/etc/passwd", libc::EACCES).hint().unwrap();
        assert!(hint.contains("`sh /etc/passwd`"), "{hint}");
    }

    #[test]
    fn a_command_that_is_nowhere_is_looked_for_in_path() {
        let hint = failing("carbon-no-such-command", libc::ENOENT).hint().unwrap();
        assert_eq!(
            hint,
            "`carbon-no-such-command` is in none of the directories in `PATH`"
        );
    }
}
