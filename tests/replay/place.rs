//! Another place for a recorded run: its grid and its facility.

use super::{assert_near, grams, joules, recording, replayed};

#[test]
fn a_cloud_region_brings_the_overhead_that_its_operator_publishes() {
    let recording = recording("virtual-machine");
    let dublin = replayed(
        &recording,
        &["--cloud-provider", "aws", "--cloud-region", "eu-west-1"],
    );
    assert_eq!(dublin["pue"], 1.11);
    assert_eq!(
        (&dublin["pue_source"], &dublin["pue_year"]),
        (&"Amazon".into(), &2024.into())
    );
    assert_eq!(dublin["intensity"]["place"], "IRL");
    assert_eq!(dublin["intensity"]["cloud"]["region"], "eu-west-1");
    let ireland = dublin["intensity"]["g_per_kwh"].as_f64().unwrap();
    assert_near(grams(&dublin), joules(&dublin) / 3.6e6 * ireland * 1.11);

    let said = replayed(
        &recording,
        &[
            "--cloud-provider",
            "aws",
            "--cloud-region",
            "eu-west-1",
            "--pue",
            "1.3",
        ],
    );
    assert_eq!((&said["pue"], &said["pue_source"]), (&1.3.into(), &"user".into()));
    let country = replayed(&recording, &["--country", "IE"]);
    assert_near(grams(&country) * 1.11, grams(&dublin));
}

#[test]
fn an_energy_mix_is_an_intensity_with_a_range() {
    let report = replayed(&recording("two-sockets"), &["--energy-mix", "coal=1,wind=3"]);
    let intensity = &report["intensity"];
    assert_near(
        intensity["g_per_kwh"].as_f64().unwrap(),
        (820.0 + 3.0 * 11.0) / 4.0,
    );
    assert_eq!(
        (&intensity["method"], &intensity["boundary"]),
        (&"energy-mix".into(), &"lifecycle".into())
    );
    assert_eq!(intensity["mix"]["coal"], 0.25);
    assert!(intensity["low_g_per_kwh"].as_f64() < intensity["g_per_kwh"].as_f64());
}

#[test]
fn a_replay_can_be_asked_what_goes_beyond_the_electricity() {
    let recording = recording("virtual-machine");
    let plain = replayed(&recording, &[]);
    assert!(plain.get("embodied").is_none() && plain.get("water").is_none() && plain.get("sci").is_none());
    let flags = [
        "--embodied",
        "1000",
        "--lifetime",
        "5",
        "--wue",
        "0.5",
        "--functional-unit",
        "10 epochs",
    ];
    let report = replayed(&recording, &flags);
    assert_near(grams(&report), grams(&plain));
    assert_near(
        report["water"]["litres"].as_f64().unwrap(),
        joules(&report) / 3.6e6 * 0.5,
    );
    let share = report["embodied"]["share"].as_f64().unwrap();
    let part_of_life = report["duration_s"].as_f64().unwrap() / (5.0 * 8760.0 * 3600.0);
    let embodied = report["embodied"]["emissions_g"].as_f64().unwrap();
    assert_near(embodied, 1e6 * part_of_life * share);
    assert_near(
        report["sci"]["g_per_unit"].as_f64().unwrap(),
        (grams(&report) + embodied) / 10.0,
    );
    let thumb = replayed(&recording, &["--functional-unit", "10 epochs"]);
    assert!(
        thumb["embodied"]["basis"]
            .as_str()
            .unwrap()
            .contains("rule of thumb")
    );
}
