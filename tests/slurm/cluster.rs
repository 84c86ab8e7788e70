//! A cluster of a test's own, with the daemon on its nodes.

use crate::deadline::until;
use crate::rights;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::TempDir;

/// How Slurm knows which processes are a job's: the plain way, and the one of production sites.
pub(crate) const TRACKING: [&str; 2] = ["proctrack/linuxproc", "proctrack/cgroup"];

/// Both kinds of cluster name their control groups alike, and every cluster wants all CPUs.
static MACHINE: Mutex<()> = Mutex::new(());

/// Slurm, with the shortest wait between SIGTERM and SIGKILL that it allows.
pub(crate) struct Cluster {
    dir: TempDir,
    conf: String,
    daemon: Child,
    /// Of the users' commands.
    pub(crate) path: String,
    kept: Vec<PathBuf>,
    _turn: MutexGuard<'static, ()>,
}

impl Cluster {
    /// `None`, and said so, where there can be none.
    pub(crate) fn up(test: &str, tracking: &str) -> Option<Self> {
        Self::up_with(test, &format!("ProctrackType={tracking}"))
    }

    /// The same with a line of slurm.conf.
    pub(crate) fn up_with(test: &str, line: &str) -> Option<Self> {
        if !rights::root(test) {
            return None;
        }
        if Command::new("slurmctld").arg("-V").output().is_err() {
            rights::not_run(test, "slurmctld, slurmd, slurm-client and munge");
            return None;
        }
        let turn = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_carbon-run"), dir.path().join("carbon-run")).unwrap();
        let home = dir.path().join("home");
        fs::create_dir(&home).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o777)).unwrap();
        let output = local_slurm(dir.path())
            .args([
                "up",
                "--no-install",
                "--any-address",
                "--set",
                "KillWait=5",
                "--set",
            ])
            .arg(line)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{stderr}");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let conf = said
            .lines()
            .find_map(|line| line.strip_prefix("export SLURM_CONF="));
        let daemon = Command::new(dir.path().join("carbon-run"))
            .args(["daemon", "--no-pin", "--daemon-socket"])
            .arg(dir.path().join("run/socket"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let cluster = Self {
            conf: conf.unwrap().to_owned(),
            daemon,
            path: "/usr/local/bin:/usr/bin:/bin".to_owned(),
            kept: Vec::new(),
            dir,
            _turn: turn,
        };
        let socket = cluster.socket();
        until("the daemon", || {
            std::os::unix::net::UnixStream::connect(&socket).is_ok()
        });
        Some(cluster)
    }

    /// Removes a directory in the end.
    pub(crate) fn keep(&mut self, dir: PathBuf) {
        self.kept.push(dir);
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("run/socket")
    }

    /// Where jobs run and results lie: on all nodes the same.
    pub(crate) fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// `carbon-run`, as a job script calls it.
    pub(crate) fn carbon_run(&self) -> String {
        self.dir.path().join("carbon-run").display().to_string()
    }

    /// A command of Slurm's, as a user without rights.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .args(words)
            .current_dir(self.home())
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", self.home())
            .env("SLURM_CONF", &self.conf)
            .env("CARBON_RUN_DAEMON_SOCKET", self.socket())
            .stdin(Stdio::null());
        command
    }

    /// The same to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// Hands a script in and waits for the job. Its output.
    pub(crate) fn batch(&self, options: &[&str], script: &str) -> String {
        self.script(script);
        let words: Vec<&str> = ["sbatch", "--wait", "--output=out-%j"]
            .into_iter()
            .chain(options.iter().copied())
            .chain(["job.sh"])
            .collect();
        let handed = self.run(&words);
        let said = String::from_utf8_lossy(&handed.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&handed.stderr).into_owned();
        assert!(handed.status.success(), "{said}{stderr}{}", self.outputs());
        self.outputs()
    }

    pub(crate) fn script(&self, script: &str) {
        fs::write(self.home().join("job.sh"), format!("#!/bin/bash\n{script}\n")).unwrap();
    }

    /// What all jobs have printed.
    pub(crate) fn outputs(&self) -> String {
        let mut all = String::new();
        for path in self.files("out-") {
            all.push_str(&fs::read_to_string(path).unwrap_or_default());
        }
        all
    }

    /// Files of that name's beginning, in order.
    pub(crate) fn files(&self, begin: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.home())
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> = entries
            .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(begin))
            .collect();
        files.sort();
        files
    }

    /// The reports of tasks.
    pub(crate) fn reports(&self) -> Vec<Value> {
        self.files("carbon-run-").iter().map(|path| read(path)).collect()
    }

    /// All reports as one.
    pub(crate) fn merged(&self) -> Value {
        let files = self.files("carbon-run-");
        let output = Command::new(self.carbon_run())
            .args(["merge", "--json", "-"])
            .args(files)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.daemon.kill().unwrap_or_default();
        self.daemon.wait().map(drop).unwrap_or_default();
        local_slurm(self.dir.path())
            .arg("down")
            .stdout(Stdio::null())
            .status()
            .map(drop)
            .unwrap_or_default();
        for dir in &self.kept {
            fs::remove_dir_all(dir).unwrap_or_default();
        }
    }
}

fn local_slurm(dir: &Path) -> Command {
    let mut command = Command::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/support/local-slurm"
    ));
    command
        .env("LOCAL_SLURM_DIR", dir.join("slurm"))
        .stdin(Stdio::null());
    command
}

pub(crate) fn read(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()));
    serde_json::from_slice(&text).unwrap()
}
