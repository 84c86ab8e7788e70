//! The recipe for an experiment tracker, as MIGRATION.md has it.

use crate::carbon_run;
use crate::python::python;
use crate::python_codecarbon::script;
use std::ffi::OsStr;

/// MLflow's client alone keeps runs in files.
const MLFLOW: [&str; 1] = ["mlflow-skinny>=2.14,<3"];

#[test]
fn the_recipe_for_mlflow_logs_what_the_report_says() {
    const CHECK: &str = r"
import json, os, sys
recipe, directory = sys.argv[1:]
os.chdir(directory)
import mlflow
mlflow.set_tracking_uri('file:' + directory + '/mlruns')
exec(recipe)
run = mlflow.last_active_run()
report = json.load(open('report.json'))
metrics, tags = run.data.metrics, run.data.tags
assert run.info.status == 'FINISHED' and run.info.run_name == 'digits', run.info
assert metrics['energy_j'] == report['energy_j']['total'] and metrics['emissions_g'] == report['emissions_g']
known = [value for value in list(report['energy_j'].values()) if isinstance(value, float)]
assert len(metrics) == len(known) + 3, metrics
assert tags['carbon_run.run_id'] == report['run_id'], tags
assert [file.path for file in mlflow.artifacts.list_artifacts(run_id=run.info.run_id)] == ['report.json']
";
    let Some(python) = python("mlflow-python", &MLFLOW, "mlflow") else {
        return;
    };
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../MIGRATION.md");
    let page = std::fs::read_to_string(page).unwrap();
    let recipes: Vec<&str> = page
        .split("```python\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    let [recipe] = recipes.as_slice() else {
        unreachable!("one recipe: {recipes:?}")
    };
    let home = tempfile::tempdir().unwrap();
    let run = carbon_run(home.path())
        .args([
            "-q",
            "--no-csv",
            "--project",
            "digits",
            "--json",
            "report.json",
            "true",
        ])
        .status()
        .unwrap();
    assert!(run.success());
    script(&python, CHECK, &[OsStr::new(recipe), home.path().as_os_str()]);
}
