//! Carbon intensity while a run goes on, from servers on the loopback interface.

#![expect(clippy::unwrap_used, reason = "the tests' helpers fail with their test")]

#[path = "support/receiver.rs"]
mod receiver;

use receiver::{Answer, Receiver, nobody};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const TOKEN: &str = "t0ken-n0b0dy-may-see";

/// carbon-run in a home of its own, on any machine.
fn carbon_run(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_carbon-run"));
    command.current_dir(home).env_clear();
    command
        .env("HOME", home)
        .env("PATH", "/usr/bin:/bin")
        .env("CARBON_RUN_STATE_DIR", home.join("state"))
        .env("CARBON_RUN_ACCOUNTING", "procfs")
        .env("CARBON_RUN_LIVE_TOKEN", TOKEN);
    command
}

/// The JSON report of a run with these options, and everything else that came of it.
fn run(home: &Path, flags: &[&str]) -> (Value, Output) {
    let output = carbon_run(home)
        .args(flags)
        .args(["--json", "report.json", "--record", "run.jsonl", "true"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "");
    let report = serde_json::from_slice(&fs::read(home.join("report.json")).unwrap()).unwrap();
    (report, output)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The hour that it is, or so many before.
fn hour(before: i64) -> String {
    let now = jiff::Timestamp::now().as_second();
    jiff::Timestamp::from_second(now - now % 3600 - before * 3600)
        .unwrap()
        .to_string()
}

fn lasting(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn electricity_maps(value: &str) -> Answer {
    let body = format!(
        r#"{{"zone":"FR","carbonIntensity":{value},"datetime":"{}","emissionFactorType":"lifecycle","isEstimated":true}}"#,
        hour(0)
    );
    Answer::Status(200, lasting(body))
}

/// Electricity Maps at that address, in France.
fn in_france(url: &str) -> [&str; 6] {
    ["--live", "electricity-maps", "--live-url", url, "--country", "FR"]
}

fn warnings(report: &Value) -> String {
    report["quality"]["warnings"].to_string()
}

/// Everything in a directory and below, and the rows of what was printed.
fn everything(home: &Path, output: &Output) -> String {
    let mut all = text(&output.stderr);
    let mut left = vec![home.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else {
                all.push_str(&text(&fs::read(&path).unwrap()));
            }
        }
    }
    all
}

#[test]
fn a_live_value_is_the_runs_and_its_replay_is_the_same() {
    let home = tempfile::tempdir().unwrap();
    let server = Receiver::start(|_| electricity_maps("45"));
    let flags = in_france(&server.url);
    let (report, output) = run(home.path(), &flags);
    let intensity = &report["intensity"];
    assert_eq!(intensity["g_per_kwh"], 45.0, "{intensity}");
    assert_eq!(intensity["method"], "live-average");
    assert_eq!(
        (&intensity["place"], &intensity["boundary"]),
        (&"FRA".into(), &"lifecycle".into())
    );
    assert_eq!(intensity["live"]["zone"], "FR");
    assert_eq!(intensity["live"]["estimated"], true);
    assert_eq!(intensity["over_time"]["covered"], 1.0);
    let grams = report["emissions_g"].as_f64().unwrap();
    let joules = report["energy_j"]["total"].as_f64().unwrap();
    assert!((grams - joules / 3.6e6 * 45.0).abs() <= grams * 1e-9);

    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(
        (asked[0].method.as_str(), asked[0].path.as_str()),
        ("GET", "/carbon-intensity/latest?zone=FR")
    );
    assert!(asked[0].body.is_empty());
    assert_eq!(asked[0].header("auth-token"), Some(TOKEN));
    assert!(
        !everything(home.path(), &output).contains(TOKEN),
        "the token is told"
    );

    let again = carbon_run(home.path())
        .args(["replay", "-q", "--json", "-", "run.jsonl"])
        .output()
        .unwrap();
    let again: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(again["intensity"], report["intensity"]);
    assert_eq!(again["emissions_g"], report["emissions_g"]);
    assert_eq!(server.asked().len(), 1, "a replay asks nobody");
}

#[test]
fn the_next_run_of_the_hour_asks_nobody() {
    let home = tempfile::tempdir().unwrap();
    let server = Receiver::start(|_| electricity_maps("45"));
    let flags = in_france(&server.url);
    let began = hour(0);
    for _ in 0..3 {
        assert_eq!(run(home.path(), &flags).0["intensity"]["g_per_kwh"], 45.0);
    }
    // An hour may end in the middle of it.
    assert!(server.asked().len() == 1 || hour(0) != began);
}

#[test]
fn two_runs_at_once_ask_once() {
    let home = tempfile::tempdir().unwrap();
    let server = Receiver::start(|_| electricity_maps("45"));
    let began = hour(0);
    let runs: Vec<_> = ["a", "b"]
        .map(|name| {
            fs::create_dir(home.path().join(name)).unwrap();
            carbon_run(home.path())
                .current_dir(home.path().join(name))
                .args(["-q", "--no-csv", "--json", "report.json", "--country", "FR"])
                .args(["--live", "electricity-maps", "--live-url", &server.url])
                .args(["sleep", "0.5"])
                .spawn()
                .unwrap()
        })
        .into();
    for mut run in runs {
        assert!(run.wait().unwrap().success());
    }
    for name in ["a", "b"] {
        let report = fs::read(home.path().join(name).join("report.json")).unwrap();
        let report: Value = serde_json::from_slice(&report).unwrap();
        assert_eq!(report["intensity"]["g_per_kwh"], 45.0);
    }
    assert!(server.asked().len() == 1 || hour(0) != began);
}

#[test]
fn whatever_goes_wrong_the_run_is_the_same_and_the_average_stands_in() {
    let sandbox = format!(
        r#"{{"carbonIntensity":123,"datetime":"{}","estimationMethod":"SANDBOX_MODE_DATA"}}"#,
        hour(0)
    );
    let old = format!(r#"{{"carbonIntensity":45,"datetime":"{}"}}"#, hour(9));
    for (answer, told) in [
        (
            Answer::Status(401, r#"{"error":"Invalid auth-token"}"#),
            "refused the token (status 401)",
        ),
        (Answer::Status(404, ""), "does not know the zone `FR`"),
        (Answer::Status(429, ""), "answered with status 429"),
        (Answer::Status(500, "sorry"), "answered with status 500"),
        (Answer::Status(200, "<html>"), "no carbon intensity"),
        (Answer::Status(302, ""), "answered with status 302"),
        (electricity_maps("null"), "no value yet"),
        (electricity_maps("-4"), "a carbon intensity of -4 g/kWh"),
        (Answer::Status(200, lasting(sandbox)), "made-up numbers"),
        (Answer::Status(200, lasting(old)), "minutes ago"),
        (Answer::Garbage, "cannot reach"),
        (Answer::Nothing, "had not answered when the run was over"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let server = Receiver::start(move |_| answer);
        let flags = in_france(&server.url);
        let (report, output) = run(home.path(), &flags);
        assert_eq!(report["intensity"]["method"], "location-average", "{told}");
        assert_eq!(report["intensity"]["place"], "FRA", "{told}");
        let warnings = warnings(&report);
        assert!(warnings.contains(told), "{told}: {warnings}");
        assert!(warnings.contains("live-not-covered"), "{told}: {warnings}");
        assert!(!everything(home.path(), &output).contains(TOKEN), "{told}");
    }
    let home = tempfile::tempdir().unwrap();
    assert!(warnings(&run(home.path(), &in_france(&nobody())).0).contains("cannot reach"));
}

#[test]
fn each_provider_is_asked_in_its_own_way() {
    let home = tempfile::tempdir().unwrap();
    let half_hour = hour(0).replace(":00:00Z", ":00Z");
    let british = format!(
        r#"{{"data":[{{"from":"{half_hour}","to":"{half_hour}","intensity":{{"forecast":186,"actual":null}}}}]}}"#
    );
    let british = lasting(british);
    let server = Receiver::start(move |_| Answer::Status(200, british));
    let (report, _) = run(home.path(), &["--live", "uk", "--live-url", &server.url]);
    assert_eq!(server.asked()[0].path, "/intensity");
    assert_eq!(server.asked()[0].header("auth-token"), None);
    assert_eq!(
        (&report["intensity"]["place"], &report["intensity"]["boundary"]),
        (&"GB".into(), &"direct".into())
    );

    let moer = format!(
        r#"{{"data":[{{"point_time":"{}","value":1000.0}}],"meta":{{"units":"lbs_co2_per_mwh"}}}}"#,
        jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() - 120).unwrap()
    );
    let moer = lasting(moer);
    let server = Receiver::start(move |path| match path {
        "/login" => Answer::Status(200, r#"{"token":"session"}"#),
        _ => Answer::Status(200, moer),
    });
    let flags = [
        "--live",
        "watttime",
        "--live-url",
        &server.url,
        "--live-zone",
        "CAISO_NORTH",
    ];
    let (report, _) = run(home.path(), &flags);
    let asked = server.asked();
    assert!(asked[0].header("authorization").unwrap().starts_with("Basic "));
    assert_eq!(asked[1].header("authorization"), Some("Bearer session"));
    assert!(
        asked[1]
            .path
            .starts_with("/v3/historical?region=CAISO%5FNORTH&start="),
        "{}",
        asked[1].path
    );
    assert_eq!(report["intensity"]["method"], "live-marginal");
    let value = report["intensity"]["g_per_kwh"].as_f64().unwrap();
    assert!((value - 453.592_37).abs() < 1e-6, "{value}");

    let own = format!(r#"{{"now":{{"g":"61.5","since":"{}"}}}}"#, hour(0));
    let own = lasting(own);
    let server = Receiver::start(move |_| Answer::Status(200, own));
    let url = format!("{}/grid?zone={{zone}}", server.url);
    let flags = ["--live", "generic", "--live-url", &url, "--live-zone", "hall 3"];
    let pointers = ["--live-value", "/now/g", "--live-time", "/now/since"];
    let (report, _) = run(home.path(), &[&flags[..], &pointers].concat());
    assert_eq!(server.asked()[0].path, "/grid?zone=hall%203");
    assert_eq!(report["intensity"]["g_per_kwh"], 61.5);
}

#[test]
fn nothing_is_asked_unless_it_is_said() {
    let home = tempfile::tempdir().unwrap();
    let server = Receiver::start(|_| electricity_maps("45"));
    let url = ["--live-url", &server.url];
    let (report, _) = run(home.path(), &[&url[..], &["--country", "FR"]].concat());
    assert_eq!(report["intensity"]["method"], "location-average");
    for fixed in [["--intensity", "7"], ["--energy-mix", "coal=1"]] {
        let flags = [
            &url[..],
            &["--live", "electricity-maps", "--live-zone", "FR"],
            &fixed,
        ]
        .concat();
        assert!(run(home.path(), &flags).0["intensity"].get("live").is_none());
    }
    assert_eq!(server.asked().len(), 0);
}

#[test]
fn what_cannot_be_asked_is_told_and_a_strict_run_does_not_start() {
    let home = tempfile::tempdir().unwrap();
    for (flags, told) in [
        (&["--live", "electricity-maps"][..], "no zone is named"),
        (&["--live", "watttime"], "no zone is named"),
        (&["--live", "uk", "--country", "FR"], "Great Britain only"),
        (
            &["--live", "generic", "--live-url", "http://127.0.0.1:1"],
            "where its value is",
        ),
        (&["--live", "generic", "--live-value", "/g"], "it has no address"),
    ] {
        let (report, _) = run(home.path(), flags);
        assert!(warnings(&report).contains(told), "{told}: {}", warnings(&report));
        let strict = carbon_run(home.path())
            .args(flags)
            .args(["--strict", "touch", "started"])
            .output()
            .unwrap();
        assert_eq!(strict.status.code(), Some(125), "{told}");
        assert!(!home.path().join("started").exists());
    }
    let without = carbon_run(home.path())
        .env_remove("CARBON_RUN_LIVE_TOKEN")
        .args([
            "--no-csv",
            "--live",
            "electricity-maps",
            "--country",
            "FR",
            "true",
        ])
        .output()
        .unwrap();
    assert_eq!(without.status.code(), Some(0));
    assert!(
        text(&without.stderr).contains("there is no token"),
        "{}",
        text(&without.stderr)
    );
}
