//! Real jobs from beginning to end: a training run in Python, and a build. The job's CPU time is held against an account
//! that the kernel keeps independently of ours.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]
#![expect(clippy::print_stdout, reason = "libtest shows it when it is asked to")]

#[path = "real/account.rs"]
mod account;
#[path = "real/jobs.rs"]
mod jobs;
#[path = "support/python.rs"]
mod python;
#[path = "real/report.rs"]
mod report;

use report::Run;
use std::path::Path;
use std::process::Command;

/// How far our CPU time may be from the kernel's.
const WITHIN: f64 = 0.01;

#[test]
fn a_training_run_in_python_is_reported_as_the_kernel_saw_it() {
    let Some(python) = jobs::python_with_scikit_learn() else {
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/real/train.py");
    let run = Run::of(Command::new(python).arg(script));
    let accuracy = run
        .stdout
        .trim()
        .strip_prefix("accuracy ")
        .expect("the job's own words on stdout");
    assert!(accuracy.parse::<f64>().unwrap() > 0.9, "{accuracy}");
    run.assert_plausible();
    // The shell that counts, Python, and a pool of two.
    run.assert_processes(4);
    run.assert_cpu_time(WITHIN);
    run.assert_replays_the_same();
}

#[test]
fn a_build_by_cargo_is_reported_as_the_kernel_saw_it() {
    let directory = tempfile::tempdir().unwrap();
    jobs::write_crate(directory.path());
    let run = Run::of(&mut jobs::cargo_build(directory.path()));
    assert!(directory.path().join("target/release/digits").is_file());
    assert_eq!(run.stdout, "", "cargo says nothing on stdout, and nor do we");
    run.assert_plausible();
    // The shell that counts, cargo, rustc, and the linker.
    run.assert_processes(4);
    run.assert_cpu_time(WITHIN);
    run.assert_replays_the_same();
}
