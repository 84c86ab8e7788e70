//! What is sent, held against the types of CodeCarbon's package and the parser of Prometheus' client.

use crate::Home;
use crate::python_codecarbon::{codecarbon, script};
use crate::receiver::{Answer, Receiver};
use std::ffi::OsStr;
use std::path::PathBuf;

/// A run of a second, told to a server on the loopback interface in every way; what it was told is in files beside the table.
fn told_everybody(home: &Home) -> [PathBuf; 4] {
    let server =
        Receiver::start(|_| Answer::Status(201, r#"{"id": "40088f1a-d28e-4980-8d80-bf5600056a14"}"#));
    let run = |words: &[&str]| {
        let output = home
            .carbon_run(&[])
            .env("CARBON_RUN_CODECARBON_TOKEN", "t0ken")
            .args(["-q", "--country", "FR"])
            .args(words)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    let hook = format!("{}/hook", server.url);
    run(&[
        "--project",
        "digits \"quoted\"",
        "--experiment-id",
        "5b0fa12a-3dd7-45bb-9766-cc326314d9f1",
        "--codecarbon-api",
        &server.url,
        "--webhook",
        &hook,
        "--webhook-format",
        "codecarbon",
        "--prometheus-file",
        "run.prom",
        "--json",
        "report.json",
        "--strict",
        "--accounting",
        "procfs",
        "sleep",
        "1.1",
    ]);
    let asked = server.asked();
    let mut files: Vec<PathBuf> = ["/runs", "/emissions", "/hook"]
        .iter()
        .enumerate()
        .map(|(number, path)| {
            let body = &asked.iter().find(|asked| asked.path == *path).unwrap().body;
            let file = home.path().join(format!("{number}.json"));
            std::fs::write(&file, body).unwrap();
            file
        })
        .collect();
    files.push(home.path().join("run.prom"));
    files.try_into().unwrap()
}

#[test]
fn what_is_published_fits_the_packages_own_types() {
    const CHECK: &str = r"
import json, sys, typing, dataclasses
from codecarbon.core.schemas import RunCreate, EmissionCreate
from codecarbon.output_methods.emissions_data import EmissionsData
from prometheus_client.parser import text_string_to_metric_families as families

def fits(value, kind):
    kinds = typing.get_args(kind) or (kind,)
    if float in kinds:
        kinds += (int,)
    # What is not known is null; their server takes that, and their table has it as an empty cell.
    return value is None or isinstance(value, kinds)

def build(kind, file, but=()):
    body = {key: value for key, value in json.load(open(file)).items() if key not in but}
    built = kind(**body)
    for field in dataclasses.fields(kind):
        value = getattr(built, field.name)
        assert fits(value, field.type), (field.name, value)
    return built

run, emission, row, metrics, report = sys.argv[1:]
run = build(RunCreate, run)
emission = build(EmissionCreate, emission)
row = build(EmissionsData, row, but=('user',))
report = json.load(open(report))
assert run.experiment_id == row.experiment_id == report['experiment_id']
assert emission.duration == int(row.duration) == 1
near = lambda a, b: abs(a - b) <= 1e-9 * abs(b)
assert near(emission.emissions_sum * 1e3, report['emissions_g'])
assert near(row.energy_consumed * 3.6e6, report['energy_j']['total'] * report['pue'])

found = {family.name: family for family in families(open(metrics).read())}
samples = [sample for family in found.values() for sample in family.samples]
assert all(family.type == 'gauge' and family.documentation for family in found.values()), found
assert {sample.labels['project'] for sample in samples} == {'digits \x22quoted\x22'}
energy = sum(sample.value for sample in found['carbon_run_energy_joules'].samples)
assert near(energy, report['energy_j']['total']), energy
assert near(found['carbon_run_emissions_grams'].samples[0].value, report['emissions_g'])
assert found['carbon_run_info'].samples[0].labels['run_id'] == report['run_id']
";
    let Some(python) = codecarbon() else { return };
    let home = Home::new();
    let report = home.path().join("report.json");
    let files = told_everybody(&home);
    let arguments: Vec<&OsStr> = files
        .iter()
        .chain([&report])
        .map(|file| file.as_os_str())
        .collect();
    script(&python, CHECK, &arguments);
}
