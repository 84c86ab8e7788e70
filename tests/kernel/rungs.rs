//! Every rung of the ladder around the same jobs: each is held against the job's own account of itself, and by that
//! against the others.

use crate::agreement::of_run;
use crate::launched::{Launch, Run, until};
use crate::needs::{Outcome, a_kernel, a_kernel_alone, a_kernel_open_to_perf, two_cpus_alone};
use crate::siblings::machine_of_two;
use crate::unprivileged::{NOBODY, accounted, backend, stage, truth};
use crate::workload::{by, job};
use serde_json::Value;
use std::error::Error;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

const RUNGS: [&str; 4] = ["ebpf", "perf", "cgroup", "procfs"];

/// The rungs below the best one, which stand in for it.
const LOWER: [&str; 3] = ["perf", "cgroup", "procfs"];

#[expect(
    clippy::print_stderr,
    reason = "shown with --nocapture: how near the accounts are"
)]
fn told(rung: &str, run: &Run, truth: f64) -> Outcome {
    let measured = run.cpu_s()?;
    let off = (measured / truth - 1.0) * 100.0;
    let stolen = run.stolen_s;
    eprintln!("{rung}: {measured:.6} s against {truth:.6} s: {off:+.3} %, {stolen:.3} s stolen of all");
    Ok(())
}

/// Each rung counts the job within 1 % of what `getrusage` told the job's own first process.
fn each(rungs: &[&str], nobody: bool, words: &[&str]) -> Outcome {
    for rung in rungs {
        let (run, truth) = accounted(rung, nobody, words)?;
        assert_eq!(backend(&run), Some(*rung));
        told(rung, &run, truth)?;
        of_run(0.01, &run, truth, rung)?;
    }
    Ok(())
}

#[test]
fn all_rungs_agree_on_steady_threads() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    each(&RUNGS, false, &["threads", "4", "300"])
}

#[test]
fn all_rungs_agree_on_a_storm_of_short_programs() -> Outcome {
    let Some(_turn) = a_kernel_alone()? else {
        return Ok(());
    };
    each(&RUNGS, false, &["spawn-until-used", "1200", "/bin/true"])
}

#[test]
fn all_rungs_agree_on_forks_that_never_exec() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    each(&RUNGS, false, &["fork", "100", "12000"])
}

#[test]
fn all_rungs_agree_on_children_that_borrow_their_parents_memory() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    each(&RUNGS, false, &["vfork", "200", "6000"])
}

#[test]
fn without_rights_the_task_clock_counts_threads_and_storms() -> Outcome {
    let Some(_turn) = a_kernel_open_to_perf()? else {
        return Ok(());
    };
    each(&["perf"], true, &["threads", "4", "300"])?;
    each(&["perf"], true, &["spawn-until-used", "1200", "/bin/true"])
}

#[test]
fn all_rungs_count_a_daemon_that_has_left_its_family() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    for rung in RUNGS {
        let launch = Launch::plain(rung)?.flags(&["--wait-tree"]);
        let pid_file = launch.dir.path().join("pid").display().to_string();
        let run = launch.run(&job(&["daemon", "1000", &pid_file])?)?;
        // The daemon burns a second by its own clock; the rest is two forks.
        of_run(0.01, &run, 1.0, rung)?;
        assert_eq!(run.survivors(), [], "{rung}");
    }
    Ok(())
}

#[test]
fn all_rungs_name_a_daemon_that_outlives_the_command() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    for rung in RUNGS {
        let launch = Launch::plain(rung)?;
        let pid_file = launch.dir.path().join("pid");
        let run = launch.run(&job(&["daemon", "1500", &pid_file.display().to_string()])?)?;
        let pid: u64 = fs::read_to_string(pid_file)?.parse()?;
        let named: Vec<u64> = run.survivors().iter().map(|(pid, _)| *pid).collect();
        assert_eq!(named, [pid], "{rung}");
        until("the daemon to end", || {
            (!fs::exists(format!("/proc/{pid}")).ok()?).then_some(())
        })?;
    }
    Ok(())
}

