//! A run as metrics, in Prometheus' text format (version 0.0.4): for node_exporter's textfile collector and for a Pushgateway.
//!
//! - All are gauges: they are of one run, the last one, and count nothing up. Base units, and no metric beside its own sum:
//!   `sum(carbon_run_energy_joules)` is the run's energy. What is not known is not there; a 0 would be a claim.
//! - The project is a label of each. What changes with each run is in `carbon_run_info` alone, or every run would be series of its own.

use super::wall_clock;
use crate::model::recording::Exit;
use crate::model::report::RunReport;
use std::fmt::Write;

/// The type under which it is served.
pub const PROMETHEUS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The text, or nothing but comments where nothing is known.
#[must_use]
pub fn prometheus(report: &RunReport) -> String {
    let mut text = Text {
        project: report.project.clone().unwrap_or_default(),
        text: String::new(),
    };
    let energy = &report.energy;
    let parts = [("cpu", &energy.cpu), ("ram", &energy.ram), ("gpu", &energy.gpu)];
    text.family(
        "energy_joules",
        "Energy of the last run, without the facility's overhead, by what drew it.",
        parts
            .iter()
            .filter_map(|(name, figure)| Some((Some(("domain", *name)), figure.value()?.get()))),
    );
    let range = energy.total.ranged();
    text.family(
        "energy_range_joules",
        "The range within which the last run's whole energy is believed to lie.",
        range
            .iter()
            .flat_map(|range| [("low", range.low), ("high", range.high)])
            .map(|(bound, energy)| (Some(("bound", bound)), energy.get())),
    );
    let alone = |value: Option<f64>| value.map(|value| (None, value));
    text.family(
        "emissions_grams",
        "CO2-equivalent emissions of the last run, with the facility's overhead.",
        alone(report.emissions.value().map(|mass| mass.get())),
    );
    let range = report.emissions.ranged();
    text.family(
        "emissions_range_grams",
        "The range within which the last run's emissions are believed to lie.",
        range
            .iter()
            .flat_map(|range| [("low", range.low), ("high", range.high)])
            .map(|(bound, mass)| (Some(("bound", bound)), mass.get())),
    );
    text.family(
        "carbon_intensity_grams_per_kilowatt_hour",
        "Carbon intensity of the electricity that the last run was reckoned with.",
        alone(Some(report.intensity.value.value.get())),
    );
    text.family(
        "power_usage_effectiveness_ratio",
        "Energy of the facility per energy of its computers.",
        alone(Some(report.pue)),
    );
    text.family(
        "duration_seconds",
        "How long the last run took.",
        alone(Some(report.duration.as_secs_f64())),
    );
    text.family(
        "cpu_seconds",
        "CPU time of the last run, all its processes together.",
        alone(report.cpu_time.map(|time| time.seconds())),
    );
    text.family(
        "end_timestamp_seconds",
        "When the last run ended, since 1970.",
        alone(Some(wall_clock::end(report).unix_seconds())),
    );
    text.family(
        "exit_code",
        "Exit status of the last run's command; 128 and the signal's number where one ended it.",
        alone(report.exit.map(|exit| match exit {
            Exit::Code(code) => f64::from(code),
            Exit::Signal(signal) => 128.0 + f64::from(signal),
        })),
    );
    text.info(report);
    text.text
}

struct Text {
    project: String,
    text: String,
}

impl Text {
    /// A metric with its samples; nothing where it has none.
    fn family<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Option<(&'a str, &'a str)>, f64)>,
    ) {
        let mut samples = samples
            .into_iter()
            .filter(|(_, value)| value.is_finite())
            .peekable();
        if samples.peek().is_none() {
            return;
        }
        self.head(name, help);
        for (label, value) in samples {
            let project = Some(("project", self.project.as_str())).filter(|(_, project)| !project.is_empty());
            let labels: Vec<_> = label.into_iter().chain(project).collect();
            let labels = labelled(&labels);
            // Writing into a `String` does not fail.
            writeln!(self.text, "carbon_run_{name}{labels} {value}").unwrap_or_default();
        }
    }

    fn head(&mut self, name: &str, help: &str) {
        let help = help.replace('\\', r"\\").replace('\n', r"\n");
        write!(
            self.text,
            "# HELP carbon_run_{name} {help}\n# TYPE carbon_run_{name} gauge\n"
        )
        .unwrap_or_default();
    }

    fn info(&mut self, report: &RunReport) {
        self.head("info", "What the last run was.");
        let labels: Vec<(&str, &str)> = [
            ("run_id", report.run_id.as_str()),
            ("project", self.project.as_str()),
            (
                "experiment_id",
                report.experiment_id.as_deref().unwrap_or_default(),
            ),
            ("version", report.carbon_run_version.as_str()),
            ("accounting", report.accounting.backend.name()),
            ("idle_policy", report.idle_policy.name()),
            ("place", report.intensity.place.as_str()),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
        let labels = labelled(&labels);
        writeln!(self.text, "carbon_run_info{labels} 1").unwrap_or_default();
    }
}

/// `{domain="cpu",project="digits"}`, or nothing.
fn labelled(labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let labels: Vec<String> = labels
        .iter()
        .map(|(name, value)| {
            let value = value
                .replace('\\', r"\\")
                .replace('"', "\\\"")
                .replace('\n', r"\n");
            format!("{name}=\"{value}\"")
        })
        .collect();
    format!("{{{}}}", labels.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::example;

    #[test]
    fn measured() {
        insta::assert_snapshot!(prometheus(&example::measured()));
    }

    #[test]
    fn nothing_known() {
        insta::assert_snapshot!(prometheus(&example::absent()));
    }

    #[test]
    fn a_label_holds_whatever_a_project_is_called() {
        let mut report = example::measured();
        report.project = Some("a\\b \"c\"\nd".to_owned());
        let text = prometheus(&report);
        assert!(
            text.contains(r#"carbon_run_emissions_grams{project="a\\b \"c\"\nd"} "#),
            "{text}"
        );
        assert!(
            text.lines()
                .all(|line| line.starts_with("# ") || line.starts_with("carbon_run_"))
        );
    }
}
