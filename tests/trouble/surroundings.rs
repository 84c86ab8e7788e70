//! A machine or a session in which something usual is missing.

use crate::world::{JOB, Outcome, World, assert_says, assert_unharmed};

#[test]
fn without_a_home_everything_works_and_nothing_is_said_about_it() -> Outcome {
    let world = World::new()?;
    let output = world.carbon_run().env_remove("HOME").args(JOB).output()?;
    let said = assert_unharmed(&output);
    assert!(!said.contains("warning") && !said.contains("HOME"), "{said}");
    world.assert_only(&["emissions.csv"]);
    Ok(())
}

#[test]
fn without_a_home_a_result_without_its_place_is_saved_in_the_temporary_directory() -> Outcome {
    let world = World::new()?;
    let output = world
        .carbon_run()
        .env_remove("HOME")
        .args(["--no-csv", "--json", "missing/report.json"])
        .args(JOB)
        .output()?;
    assert_says(&assert_unharmed(&output), &["the result was saved as `"]);
    let saved = world.rescued();
    assert_eq!(saved.len(), 1, "{saved:?}");
    assert!(saved[0].starts_with(world.root().join("tmp")), "{saved:?}");
    Ok(())
}

#[test]
fn without_proc_sys_the_report_is_there() -> Outcome {
    let world = World::new()?;
    let Some(mut run) = world.among_mounts("mount -t tmpfs none /proc/sys && exec \"$@\"")? else {
        return Ok(());
    };
    let output = run.args(JOB).output()?;
    assert_says(&assert_unharmed(&output), &["energy", "counted"]);
    world.assert_only(&["emissions.csv"]);
    Ok(())
}

#[test]
fn in_a_directory_that_is_gone_the_job_runs_and_the_row_is_saved_elsewhere() -> Outcome {
    let world = World::new()?;
    let gone = "mkdir gone && cd gone && rmdir ../gone && exec \"$@\"";
    let job = "echo out; echo err >&2; exit 7";
    let output = world
        .command("sh")
        .args([
            "-c",
            gone,
            "sh",
            env!("CARGO_BIN_EXE_carbon-run"),
            "sh",
            "-c",
            job,
        ])
        .output()?;
    let said = assert_unharmed(&output);
    assert_says(&said, &["`./emissions.csv`", "the result was saved as `"]);
    assert_eq!(world.rescued().len(), 1, "{said}");
    Ok(())
}

#[test]
fn a_sysroot_with_nothing_in_it_is_said_or_estimated_and_never_harms_the_job() -> Outcome {
    let world = World::new()?;
    std::fs::create_dir(world.root().join("empty"))?;
    let output = world
        .carbon_run()
        .args(["--no-csv", "--sysroot", "../empty"])
        .args(JOB)
        .output()?;
    if output.status.code() == Some(125) {
        let said = world.assert_not_started(&output);
        assert_says(&said, &["../empty"]);
    } else {
        assert_unharmed(&output);
    }
    Ok(())
}
