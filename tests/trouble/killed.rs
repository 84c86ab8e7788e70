//! SIGKILL for carbon-run itself.

use crate::world::{Outcome, World, assert_says, said};
use std::error::Error;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(60);

fn wait_until(what: &str, mut so: impl FnMut() -> bool) -> Result<(), Box<dyn Error>> {
    let until = Instant::now() + DEADLINE;
    while !so() {
        if Instant::now() > until {
            return Err(format!("waited in vain: {what}").into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

#[test]
fn killed_in_the_middle_it_harms_no_job_and_leaves_a_recording_that_can_be_replayed() -> Outcome {
    let world = World::new()?;
    let job = "i=0; while ! [ -e go ]; do i=$((i+1)); done; touch ended; exit 7";
    let mut run = world
        .carbon_run()
        .args(["--record", "run.jsonl", "--json", "report.json", "sh", "-c", job])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let recording = world.work().join("run.jsonl");
    let looks = || {
        let text = fs::read_to_string(&recording).unwrap_or_default();
        text.lines()
            .filter(|line| line.contains("\"observation\""))
            .count()
    };
    wait_until("five observations", || looks() >= 5)?;
    run.kill()?;
    run.wait()?;
    fs::write(world.work().join("go"), "")?;
    wait_until("the job goes on to its end", || {
        world.work().join("ended").exists()
    })?;
    let names: Vec<String> = world.names().into_iter().collect();
    assert_eq!(names, ["ended", "go", "run.jsonl"]);
    assert!(world.rescued().is_empty());

    let replay = world
        .carbon_run()
        .args(["replay", "--json", "-", "run.jsonl"])
        .output()?;
    let text = said(&replay);
    assert!(replay.status.success(), "{text}");
    assert_says(&text, &["the recording ends before the command did"]);
    let report: serde_json::Value = serde_json::from_slice(&replay.stdout)?;
    assert!(report["exit"]["code"].is_null());
    assert!(report["cpu_time_s"].as_f64() > Some(0.0), "{report:#}");
    assert!(report["energy_j"]["total"].as_f64() > Some(0.0), "{report:#}");
    Ok(())
}

#[test]
fn a_recording_cut_in_the_middle_of_a_line_is_read_up_to_there() -> Outcome {
    let world = World::new()?;
    let done = world
        .carbon_run()
        .args(["--no-csv", "-q", "--record", "run.jsonl", "sleep", "0.5"])
        .output()?;
    assert!(done.status.success(), "{}", said(&done));
    let path = world.work().join("run.jsonl");
    let whole = fs::read(&path)?;
    let tail = whole
        .windows(7)
        .position(|window| window == b"{\"tail\"")
        .ok_or("no tail")?;
    for cut in [tail, tail + 20, tail - 30] {
        fs::write(&path, &whole[..cut])?;
        let replay = world.carbon_run().args(["replay", "run.jsonl"]).output()?;
        assert!(replay.status.success(), "{cut}: {}", said(&replay));
        assert_says(&said(&replay), &["the recording ends before the command did"]);
    }
    for nonsense in [&b""[..], b"\0\0", b"{}\n", b"a,b\n1,2\n", &whole[..10]] {
        fs::write(&path, nonsense)?;
        let replay = world.carbon_run().args(["replay", "run.jsonl"]).output()?;
        let text = said(&replay);
        assert_eq!(replay.status.code(), Some(125), "{text}");
        assert!(!text.contains("panicked"), "{text}");
        assert_says(&text, &["`run.jsonl`"]);
    }
    Ok(())
}
