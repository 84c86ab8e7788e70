//! The job's own control group: who is in it, in which version, with whose rights, and that nothing of it is left.

use crate::agreement::of_run;
use crate::group::Group;
use crate::launched::{Launch, Run, Started, until};
use crate::needs::{Outcome, a_kernel};
use crate::unprivileged::{NOBODY, backend, stage, truth};
use crate::workload::{by, job};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

const NOBODYS_ID: u32 = 65534;

/// Where version 1's `cpuacct` is mounted, if it is.
fn cpuacct() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    mounts.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        let [_, at, "cgroup", options, ..] = fields.as_slice() else {
            return None;
        };
        options
            .split(',')
            .any(|option| option == "cpuacct")
            .then(|| PathBuf::from(at))
    })
}

/// A wrapper that joins `group`, hides version 1, and goes on with the rest of the words (as `more` begins them).
fn in_version_2(group: Option<&Group>, more: &[&str]) -> Vec<OsString> {
    let script = "if [ -n \"$0\" ]; then echo $$ >\"$0\"; fi && { [ -z \"$1\" ] || umount \"$1\"; } && shift && exec \"$@\"";
    let mut words: Vec<OsString> = ["unshare", "-m", "/bin/sh", "-c", script]
        .map(Into::into)
        .to_vec();
    words.push(group.map_or_else(OsString::new, |group| group.procs().into_os_string()));
    words.push(cpuacct().map_or_else(OsString::new, PathBuf::into_os_string));
    words.extend(more.iter().map(OsString::from));
    words
}

/// What a process is in, without the hierarchy in which a group of its own would be.
fn memberships(pid: &str) -> Result<(Vec<String>, String), Box<dyn Error>> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    let of_interest = |line: &&str| {
        if cpuacct().is_some() {
            line.contains("cpuacct")
        } else {
            line.starts_with("0::")
        }
    };
    let (own, others): (Vec<&str>, Vec<&str>) = text.lines().partition(of_interest);
    let others = others.into_iter().map(str::to_owned).collect();
    Ok((others, own.first().ok_or("in no group")?.to_string()))
}

/// Directories of groups that a launcher with this number has made.
fn groups_of(launcher: u32) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.starts_with(&format!("carbon-run-{launcher}-")) {
                    found.push(entry.path());
                }
                open.push(entry.path());
            }
        }
    }
    found
}

/// A job that says its number, and ends when told to.
fn waiting(launch: Launch) -> Result<(Started, String, PathBuf), Box<dyn Error>> {
    let (ready, go) = (launch.dir.path().join("ready"), launch.dir.path().join("go"));
    let script = "echo $$ >\"$0.unfinished\" && mv \"$0.unfinished\" \"$0\"; while [ ! -e \"$1\" ]; do sleep 0.02; done";
    let words = [
        "/bin/sh".as_ref(),
        "-c".as_ref(),
        script.as_ref(),
        ready.as_os_str(),
        go.as_os_str(),
    ];
    let started = launch.start(&words)?;
    let child = until("the job to start", || fs::read_to_string(&ready).ok())?;
    Ok((started, child.trim().to_owned(), go))
}

#[test]
fn a_job_has_a_group_of_its_own_which_goes_with_it_and_is_otherwise_where_the_launcher_is() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let (started, child, go) = waiting(Launch::plain("cgroup")?)?;
    let launcher = started.child.id();
    let (others, own) = memberships(&child)?;
    assert!(own.contains(&format!("/carbon-run-{launcher}-")), "{own}");
    let mine = memberships("self")?;
    assert_eq!(
        memberships(&launcher.to_string())?,
        mine,
        "the launcher stays where it was"
    );
    assert_eq!(others, mine.0);
    assert_eq!(groups_of(launcher).len(), 1);
    fs::write(go, "")?;
    started.finish()?;
    assert_eq!(groups_of(launcher), [] as [PathBuf; 0]);
    Ok(())
}

#[test]
fn a_job_holds_no_descriptor_of_the_launchers() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    for rung in ["perf", "cgroup"] {
        let (started, child, go) = waiting(Launch::plain(rung)?)?;
        let held: Vec<PathBuf> = fs::read_dir(format!("/proc/{child}/fd"))?
            .flatten()
            .filter_map(|entry| fs::read_link(entry.path()).ok())
            .collect();
        fs::write(go, "")?;
        started.finish()?;
        let of_ours = |path: &PathBuf| {
            let path = path.to_string_lossy();
            path.contains("perf_event") || path.contains("cgroup")
        };
        assert!(!held.is_empty() && !held.iter().any(of_ours), "{rung}: {held:?}");
    }
    Ok(())
}

#[test]
fn a_daemon_that_outlives_the_command_goes_to_the_launchers_group() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let launch = Launch::plain("cgroup")?;
    let pid_file = launch.dir.path().join("pid");
    let started = launch.start(&job(&["daemon", "20000", &pid_file.display().to_string()])?)?;
    let launcher = started.child.id();
    let run = started.finish()?;
    let pid = fs::read_to_string(pid_file)?;
    let homes = (memberships(&pid)?, memberships("self")?);
    kill(Pid::from_raw(pid.parse()?), Signal::SIGKILL)?;
    assert_eq!(homes.0, homes.1);
    assert_eq!(groups_of(launcher), [] as [PathBuf; 0]);
    assert!(codes(&run).contains("cgroup-survivors"), "{}", codes(&run));
    Ok(())
}

