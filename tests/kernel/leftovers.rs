//! A launcher that is killed leaves nothing in the kernel, and its child unharmed.
#![expect(unsafe_code, reason = "bpf(2) is asked whether an object still exists")]

use crate::launched::{Launch, until};
use crate::needs::{Outcome, a_kernel};
use crate::workload::job;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

// enum bpf_cmd (include/uapi/linux/bpf.h)
const BPF_PROG_GET_FD_BY_ID: i64 = 13;
const BPF_MAP_GET_FD_BY_ID: i64 = 14;

/// Whether an object of the kernel still exists. Numbers are not reused before they run out (kernel/bpf/syscall.c,
/// `idr_alloc_cyclic`).
fn exists(command: i64, id: u32) -> io::Result<bool> {
    let attributes = [id, 0, 0];
    // SAFETY: a live attribute block: the number, no start, no flags.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            attributes.as_ptr(),
            size_of_val(&attributes),
        )
    };
    if fd >= 0 {
        // SAFETY: just opened for us.
        drop(unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).map_err(io::Error::other)?) });
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::ENOENT) {
        Ok(false)
    } else {
        Err(error)
    }
}

/// Numbers of the programs and maps that a process holds, by the command that asks for them.
fn held(pid: u32) -> io::Result<Vec<(i64, u32)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fdinfo"))?.flatten() {
        for line in fs::read_to_string(entry.path()).unwrap_or_default().lines() {
            for (key, command) in [
                ("prog_id:", BPF_PROG_GET_FD_BY_ID),
                ("map_id:", BPF_MAP_GET_FD_BY_ID),
            ] {
                if let Some(id) = line.strip_prefix(key).and_then(|id| id.trim().parse().ok()) {
                    found.push((command, id));
                }
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

#[test]
fn a_killed_launcher_leaves_nothing_in_the_kernel_and_its_child_unharmed() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let launch = Launch::plain("ebpf")?.recorded("50ms");
    let (ready, go, end) = (
        launch.dir.path().join("ready"),
        launch.dir.path().join("go"),
        launch.dir.path().join("end"),
    );
    let script = "echo $$ >\"$0.unfinished\" && mv \"$0.unfinished\" \"$0\"; while [ ! -e \"$1\" ]; do sleep 0.02; done; echo well >\"$2\"";
    let words = [
        "/bin/sh".as_ref(),
        "-c".as_ref(),
        script.as_ref(),
        ready.as_os_str(),
        go.as_os_str(),
        end.as_os_str(),
    ];
    let mut started = launch.start(&words)?;
    let child = until("the child to start", || fs::read_to_string(&ready).ok())?;
    let objects = held(started.child.id())?;
    let (programs, maps) = (
        objects
            .iter()
            .filter(|(command, _)| *command == BPF_PROG_GET_FD_BY_ID)
            .count(),
        objects
            .iter()
            .filter(|(command, _)| *command == BPF_MAP_GET_FD_BY_ID)
            .count(),
    );
    assert!(programs >= 6 && maps >= 6, "{objects:?}");
    for (command, id) in &objects {
        assert!(exists(*command, *id)?);
    }

    kill(Pid::from_raw(i32::try_from(started.child.id())?), Signal::SIGKILL)?;
    started.child.wait()?;
    for (command, id) in &objects {
        until("an object to go", || {
            exists(*command, *id).ok().filter(|there| !there)
        })?;
    }
    assert!(
        fs::exists(format!("/proc/{}", child.trim()))?,
        "the child died with its launcher"
    );
    fs::write(go, "")?;
    until("the child to end in its own way", || {
        fs::read_to_string(&end).ok().filter(|text| text == "well\n")
    })?;
    let recording =
        carbon_run::model::journal::parse(&fs::read(started.launch.dir.path().join("run.jsonl"))?)?;
    assert!(recording.tail.is_none() && !recording.observations.is_empty());
    Ok(())
}

#[test]
fn a_job_holds_nothing_of_the_launchers() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let launch = Launch::plain("ebpf")?;
    let (ready, go) = (launch.dir.path().join("ready"), launch.dir.path().join("go"));
    let words = job(&[
        "burn-then-wait",
        "0",
        &ready.display().to_string(),
        &go.display().to_string(),
    ])?;
    let started = launch.start(&words)?;
    until("the job to run", || ready.exists().then_some(()))?;
    let launcher = started.child.id();
    let children = fs::read_to_string(format!("/proc/{launcher}/task/{launcher}/children"))?;
    let objects = held(children.trim().parse()?);
    fs::write(go, "")?;
    started.finish()?;
    assert_eq!(objects?, []);
    Ok(())
}
