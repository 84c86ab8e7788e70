//! What devices do to whoever reads them.

use crate::stage::{GPU, SECOND, Stage, near, says};

#[test]
fn a_device_that_counts_no_energy_has_its_power_integrated() {
    let stage = Stage::new(&format!("{GPU}fail 0 energy 3\n"));
    let report = stage.run(&[], &(says(&["holds 0 $$"]) + "sleep 1"));
    let gpu = report.domain("gpu-0");
    gpu.adds_up();
    let seconds = report.0["duration_s"].as_f64().unwrap();
    assert!(
        near(gpu.uj("measured_uj") as f64 / 1e6, 300.0 * seconds, 10.0),
        "{:#}",
        gpu.0
    );
}

#[test]
fn a_device_that_is_lost_takes_no_other_with_it() {
    let job =
        says(&["holds 0 $$", "holds 1 $$"]) + "sleep 0.6\n" + &says(&["fail 1 handle 15"]) + "sleep 0.8";
    let report = Stage::new(&format!("{GPU}{SECOND}")).run(&[], &job);
    let (kept, lost) = (report.domain("gpu-0"), report.domain("gpu-1"));
    kept.adds_up();
    lost.adds_up();
    assert!(kept.0["coverage"].as_f64().unwrap() > 0.99, "{:#}", kept.0);
    let known = lost.0["coverage"].as_f64().unwrap();
    assert!(known > 0.2 && known < 0.8, "{known}");
    assert!(report.says("meter-failed"), "{:#}", report.0["quality"]);
    // What was seen of it before it was lost still holds.
    assert!(
        lost.uj("job_uj") > 0 && lost.uj("unattributed_uj") == 0,
        "{:#}",
        lost.0
    );
}

#[test]
fn a_device_that_is_lost_before_the_start_is_named() {
    let report = Stage::new(&format!("{GPU}{SECOND}fail 1 handle 15\n")).run(&[], "sleep 0.3");
    report.domain("gpu-0").adds_up();
    assert!(report.says("gpu-unusable"), "{:#}", report.0["quality"]);
}

#[test]
fn a_device_that_tells_nothing_is_listed_and_has_no_energy() {
    let report = Stage::new(&format!("{GPU}fail 0 energy 3\nfail 0 power 3\n")).run(&[], "true");
    assert!(report.says("gpu-unmetered"), "{:#}", report.0["quality"]);
    assert!(report.0["energy_j"]["gpu"].is_null());
    assert!(report.0["gpus"][0]["domain"].is_null());
    assert_eq!(report.0["gpus"][0]["name"], "NVIDIA H100 80GB HBM3");
}

#[test]
fn a_counter_that_stands_still_is_no_measurement() {
    let report = Stage::new(&GPU.replace("watts 0 300", "watts 0 0")).run(&[], "sleep 2.3");
    assert!(report.says("meter-still"), "{:#}", report.0["quality"]);
    assert!(report.0["energy_j"]["gpu"].is_null());
}
