//! Whole recordings on the trees of cards, against totals that were worked out by hand. Each has three seconds after the
//! first look, goes through the journal, and is assembled from what came out of it.

use crate::cards::device;
use crate::tree::Copy;
use carbon_run::meter::Meter as _;
use carbon_run::meter::drm::Drm;
use carbon_run::model::assemble::assemble;
use carbon_run::model::journal;
use carbon_run::model::recording::{Head, Observation, Place, Recording, Whose};
use carbon_run::model::report::RunReport;
use carbon_run::model::tables::Tables;
use carbon_run::model::units::Moment;
use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;

type Outcome = Result<(), Box<dyn Error>>;

const SECONDS: u64 = 3;

/// `idle_w` is what each card draws with an idle client, `job` the processes that are the job's; `step` is told which
/// second begins.
fn report(
    tree: &Copy,
    idle_w: f64,
    job: &[u32],
    step: &dyn Fn(u64) -> io::Result<()>,
) -> Result<RunReport, Box<dyn Error>> {
    step(0)?;
    let opened = Drm::open(tree.root());
    let mut drm = opened.meter.ok_or("no meter")?;
    let mut devices = drm.gpus().to_vec();
    for gpu in &mut devices {
        gpu.idle.resident = Some(carbon_run::model::units::Watts::clamped(idle_w));
    }
    let head: Head = serde_json::from_value(serde_json::json!({
        "schema": "carbon-run/recording/1",
        "carbon_run_version": "0.1.0",
        "run_id": "00000000-0000-4000-8000-000000000000",
        "project": null,
        "command": [{ "text": "train" }],
        "started_at_unix_ns": 0,
        "utc_offset_s": 0,
        "host": {},
        "accounting": { "backend": "ebpf", "declined": [] },
        "groups": [],
        "domains": drm.domains(),
        "gpus": { "devices": devices, "absent": opened.absent },
        "choices": {
            "idle_policy": "capacity",
            "idle_power": [],
            "smt_weight_permille": 575,
            "pue": 1.0,
            "place": { "given": 400.0 },
            "allocated": null,
        },
        "notes": opened.notes,
    }))?;
    let mut observations = Vec::new();
    for second in 0..=SECONDS {
        if second > 0 {
            step(second)?;
        }
        let at = Moment((1 + second) * 1_000_000_000);
        let readings = drm.read(&mut || at);
        let mut gpus = drm.look(&mut || at);
        for user in gpus.iter_mut().flat_map(|look| &mut look.users) {
            let is_job = job.contains(&user.pid);
            user.whose = if is_job { Whose::Job } else { Whose::Others };
        }
        observations.push(Observation {
            at,
            slept_ns: 0,
            readings,
            usage: Vec::new(),
            memory: None,
            usage_after: None,
            memory_before: Vec::new(),
            live: Vec::new(),
            marks: Vec::new(),
            gpus,
        });
    }
    let recording = Recording {
        head,
        observations,
        tail: None,
    };
    let read_back = journal::parse(&journal::to_lines(&recording)?)?;
    assert_eq!(read_back, recording, "a recording is read as it was written");
    let intensity = Tables::embedded()?.intensity(&Place::Given(400.0))?;
    Ok(assemble(&read_back, intensity))
}

/// Joules of a card: dynamic part of the job, idle part of the job, others, unattributed.
fn joules(report: &RunReport, domain: usize) -> Option<[f64; 4]> {
    let ledger = report.domains.get(domain)?.ledger;
    assert_eq!(ledger.sum(), ledger.measured);
    Some([ledger.job, ledger.job_idle, ledger.others, ledger.unattributed].map(|part| part.joules().get()))
}

fn gpu(report: &RunReport) -> Option<f64> {
    report.energy.gpu.value().map(|joules| joules.get())
}

fn replace(path: &Path, key: &str, value: &str) -> io::Result<()> {
    let text = fs::read_to_string(path)?;
    let line = |line: &str| match line.split_once(':') {
        Some((name, _)) if name == key => format!("{key}:\t{value}\n"),
        _ => format!("{line}\n"),
    };
    fs::write(path, text.lines().map(line).collect::<String>())
}

/// 200 W, 50 of them idle. The job's engines work for 300 ms of every second, the desktop's for 100, the card says 40 %:
/// three quarters of 450 J, and 40 % of three quarters of 150 J.
fn radeon(tree: &Copy) -> Result<RunReport, Box<dyn Error>> {
    let card = device(tree, 1);
    report(tree, 50.0, &[200, 201], &|second| {
        fs::write(card.join("hwmon/hwmon4/power1_average"), "200000000\n")?;
        fs::write(card.join("gpu_busy_percent"), "40\n")?;
        for (pid, descriptor) in [(200, 31), (200, 32), (201, 31)] {
            let path = tree.root().join(format!("proc/{pid}/fdinfo/{descriptor}"));
            let ns = 5_000_000_000 + second * 300_000_000;
            replace(&path, "drm-engine-compute", &format!("{ns} ns"))?;
        }
        let desktop = tree.root().join("proc/100/fdinfo/14");
        let ns = 90_000_000_000 + second * 100_000_000;
        replace(&desktop, "drm-engine-gfx", &format!("{ns} ns"))
    })
}

