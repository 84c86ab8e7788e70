//! Streams that are closed or that nobody reads.

use crate::world::{Outcome, World};
use std::io;
use std::process::{Command, Output, Stdio};

/// The same with carbon-run in front and without.
fn both(world: &World, script: &str, job: &str) -> io::Result<[Output; 2]> {
    let run = |words: &[&str]| {
        world
            .command("sh")
            .args(["-c", script, "sh"])
            .args(words)
            .args(["sh", "-c", job])
            .output()
    };
    Ok([run(&[])?, run(&[env!("CARGO_BIN_EXE_carbon-run")])?])
}

#[test]
fn a_stream_that_is_closed_is_closed_for_the_job_too_and_nothing_else_is_open() -> Outcome {
    // What the job writes to a closed stream fails; which descriptors it has is told by its status.
    let open = "status=0; for fd in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$fd ] && status=$((status * 2 + 1)) || \
        status=$((status * 2)); done; exit $((status % 251))";
    for closed in ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-", "5>/dev/null"] {
        let world = World::new()?;
        let [bare, wrapped] = both(&world, &format!("exec \"$@\" {closed}"), open)?;
        assert_eq!(wrapped.status.code(), bare.status.code(), "{closed}");
        assert_eq!(wrapped.stdout, bare.stdout, "{closed}");
        assert!(
            !String::from_utf8_lossy(&wrapped.stderr).contains("panicked"),
            "{closed}"
        );
        assert!(world.names().contains("emissions.csv"), "{closed}");
    }
    Ok(())
}

#[test]
fn what_a_job_writes_to_a_closed_stream_fails_as_it_would_without_us() -> Outcome {
    for closed in [">&-", "2>&-"] {
        let world = World::new()?;
        let [bare, wrapped] = both(
            &world,
            &format!("exec \"$@\" {closed}"),
            "echo out || exit 9; echo err >&2 || exit 8",
        )?;
        assert_eq!(wrapped.status.code(), bare.status.code(), "{closed}");
        assert_eq!(wrapped.stdout, bare.stdout, "{closed}");
    }
    Ok(())
}

#[test]
fn a_stderr_that_nobody_reads_costs_the_summary_and_nothing_else() -> Outcome {
    let world = World::new()?;
    let (reader, writer) = io::pipe()?;
    drop(reader);
    let output = world
        .carbon_run()
        .args(["--json", "report.json", "sh", "-c", "echo out; exit 7"])
        .stderr(Stdio::from(writer))
        .output()?;
    assert_eq!(
        (output.status.code(), output.stdout),
        (Some(7), b"out\n".to_vec())
    );
    assert!(world.work().join("report.json").exists());
    assert!(world.work().join("emissions.csv").exists());
    Ok(())
}

#[test]
fn a_report_for_a_stdout_that_nobody_reads_is_saved_and_the_status_is_the_jobs() -> Outcome {
    let world = World::new()?;
    let (reader, writer) = io::pipe()?;
    drop(reader);
    let mut run: Command = world.carbon_run();
    let output = run
        .args(["--no-csv", "--json", "-", "sh", "-c", "exit 7"])
        .stdout(Stdio::from(writer))
        .output()?;
    let said = crate::world::said(&output);
    assert_eq!(output.status.code(), Some(7), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(world.rescued().len(), 1, "{said}");
    Ok(())
}
