//! A directory to run in, a job whose words and status are known, and what must hold whatever happens.

use std::collections::BTreeSet;
use std::error::Error;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// Says something on both streams and ends with a status of its own.
pub(crate) const JOB: [&str; 3] = ["sh", "-c", "echo out; echo err >&2; touch ran; exit 7"];

/// `nobody` where that is not root's other name (nobody(7) is 65534 on Linux).
const NOBODY: &str = "65534";

/// A directory with a home, a temporary directory, and one to work in that everybody may write to.
pub(crate) struct World {
    root: TempDir,
}

impl World {
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let root = tempfile::tempdir()?;
        fs::set_permissions(&root, Permissions::from_mode(0o755))?;
        for name in ["home", "tmp", "work"] {
            let directory = root.path().join(name);
            fs::create_dir(&directory)?;
            fs::set_permissions(directory, Permissions::from_mode(0o777))?;
        }
        Ok(Self { root })
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    /// Where results are saved that have no other place.
    pub(crate) fn rescued(&self) -> Vec<PathBuf> {
        let places = ["home/.local/state/carbon-run", "tmp"];
        places
            .iter()
            .flat_map(|place| list(&self.root.path().join(place)))
            .collect()
    }

    /// A program in the work directory, with no config file but those in this world and no variables of ours.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.work())
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.root.path().join("home"))
            .env("TMPDIR", self.root.path().join("tmp"))
            .env("COLUMNS", "200")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn carbon_run(&self) -> Command {
        self.command(env!("CARGO_BIN_EXE_carbon-run"))
    }

    /// carbon-run as a user without rights. `None` where this cannot be had, and that is said.
    pub(crate) fn as_nobody(&self) -> Result<Option<Command>, Box<dyn Error>> {
        if !nix::unistd::geteuid().is_root() {
            return Ok(Some(self.carbon_run()));
        }
        // The way to where it was built may be closed to others.
        let program = self.root.path().join("carbon-run");
        if !program.exists() {
            fs::copy(env!("CARGO_BIN_EXE_carbon-run"), &program)?;
        }
        if !has("setpriv")? {
            return Ok(None);
        }
        let mut command = self.command("setpriv");
        command
            .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"])
            .arg(program);
        Ok(Some(command))
    }

    /// `script` by a shell in a mount namespace of its own, where root may mount; `"$@"` in it is carbon-run with what is
    /// appended. `None` where this cannot be had, and that is said.
    pub(crate) fn among_mounts(&self, script: &str) -> Result<Option<Command>, Box<dyn Error>> {
        if !nix::unistd::geteuid().is_root() {
            return not_run("only root may mount");
        }
        if !has("unshare")? {
            return Ok(None);
        }
        let mut command = self.command("unshare");
        command
            .args(["-m", "--", "sh", "-c", script, "sh"])
            .arg(env!("CARGO_BIN_EXE_carbon-run"));
        Ok(Some(command))
    }

    /// The names in the work directory.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        list(&self.work())
            .iter()
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .collect()
    }

    /// Nothing lies about but these and what the job made.
    pub(crate) fn assert_only(&self, names: &[&str]) {
        let expected: BTreeSet<String> = names
            .iter()
            .chain(&["ran"])
            .map(|&name| name.to_owned())
            .collect();
        assert_eq!(self.names(), expected);
    }

    /// The job was not started.
    pub(crate) fn assert_not_started(&self, output: &Output) -> String {
        let said = said(output);
        assert_eq!(output.status.code(), Some(125), "{said}");
        assert!(output.stdout.is_empty(), "stdout belongs to the job");
        assert!(!self.work().join("ran").exists(), "the job was started: {said}");
        assert!(!said.contains("panicked"), "{said}");
        assert!(said.starts_with("carbon-run: "), "{said}");
        said
    }
}

/// What a person reads.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The job said what it says and ended as it ends; gives what was said on stderr besides.
pub(crate) fn assert_unharmed(output: &Output) -> String {
    let said = said(output);
    assert_eq!(output.status.code(), Some(7), "{said}");
    assert_eq!(output.stdout, b"out\n", "{said}");
    assert!(said.lines().any(|line| line == "err"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

/// Each of these is in the text.
pub(crate) fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

/// Says that a test was not run; an error when `CI` is set.
#[expect(clippy::print_stdout, reason = "a test that is not run says so")]
pub(crate) fn not_run<T>(why: &str) -> Result<Option<T>, Box<dyn Error>> {
    println!("not run: {why}");
    if std::env::var_os("CI").is_some() {
        return Err(format!("`CI` is set, and this test cannot run: {why}").into());
    }
    Ok(None)
}

fn has(program: &str) -> Result<bool, Box<dyn Error>> {
    if Command::new(program).arg("--version").output().is_ok() {
        return Ok(true);
    }
    not_run::<()>(&format!("`{program}` of util-linux is missing"))?;
    Ok(false)
}

fn list(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect()
}