#[test]
fn a_radeon_is_shared_by_engine_time_beside_a_desktop() -> Outcome {
    let tree = Copy::of("radeon-rx-7900")?;
    let report = radeon(&tree)?;
    assert_eq!(joules(&report, 0), Some([337.5, 45.0, 112.5, 0.0]));
    assert_eq!(gpu(&report), Some(382.5));
    Ok(())
}

#[test]
fn what_a_desktop_that_may_not_be_looked_at_may_have_used_is_in_the_range() -> Outcome {
    let tree = Copy::of("radeon-rx-7900")?;
    // Another user's process: its files are there, and its list of descriptors is not.
    let descriptors = tree.root().join("proc/100/fd");
    fs::remove_dir_all(&descriptors)?;
    fs::write(&descriptors, "")?;
    let report = radeon(&tree)?;
    assert_eq!(joules(&report, 0), Some([337.5, 45.0, 112.5, 112.5]));
    let ranged = report.energy.gpu.ranged().ok_or("no figure")?;
    assert!(ranged.high.get() >= 382.5 + 112.5, "{ranged:?}");
    assert!(
        report
            .quality
            .notes
            .iter()
            .any(|note| note.code == "gpu-unattributed"),
        "{:?}",
        report.quality.notes
    );
    Ok(())
}

/// 300 W on the card that the job's queues fill, all of it the job's, 900 J. The other card is a stranger's: 41 W, less
/// than the idle power that was stated, and the job has opened it and does nothing there.
#[test]
fn queues_that_nobody_counts_have_the_time_that_nobody_else_has_used() -> Outcome {
    let tree = Copy::of("instinct-mi210")?;
    let report = report(&tree, 90.0, &[300], &|_| {
        fs::write(
            device(&tree, 1).join("hwmon/hwmon5/power1_average"),
            "300000000\n",
        )?;
        fs::write(device(&tree, 1).join("gpu_busy_percent"), "100\n")?;
        fs::write(device(&tree, 2).join("gpu_busy_percent"), "100\n")
    })?;
    assert_eq!(joules(&report, 0), Some([630.0, 270.0, 0.0, 0.0]));
    assert_eq!(
        joules(&report, 1).map(|[job, idle, ..]| [job, idle]),
        Some([0.0, 0.0])
    );
    assert_eq!(gpu(&report), Some(900.0));
    Ok(())
}

/// 100 W, 40 of them idle. ffmpeg keeps one of two video engines busy, half of the kind, Xorg renders half of the time:
/// half of 180 J, and half of 120 J.
#[test]
fn an_arcs_counter_is_shared_by_engine_time_each_kind_by_its_number() -> Outcome {
    let tree = Copy::of("arc-a770")?;
    let report = report(&tree, 40.0, &[500], &|second| {
        let energy = 812_345_678_901 + second * 100_000_000;
        fs::write(
            device(&tree, 1).join("hwmon/hwmon3/energy1_input"),
            format!("{energy}\n"),
        )?;
        let ffmpeg = tree.root().join("proc/500/fdinfo/5");
        let ns = 2_000_000_000 + second * 1_000_000_000;
        replace(&ffmpeg, "drm-engine-video", &format!("{ns} ns"))?;
        let xorg = tree.root().join("proc/100/fdinfo/9");
        let ns = 777_000_000 + second * 500_000_000;
        replace(&xorg, "drm-engine-render", &format!("{ns} ns"))
    })?;
    assert_eq!(joules(&report, 0), Some([90.0, 60.0, 90.0, 0.0]));
    assert_eq!(gpu(&report), Some(150.0));
    Ok(())
}

/// 150 W, 30 of them idle, by a clock of 19.2 MHz. The job computes for a quarter of every second and then ends: what was
/// seen of it last counts, and in its last second the split is that of the second before.
#[test]
fn what_was_seen_of_a_process_that_has_ended_counts() -> Outcome {
    const HZ: u64 = 19_200_000;
    let tree = Copy::of("arc-b580")?;
    let report = report(&tree, 30.0, &[600], &|second| {
        let energy = 23_456_789_012 + second * 150_000_000;
        fs::write(
            device(&tree, 0).join("hwmon/hwmon7/energy1_input"),
            format!("{energy}\n"),
        )?;
        let job = tree.root().join("proc/600");
        if second == SECONDS {
            return fs::remove_dir_all(job);
        }
        let clock = 7_655_183_225 + second * HZ;
        for path in [job.join("fdinfo/7"), tree.root().join("proc/100/fdinfo/12")] {
            for engine in ["rcs", "bcs", "vcs", "vecs", "ccs"] {
                replace(&path, &format!("drm-total-cycles-{engine}"), &clock.to_string())?;
            }
        }
        let cycles = 100_000 + second * HZ / 4;
        replace(&job.join("fdinfo/7"), "drm-cycles-ccs", &cycles.to_string())
    })?;
    assert_eq!(joules(&report, 0), Some([360.0, 22.5, 0.0, 0.0]));
    Ok(())
}

/// It lies in the package, whose meter has it already.
#[test]
fn the_socket_power_of_an_apu_is_not_added_up() -> Outcome {
    let tree = Copy::of("ryzen-7840u")?;
    let report = report(&tree, 1.0, &[100], &|_| Ok(()))?;
    assert_eq!(gpu(&report), None);
    let reason = report.energy.gpu.reason().unwrap_or_default();
    assert!(reason.contains("part of the processor"), "{reason}");
    Ok(())
}
