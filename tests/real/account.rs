//! The kernel's own account of a job's CPU time, which carbon-run has no part in.

use powercap_stand_in::JobGroup;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Two accounts: what wait4(2) tells a shell around the job, and where rights allow it the cpuacct controller, which
/// also sees who was not waited for.
pub(crate) struct Account {
    group: Option<JobGroup>,
    times: PathBuf,
    stolen_before: f64,
}

/// Seconds that the hypervisor has kept from this machine's CPUs since it was started. The kernel leaves them out of a
/// task's time (kernel/sched/core.c, `update_rq_clock_task`), while for us a task is on until it is switched out.
fn stolen() -> f64 {
    let text = std::fs::read_to_string("/proc/stat").unwrap();
    let all = text.lines().next().unwrap();
    let ticks: f64 = all.split_whitespace().nth(8).unwrap().parse().unwrap();
    let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)
        .unwrap()
        .unwrap();
    ticks / per_second as f64
}

impl Account {
    pub(crate) fn open(directory: &Path) -> Self {
        Self {
            group: JobGroup::create().ok(),
            times: directory.join("times"),
            stolen_before: stolen(),
        }
    }

    /// The job's words inside a shell that joins the group, runs it, and leaves its own and its children's times.
    pub(crate) fn around(&self, job: &Command) -> Vec<OsString> {
        let script = r#"times="$0"; join="$1"; shift
            if [ -n "$join" ]; then echo 0 > "$join" || exit 99; fi
            "$@"; code=$?
            times > "$times"
            exit $code"#;
        let join = self.group.as_ref().map(|group| group.procs().into_os_string());
        let mut words: Vec<OsString> = vec!["bash".into(), "-c".into(), script.into()];
        words.extend([self.times.clone().into_os_string(), join.unwrap_or_default()]);
        words.push(job.get_program().to_owned());
        words.extend(job.get_args().map(ToOwned::to_owned));
        words
    }

    /// Seconds that were stolen since the account was opened, whoever was on.
    pub(crate) fn stolen(&self) -> f64 {
        stolen() - self.stolen_before
    }

    /// Seconds, and who says so.
    pub(crate) fn seconds(&self) -> Vec<(&'static str, f64)> {
        let text = std::fs::read_to_string(&self.times).unwrap();
        let mut seconds = vec![("wait4", text.split_whitespace().map(of_bash).sum())];
        if let Some(group) = &self.group {
            let nanoseconds: u64 = group.busy_ns().unwrap().iter().sum();
            seconds.push(("cpuacct", nanoseconds as f64 / 1e9));
        }
        seconds
    }
}

/// `2m3.456s`, as bash's `times` has it.
fn of_bash(time: &str) -> f64 {
    let (minutes, seconds) = time.trim_end_matches('s').split_once('m').expect("minutes");
    minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
}

#[test]
fn the_shells_times_are_read_to_the_millisecond() {
    assert!((of_bash("2m3.456s") - 123.456).abs() < 1e-9);
}
