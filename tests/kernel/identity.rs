//! Who a process is may change; whose it is does not. And a number is not an identity.

use crate::agreement::{of_run, with_its_group, within};
use crate::launched::{Launch, until, wait};
use crate::needs::{Outcome, a_kernel};
use crate::workload::{by, job};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

#[test]
fn a_process_that_becomes_another_user_is_counted() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let launch = Launch::grouped("ebpf")?;
    // Another user need not be able to see where the tests are built.
    let copy = launch.dir.path().join("workload");
    fs::copy(std::env::current_exe()?, &copy)?;
    fs::set_permissions(launch.dir.path(), fs::Permissions::from_mode(0o755))?;
    let mut words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        .map(Into::into)
        .to_vec();
    words.extend(by(&copy, &["fork", "20", "60000"]));
    let run = launch.run(&words)?;
    with_its_group(&run, 1.0)
}

#[test]
fn a_process_that_changes_its_root_is_counted() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let launch = Launch::grouped("ebpf")?;
    let root = launch.dir.path().display().to_string();
    let run = launch.run(&job(&["chroot", &root, "1000"])?)?;
    with_its_group(&run, 1.0)
}

#[test]
fn a_process_that_becomes_one_program_after_another_is_one_process() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let run = Launch::grouped("ebpf")?.run(&job(&["exec-chain", "20", "50"])?)?;
    with_its_group(&run, 1.0)?;
    assert_eq!(run.processes()?, 1);
    let [(_, seconds)] = run.listed().try_into().map_err(|more| format!("{more:?}"))?;
    within(0.001, seconds, run.cpu_s()?, "the one process of the breakdown");
    Ok(())
}

#[test]
fn a_program_started_by_a_thread_is_the_same_process_under_its_new_name() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let launch = Launch::grouped("ebpf")?;
    let link = launch.dir.path().join("afterwards");
    symlink(std::env::current_exe()?, &link)?;
    let link = link.display().to_string();
    let run = launch.run(&job(&["exec-from-thread", "250", &link, "fork", "2", "400000"])?)?;
    with_its_group(&run, 1.0)?;
    assert_eq!(run.processes()?, 3);
    let listed = run.listed();
    assert_eq!(
        listed.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["afterwards"; 3]
    );
    let sum = listed.iter().map(|(_, seconds)| seconds).sum();
    within(0.001, sum, run.cpu_s()?, "the whole breakdown");
    assert!(
        listed.iter().any(|(_, seconds)| (0.48..0.56).contains(seconds)),
        "{listed:?}"
    );
    Ok(())
}

#[test]
fn a_stranger_with_the_number_of_a_former_member_is_not_counted() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let launch = Launch::grouped("ebpf")?;
    let (pid_file, done) = (launch.dir.path().join("pid"), launch.dir.path().join("done"));
    let words = job(&[
        "vanish",
        &pid_file.display().to_string(),
        &done.display().to_string(),
    ])?;
    let started = launch.start(&words)?;
    let pid = until("the number of a member that has gone", || {
        fs::read_to_string(&pid_file).ok()
    })?;
    let words = job(&["impostor", &pid, "600"])?;
    let (program, arguments) = words.split_first().ok_or("no command")?;
    let status = wait(&mut Command::new(program).args(arguments).spawn()?)?;
    fs::write(&done, "")?;
    assert!(
        status.success(),
        "the stranger did not get the number {pid}: {status}"
    );
    let run = started.finish()?;
    of_run(0.0, &run, run.reference_s()?, "a job that sleeps")?;
    assert!(run.cpu_s()? < 0.1, "{}", run.cpu_s()?);
    assert!(
        run.others_s()? > 0.59,
        "the stranger's time is the others': {}",
        run.others_s()?
    );
    assert_eq!(run.processes()?, 2);
    Ok(())
}
