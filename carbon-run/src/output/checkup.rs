//! A check-up for people and for programs.

use super::plain_text::harmless;
use super::wall_clock;
use crate::model::checkup::{Check, Checkup, IdleCheck};
use crate::model::recording::Ranged;
use crate::model::units::Watts;

/// The check-up as JSON, with a newline at its end.
///
/// # Errors
/// When a value has no JSON form; those of a check-up all have one.
pub fn checkup_json(checkup: &Checkup) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec_pretty(checkup)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The check-up as text.
#[must_use]
pub fn checkup_text(checkup: &Checkup, color: bool) -> String {
    let mut text = String::new();
    let host = &checkup.host;
    line(
        &mut text,
        "Machine",
        &[&host.hostname, &host.os, &host.architecture],
    );
    line(
        &mut text,
        "CPU",
        &[
            &host.cpu_model,
            &host.virtualization.as_ref().map(|by| format!("virtual ({by})")),
        ],
    );
    for package in &checkup.packages {
        entry(&mut text, "", package);
    }
    section(&mut text, "CPU time", &checkup.accounting, color);
    section(&mut text, "Energy counters", &checkup.meters, color);
    section(&mut text, "GPUs", &checkup.gpus, color);
    idle_power(&mut text, &checkup.idle_power);
    if let Some(model) = &checkup.cpu_model {
        let basis = format!(
            "{}: {} idle, {} fully busy",
            model.basis,
            watts(model.idle),
            watts(model.full)
        );
        entry(&mut text, "CPU estimated", &basis);
    }
    if let Some(model) = &checkup.ram_model {
        let basis = format!("{}: {} per GiB of the job", model.basis, watts(model.per_gib));
        entry(&mut text, "RAM estimated", &basis);
    }
    entry(&mut text, "Electricity", &checkup.electricity);
    if !checkup.place_named {
        hint(
            &mut text,
            "name the place with `--country`, `--region` or `--intensity`",
        );
    }
    section(&mut text, "Results", std::slice::from_ref(&checkup.table), color);
    for (number, setting) in checkup.settings.iter().enumerate() {
        entry(
            &mut text,
            if number == 0 { "Settings" } else { "" },
            &harmless(setting),
        );
    }
    for (number, unused) in checkup.unused.iter().enumerate() {
        let title = if number == 0 { "Without effect" } else { "" };
        entry(&mut text, title, &harmless(unused));
    }
    for (number, note) in checkup.notes.iter().enumerate() {
        entry(
            &mut text,
            if number == 0 { "Notes" } else { "" },
            &harmless(&note.message),
        );
        if let Some(remedy) = &note.hint {
            hint(&mut text, remedy);
        }
    }
    text
}

fn idle_power(text: &mut String, checks: &[IdleCheck]) {
    for (number, check) in checks.iter().enumerate() {
        let since = check.as_of_unix_ns.map(|at| format!(" {}", wall_clock::day(at)));
        let said = match (check.watts, check.spread_watts) {
            (Some(watts), Some(spread)) => format!(
                "{watts:.1} W +- {spread:.1} W, {}{}",
                check.basis,
                since.unwrap_or_default()
            ),
            _ => "not known, so that ranges cover every possible one".to_owned(),
        };
        let title = if number == 0 { "Idle power" } else { "" };
        let state = match check.state {
            Some("deep") => " without a context",
            Some(_) => " with an idle context",
            None => "",
        };
        entry(text, title, &format!("{}{state}: {said}", harmless(&check.name)));
    }
    let unknown = |of_gpus: bool| {
        let mut unknown = checks.iter().filter(|check| check.watts.is_none());
        unknown.any(|check| check.state.is_some() == of_gpus)
    };
    if unknown(false) {
        hint(text, "`carbon-run calibrate` measures it, on a quiet machine");
    }
    if unknown(true) {
        hint(
            text,
            "`carbon-run calibrate` measures a GPU's, while a context is held that does nothing",
        );
    }
}

