//! The unchanged package.

use crate::carbon_run;
use crate::python_codecarbon::{codecarbon, script};
use serde_json::Value;
use std::collections::BTreeSet;
use std::ffi::OsStr;

#[test]
fn every_key_that_the_package_reads_is_known_here() {
    const KEYS: &str = r"
import pathlib, re, codecarbon
root = pathlib.Path(codecarbon.__file__).parent
tracker = (root / 'emissions_tracker.py').read_text()
keys = set(re.findall(r'_set_from_conf\(\s*\w+,\s*\x22(\w+)', tracker))
keys |= set(re.findall(r'overwrite_local_config\(\x22(\w+)', (root / 'cli/main.py').read_text()))
print(*sorted(keys), sep='\n')
";
    let Some(python) = codecarbon() else { return };
    let theirs = script(&python, KEYS, &[]);
    assert!(theirs.lines().count() >= 42, "{theirs}");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/settings/codecarbon/keys.rs");
    let ours = std::fs::read_to_string(source).unwrap();
    for key in theirs.lines() {
        assert!(
            ours.contains(&format!("\"{key}\"")),
            "`{key}` is not in `{source}`"
        );
    }
}

#[test]
fn the_package_and_carbon_run_append_to_one_table_and_lose_nothing() {
    // `dash` is not installed by default: the dashboard's data functions need a name of it and nothing else.
    const THEIRS: &str = r"
import dataclasses, json, sys, types
import pandas as pd
from codecarbon.output_methods.file import FileOutput
from codecarbon.output_methods.emissions_data import EmissionsData
directory, doing = sys.argv[1:]
path = directory + '/emissions.csv'
if doing in ('append', 'update'):
    numbers = {field.name: 0.5 if field.type is float else 'x' for field in dataclasses.fields(EmissionsData)}
    numbers |= {'run_id': 'theirs-' + doing, 'project_name': 'digits', 'emissions': 1.0}
    FileOutput('emissions.csv', directory, doing).out(EmissionsData(**numbers), None)
else:
    table = pd.read_csv(path)
    dash = types.ModuleType('dash')
    dash.dash_table = types.SimpleNamespace(DataTable=lambda data, columns: types.SimpleNamespace(data=data))
    sys.modules['dash'] = dash
    from codecarbon.viz.data import Data
    rows = Data.get_project_data(table, 'digits').data
    summary = Data.get_project_summary(rows)
    print(json.dumps({
        'runs': list(table.run_id), 'columns': len(table.columns), 'shown': len(rows),
        'emissions': summary['total']['emissions'], 'energy': summary['total']['energy_consumed'],
        'kinds': {name: str(kind) for name, kind in table.dtypes.items()},
    }))
";
    let Some(python) = codecarbon() else { return };
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().as_os_str();
    let theirs = |doing: &str| script(&python, THEIRS, &[directory, OsStr::new(doing)]);
    let mut grams = 0.0;
    let mut joules = 0.0;
    let mut ours = || {
        let output = carbon_run(home.path())
            .args([
                "-q",
                "--country",
                "FR",
                "--project",
                "digits",
                "--json",
                "r.json",
                "true",
            ])
            .output()
            .unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let report = std::fs::read(home.path().join("r.json")).unwrap();
        let report: Value = serde_json::from_slice(&report).unwrap();
        grams += report["emissions_g"].as_f64().unwrap();
        joules += report["energy_j"]["total"].as_f64().unwrap();
        report["run_id"].as_str().unwrap().to_owned()
    };
    let first = ours();
    theirs("append");
    let second = ours();
    theirs("update");
    let third = ours();
    let read: Value = serde_json::from_str(&theirs("read")).unwrap();
    let runs: Vec<&str> = read["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run.as_str().unwrap())
        .collect();
    assert_eq!(
        runs,
        [first.as_str(), "theirs-append", &second, "theirs-update", &third]
    );
    assert_eq!((&read["columns"], &read["shown"]), (&38.into(), &5.into()));
    for column in [
        "duration",
        "emissions",
        "energy_consumed",
        "cpu_energy",
        "ram_energy",
        "pue",
    ] {
        assert_eq!(read["kinds"][column], "float64", "{column}");
    }
    // Their two rows have 1 kg and 0.5 kWh each.
    let emissions = read["emissions"].as_f64().unwrap() - 2.0;
    let energy = read["energy"].as_f64().unwrap() - 1.0;
    assert!(
        (emissions - grams / 1e3).abs() < 1e-12,
        "{emissions} kg and {grams} g"
    );
    assert!(
        (energy - joules / 3.6e6).abs() < 1e-12,
        "{energy} kWh and {joules} J"
    );
    let names = std::fs::read_dir(home.path())
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name());
    assert!(
        !names
            .into_iter()
            .any(|name| name.to_string_lossy().contains(".bak"))
    );
}

#[test]
fn eight_runs_that_end_together_on_a_new_table_are_eight_rows() {
    for trial in 0..5 {
        let home = tempfile::tempdir().unwrap();
        let gate = home.path().join("gate");
        let words = ["sh", "-c", "until [ -e gate ]; do sleep 0.01; done"];
        let runs: Vec<_> = (0..8)
            .map(|_| {
                carbon_run(home.path())
                    .args(["-q", "--accounting", "procfs"])
                    .args(words)
                    .spawn()
                    .unwrap()
            })
            .collect();
        std::fs::write(gate, "").unwrap();
        for mut run in runs {
            assert!(run.wait().unwrap().success());
        }
        let mut table = csv::Reader::from_path(home.path().join("emissions.csv")).unwrap();
        let ids: BTreeSet<String> = table.records().map(|row| row.unwrap()[2].to_owned()).collect();
        assert_eq!(ids.len(), 8, "trial {trial}");
    }
}