#[test]
fn all_rungs_count_a_process_that_becomes_another_user() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    for rung in RUNGS {
        let launch = Launch::plain(rung)?;
        let (_, workload) = stage(&launch.dir)?;
        let file = launch.dir.path().join("rusage");
        let mut words = NOBODY.map(Into::into).to_vec();
        let file_text = file.display().to_string();
        words.extend(by(&workload, &["accounted", &file_text, "fork", "20", "60000"]));
        let run = launch.run(&words)?;
        of_run(0.01, &run, truth(&file)?, rung)?;
    }
    Ok(())
}

#[test]
fn all_rungs_count_processes_in_a_pid_namespace_of_their_own() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    for rung in RUNGS {
        let launch = Launch::plain(rung)?;
        let file = launch.dir.path().join("rusage");
        let file_text = file.display().to_string();
        let mut words = ["unshare", "-pf", "--mount-proc"].map(Into::into).to_vec();
        words.extend(job(&["accounted", &file_text, "fork", "20", "60000"])?);
        let run = launch.run(&words)?;
        of_run(0.01, &run, truth(&file)?, rung)?;
    }
    Ok(())
}

#[test]
fn lower_rungs_work_inside_a_pid_namespace() -> Outcome {
    let Some(_turn) = a_kernel()? else { return Ok(()) };
    for rung in LOWER {
        let launch = Launch::plain(rung)?.through(&["unshare", "-p", "-f", "--mount-proc", "--kill-child"]);
        let file = launch.dir.path().join("rusage");
        let file_text = file.display().to_string();
        let run = launch.run(&job(&["accounted", &file_text, "fork", "20", "60000"])?)?;
        of_run(0.01, &run, truth(&file)?, rung)?;
    }
    Ok(())
}

/// Where neither `wait4` nor /proc knows a thing, the clock and the group stand alone.
#[test]
fn children_that_nobody_waits_for_are_counted() -> Outcome {
    let Some(_turn) = a_kernel_alone()? else {
        return Ok(());
    };
    for rung in ["ebpf", "perf", "cgroup"] {
        let run = Launch::plain(rung)?.run(&job(&["unreaped", "40", "30"])?)?;
        told(rung, &run, 1.2)?;
        // Forty forks come on top of what the children burn by their own clocks. Off goes, with perf, what was stolen of
        // all who ran, by equal parts; that may be a little more than was stolen of this job.
        let least = if rung == "perf" { 1.15 } else { 1.19 };
        let measured = run.cpu_s()?;
        assert!(
            (least..1.32 + run.stolen_s).contains(&measured),
            "{rung}: {measured} s, with {} s stolen of all",
            run.stolen_s
        );
    }
    Ok(())
}

/// The task clock ends where a set-user-id program begins; `wait4` does not.
#[test]
fn without_rights_a_set_user_id_program_is_counted_although_the_task_clock_leaves_it() -> Outcome {
    let Some(_turn) = a_kernel_open_to_perf()? else {
        return Ok(());
    };
    let launch = Launch::plain("perf")?;
    let (binary, workload) = stage(&launch.dir)?;
    chown(&workload, Some(65533), None)?;
    fs::set_permissions(&workload, fs::Permissions::from_mode(0o4755))?;
    let file = launch.dir.path().join("rusage");
    let words = by(
        &workload,
        &["accounted", &file.display().to_string(), "fork", "20", "60000"],
    );
    let run = launch.through(&NOBODY).binary(&binary).run(&words)?;
    of_run(0.01, &run, truth(&file)?, "a set-user-id program")?;
    Ok(())
}

/// The job's seconds on each CPU of [`machine_of_two`], as the last sample has them.
fn by_cpu(run: &Run) -> Result<[f64; 2], Box<dyn Error>> {
    let last = run.recording()?.observations.last().ok_or("no sample")?;
    let seconds: Vec<f64> = last
        .usage
        .iter()
        .map(|usage| usage.job.total().0 as f64 / 1e9)
        .collect();
    Ok(seconds.try_into().map_err(|_| "not two groups")?)
}

