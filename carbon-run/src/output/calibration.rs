//! What `calibrate` measured, for people and for programs.

use super::plain_text::harmless;
use super::wall_clock;
use crate::model::recording::{CalibratedDomain, CalibratedPower, DomainKind, Note};
use crate::model::report::{Calibrated, GpuOutcome};
use serde::Serialize;

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
    gpus: Vec<Gpu<'a>>,
    /// GPUs without a meter.
    #[serde(skip_serializing_if = "<[Note]>::is_empty")]
    notes: &'a [Note],
}

/// A GPU as it is known now; a state that was not measured this time has the figure of an earlier one, if there is any.
#[derive(Serialize)]
struct Gpu<'a> {
    name: &'a str,
    /// Its UUID, else its PCI address.
    #[serde(skip_serializing_if = "str::is_empty")]
    device: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    /// With no context on it.
    deep: Option<State>,
    /// Why it was not measured this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    deep_reason: Option<&'a str>,
    /// With a context on it that does nothing.
    resident: Option<State>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resident_reason: Option<&'a str>,
    /// Why nothing of it was measured this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<&'a str>,
}

#[derive(Serialize)]
struct State {
    idle_w: f64,
    /// Half-width.
    spread_w: f64,
    windows: u32,
    /// When it was measured.
    at: String,
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
pub fn calibration_json(made: &Calibrated) -> Result<Vec<u8>, serde_json::Error> {
    let calibration = &made.calibration;
    let conditions = &calibration.conditions;
    let form = Form {
        schema: SCHEMA,
        path: made.path.display().to_string(),
        at: wall_clock::utc(calibration.at_unix_ns),
        kernel: conditions.kernel.as_deref(),
        governor: conditions.governor.as_deref(),
        cpu_model: conditions.cpu_model.as_deref(),
        cpus: conditions.cpus,
        domains: calibration.domains.iter().map(Domain::from).collect(),
        gpus: made.gpus.iter().map(Gpu::from).collect(),
        notes: &made.notes,
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

impl<'a> From<&'a GpuOutcome> for Gpu<'a> {
    fn from(outcome: &'a GpuOutcome) -> Self {
        let gpu = &outcome.gpu;
        Self {
            name: &outcome.name,
            device: &gpu.device,
            model: gpu.name.as_deref(),
            deep: gpu.deep.as_ref().map(State::from),
            deep_reason: outcome.deep_reason.as_deref(),
            resident: gpu.resident.as_ref().map(State::from),
            resident_reason: outcome.resident_reason.as_deref(),
            left_out: outcome.left_out.as_deref(),
        }
    }
}

impl From<&CalibratedPower> for State {
    fn from(power: &CalibratedPower) -> Self {
        Self {
            idle_w: power.watts.get(),
            spread_w: power.spread.get(),
            windows: power.windows,
            at: wall_clock::utc(power.at_unix_ns),
        }
    }
}

/// The calibration as text.
#[must_use]
pub fn calibration_text(made: &Calibrated) -> String {
    let calibration = &made.calibration;
    let conditions = &calibration.conditions;
    let mut text = String::new();
    let domains = calibration.domains.iter().map(|domain| &domain.name);
    let names = domains.chain(made.gpus.iter().map(|gpu| &gpu.name));
    let name = names.map(|name| name.chars().count()).max().unwrap_or(0);
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
    for gpu in &made.gpus {
        for (number, line) in gpu_lines(gpu, calibration.at_unix_ns).iter().enumerate() {
            let title = if number == 0 { &gpu.name } else { "" };
            text.push_str(&format!("{:name$}  {}\n", harmless(title), harmless(line)));
        }
    }
    for note in &made.notes {
        text.push_str(&format!("{}\n", harmless(&note.message)));
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
        harmless(&made.path.display().to_string())
    ));
    text
}

/// Both states of a GPU, or why it was left out; figures of earlier calibrations have their date.
fn gpu_lines(outcome: &GpuOutcome, now_unix_ns: i64) -> Vec<String> {
    let left_out = outcome.left_out.iter().map(|why| format!("left out: {why}"));
    let gpu = &outcome.gpu;
    let states = [
        ("without a context", &gpu.deep, &outcome.deep_reason),
        ("with an idle context", &gpu.resident, &outcome.resident_reason),
    ];
    let states = states.into_iter().filter_map(|(what, power, reason)| {
        let Some(power) = power else {
            // Of one that was left out its reason has been said.
            let reason = reason.as_ref().filter(|_| outcome.left_out.is_none())?;
            return Some(format!("{what} not measured: {reason}"));
        };
        let day = if power.at_unix_ns == now_unix_ns {
            String::new()
        } else {
            format!(", kept from {}", wall_clock::day(power.at_unix_ns))
        };
        Some(format!(
            "{:.2} W {what}, +- {:.2} W over {} windows{day}",
            power.watts.get(),
            power.spread.get(),
            power.windows
        ))
    });
    left_out.chain(states).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::recording::{CalibratedGpu, Calibration, Conditions, CurvePoint};
    use crate::model::units::Watts;

    const AT: i64 = 1_760_000_000_000_000_000;

    fn watts(value: f64) -> Watts {
        Watts::new(value).unwrap()
    }

    fn gpu(name: &str, deep: Option<CalibratedPower>, resident: Option<CalibratedPower>) -> GpuOutcome {
        let reason = |power: &Option<CalibratedPower>, why: &str| {
            let now = power.as_ref().is_some_and(|power| power.at_unix_ns == AT);
            (!now).then(|| why.to_owned())
        };
        GpuOutcome {
            name: name.to_owned(),
            deep_reason: reason(&deep, "somebody held a context"),
            resident_reason: reason(&resident, "nobody held a context"),
            gpu: CalibratedGpu {
                device: format!("GPU-{name}"),
                name: Some("NVIDIA H200".to_owned()),
                deep,
                resident,
            },
            left_out: None,
        }
    }

    fn power(value: f64, at_unix_ns: i64) -> Option<CalibratedPower> {
        Some(CalibratedPower {
            watts: watts(value),
            spread: watts(0.75),
            windows: 10,
            at_unix_ns,
            driver: Some("nvidia 580".to_owned()),
        })
    }

    /// Four GPUs: measured without a context; with one, and without one before; worked on; without a meter.
    fn with_gpus() -> Calibrated {
        let busy = "process 42 worked on it in 9 of 10 windows";
        let left_out = GpuOutcome {
            left_out: Some(busy.to_owned()),
            deep_reason: Some(busy.to_owned()),
            resident_reason: Some(busy.to_owned()),
            ..gpu("gpu-2", None, None)
        };
        Calibrated {
            gpus: vec![
                gpu("gpu-0", power(77.0, AT), None),
                gpu("gpu-1", power(76.5, AT - 86_400_000_000_000), power(119.0, AT)),
                left_out,
            ],
            notes: vec![Note {
                code: "gpu-unmetered".to_owned(),
                message: "`gpu-3` tells neither its energy nor its power: not supported".to_owned(),
                hint: None,
                degrades: true,
            }],
            ..example()
        }
    }

    fn example() -> Calibrated {
        Calibrated {
            calibration: cpus(),
            gpus: Vec::new(),
            notes: Vec::new(),
            path: "/var/lib/carbon-run/c.json".into(),
        }
    }

    fn cpus() -> Calibration {
        let point = |alone, shared, power| CurvePoint {
            alone,
            shared,
            power: watts(power),
        };
        Calibration {
            at_unix_ns: AT,
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
        insta::assert_snapshot!(calibration_text(&example()));
    }

    #[test]
    fn a_person_reads_both_states_of_a_gpu_what_is_of_another_day_and_what_was_left_out() {
        insta::assert_snapshot!(calibration_text(&with_gpus()));
    }

    #[test]
    fn a_program_reads_numbers_with_their_units() {
        let bytes = calibration_json(&example()).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value["schema"], "carbon-run/calibration/1");
        assert_eq!(value["at"], "2025-10-09T08:53:20Z");
        assert_eq!(value["domains"][0]["idle_w"], 38.25);
        assert_eq!(value["domains"][0]["curve"][2]["shared_cpus"], 1.5);
        assert_eq!(value["domains"][1]["curve"].as_array().map(Vec::len), Some(0));
    }

    #[test]
    fn a_program_reads_of_a_gpu_what_is_known_and_why_the_rest_is_not() {
        let value: serde_json::Value =
            serde_json::from_slice(&calibration_json(&with_gpus()).unwrap()).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&(&value["gpus"], &value["notes"])).unwrap());
    }
}
