//! Descendants that leave the family: daemons, namespaces, other control groups.

use crate::agreement::{of_run, with_its_group};
use crate::group::Group;
use crate::launched::{Launch, until};
use crate::needs::{Outcome, a_kernel};
use crate::workload::job;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[test]
fn a_daemon_is_counted_while_the_command_runs() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let launch = Launch::grouped("ebpf")?;
    let pid_file = launch.dir.path().join("pid").display().to_string();
    let run = launch.run(&job(&["daemon-and-wait", "1000", &pid_file])?)?;
    with_its_group(&run, 1.0)?;
    assert_eq!(run.processes()?, 3);
    // It may still be on its way out when the command, which saw its pipe close, has gone.
    assert!(run.survivors().len() <= 1, "{:?}", run.survivors());
    Ok(())
}

#[test]
fn a_daemon_that_outlives_the_command_is_waited_for_on_request_and_counted_wholly() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let launch = Launch::grouped("ebpf")?.flags(&["--wait-tree"]);
    let pid_file = launch.dir.path().join("pid").display().to_string();
    let run = launch.run(&job(&["daemon", "1000", &pid_file])?)?;
    with_its_group(&run, 1.0)?;
    assert_eq!(run.survivors(), []);
    Ok(())
}

#[test]
fn a_daemon_that_outlives_the_command_is_named() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let launch = Launch::grouped("ebpf")?;
    let pid_file = launch.dir.path().join("pid");
    let run = launch.run(&job(&["daemon", "20000", &pid_file.display().to_string()])?)?;
    let pid: i32 = std::fs::read_to_string(pid_file)?.parse()?;
    kill(Pid::from_raw(pid), Signal::SIGKILL)?;
    let name: String = job(&[])?
        .first()
        .and_then(|path| {
            std::path::Path::new(path)
                .file_name()?
                .to_str()
                .map(|name| name.chars().take(15).collect())
        })
        .ok_or("no name")?;
    assert_eq!(run.survivors(), [(u64::try_from(pid)?, name)]);
    assert!(
        run.cpu_s()? < 5.0,
        "time after the command's end is not the run's: {}",
        run.cpu_s()?
    );
    Ok(())
}

#[test]
fn processes_in_a_pid_namespace_of_their_own_are_counted() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let mut words = ["unshare", "-pf", "--mount-proc"].map(Into::into).to_vec();
    words.extend(job(&["fork", "20", "60000"])?);
    let run = Launch::grouped("ebpf")?.run(&words)?;
    with_its_group(&run, 1.0)?;
    assert_eq!(run.processes()?, 22);
    Ok(())
}

#[test]
fn processes_in_a_user_namespace_of_their_own_are_counted() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let mut words = ["unshare", "-Urpf"].map(Into::into).to_vec();
    words.extend(job(&["fork", "20", "60000"])?);
    let run = Launch::grouped("ebpf")?.run(&words)?;
    with_its_group(&run, 1.0)
}

#[test]
fn a_child_born_into_another_control_group_is_counted() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let other = Group::create()?;
    let path = other.path().display().to_string();
    let run = Launch::grouped("ebpf")?.run(&job(&["into-group", &path, "1000"])?)?;
    let elsewhere = other.seconds()?;
    assert!(elsewhere > 0.9, "the child was not born there: {elsewhere}");
    of_run(0.01, &run, run.reference_s()? + elsewhere, "both groups")?;
    Ok(())
}

#[test]
fn a_job_that_moves_to_another_control_group_is_counted() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let other = Group::create()?;
    let launch = Launch::grouped("ebpf")?;
    let file = launch.dir.path().join("go on");
    let started = launch.start(&job(&["burn-until", &file.display().to_string()])?)?;
    let group = started.launch.group.as_ref().ok_or("no group")?;
    until("a second of work", || {
        group.seconds().ok().filter(|&seconds| seconds > 0.5)
    })?;
    std::fs::write(other.procs(), std::fs::read_to_string(group.procs())?.trim())?;
    until("a second of work elsewhere", || {
        other.seconds().ok().filter(|&seconds| seconds > 0.5)
    })?;
    std::fs::write(&file, "")?;
    let run = started.finish()?;
    of_run(0.01, &run, run.reference_s()? + other.seconds()?, "both groups")?;
    Ok(())
}