#[test]
fn lower_rungs_tell_packages_apart() -> Outcome {
    let Some(_turn) = two_cpus_alone()? else {
        return Ok(());
    };
    // perf and version 1 of control groups count it; /proc only looks now and then, also while the job is not yet pinned.
    for (rung, elsewhere) in [("perf", 0.02), ("cgroup", 0.02), ("procfs", 0.1)] {
        let sysroot = machine_of_two(false)?;
        let launch = Launch::plain(rung)?
            .recorded("100ms")
            .flags(&["--sysroot".as_ref(), sysroot.path().as_os_str()]);
        let log = launch.dir.path().join("log").display().to_string();
        let run = launch.run(&job(&["clocked", "1", "1200", &log])?)?;
        let [other, own] = by_cpu(&run)?;
        assert!(own > 1.15, "{rung}: {own} s on the job's CPU");
        assert!(other < elsewhere, "{rung}: {other} s on the other CPU");
    }
    Ok(())
}

fn notes(run: &Run) -> String {
    let notes = run.report.pointer("/quality/notes").and_then(Value::as_array);
    let messages = notes.into_iter().flatten().filter_map(|note| note.get("message"));
    messages.filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_task_clock_on_each_cpu_leaves_the_jobs_limits_and_descriptors_alone() -> Outcome {
    let Some(_turn) = two_cpus_alone()? else {
        return Ok(());
    };
    let sysroot = machine_of_two(false)?;
    let launch = Launch::plain("perf")?
        .flags(&["--sysroot".as_ref(), sysroot.path().as_os_str()])
        .through(&["prlimit", "--nofile=40:4096"]);
    let file = launch.dir.path().join("seen");
    let script = "{ ulimit -Sn; ulimit -Hn; ls -l /proc/self/fd; } >\"$0\"";
    let words = [
        "/bin/sh".as_ref(),
        "-c".as_ref(),
        script.as_ref(),
        file.as_os_str(),
    ];
    let run = launch.run(&words)?;
    assert!(!notes(&run).contains("sampled"), "{}", notes(&run));
    let seen = fs::read_to_string(file)?;
    assert!(seen.starts_with("40\n4096\n"), "{seen}");
    assert!(seen.contains("/dev/null"), "{seen}");
    assert!(!seen.contains("perf_event"), "{seen}");
    Ok(())
}

#[test]
fn without_room_for_a_task_clock_on_each_cpu_the_job_is_counted_as_a_whole() -> Outcome {
    let Some(_turn) = two_cpus_alone()? else {
        return Ok(());
    };
    let sysroot = machine_of_two(false)?;
    let launch = Launch::plain("perf")?
        .recorded("100ms")
        .flags(&["--sysroot".as_ref(), sysroot.path().as_os_str()])
        .through(&["prlimit", "--nofile=40:40"]);
    let log = launch.dir.path().join("log").display().to_string();
    let run = launch.run(&job(&["clocked", "1", "1200", &log])?)?;
    assert!(notes(&run).contains("sampled"), "{}", notes(&run));
    let [other, own] = by_cpu(&run)?;
    assert!(own > 1.08 && other < 0.1, "{own} s and {other} s");
    of_run(0.01, &run, 1.2, "the whole job")?;
    Ok(())
}

#[test]
fn where_the_task_clock_cannot_tell_packages_apart_the_control_group_is_used() -> Outcome {
    let Some(_turn) = two_cpus_alone()? else {
        return Ok(());
    };
    let sysroot = machine_of_two(false)?;
    // Without these two rights even root may load no eBPF.
    let drop = "-bpf,-perfmon,-sys_admin";
    let launch = Launch::plain("auto")?
        .flags(&["--sysroot".as_ref(), sysroot.path().as_os_str()])
        .through(&[
            "setpriv",
            "--bounding-set",
            drop,
            "--inh-caps",
            drop,
            "prlimit",
            "--nofile=40:40",
        ]);
    let run = launch.run(&job(&["burn", "50"])?)?;
    assert_eq!(backend(&run), Some("cgroup"));
    let declined = run
        .report
        .pointer("/accounting/declined")
        .and_then(Value::as_array)
        .ok_or("no list of what was declined")?;
    let names: Vec<_> = declined
        .iter()
        .filter_map(|declined| declined.get("backend")?.as_str())
        .collect();
    assert_eq!(names, ["ebpf", "perf"]);
    Ok(())
}
