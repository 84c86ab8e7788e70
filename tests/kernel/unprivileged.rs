//! Without eBPF, as a user without any right: what is left, and what is said about it.

use crate::agreement::of_run;
use crate::launched::{CARBON_RUN, Launch, Run};
use crate::needs::{Outcome, a_kernel, a_kernel_open_to_perf};
use crate::workload::by;
use serde_json::Value;
use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

pub(crate) const NOBODY: [&str; 4] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

/// Copies of both binaries in a place that everybody can see.
pub(crate) fn stage(dir: &TempDir) -> Result<(PathBuf, PathBuf), Box<dyn Error>> {
    let (binary, workload) = (dir.path().join("carbon-run"), dir.path().join("workload"));
    fs::copy(CARBON_RUN, &binary)?;
    fs::copy(std::env::current_exe()?, &workload)?;
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777))?;
    Ok((binary, workload))
}

pub(crate) fn truth(file: &Path) -> Result<f64, Box<dyn Error>> {
    Ok(fs::read_to_string(file)?.parse()?)
}

/// Runs a workload whose own account goes to a file. Returns the run and that account, in seconds.
pub(crate) fn accounted(
    accounting: &str,
    nobody: bool,
    words: &[&str],
) -> Result<(Run, f64), Box<dyn Error>> {
    let mut launch = Launch::plain(accounting)?;
    let (binary, workload) = stage(&launch.dir)?;
    if nobody {
        launch = launch.through(&NOBODY).binary(&binary);
    }
    let file = launch.dir.path().join("rusage");
    let file_text = file.display().to_string();
    let mut all = vec!["accounted", &file_text];
    all.extend(words);
    let run = launch.run(&by(&workload, &all))?;
    let truth = truth(&file)?;
    assert!(truth >= 1.0, "the job used only {truth} s");
    Ok((run, truth))
}

pub(crate) fn backend(run: &Run) -> Option<&str> {
    run.report.pointer("/accounting/backend").and_then(Value::as_str)
}

#[test]
fn without_rights_steady_threads_are_counted_from_proc() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    for nobody in [false, true] {
        let (run, truth) = accounted("procfs", nobody, &["threads", "4", "300"])?;
        assert_eq!(backend(&run), Some("procfs"));
        of_run(0.01, &run, truth, "job")?;
    }
    Ok(())
}

#[test]
fn without_rights_a_storm_of_short_processes_is_counted_by_its_reaping() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    for nobody in [false, true] {
        let (run, truth) = accounted("procfs", nobody, &["spawn-until-used", "1200", "/bin/true"])?;
        of_run(0.01, &run, truth, "job")?;
    }
    Ok(())
}

#[test]
fn without_rights_a_daemon_is_adopted_and_waited_for_on_request() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let launch = Launch::plain("procfs")?;
    let (binary, workload) = stage(&launch.dir)?;
    let pid_file = launch.dir.path().join("pid").display().to_string();
    let launch = launch.through(&NOBODY).binary(&binary).flags(&["--wait-tree"]);
    let run = launch.run(&by(&workload, &["daemon", "1000", &pid_file]))?;
    // The daemon burns a second by its own clock; the rest is two forks.
    of_run(0.01, &run, 1.0, "job")?;
    assert_eq!(run.survivors(), []);
    Ok(())
}

#[test]
fn orphans_that_end_one_after_the_other_do_not_put_off_the_samples() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    // Each `sleep` loses its parent at once and is carbon-run's to reap: several in each interval, for two seconds at least.
    let script = "i=0; while [ $i -lt 100 ]; do (sleep 0.01 &); sleep 0.02; i=$((i+1)); done";
    let run = Launch::plain("procfs")?
        .recorded("200ms")
        .run(&["sh", "-c", script])?;
    let looks = run.recording()?.observations.len();
    assert!(looks >= 5, "{looks}, two of them at the ends");
    Ok(())
}

#[test]
fn without_rights_a_daemon_that_outlives_the_command_is_named() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let launch = Launch::plain("procfs")?;
    let (binary, workload) = stage(&launch.dir)?;
    let pid_file = launch.dir.path().join("pid");
    let words = by(&workload, &["daemon", "3000", &pid_file.display().to_string()]);
    let run = launch.through(&NOBODY).binary(&binary).run(&words)?;
    let pid: u64 = fs::read_to_string(pid_file)?.parse()?;
    assert_eq!(
        run.survivors().iter().map(|(pid, _)| *pid).collect::<Vec<_>>(),
        [pid]
    );
    Ok(())
}

#[test]
fn without_rights_the_best_rung_is_refused_with_the_remedy_and_the_next_is_used() -> Outcome {
    let Some(_turn) = a_kernel_open_to_perf()? else {
        return Ok(());
    };
    let launch = Launch::plain("auto")?;
    let (binary, workload) = stage(&launch.dir)?;
    let done = launch.dir.path().join("done");
    let words = by(
        &workload,
        &["burn-then-wait", "20", &done.display().to_string(), "/"],
    );
    let run = launch.through(&NOBODY).binary(&binary).run(&words)?;
    assert!(done.exists());
    assert_eq!(backend(&run), Some("perf"));
    let declined = run
        .report
        .pointer("/accounting/declined")
        .and_then(Value::as_array)
        .ok_or("no list of what was declined")?;
    let [declined] = declined.as_slice() else {
        return Err(format!("{declined:?}").into());
    };
    assert_eq!(declined.get("backend").and_then(Value::as_str), Some("ebpf"));
    let remedy = declined.get("remedy").and_then(Value::as_str).unwrap_or_default();
    assert!(
        remedy.contains("root") && remedy.contains("carbon-run daemon"),
        "{declined}"
    );
    Ok(())
}

#[test]
fn without_rights_a_group_that_is_not_delegated_is_refused_with_the_remedy() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    let (binary, _) = stage(&dir)?;
    let [program, arguments @ ..] = NOBODY;
    let output = Command::new(program)
        .args(arguments)
        .arg(&binary)
        .args(["--no-csv", "--accounting", "cgroup", "--", "/bin/true"])
        .stdin(Stdio::null())
        .output()?;
    assert_eq!(output.status.code(), Some(125));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("systemd-run --user --scope"), "{said}");
    Ok(())
}

#[test]
fn without_rights_a_person_is_told_in_one_line_what_is_missing() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    let (binary, _) = stage(&dir)?;
    let [program, arguments @ ..] = NOBODY;
    let output = Command::new(program)
        .args(arguments)
        .arg(&binary)
        .args(["--no-csv", "--", "/bin/echo", "the job"])
        .stdin(Stdio::null())
        .output()?;
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "the job\n");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.lines().any(|line| line.contains("carbon-run daemon")),
        "{said}"
    );
    Ok(())
}
