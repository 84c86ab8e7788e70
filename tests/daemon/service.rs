//! A daemon of a test's own, and jobs that are run by it.

use crate::deadline::until;
use crate::raw::Raw;
use serde_json::Value;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A user without rights.
pub(crate) const NOBODY: [&str; 4] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

/// A second of CPU time or so.
pub(crate) const WORK: &str = "i=0; while [ $i -lt 1000000 ]; do i=$((i+1)); done; ";

/// A daemon, its socket, and a BPF file system for what it keeps.
pub(crate) struct Service {
    pub(crate) dir: TempDir,
    flags: Vec<OsString>,
    daemon: Option<Child>,
    mounted: bool,
}

impl Service {
    /// Runs one with these flags beside those that name its places.
    pub(crate) fn start(flags: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_carbon-run"), dir.path().join("carbon-run")).unwrap();
        for name in ["bpf", "home"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        fs::set_permissions(dir.path().join("home"), fs::Permissions::from_mode(0o777)).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "bpf", "bpf"])
            .arg(dir.path().join("bpf"))
            .status()
            .unwrap()
            .success();
        assert!(mounted, "a BPF file system cannot be mounted");
        let mut service = Self {
            flags: flags.iter().map(OsString::from).collect(),
            dir,
            daemon: None,
            mounted,
        };
        service.start_daemon();
        service
    }

    /// Starts the daemon, anew if there was one, and waits until clients may come.
    pub(crate) fn start_daemon(&mut self) {
        self.start_daemon_through(&[]);
    }

    /// The same by way of another program.
    pub(crate) fn start_daemon_through(&mut self, wrapper: &[&str]) {
        let mut words: Vec<OsString> = wrapper.iter().map(OsString::from).collect();
        words.push(self.binary().into_os_string());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command.arg("daemon").arg("--daemon-socket").arg(self.socket());
        if !self
            .flags
            .iter()
            .any(|flag| flag == "--no-pin" || flag == "--pin-dir")
        {
            command.arg("--pin-dir").arg(self.pins());
        }
        let daemon = command
            .args(&self.flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.daemon = Some(daemon.unwrap());
        let socket = self.socket();
        until("the daemon to answer", || UnixStream::connect(&socket).is_ok());
        // It listens first, and answers when it is ready.
        drop(Raw::greeted(&socket));
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("run/socket")
    }

    pub(crate) fn pins(&self) -> PathBuf {
        self.dir.path().join("bpf/carbon-run")
    }

    pub(crate) fn binary(&self) -> PathBuf {
        self.dir.path().join("carbon-run")
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.daemon.as_ref().unwrap().id()
    }

    /// Ends the daemon as if it had crashed.
    pub(crate) fn kill(&mut self) {
        let mut daemon = self.daemon.take().unwrap();
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }

    /// Asks the daemon to end, and waits until it has.
    pub(crate) fn stop(&mut self) {
        let mut daemon = self.daemon.take().unwrap();
        let pid = nix::unistd::Pid::from_raw(i32::try_from(daemon.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        assert!(daemon.wait().unwrap().success());
    }

    /// What a line of the daemon's /proc/PID/status says.
    pub(crate) fn status(&self, name: &str) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').trim().to_owned()
    }

    /// The files of the jobs that a next daemon would go on with.
    pub(crate) fn kept(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.dir.path().join("run/jobs")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// A job by this daemon, run through `wrapper`.
    pub(crate) fn job(&self, wrapper: &[&str], name: &str, script: &str) -> Job {
        self.job_with(wrapper, name, &[], script)
    }

    /// The same with more flags.
    pub(crate) fn job_with(&self, wrapper: &[&str], name: &str, flags: &[&str], script: &str) -> Job {
        let report = self.home().join(format!("{name}.json"));
        let child = Command::new("bash")
            .args(["-c", "TIMEFORMAT='rusage %3U %3S'; time \"$@\"", "bash"])
            .args(wrapper)
            .arg(self.binary())
            .args(["-q", "--no-csv", "--daemon-socket"])
            .arg(self.socket())
            .arg("--json")
            .arg(&report)
            .args(flags)
            .args(["--", "sh", "-c", script])
            .current_dir(self.home())
            .env("HOME", self.home())
            .env_remove("XDG_STATE_HOME")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Job { child, report }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill().unwrap_or_default();
            daemon.wait().map(drop).unwrap_or_default();
        }
        if self.mounted {
            Command::new("umount")
                .arg("--lazy")
                .arg(self.dir.path().join("bpf"))
                .status()
                .map(drop)
                .unwrap_or_default();
        }
    }
}

/// A job under way.
pub(crate) struct Job {
    child: Child,
    report: PathBuf,
}

/// One that has ended.
pub(crate) struct Ended {
    pub(crate) report: Value,
    /// CPU seconds of carbon-run and all it waited for, as the kernel told bash.
    pub(crate) rusage_s: f64,
    pub(crate) stdout: String,
}

impl Job {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for it to end well.
    pub(crate) fn end(self) -> Ended {
        let report = self.report.clone();
        let output = self.child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{:?}: {stderr}", output.status);
        let rusage = stderr.lines().find_map(|line| line.strip_prefix("rusage "));
        let rusage = rusage.unwrap_or_else(|| panic!("{stderr}"));
        Ended {
            report: read(&report),
            rusage_s: rusage.split(' ').map(|part| part.parse::<f64>().unwrap()).sum(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        }
    }
}

pub(crate) fn read(report: &Path) -> Value {
    let text = fs::read(report).unwrap_or_else(|error| panic!("`{}`: {error}", report.display()));
    serde_json::from_slice(&text).unwrap()
}

impl Ended {
    pub(crate) fn backend(&self) -> &str {
        self.report["accounting"]["backend"].as_str().unwrap()
    }

    pub(crate) fn cpu_s(&self) -> f64 {
        self.report["cpu_time_s"].as_f64().unwrap()
    }

    /// The codes of all warnings and notes.
    pub(crate) fn codes(&self) -> Vec<&str> {
        ["warnings", "notes"]
            .iter()
            .flat_map(|list| self.report["quality"][list].as_array().unwrap())
            .map(|note| note["code"].as_str().unwrap())
            .collect()
    }

    /// The figure is what the kernel says of the job: carbon-run's own work, some tens of milliseconds in this build, is in the
    /// kernel's figure, and interrupts are in none of ours.
    pub(crate) fn assert_all_counted(&self) {
        let counted = self.cpu_s() + self.report["interrupt_time_in_job_s"].as_f64().unwrap_or(0.0);
        let short = self.rusage_s - counted;
        assert!(
            (-0.02..0.12 + 0.02 * self.rusage_s).contains(&short),
            "counted {counted} of {} s",
            self.rusage_s
        );
    }
}