fn codes(run: &Run) -> String {
    let notes = run.report.get("quality");
    notes.map(ToString::to_string).unwrap_or_default()
}

#[test]
fn a_killed_launcher_leaves_its_job_unharmed_and_the_next_one_tidies_up() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let (mut started, child, go) = waiting(Launch::plain("cgroup")?)?;
    let launcher = started.child.id();
    kill(Pid::from_raw(i32::try_from(launcher)?), Signal::SIGKILL)?;
    started.child.wait()?;
    Launch::plain("cgroup")?.run(&["/bin/true"])?;
    assert!(
        fs::exists(format!("/proc/{child}"))?,
        "the job died with its launcher"
    );
    assert_eq!(groups_of(launcher).len(), 1, "somebody is in it");
    fs::write(go, "")?;
    until("the job to end", || {
        (!fs::exists(format!("/proc/{child}")).ok()?).then_some(())
    })?;
    until("the next launcher to remove the group", || {
        Launch::plain("cgroup").ok()?.run(&["/bin/true"]).ok()?;
        groups_of(launcher).is_empty().then_some(())
    })
}

#[test]
fn what_the_job_has_made_below_its_group_goes_with_it() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let Some(mount) = cpuacct() else {
        return crate::needs::not_run("needs a mounted cgroup hierarchy of version 1 with cpuacct");
    };
    let launch = Launch::plain("cgroup")?;
    let script = "own=$(sed -n 's/^[0-9]*:[^:]*cpuacct[^:]*://p' /proc/self/cgroup); mkdir -p \"$0$own/a/b\"";
    let words = [
        "/bin/sh".as_ref(),
        "-c".as_ref(),
        script.as_ref(),
        mount.as_os_str(),
    ];
    let started = launch.start(&words)?;
    let launcher = started.child.id();
    started.finish()?;
    assert_eq!(groups_of(launcher), [] as [PathBuf; 0]);
    Ok(())
}

#[test]
fn a_launcher_inside_a_launcher_has_a_group_inside_a_group() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let inner = Launch::plain("cgroup")?;
    let words = inner.command_line(&job(&["fork", "20", "60000"])?);
    let outer = Launch::plain("cgroup")?.run(&words)?;
    let inner = inner.read()?;
    assert!(inner.cpu_s()? > 1.19, "{}", inner.cpu_s()?);
    assert!(outer.cpu_s()? >= inner.cpu_s()?);
    of_run(0.05, &outer, inner.cpu_s()?, "the inner job and its launcher")?;
    Ok(())
}

#[test]
fn version_2_counts_what_version_1_counts() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    for words in [["threads", "4", "300"], ["spawn-until-used", "1200", "/bin/true"]] {
        let launch = Launch::plain("cgroup")?.through(&in_version_2(None, &[]));
        let file = launch.dir.path().join("rusage");
        let file_text = file.display().to_string();
        let mut all = vec!["accounted", &file_text];
        all.extend(words);
        let run = launch.run(&job(&all)?)?;
        assert_eq!(backend(&run), Some("cgroup"));
        of_run(0.01, &run, truth(&file)?, words[0])?;
    }
    Ok(())
}

#[test]
fn a_job_that_leaves_its_group_is_counted_once_it_is_reaped() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let launch = Launch::grouped("cgroup")?.through(&in_version_2(None, &[]));
    let run = launch.run(&job(&["fork", "20", "60000"])?)?;
    assert_eq!(backend(&run), Some("cgroup"));
    of_run(0.01, &run, run.reference_s()?, "a job in another group")?;
    Ok(())
}

/// Gives a group to nobody, as systemd delegates one.
fn delegate(group: &Path) -> Outcome {
    for file in ["", "cgroup.procs", "cgroup.subtree_control", "tasks"] {
        let path = group.join(file);
        if path.exists() {
            chown(&path, Some(NOBODYS_ID), Some(NOBODYS_ID))?;
        }
    }
    Ok(())
}

#[test]
fn without_rights_a_delegated_group_is_enough() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let delegated = Group::create()?;
    delegate(delegated.path())?;
    let launch = Launch::plain("cgroup")?;
    let (binary, workload) = stage(&launch.dir)?;
    let launch = launch
        .through(&in_version_2(Some(&delegated), &NOBODY))
        .binary(&binary);
    let file = launch.dir.path().join("rusage");
    let file_text = file.display().to_string();
    let words = by(
        &workload,
        &["accounted", &file_text, "spawn-until-used", "1200", "/bin/true"],
    );
    let run = launch.run(&words)?;
    assert_eq!(backend(&run), Some("cgroup"));
    of_run(0.01, &run, truth(&file)?, "in a delegated group")?;
    let left: Vec<_> = fs::read_dir(delegated.path())?
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect();
    assert_eq!(left, [] as [PathBuf; 0]);
    Ok(())
}
