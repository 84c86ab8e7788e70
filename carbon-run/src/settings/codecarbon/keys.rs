//! Every key of CodeCarbon 3.3.2, and what it means here.

/// What one of their keys means to carbon-run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The setting of that name says the same.
    Setting(&'static str),
    /// The secret of that name is the same.
    Secret(&'static str),
    /// With others it says which results go where.
    Results,
    /// Nothing; why.
    Nothing(&'static str),
}

use Meaning::{Nothing, Results, Secret, Setting};

/// Their keys: the parameters of their trackers, and what their command line writes into the file.
pub(super) const KEYS: [(&str, Meaning); 43] = [
    (
        "allow_multiple_runs",
        Nothing("runs at the same time do not disturb each other"),
    ),
    (
        "api_call_interval",
        Nothing("a run is published once, at its end"),
    ),
    ("api_endpoint", Results),
    ("api_key", Secret("codecarbon-token")),
    ("cloud_provider", Setting("cloud-provider")),
    ("cloud_region", Setting("cloud-region")),
    ("co2_signal_api_token", Secret("live-token")),
    ("country_2letter_iso_code", Setting("country")),
    ("country_iso_code", Setting("country")),
    ("electricitymaps_api_token", Secret("live-token")),
    ("emissions_endpoint", Results),
    ("experiment_id", Setting("experiment-id")),
    (
        "experiment_name",
        Nothing("it names the file of CodeCarbon's tasks, which carbon-run does not write"),
    ),
    ("force_carbon_intensity_g_co2e_kwh", Setting("intensity")),
    (
        "force_cpu_power",
        Nothing(
            "a meter is not set aside for a stated power; where there is none, state it in `--cpu-table`",
        ),
    ),
    (
        "force_mode_cpu_load",
        Nothing("a meter is not set aside for a model; without a meter there is one"),
    ),
    (
        "force_ram_power",
        Nothing("it is the whole machine's; state the watts per GiB of the job with `--ram-power`"),
    ),
    (
        "gpu_ids",
        Nothing("what the job uses of each GPU is found out by its processes"),
    ),
    ("log_level", Results),
    ("logger_preamble", Nothing("there is no logger")),
    ("logging_logger", Nothing("there is no logger")),
    ("measure_power_secs", Setting("interval")),
    (
        "metadata",
        Nothing("it is for BoAmps reports, which carbon-run does not write"),
    ),
    (
        "on_csv_write",
        Nothing("each run has one row of its own, which is added once"),
    ),
    (
        "organization_id",
        Nothing("only CodeCarbon's own command line uses it"),
    ),
    ("output_dir", Setting("output-dir")),
    ("output_file", Setting("output-file")),
    ("output_handlers", Nothing("they are Python objects")),
    ("output_methods", Results),
    (
        "project_id",
        Nothing("only CodeCarbon's own command line uses it"),
    ),
    ("project_name", Setting("project")),
    ("prometheus_url", Results),
    ("pue", Setting("pue")),
    (
        "rapl_include_dram",
        Nothing("a counter of the memory is always summed, and stands apart from the CPUs"),
    ),
    (
        "rapl_prefer_psys",
        Nothing("psys contains the other counters: it is told, and never summed"),
    ),
    ("region", Setting("region")),
    ("save_to_api", Results),
    ("save_to_file", Results),
    ("save_to_logfire", Results),
    ("save_to_logger", Results),
    ("save_to_prometheus", Results),
    (
        "tracking_mode",
        Nothing(
            "the job is measured, with all its descendants; the JSON report has the rest of the machine, too",
        ),
    ),
    ("wue", Setting("wue")),
];

/// What the key means; `None` where CodeCarbon 3.3.2 has none of that name.
pub(super) fn meaning(key: &str) -> Option<Meaning> {
    KEYS.iter()
        .find(|(known, _)| *known == key)
        .map(|(_, meaning)| *meaning)
}
