//! CodeCarbon's server, which checks what it is sent as carbonserver does.

use crate::receiver::{Answer, Receiver};
use crate::{Home, told};
use serde_json::Value;

const EXPERIMENT: &str = "5b0fa12a-3dd7-45bb-9766-cc326314d9f1";
const RUN: &str = "40088f1a-d28e-4980-8d80-bf5600056a14";

fn server() -> Receiver {
    Receiver::start(|path| match path {
        "/api/runs" => Answer::Status(201, r#"{"id": "40088f1a-d28e-4980-8d80-bf5600056a14"}"#),
        "/api/emissions" => Answer::Status(201, "{}"),
        _ => Answer::Status(404, ""),
    })
}

type Kind = fn(&Value) -> bool;

/// A field is there, and of a kind that the server takes.
fn check(body: &Value, fields: &[(&str, Kind)]) {
    let body = body.as_object().unwrap();
    for (name, is_good) in fields {
        let value = body
            .get(*name)
            .unwrap_or_else(|| panic!("`{name}` is missing from {body:?}"));
        assert!(is_good(value), "`{name}` is {value}");
    }
    for name in body.keys() {
        assert!(
            fields.iter().any(|(field, _)| field == name),
            "nobody knows `{name}`"
        );
    }
}

fn moment(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok())
}

fn id(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() == 36)
}

fn text(value: &Value) -> bool {
    value.is_string() || value.is_null()
}

fn whole(value: &Value) -> bool {
    value.is_u64() || value.is_null()
}

fn amount(value: &Value) -> bool {
    value.is_null() || value.as_f64().is_some_and(|number| number >= 0.0)
}

#[test]
fn a_run_and_its_emissions_are_told_field_by_field() {
    let home = Home::new();
    let server = server();
    let output = home
        .carbon_run(&["-q", "--codecarbon-api", &format!("{}/api/", server.url)])
        .args([
            "--experiment-id",
            EXPERIMENT,
            "--country",
            "FR",
            "--json",
            "r.json",
            "sleep",
            "1.1",
        ])
        .env("CARBON_RUN_CODECARBON_TOKEN", "t0ken")
        .output()
        .unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        told(&output)
    );
    let asked = server.asked();
    let paths: Vec<_> = asked
        .iter()
        .map(|asked| (asked.method.as_str(), asked.path.as_str()))
        .collect();
    assert_eq!(paths, [("POST", "/api/runs"), ("POST", "/api/emissions")]);
    for asked in &asked {
        assert_eq!(asked.header("x-api-token"), Some("t0ken"));
        assert_eq!(asked.header("content-type"), Some("application/json"));
    }
    let run: Value = serde_json::from_slice(&asked[0].body).unwrap();
    check(
        &run,
        &[
            ("timestamp", moment),
            ("experiment_id", id),
            ("os", text),
            ("python_version", text),
            ("codecarbon_version", text),
            ("cpu_count", whole),
            ("cpu_model", text),
            ("gpu_count", whole),
            ("gpu_model", text),
            ("longitude", amount),
            ("latitude", amount),
            ("region", text),
            ("provider", text),
            ("ram_total_size", amount),
            ("tracking_mode", text),
        ],
    );
    assert_eq!(run["experiment_id"], EXPERIMENT);
    let emission: Value = serde_json::from_slice(&asked[1].body).unwrap();
    check(
        &emission,
        &[
            ("timestamp", moment),
            ("run_id", id),
            ("duration", |value| {
                value.as_u64().is_some_and(|seconds| seconds > 0)
            }),
            ("emissions_sum", amount),
            ("emissions_rate", amount),
            ("cpu_power", amount),
            ("gpu_power", amount),
            ("ram_power", amount),
            ("cpu_energy", amount),
            ("gpu_energy", amount),
            ("ram_energy", amount),
            ("energy_consumed", amount),
            ("cpu_utilization_percent", amount),
            ("gpu_utilization_percent", amount),
            ("ram_utilization_percent", amount),
        ],
    );
    assert_eq!(emission["run_id"], RUN);
    let report: Value = serde_json::from_slice(&std::fs::read(home.path().join("r.json")).unwrap()).unwrap();
    let grams = report["emissions_g"].as_f64().unwrap();
    assert!((emission["emissions_sum"].as_f64().unwrap() * 1e3 - grams).abs() <= 1e-9 * grams);
}

#[test]
fn codecarbons_own_configuration_is_enough() {
    let home = Home::new();
    let server = server();
    let config = format!(
        "[codecarbon]\napi_endpoint = {}/api\napi_key = t0ken\nexperiment_id = {EXPERIMENT}\noutput_methods = csv,api\n",
        server.url
    );
    std::fs::write(home.path().join(".codecarbon.config"), config).unwrap();
    let output = home.carbon_run(&["-q", "sleep", "1.1"]).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", told(&output));
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].header("x-api-token"), Some("t0ken"));

    // Without a word of publishing, nobody is told.
    let config = format!(
        "[codecarbon]\napi_endpoint = {}/api\napi_key = t0ken\n",
        server.url
    );
    std::fs::write(home.path().join(".codecarbon.config"), config).unwrap();
    assert!(home.carbon_run(&["-q", "true"]).status().unwrap().success());
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn what_the_server_would_refuse_is_not_sent_and_what_is_missing_is_told_before_the_start() {
    let home = Home::new();
    let server = server();
    let output = home
        .carbon_run(&[
            "-q",
            "--codecarbon-api",
            &server.url,
            "--experiment-id",
            EXPERIMENT,
            "true",
        ])
        .output()
        .unwrap();
    let said = told(&output);
    assert!(said.contains("takes no run of less than a second"), "{said}");
    assert!(said.contains("CARBON_RUN_CODECARBON_TOKEN"), "{said}");
    let output = home
        .carbon_run(&[
            "-q",
            "--strict",
            "--accounting",
            "procfs",
            "--codecarbon-api",
            &server.url,
            "true",
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(told(&output).contains("--experiment-id"), "{}", told(&output));
    assert!(server.asked().is_empty());
}
