//! Disks that are full or read-only.

use crate::world::{JOB, Outcome, World, assert_says, assert_unharmed};
use std::fs;

/// A disk of one page's room beyond what is asked for here, and carbon-run on it; what is on it afterwards is copied out.
const SMALL_DISK: &str = "mkdir small out && mount -t tmpfs -o size=16k none small && head -c 10000 /dev/zero > small/old \
    && \"$@\"; status=$?; cp small/* out/; exit $status";
const FULL_DISK: &str = "mkdir small out && mount -t tmpfs -o size=16k none small; head -c 99999 /dev/zero > small/old \
    2> /dev/null; \"$@\"; status=$?; cp small/* out/; exit $status";
const READ_ONLY: &str = "mkdir small out && mount -t tmpfs -o ro none small && exec \"$@\"";

#[test]
fn on_a_full_disk_the_row_and_the_report_are_saved_elsewhere_and_nothing_half_written_stays() -> Outcome {
    let world = World::new()?;
    let Some(mut run) = world.among_mounts(FULL_DISK)? else {
        return Ok(());
    };
    let output = run
        .args(["--output-dir", "small", "--json", "small/report.json"])
        .args(JOB)
        .output()?;
    let said = assert_unharmed(&output);
    assert_says(
        &said,
        &[
            "`small/emissions.csv`: no space left on device",
            "`small/report.json`: no space left on device",
            "hint: free some space, or choose another file system",
        ],
    );
    assert_eq!(world.rescued().len(), 2, "{:?}", world.rescued());
    let left: Vec<_> = fs::read_dir(world.work().join("out"))?
        .flatten()
        .map(|entry| entry.file_name())
        .filter(|name| name != "old")
        .collect();
    assert!(left.is_empty(), "{left:?}");
    Ok(())
}

#[test]
fn a_recording_that_fills_the_disk_stops_is_said_and_what_there_is_can_be_replayed() -> Outcome {
    let world = World::new()?;
    let Some(mut run) = world.among_mounts(SMALL_DISK)? else {
        return Ok(());
    };
    let job = "echo out; echo err >&2; sleep 2; touch ran; exit 7";
    let output = run
        .args([
            "--no-csv",
            "--interval",
            "20ms",
            "--record",
            "small/run.jsonl",
            "sh",
            "-c",
            job,
        ])
        .output()?;
    let said = assert_unharmed(&output);
    assert_says(
        &said,
        &[
            "cannot record to `small/run.jsonl`: no space left on device; what was recorded so far is kept",
            "hint: free some space",
        ],
    );
    let replay = world.carbon_run().args(["replay", "out/run.jsonl"]).output()?;
    let replayed = crate::world::said(&replay);
    assert!(replay.status.success(), "{replayed}");
    assert_says(&replayed, &["the recording ends before the command did"]);
    Ok(())
}

#[test]
fn a_read_only_disk_is_named_as_such_before_the_job_starts() -> Outcome {
    let world = World::new()?;
    let Some(mut run) = world.among_mounts(READ_ONLY)? else {
        return Ok(());
    };
    let output = run.args(["--output-dir", "small"]).args(JOB).output()?;
    let said = assert_unharmed(&output);
    let (before, after) = said.split_once("err\n").ok_or("the job said nothing")?;
    for said in [before, after] {
        assert_says(
            said,
            &[
                "`small/emissions.csv`: read-only file system",
                "hint: the file system is mounted read-only",
            ],
        );
    }
    assert_eq!(world.rescued().len(), 1);
    world.assert_only(&[]);
    Ok(())
}

#[test]
fn a_device_that_is_always_full_costs_a_message_and_no_more() -> Outcome {
    let world = World::new()?;
    for flag in ["--json", "--record"] {
        let output = world
            .carbon_run()
            .args(["--no-csv", flag, "/dev/full"])
            .args(JOB)
            .output()?;
        let said = assert_unharmed(&output);
        assert_says(&said, &["`/dev/full`: no space left on device", "hint: "]);
        world.assert_only(&[]);
    }
    let full = fs::OpenOptions::new().write(true).open("/dev/full")?;
    let quiet_job = "echo out; exit 7";
    let output = world
        .carbon_run()
        .args(["sh", "-c", quiet_job])
        .stderr(full)
        .output()?;
    assert_eq!(
        (output.status.code(), output.stdout),
        (Some(7), b"out\n".to_vec())
    );
    assert!(world.names().contains("emissions.csv"));
    Ok(())
}
