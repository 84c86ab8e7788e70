//! What `calibrate` measured, for people and for programs.

use super::plain_text::harmless;
use super::wall_clock;
use crate::model::recording::{CalibratedDomain, Calibration, DomainKind};
use serde::Serialize;
use std::path::Path;

/// The version of the JSON form. Fields are added, never renamed or moved.
const SCHEMA: &str = "carbon-run/calibration/1";

#[derive(Serialize)]
struct Form<'a> {
    schema: &'static str,
    /// Where it is kept.
    path: String,
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    governor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpus: Option<u32>,
    domains: Vec<Domain<'a>>,
}

#[derive(Serialize)]
struct Domain<'a> {
    name: &'a str,
    kind: DomainKind,
    idle_w: f64,
    /// Half-width.
    spread_w: f64,
    windows: u32,
    /// Power over load; empty where it was not asked for.
    curve: Vec<Point>,
}

#[derive(Serialize)]
struct Point {
    /// Busy CPUs beside an idle sibling, and beside a busy one.
    alone_cpus: f64,
    shared_cpus: f64,
    power_w: f64,
}

/// The calibration as JSON, with a newline at its end.
///
/// # Errors
/// When a value has no JSON form; those of a calibration all have one.
pub fn calibration_json(calibration: &Calibration, path: &Path) -> Result<Vec<u8>, serde_json::Error> {
    let conditions = &calibration.conditions;
    let form = Form {
        schema: SCHEMA,
        path: path.display().to_string(),
        at: wall_clock::utc(calibration.at_unix_ns),
        kernel: conditions.kernel.as_deref(),
        governor: conditions.governor.as_deref(),
        cpu_model: conditions.cpu_model.as_deref(),
        cpus: conditions.cpus,
        domains: calibration.domains.iter().map(Domain::from).collect(),
    };
    let mut bytes = serde_json::to_vec_pretty(&form)?;
    bytes.push(b'\n');
    Ok(bytes)
}

impl<'a> From<&'a CalibratedDomain> for Domain<'a> {
    fn from(domain: &'a CalibratedDomain) -> Self {
        Self {
            name: &domain.name,
            kind: domain.kind,
            idle_w: domain.idle.get(),
            spread_w: domain.spread.get(),
            windows: domain.windows,
            curve: domain
                .curve
                .iter()
                .map(|point| Point {
                    alone_cpus: point.alone,
                    shared_cpus: point.shared,
                    power_w: point.power.get(),
                })
                .collect(),
        }
    }
}

/// The calibration as text.
#[must_use]
pub fn calibration_text(calibration: &Calibration, path: &Path) -> String {
    let conditions = &calibration.conditions;
    let mut text = String::new();
    let widest = calibration
        .domains
        .iter()
        .map(|domain| domain.name.chars().count());
    let name = widest.max().unwrap_or(0);
    for domain in &calibration.domains {
        text.push_str(&format!(
            "{:name$}  {:.2} W idle, +- {:.2} W over {} windows\n",
            harmless(&domain.name),
            domain.idle.get(),
            domain.spread.get(),
            domain.windows
        ));
        // The first is the idle machine.
        for point in domain.curve.iter().skip(1) {
            text.push_str(&format!(
                "{:name$}  {:.2} W with {:.2} CPUs busy\n",
                "",
                point.power.get(),
                point.alone + point.shared
            ));
        }
    }
    let known = [
        ("kernel", &conditions.kernel),
        ("governor", &conditions.governor),
        ("CPU", &conditions.cpu_model),
    ];
    let known: Vec<String> = known
        .into_iter()
        .filter_map(|(what, value)| Some(format!("{what} {}", value.as_deref()?)))
        .collect();
    text.push_str(&format!(
        "measured {} under {}\nkept in {}\n",
        wall_clock::utc(calibration.at_unix_ns),
        harmless(&known.join(", ")),
        harmless(&path.display().to_string())
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::recording::{Conditions, CurvePoint};
    use crate::model::units::Watts;

    fn example() -> Calibration {
        let watts = |value| Watts::new(value).unwrap();
        let point = |alone, shared, power| CurvePoint {
            alone,
            shared,
            power: watts(power),
        };
        Calibration {
            at_unix_ns: 1_760_000_000_000_000_000,
            conditions: Conditions {
                kernel: Some("6.12.48".to_owned()),
                governor: Some("schedutil".to_owned()),
                cpu_model: Some("AMD EPYC\u{1b}[31m".to_owned()),
                cpus: Some(4),
                sysroot: None,
            },
            domains: vec![
                CalibratedDomain {
                    name: "package-0".to_owned(),
                    kind: DomainKind::Package,
                    idle: watts(38.25),
                    spread: watts(0.4),
                    windows: 10,
                    curve: vec![
                        point(0.0, 0.0, 38.25),
                        point(1.0, 0.0, 61.5),
                        point(0.5, 1.5, 70.0),
                    ],
                },
                CalibratedDomain {
                    name: "dram-0".to_owned(),
                    kind: DomainKind::Dram,
                    idle: watts(4.0),
                    spread: watts(0.1),
                    windows: 9,
                    curve: Vec::new(),
                },
            ],
            gpus: Vec::new(),
        }
    }

    #[test]
    fn a_person_reads_power_by_load_and_where_it_is_kept() {
        insta::assert_snapshot!(calibration_text(
            &example(),
            Path::new("/var/lib/carbon-run/c.json")
        ));
    }

    #[test]
    fn a_program_reads_numbers_with_their_units() {
        let bytes = calibration_json(&example(), Path::new("c.json")).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value["schema"], "carbon-run/calibration/1");
        assert_eq!(value["at"], "2025-10-09T08:53:20Z");
        assert_eq!(value["domains"][0]["idle_w"], 38.25);
        assert_eq!(value["domains"][0]["curve"][2]["shared_cpus"], 1.5);
        assert_eq!(value["domains"][1]["curve"].as_array().map(Vec::len), Some(0));
    }
}