fn section(text: &mut String, title: &str, checks: &[Check], color: bool) {
    if checks.is_empty() {
        entry(text, title, "none found");
    }
    for (number, check) in checks.iter().enumerate() {
        let (mark, shade) = if check.works() {
            ("yes", "32")
        } else {
            ("no ", "33")
        };
        let mark = if color {
            format!("\u{1b}[{shade}m{mark}\u{1b}[0m")
        } else {
            mark.to_owned()
        };
        let said = harmless(check.failure.as_ref().unwrap_or(&check.gives));
        entry(
            text,
            if number == 0 { title } else { "" },
            &format!("{mark} {}: {said}", check.name),
        );
        if let Some(remedy) = &check.remedy {
            hint(text, remedy);
        }
    }
}

/// What is known of the words, joined; nothing known is said, too.
fn line(text: &mut String, title: &str, words: &[&Option<String>]) {
    let known: Vec<&str> = words.iter().filter_map(|word| word.as_deref()).collect();
    let said = if known.is_empty() {
        "unknown".to_owned()
    } else {
        known.join(", ")
    };
    entry(text, title, &harmless(&said));
}

fn entry(text: &mut String, title: &str, said: &str) {
    text.push_str(&format!("{title:<17}{said}\n"));
}

fn hint(text: &mut String, remedy: &str) {
    text.push_str(&format!("{:<21}hint: {}\n", "", harmless(remedy)));
}

fn watts(power: Ranged<Watts>) -> String {
    format!(
        "{:.3} W ({:.3} to {:.3})",
        power.value.get(),
        power.low.get(),
        power.high.get()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::checkup::SCHEMA;
    use crate::model::recording::{Host, Note};

    fn example() -> Checkup {
        let works = |name: &str, gives: &str| Check {
            name: name.to_owned(),
            gives: gives.to_owned(),
            failure: None,
            remedy: None,
        };
        Checkup {
            schema: SCHEMA,
            carbon_run_version: "0.1.0".to_owned(),
            host: Host {
                hostname: Some("node7".to_owned()),
                ..Host::default()
            },
            packages: vec!["package 0: CPUs 0-3".to_owned()],
            accounting: vec![
                Check {
                    failure: Some("cannot create the eBPF map `TASKS`: permission denied".to_owned()),
                    remedy: Some("run as root".to_owned()),
                    ..works("ebpf", "exact")
                },
                works("procfs", "sampled"),
            ],
            meters: Vec::new(),
            gpus: Vec::new(),
            idle_power: vec![
                IdleCheck {
                    name: "package-0".to_owned(),
                    state: None,
                    basis: "calibrated",
                    watts: Some(38.25),
                    spread_watts: Some(1.9),
                    as_of_unix_ns: Some(1_760_000_000_000_000_000),
                },
                IdleCheck {
                    name: "dram-0".to_owned(),
                    state: None,
                    basis: "unknown",
                    watts: None,
                    spread_watts: None,
                    as_of_unix_ns: None,
                },
                IdleCheck {
                    name: "gpu-0".to_owned(),
                    state: Some("resident"),
                    basis: "unknown",
                    watts: None,
                    spread_watts: None,
                    as_of_unix_ns: None,
                },
                IdleCheck {
                    name: "gpu-0".to_owned(),
                    state: Some("deep"),
                    basis: "calibrated",
                    watts: Some(77.0),
                    spread_watts: Some(4.7),
                    as_of_unix_ns: Some(1_760_000_000_000_000_000),
                },
            ],
            cpu_model: None,
            ram_model: None,
            electricity: "458 g/kWh, World".to_owned(),
            place_named: false,
            table: works("emissions.csv", "can be written"),
            settings: vec!["country = FR (environment)".to_owned()],
            unused: vec!["gpu_ids (~/.codecarbon.config:3): it is found out".to_owned()],
            notes: vec![Note {
                code: "unknown-variable".to_owned(),
                message: "`CARBON_RUN_CONTRY` is no setting and was ignored".to_owned(),
                hint: Some("did you mean `CARBON_RUN_COUNTRY`?".to_owned()),
                degrades: true,
            }],
        }
    }

    #[test]
    fn what_does_not_work_is_followed_by_its_remedy() {
        insta::assert_snapshot!(checkup_text(&example(), false));
    }

    #[test]
    fn the_json_form_reads_back() {
        let value: serde_json::Value = serde_json::from_slice(&checkup_json(&example()).unwrap()).unwrap();
        assert_eq!(value["schema"], "carbon-run/checkup/1");
        assert_eq!(value["accounting"][0]["remedy"], "run as root");
        assert_eq!(value["accounting"][1]["failure"], serde_json::Value::Null);
    }
}
