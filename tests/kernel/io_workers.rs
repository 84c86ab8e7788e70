//! Work that the kernel does for a process in threads of its own making.

use crate::agreement::with_its_group;
use crate::launched::Launch;
use crate::needs::{Outcome, a_kernel};
use crate::workload::job;

#[test]
fn io_uring_workers_are_the_job_that_they_work_for() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    let launch = Launch::grouped("ebpf")?;
    let main_thread = launch.dir.path().join("main-thread");
    let run = launch.run(&job(&["uring", "1000", &main_thread.display().to_string()])?)?;
    let main_thread: f64 = std::fs::read_to_string(main_thread)?.parse()?;
    with_its_group(&run, 1.0)?;
    let workers = run.reference_s()? - main_thread;
    assert!(workers > 0.5, "the workers did only {workers:.3} s of it");
    assert_eq!(run.processes()?, 1);
    Ok(())
}
