//! Who pays for the idle machine, by each policy, and what `replay` makes of one recording.

use crate::measured::{Measured, WORK, assert_ledgers, domain, line_of, run, start};
use crate::stage::{Figure, Neighbours, Outcome, Stage, assert_true, list, one_package, two_packages};
use carbon_run::model::recording::{CpuUsage, Reading};
use serde_json::Value;
use std::error::Error;
use std::process::Command;

const IDLE_W: f64 = 20.0;
const POLICIES: [&str; 5] = ["none", "capacity", "allocated", "busy", "all"];

fn busy(usage: &CpuUsage) -> f64 {
    let kernel = usage.kernel.map_or(0, |time| time.total().0);
    (usage.job.total().0 + usage.others.total().0 + usage.own.total().0 + kernel) as f64
}

/// The baseline and the job's part of it by busy time, from the recording, in microjoules.
fn baseline(job: &Measured) -> Result<(f64, f64), Box<dyn Error>> {
    let recording = job.recorded()?;
    let mut looks = Vec::new();
    for look in &recording.observations {
        let (Some(Reading::Ticks { ticks, at }), [usage]) = (look.readings.first(), look.usage.as_slice())
        else {
            return Err("the recording has another shape".into());
        };
        looks.push((*ticks, at.0, *usage));
    }
    let (mut all, mut by_busy) = (0.0, 0.0);
    for pair in looks.windows(2) {
        let [(ticks, at, usage), (next_ticks, next_at, next)] = pair else {
            continue;
        };
        let stated = IDLE_W * (next_at - at) as f64 / 1e3;
        let base = stated.min((next_ticks - ticks) as f64);
        let job = (next.job.total().0 - usage.job.total().0) as f64;
        all += base;
        by_busy += base * job / (busy(next) - busy(usage)).max(1.0);
    }
    Ok((all, by_busy))
}

fn replayed(job: &Measured, policy: &str) -> Result<Value, Box<dyn Error>> {
    let output = Command::new(env!("CARGO_BIN_EXE_carbon-run"))
        .args(["replay", "-q", "--json", "-", "--idle-policy", policy])
        .arg(&job.recording)
        .output()?;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[test]
fn under_each_policy_the_job_pays_for_the_idle_machine_what_the_policy_says() -> Outcome {
    let Some(stage) = Stage::open(one_package)? else {
        return Ok(());
    };
    let _neighbours = Neighbours::everywhere()?;
    let cpus = stage.spec.packages[0].cpus.len();
    assert_true(|| {
        let job = run(&stage, &["--idle-power", "20"], &format!("{WORK} sleep 0.5"))?;
        job.assert_ledgers()?;
        let (all, by_busy) = baseline(&job)?;
        let capacity = IDLE_W * 1e6 * job.busy_s() / cpus as f64;
        let dynamic = job.line("package-0", "job_uj")?;
        let mut figures = Vec::new();
        for (policy, wanted) in POLICIES.into_iter().zip([0.0, capacity, all, by_busy, all]) {
            let report = replayed(&job, policy)?;
            assert_ledgers(&report)?;
            let package = domain(&report, "package-0")?;
            let got = line_of(package, "job_idle_uj")?;
            if policy == "none" {
                assert_eq!(package["job_idle_uj"], 0);
            } else {
                figures.push(Figure::new(format!("idle share under `{policy}`"), got, wanted));
            }
            // The alternatives are in every report, and the dynamic part does not depend on the policy.
            let alternatives = &job.domain("package-0")?["job_idle_uj_by_policy"];
            assert_eq!(alternatives[policy], package["job_idle_uj"]);
            assert_eq!(report["idle_policy"], policy);
            assert!((line_of(package, "job_uj")? - dynamic).abs() < 0.5, "{policy}");
            let total = report["energy_j"]["cpu"].as_f64().ok_or("no energy")?;
            assert!((total * 1e6 - dynamic - got).abs() < 1.0, "{policy}: {total}");
        }
        Ok(figures)
    })
}

#[test]
fn a_job_that_half_of_the_cpus_are_set_aside_for_pays_half_of_the_idle_machine() -> Outcome {
    let Some(stage) = Stage::open(|cpus| {
        let even = cpus.len() >= 2 && cpus.len() % 2 == 0;
        even.then(|| one_package(cpus)).flatten()
    })?
    else {
        return Ok(());
    };
    let cpus = &stage.spec.packages[0].cpus;
    let half = list(&cpus[..cpus.len() / 2]);
    assert_true(|| {
        let job = start(&stage, Some(&half), &["--idle-power", "20"], WORK)?.finish()?;
        assert_eq!(job.report["idle_policy"], "allocated");
        let (all, _) = baseline(&job)?;
        let share = job.line("package-0", "job_idle_uj")?;
        Ok(vec![Figure::new(
            "idle share of half of the CPUs",
            share,
            all / 2.0,
        )])
    })
}

#[test]
fn a_job_that_may_run_on_one_package_pays_all_of_its_idle_power_and_none_of_the_others() -> Outcome {
    let Some(stage) = Stage::open(two_packages)? else {
        return Ok(());
    };
    let mine = list(&stage.spec.packages[0].cpus);
    let job = start(&stage, Some(&mine), &["--idle-power", "20,7"], WORK)?.finish()?;
    job.assert_ledgers()?;
    assert_eq!(job.report["idle_policy"], "allocated");
    let [own, other] = [job.domain("package-0")?, job.domain("package-1")?];
    assert_eq!(other["job_idle_uj"], 0, "{other:#}");
    assert_eq!(other["job_idle_uj_by_policy"]["allocated"], 0);
    assert_eq!(own["job_idle_uj"], own["job_idle_uj_by_policy"]["all"], "{own:#}");
    assert!(own["job_idle_uj"].as_u64() > Some(0), "{own:#}");
    Ok(())
}

#[test]
fn a_stated_idle_power_that_the_machine_falls_below_is_lowered_and_said() -> Outcome {
    let Some(stage) = Stage::open(one_package)? else {
        return Ok(());
    };
    let job = run(&stage, &["--idle-power", "5000"], "sleep 0.6; echo slept")?;
    job.assert_ledgers()?;
    assert_eq!(job.output.stdout, b"slept\n");
    let package = job.domain("package-0")?;
    assert_eq!(package["idle_power"]["basis"], "lowered");
    assert!(
        package["idle_power"]["watts"].as_f64() < Some(1000.0),
        "{package:#}"
    );
    let stderr = String::from_utf8_lossy(&job.output.stderr).into_owned();
    assert!(stderr.contains("state a lower `--idle-power`"), "{stderr}");
    Ok(())
}
