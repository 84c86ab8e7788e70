//! The same job of a user without rights, by the daemon, and of root without it: the same figures.

use crate::deadline::until;
use crate::measured::{Measured, WORK, domain, line_of, run};
use crate::stage::{Figure, Neighbours, Outcome, Stage, assert_true, one_package};
use powercap_stand_in::JobGroup;
use serde_json::Value;
use std::error::Error;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const IDLE: [&str; 2] = ["--idle-power", "20"];
const NOBODY: u32 = 65534;

/// A daemon that reads the stage's counters, ended when dropped.
struct Daemon(Child);

impl Daemon {
    fn start(stage: &Stage, directory: &Path) -> Result<Self, Box<dyn Error>> {
        let socket = directory.join("socket");
        let daemon = Command::new(env!("CARGO_BIN_EXE_carbon-run"))
            .args(["daemon", "--no-pin", "--sysroot"])
            .arg(stage.sysroot())
            .arg("--daemon-socket")
            .arg(&socket)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let daemon = Self(daemon);
        until("the daemon", || UnixStream::connect(&socket).is_ok());
        Ok(daemon)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        self.0.wait().map(drop).unwrap_or_default();
    }
}

/// The job as nobody, in a group whose CPU time the kernel counts. Its report and that time.
fn by_nobody(directory: &Path, script: &str) -> Result<(Value, Vec<u64>), Box<dyn Error>> {
    let group = JobGroup::create()?;
    chown(group.procs(), Some(NOBODY), None)?;
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(directory.join("carbon-run"))
        .args([
            "--no-csv",
            "--json",
            "report.json",
            "--state-dir",
            "state",
            "--daemon-socket",
        ])
        .arg(directory.join("socket"))
        .args(IDLE)
        .args(["--", "sh", "-c", "echo $$ >\"$0\" && exec sh -c \"$1\""])
        .arg(group.procs())
        .arg(script)
        .current_dir(directory.join("home"))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .output()?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    let report: Value = serde_json::from_slice(&fs::read(directory.join("home/report.json"))?)?;
    assert_eq!(report["accounting"]["backend"], "daemon", "{stderr}");
    assert_eq!(report["accounting"]["lost"], 0);
    Ok((report, group.busy_ns()?))
}

/// What the kernel says of the job, without the interrupts that are the ledger's.
fn dynamic(stage: &Stage, busy_ns: &[u64], report: &Value) -> Result<f64, Box<dyn Error>> {
    let number = |name: &str| report[name].as_f64().ok_or_else(|| format!("no `{name}`"));
    let interrupts = number("interrupt_time_in_job_s")?;
    let part = interrupts / (number("cpu_time_s")? + interrupts);
    let busy: Vec<u64> = busy_ns
        .iter()
        .map(|ns| (*ns as f64 * (1.0 - part)).round() as u64)
        .collect();
    let all: u64 = stage.spec.dynamic_uj(&busy)?.into_iter().sum();
    Ok(all as f64)
}

#[test]
fn a_user_by_the_daemon_gets_the_figures_that_root_gets_and_both_are_true() -> Outcome {
    let Some(stage) = Stage::open(one_package)? else {
        return Ok(());
    };
    let directory = tempfile::tempdir()?;
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755))?;
    fs::copy(
        env!("CARGO_BIN_EXE_carbon-run"),
        directory.path().join("carbon-run"),
    )?;
    fs::create_dir(directory.path().join("home"))?;
    fs::set_permissions(directory.path().join("home"), fs::Permissions::from_mode(0o777))?;
    let _daemon = Daemon::start(&stage, directory.path())?;
    let _neighbours = Neighbours::everywhere()?;
    assert_true(|| {
        let (report, busy_ns) = by_nobody(directory.path(), WORK)?;
        crate::measured::assert_ledgers(&report)?;
        let package = domain(&report, "package-0")?;
        assert_eq!(package["origin"]["measured"], "powercap", "{package:#}");
        let root: Measured = run(&stage, &IDLE, WORK)?;
        // Neither knows less: the same fields are known.
        for field in [
            "energy_j",
            "energy_range_j",
            "emissions_g",
            "cpu_time_s",
            "processes",
            "others_cpu_time_s",
        ] {
            assert_eq!(report[field].is_null(), root.report[field].is_null(), "{field}");
        }
        let wanted = dynamic(&stage, &busy_ns, &report)?;
        let roots = stage.spec.dynamic_uj(&root.busy_ns)?.into_iter().sum::<u64>() as f64;
        Ok(vec![
            Figure::new("a user by the daemon", line_of(package, "job_uj")?, wanted),
            Figure::new("root without it", root.line("package-0", "job_uj")?, roots),
        ])
    })
}
