//! The probe (`probe.c`), compiled on first use by the C compiler that Rust links with; and processes seen from outside.

use super::deadline::{until, until_some};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// The program under test.
pub(crate) const CARBON_RUN: &str = env!("CARGO_BIN_EXE_carbon-run");

/// The compiled probe.
pub(crate) fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/support/probe.c");
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("probe-{}", std::process::id()));
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let status = Command::new(compiler)
            .args(["-O1", "-Wall", "-o"])
            .args([&program, &source])
            .status()
            .expect("a C compiler, which Rust needs too");
        assert!(status.success(), "the probe does not compile");
        // Under its final name at once: other test programs may be doing the same.
        let path = program.with_file_name("probe");
        fs::rename(&program, &path).unwrap();
        path
    })
}

/// A command that runs the probe.
pub(crate) fn bare(args: &[&str]) -> Command {
    let mut command = Command::new(path());
    command.args(args);
    command
}

/// A command that runs the probe under carbon-run.
pub(crate) fn launched(args: &[&str]) -> Command {
    let mut command = Command::new(CARBON_RUN);
    command.arg(path()).args(args);
    command
}

/// A probe that logs the signals it gets, under carbon-run, in a process group of their own.
pub(crate) struct Logger {
    /// carbon-run.
    pub(crate) launcher: Child,
    /// The probe's process id.
    pub(crate) command: i32,
    log: Log,
}

/// What a probe has logged.
pub(crate) struct Log(PathBuf);

/// The last signal there is, which tests send after everything else.
pub(crate) const SENTINEL: i32 = 64;

impl Logger {
    /// Starts one in `folder`. `stopper` and `defaults` as in `probe.c`.
    pub(crate) fn start(folder: &Path, stopper: i32, defaults: &str) -> Self {
        let log = Log(folder.join("log"));
        let mut command = Command::new(CARBON_RUN);
        command
            .arg(path())
            .args(log.args(stopper, defaults))
            .current_dir(folder)
            .process_group(0);
        Self::of(command, log)
    }

    /// Takes a command whose probe logs to `log`.
    pub(crate) fn of(mut command: Command, log: Log) -> Self {
        let launcher = command.stdin(Stdio::null()).spawn().unwrap();
        let command = log.ready();
        Self {
            launcher,
            command,
            log,
        }
    }

    /// carbon-run's process id.
    pub(crate) fn pid(&self) -> i32 {
        self.launcher.id().cast_signed()
    }

    /// Sends a signal to carbon-run.
    pub(crate) fn tell(&self, signal: i32) {
        send(self.pid(), signal);
    }

    /// The lines logged up to a sentinel that is sent now, so that all that was sent before has come.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.tell(SENTINEL);
        self.log.up_to_sentinel()
    }

    /// How often a signal was logged, whatever its origin.
    pub(crate) fn count(&self, signal: i32) -> usize {
        self.log.count(signal)
    }
}

impl Drop for Logger {
    fn drop(&mut self) {
        send(self.command, 9);
        send(self.pid(), 18);
        self.launcher.wait().unwrap();
    }
}

impl Log {
    /// A log in `folder`.
    pub(crate) fn within(folder: &Path) -> Self {
        Self(folder.join("log"))
    }

    /// The probe's arguments for it.
    pub(crate) fn args(&self, stopper: i32, defaults: &str) -> Vec<String> {
        let file = self.0.to_str().unwrap().to_owned();
        vec!["log".to_owned(), file, stopper.to_string(), defaults.to_owned()]
    }

    /// Waits until the probe listens. Its process id.
    pub(crate) fn ready(&self) -> i32 {
        until_some("the probe to be ready", || {
            let first = self.read().first()?.clone();
            first.strip_prefix("ready ")?.parse().ok()
        })
    }

    /// The lines between readiness and sentinel, once that has come.
    pub(crate) fn up_to_sentinel(&self) -> Vec<String> {
        let end = format!("{SENTINEL} 0 0");
        until("the sentinel", || self.read().contains(&end));
        self.read()
            .into_iter()
            .skip(1)
            .take_while(|line| *line != end)
            .collect()
    }

    /// How often a signal was logged.
    pub(crate) fn count(&self, signal: i32) -> usize {
        let start = format!("{signal} ");
        self.read().iter().filter(|line| line.starts_with(&start)).count()
    }

    /// Complete lines only.
    fn read(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        text.split_inclusive('\n')
            .filter_map(|line| line.strip_suffix('\n'))
            .map(str::to_owned)
            .collect()
    }
}

/// Sends a signal; to a process group, if `to` is negative.
#[expect(unsafe_code, reason = "signals beyond 31 have no safe wrapper")]
pub(crate) fn send(to: i32, signal: i32) {
    // SAFETY: plain numbers.
    unsafe { libc::kill(to, signal) };
}

/// A process's state letter in /proc (`T`: stopped), and its parent; `None` once it is gone.
pub(crate) fn state(process: i32) -> Option<(char, i32)> {
    let line = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut rest = line.rsplit_once(')')?.1.split_whitespace();
    Some((rest.next()?.chars().next()?, rest.next()?.parse().ok()?))
}

/// Waits until a process is in one of these states.
pub(crate) fn until_state(process: i32, letters: &str) {
    until(
        &format!("process {process} to be in one of the states {letters}"),
        || state(process).is_some_and(|(letter, _)| letters.contains(letter)),
    );
}

/// The lines of /proc/self/status that tell of signals, from a program's output.
pub(crate) fn signal_lines(output: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(output);
    let wanted = |line: &&str| {
        ["SigBlk", "SigIgn", "SigCgt"]
            .iter()
            .any(|name| line.starts_with(name))
    };
    text.lines().filter(wanted).map(str::to_owned).collect()
}

/// Output of a command that has to succeed.
pub(crate) fn output(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    output.stdout
}

/// `program` with `args`, alone and then under carbon-run.
pub(crate) fn both(program: impl AsRef<OsStr>, args: &[&OsStr]) -> [Command; 2] {
    let mut alone = Command::new(&program);
    alone.args(args);
    let mut under = Command::new(CARBON_RUN);
    under.arg(&program).args(args);
    [alone, under]
}
