//! carbon-run inside a PID namespace, as in a container: its numbers for processes are not those of the kernel side.

use crate::agreement::with_its_group;
use crate::in_flight::{grown, intervals};
use crate::launched::{Launch, Run, until};
use crate::needs::{Outcome, a_kernel};
use crate::workload::job;
use serde_json::Value;

const UNSHARE: [&str; 5] = ["unshare", "-p", "-f", "--mount-proc", "--kill-child"];

fn memory(run: &Run) -> Option<f64> {
    run.report.get("mean_memory_bytes").and_then(Value::as_f64)
}

#[test]
fn a_launcher_in_a_pid_namespace_counts_its_job_and_looks_at_its_memory() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let inside = Launch::grouped("ebpf")?
        .through(&UNSHARE)
        .run(&job(&["fork", "20", "60000"])?)?;
    let outside = Launch::grouped("ebpf")?.run(&job(&["fork", "20", "60000"])?)?;
    with_its_group(&inside, 1.0)?;
    assert_eq!(inside.processes()?, 21);
    let (inside, outside) = (
        memory(&inside).ok_or("no memory")?,
        memory(&outside).ok_or("no memory")?,
    );
    assert!(
        (0.5..2.0).contains(&(inside / outside)),
        "{inside} bytes inside, {outside} bytes outside"
    );
    Ok(())
}

#[test]
fn a_launcher_in_a_pid_namespace_names_survivors_by_the_numbers_that_are_valid_there() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let launch = Launch::plain("ebpf")?.through(&UNSHARE);
    let pid_file = launch.dir.path().join("pid");
    let run = launch.run(&job(&["daemon", "20000", &pid_file.display().to_string()])?)?;
    let pid: u64 = std::fs::read_to_string(&pid_file)?.parse()?;
    assert_eq!(
        run.survivors().iter().map(|(pid, _)| *pid).collect::<Vec<_>>(),
        [pid]
    );
    Ok(())
}

#[test]
fn a_launcher_in_a_pid_namespace_waits_for_a_daemon() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let launch = Launch::grouped("ebpf")?.through(&UNSHARE).flags(&["--wait-tree"]);
    let pid_file = launch.dir.path().join("pid");
    let run = launch.run(&job(&["daemon", "1000", &pid_file.display().to_string()])?)?;
    until("the daemon's number", || pid_file.exists().then_some(()))?;
    with_its_group(&run, 1.0)?;
    assert_eq!(run.survivors(), []);
    Ok(())
}

/// There our clock reads other than the kernel side's: by it a job in flight would have run since long before its start.
#[test]
fn a_launcher_in_a_time_namespace_is_right_while_the_job_is_in_flight() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    for ahead in ["100000", "90"] {
        let launch = Launch::grouped("ebpf")?.through(&["unshare", "-T", "--fork", "--monotonic", ahead]);
        let log = launch.dir.path().join("log").display().to_string();
        let run = launch
            .recorded("100ms")
            .run(&job(&["clocked", "0", "1200", &log])?)?;
        with_its_group(&run, 1.0)?;
        let recording = run.recording()?;
        for pair in intervals(recording) {
            let passed = (pair.1.at.0 - pair.0.at.0) as f64 * recording.head.groups[0].cpus.len() as f64;
            let told = grown(pair, 0, |usage| {
                let classes = [
                    Some(usage.job),
                    Some(usage.others),
                    Some(usage.own),
                    usage.kernel,
                    usage.interrupts,
                ];
                let busy: u64 = classes.iter().flatten().map(|class| class.total().0).sum();
                busy + usage.idle.0 + usage.stolen.unwrap_or_default().0
            })?;
            assert!((told / passed - 1.0).abs() < 0.01, "{told} ns of {passed} ns");
        }
    }
    Ok(())
}
