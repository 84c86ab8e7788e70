//! Results that cannot go where they were wanted.

use crate::world::{JOB, Outcome, World, assert_says, assert_unharmed};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

#[test]
fn an_unwritable_output_directory_is_said_with_a_remedy_and_the_row_is_saved() -> Outcome {
    let world = World::new()?;
    let locked = world.work().join("locked");
    fs::create_dir(&locked)?;
    fs::set_permissions(&locked, Permissions::from_mode(0o555))?;
    let Some(mut run) = world.as_nobody()? else {
        return Ok(());
    };
    let output = run.args(["--output-dir", "locked"]).args(JOB).output()?;
    let said = assert_unharmed(&output);
    assert_says(
        &said,
        &[
            "cannot write `locked/emissions.csv`: permission denied",
            "hint: choose a place that you may write to",
            "the result was saved as `",
        ],
    );
    let rescued = world.rescued();
    assert_eq!(rescued.len(), 1, "{rescued:?}");
    assert_says(&fs::read_to_string(&rescued[0])?, &["emissions_rate"]);
    world.assert_only(&[]);
    assert_eq!(fs::read_dir(locked)?.count(), 0);
    Ok(())
}

#[test]
fn a_missing_directory_is_said_before_and_after_the_job_and_its_report_is_saved() -> Outcome {
    let world = World::new()?;
    let output = world
        .carbon_run()
        .args(["--no-csv", "--json", "missing/dir/report.json"])
        .args(JOB)
        .output()?;
    let said = assert_unharmed(&output);
    let warning = "cannot write `missing/dir/report.json`: no such file or directory";
    let (before, after) = said.split_once("err\n").ok_or("the job said nothing")?;
    assert_says(
        before,
        &[
            warning,
            "hint: create the directory first: `mkdir -p missing/dir`",
        ],
    );
    assert_says(after, &[warning, "the result was saved as `"]);
    let rescued = world.rescued();
    assert_eq!(rescued.len(), 1, "{rescued:?}");
    let report: serde_json::Value = serde_json::from_slice(&fs::read(&rescued[0])?)?;
    assert_eq!(report["exit"]["code"], 7);
    world.assert_only(&[]);
    Ok(())
}

#[test]
fn a_recording_without_a_directory_is_said_before_the_job_and_nothing_else_changes() -> Outcome {
    let world = World::new()?;
    let output = world
        .carbon_run()
        .args(["--no-csv", "--record", "missing/run.jsonl"])
        .args(JOB)
        .output()?;
    let said = assert_unharmed(&output);
    let (before, _) = said.split_once("err\n").ok_or("the job said nothing")?;
    assert_says(
        before,
        &[
            "cannot record to `missing/run.jsonl`: no such file or directory",
            "mkdir -p missing",
        ],
    );
    world.assert_only(&[]);
    Ok(())
}

#[test]
fn a_table_with_other_columns_is_left_as_it_is_and_the_row_goes_beside() -> Outcome {
    let world = World::new()?;
    let table = world.work().join("emissions.csv");
    let foreign = "when,what\n2024-01-01,\"no, really\"\n";
    fs::write(&table, foreign)?;
    for runs in 1..=2 {
        let output = world.carbon_run().args(JOB).output()?;
        let said = assert_unharmed(&output);
        assert_says(&said, &["`./emissions.csv`", "columns", "hint: "]);
        assert_eq!(fs::read_to_string(&table)?, foreign);
        let beside: Vec<String> = world
            .names()
            .into_iter()
            .filter(|name| name != "emissions.csv" && name != "ran")
            .collect();
        assert_eq!(beside.len(), 1, "{beside:?}");
        assert_says(&said, &[beside[0].as_str()]);
        let rows = fs::read_to_string(world.work().join(&beside[0]))?;
        assert_eq!(rows.lines().count(), 1 + runs, "{rows}");
    }
    assert!(world.rescued().is_empty());
    Ok(())
}

#[test]
fn where_no_place_takes_a_result_both_reasons_are_said() -> Outcome {
    let world = World::new()?;
    let output = world
        .carbon_run()
        .env("HOME", "/proc/no-home")
        .env("TMPDIR", "/proc/no-tmp")
        .args(["--no-csv", "--json", "/dev/full"])
        .args(JOB)
        .output()?;
    let said = assert_unharmed(&output);
    assert_says(
        &said,
        &[
            "cannot write `/dev/full`: no space left on device",
            "the result is lost",
            "hint: ",
        ],
    );
    world.assert_only(&[]);
    Ok(())
}

#[test]
fn an_unknown_place_is_an_error_before_the_job_starts_and_names_what_is_near() -> Outcome {
    let world = World::new()?;
    for (flags, parts) in [
        (["--country", "Frnace"], &["`Frnace`", "France"][..]),
        (["--country", "QQ"], &["`QQ`"]),
        (["--region", "CA-QX"], &["`CA-QX`", "CA-"]),
    ] {
        let output = world.carbon_run().args(flags).args(JOB).output()?;
        let said = world.assert_not_started(&output);
        assert_says(&said, parts);
        assert_says(&said, &["hint: "]);
        assert!(world.names().is_empty(), "{:?}", world.names());
    }
    Ok(())
}
