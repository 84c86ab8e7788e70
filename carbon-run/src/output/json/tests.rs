use super::*;
use crate::model::report::Ledger;
use crate::model::units::MicroJoules;
use crate::output::example;
use proptest::prelude::*;
use serde_json::Value;

fn parsed(report: &RunReport) -> Value {
    serde_json::from_slice(&json(report).unwrap()).unwrap()
}

#[test]
fn every_kind_of_report_has_its_shape() {
    for (name, report) in example::all() {
        insta::assert_snapshot!(name, String::from_utf8(json(&report).unwrap()).unwrap());
    }
}

#[test]
fn the_names_that_scripts_rely_on_are_there() {
    let report = parsed(&example::measured());
    let names = [
        "/schema",
        "/run_id",
        "/project",
        "/command/1",
        "/started_at",
        "/duration_s",
        "/exit/code",
        "/exit/signal",
        "/cpu_time_s",
        "/processes",
        "/accounting/backend",
        "/accounting/lost",
        "/energy_j/total",
        "/energy_j/cpu",
        "/energy_j/ram",
        "/energy_j/gpu",
        "/energy_range_j/low",
        "/energy_range_j/high",
        "/idle_policy",
        "/domains/0/name",
        "/domains/0/kind",
        "/domains/0/origin/measured",
        "/domains/0/measured_uj",
        "/domains/0/job_uj",
        "/domains/0/job_idle_uj",
        "/domains/0/others_uj",
        "/domains/0/kernel_uj",
        "/domains/0/own_uj",
        "/domains/0/idle_uj",
        "/domains/0/job_idle_uj_by_policy/none",
        "/domains/0/job_idle_uj_by_policy/capacity",
        "/domains/0/job_idle_uj_by_policy/allocated",
        "/domains/0/job_idle_uj_by_policy/busy",
        "/domains/0/job_idle_uj_by_policy/all",
        "/intensity/g_per_kwh",
        "/intensity/place",
        "/intensity/source",
        "/intensity/year",
        "/intensity/boundary",
        "/intensity/method",
        "/pue",
        "/emissions_g",
        "/host",
        "/quality/coverage",
        "/quality/warnings",
    ];
    for name in names {
        assert!(report.pointer(name).is_some(), "{name} is missing");
    }
    assert_eq!(report["schema"], "carbon-run/report/1");
    assert_eq!(report["domains"][0]["origin"]["measured"], "powercap");
    assert_eq!(report["domains"][0]["job_idle_uj_by_policy"]["busy"], 990_000_000);
}

#[test]
fn every_null_has_its_reason_beside_it() {
    fn walk(path: &str, value: &Value, found: &mut usize) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    let path = format!("{path}/{name}");
                    let by_choice = matches!(path.as_str(), "/project" | "/exit/code" | "/exit/signal");
                    if field.is_null() && !by_choice {
                        *found += 1;
                        let reason = fields.get(&format!("{name}_reason")).or(fields.get("reason"));
                        assert!(
                            reason.is_some_and(Value::is_string),
                            "{path} is null without a reason"
                        );
                    }
                    walk(&path, field, found);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    walk(&format!("{path}/{index}"), item, found);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = 0;
    for (_, report) in example::all() {
        walk("", &parsed(&report), &mut found);
    }
    assert!(
        found > 10,
        "the examples should have something absent, and have {found}"
    );
}

#[test]
fn an_absent_domain_has_no_lines_rather_than_zeros() {
    let report = parsed(&example::absent());
    assert!(report["domains"][0]["measured_uj"].is_null());
    assert!(report["domains"][0]["job_idle_uj_by_policy"].is_null());
    assert!(report["energy_j"]["total"].is_null());
}

#[test]
fn arguments_that_are_no_text_are_kept_to_the_byte() {
    let report = parsed(&example::not_utf8());
    assert_eq!(report["command"][1], "caf\u{fffd}.txt");
    assert_eq!(report["command_bytes"][0], "636174");
    assert_eq!(report["command_bytes"][1], "636166e92e747874");
    assert!(parsed(&example::measured()).get("command_bytes").is_none());
}

#[test]
fn a_number_that_is_none_becomes_absent_and_not_invalid_json() {
    let mut report = example::measured();
    report.pue = f64::NAN;
    report.quality.uncertainty.timing = f64::INFINITY;
    let report = parsed(&report);
    assert!(report["pue"].is_null() && report["pue_reason"].is_string());
    assert!(report["quality"]["uncertainty"].get("timing").is_none());
}

fn ledgers() -> impl Strategy<Value = Ledger> {
    let line = 0..=u64::MAX / 8;
    (
        line.clone(),
        line.clone(),
        line.clone(),
        proptest::option::of(line.clone()),
        line.clone(),
        line,
    )
        .prop_map(|(job, job_idle, others, kernel, own, idle)| {
            let [job, job_idle, others, own, idle] = [job, job_idle, others, own, idle].map(MicroJoules);
            let kernel = kernel.map(MicroJoules);
            let ledger = Ledger {
                measured: MicroJoules::ZERO,
                job,
                job_idle,
                others,
                unattributed: MicroJoules::ZERO,
                kernel,
                own,
                idle,
            };
            Ledger {
                measured: ledger.sum(),
                ..ledger
            }
        })
}

proptest! {
    #[test]
    fn the_six_lines_of_the_emitted_json_add_up_to_the_microjoule(ledger in ledgers()) {
        let mut report = example::measured();
        report.domains[0].ledger = ledger;
        let domain = &parsed(&report)["domains"][0];
        let line = |name: &str| u128::from(domain[name].as_u64().unwrap_or_default());
        let lines = ["job_uj", "job_idle_uj", "others_uj", "kernel_uj", "own_uj", "idle_uj"];
        prop_assert!(domain["measured_uj"].is_u64());
        prop_assert_eq!(lines.into_iter().map(line).sum::<u128>(), line("measured_uj"));
        prop_assert_eq!(domain["kernel_uj"].is_null(), ledger.kernel.is_none());
    }
}
