//! The names of the settings: one list, from which the config file's keys, the environment's variables and the
//! command line's long options follow.

/// A setting. Its [`name`](Key::name) is the long option without the dashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// `--country`
    Country,
    /// `--region`
    Region,
    /// `--cloud-provider`
    CloudProvider,
    /// `--cloud-region`
    CloudRegion,
    /// `--energy-mix`
    EnergyMix,
    /// `--intensity`
    Intensity,
    /// `--intensity-file`
    IntensityFile,
    /// `--pue`
    Pue,
    /// `--wue`
    Wue,
    /// `--embodied`
    Embodied,
    /// `--lifetime`
    Lifetime,
    /// `--functional-unit`
    FunctionalUnit,
    /// `--idle-policy`
    IdlePolicy,
    /// `--idle-power`
    IdlePower,
    /// `--gpu-idle-power`
    GpuIdlePower,
    /// `--smt-weight`
    SmtWeight,
    /// `--cpu-table`
    CpuTable,
    /// `--ram-power`
    RamPower,
    /// `--project`
    Project,
    /// `--experiment-id`
    ExperimentId,
    /// `--output-dir`
    OutputDir,
    /// `--output-file`
    OutputFile,
    /// `--csv`, `--no-csv`
    Csv,
    /// `--json`
    Json,
    /// `--record`
    Record,
    /// `--codecarbon-api`
    CodecarbonApi,
    /// `--prometheus-file`
    PrometheusFile,
    /// `--prometheus-push`
    PrometheusPush,
    /// `--prometheus-user`
    PrometheusUser,
    /// `--webhook`
    Webhook,
    /// `--webhook-format`
    WebhookFormat,
    /// `--publish-timeout`
    PublishTimeout,
    /// `--quiet`
    Quiet,
    /// `--verbose`
    Verbose,
    /// `--accounting`
    Accounting,
    /// `--daemon-socket`
    DaemonSocket,
    /// `--cgroup`
    Cgroup,
    /// `--interval`
    Interval,
    /// `--checkpoint-interval`
    CheckpointInterval,
    /// `--wait-tree`
    WaitTree,
    /// `--strict`
    Strict,
    /// `--nvml-library`
    NvmlLibrary,
    /// `--state-dir`
    StateDir,
    /// `--sysroot`
    Sysroot,
}

/// What the name of an environment variable of ours begins with.
pub const VARIABLE_PREFIX: &str = "CARBON_RUN_";

/// Variables that carbon-run itself sets for the command, and so meets again in a run within a run.
pub const OWN_VARIABLES: [&str; 1] = ["CARBON_RUN_ID"];

impl Key {
    /// Every setting, in the order of the help.
    pub const ALL: [Self; 44] = [
        Self::Country,
        Self::Region,
        Self::CloudProvider,
        Self::CloudRegion,
        Self::EnergyMix,
        Self::Intensity,
        Self::IntensityFile,
        Self::Pue,
        Self::Wue,
        Self::Embodied,
        Self::Lifetime,
        Self::FunctionalUnit,
        Self::IdlePolicy,
        Self::IdlePower,
        Self::GpuIdlePower,
        Self::SmtWeight,
        Self::CpuTable,
        Self::RamPower,
        Self::Project,
        Self::ExperimentId,
        Self::OutputDir,
        Self::OutputFile,
        Self::Csv,
        Self::Json,
        Self::Record,
        Self::CodecarbonApi,
        Self::PrometheusFile,
        Self::PrometheusPush,
        Self::PrometheusUser,
        Self::Webhook,
        Self::WebhookFormat,
        Self::PublishTimeout,
        Self::Quiet,
        Self::Verbose,
        Self::Accounting,
        Self::DaemonSocket,
        Self::Cgroup,
        Self::Interval,
        Self::CheckpointInterval,
        Self::WaitTree,
        Self::Strict,
        Self::NvmlLibrary,
        Self::StateDir,
        Self::Sysroot,
    ];

    /// The settings that together say where the electricity comes from. A layer that says any of them replaces what the
    /// layers below said of all of them: `--country FRA` must not meet the region of a config file.
    pub const PLACE: [Self; 7] = [
        Self::Country,
        Self::Region,
        Self::CloudProvider,
        Self::CloudRegion,
        Self::EnergyMix,
        Self::Intensity,
        Self::IntensityFile,
    ];

    /// Those that together say what is told to a webhook: the format of a lower layer is not that of a higher one's address.
    pub const HOOK: [Self; 2] = [Self::Webhook, Self::WebhookFormat];

    /// The settings that name what is written to, and who is told of a run.
    pub const WRITTEN: [Self; 9] = [
        Self::OutputDir,
        Self::OutputFile,
        Self::Json,
        Self::Record,
        Self::StateDir,
        Self::CodecarbonApi,
        Self::PrometheusFile,
        Self::PrometheusPush,
        Self::Webhook,
    ];

    /// The long option without its dashes, and the key in a config file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Country => "country",
            Self::Region => "region",
            Self::CloudProvider => "cloud-provider",
            Self::CloudRegion => "cloud-region",
            Self::EnergyMix => "energy-mix",
            Self::Intensity => "intensity",
            Self::IntensityFile => "intensity-file",
            Self::Pue => "pue",
            Self::Wue => "wue",
            Self::Embodied => "embodied",
            Self::Lifetime => "lifetime",
            Self::FunctionalUnit => "functional-unit",
            Self::IdlePolicy => "idle-policy",
            Self::IdlePower => "idle-power",
            Self::GpuIdlePower => "gpu-idle-power",
            Self::SmtWeight => "smt-weight",
            Self::CpuTable => "cpu-table",
            Self::RamPower => "ram-power",
            Self::Project => "project",
            Self::ExperimentId => "experiment-id",
            Self::OutputDir => "output-dir",
            Self::OutputFile => "output-file",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Record => "record",
            Self::CodecarbonApi => "codecarbon-api",
            Self::PrometheusFile => "prometheus-file",
            Self::PrometheusPush => "prometheus-push",
            Self::PrometheusUser => "prometheus-user",
            Self::Webhook => "webhook",
            Self::WebhookFormat => "webhook-format",
            Self::PublishTimeout => "publish-timeout",
            Self::Quiet => "quiet",
            Self::Verbose => "verbose",
            Self::Accounting => "accounting",
            Self::DaemonSocket => "daemon-socket",
            Self::Cgroup => "cgroup",
            Self::Interval => "interval",
            Self::CheckpointInterval => "checkpoint-interval",
            Self::WaitTree => "wait-tree",
            Self::Strict => "strict",
            Self::NvmlLibrary => "nvml-library",
            Self::StateDir => "state-dir",
            Self::Sysroot => "sysroot",
        }
    }

    /// The environment variable: `CARBON_RUN_OUTPUT_DIR`.
    #[must_use]
    pub fn variable(self) -> String {
        let name = self.name().replace('-', "_").to_ascii_uppercase();
        format!("{VARIABLE_PREFIX}{name}")
    }

    /// The setting of that name; underscores may stand for hyphens.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = name.replace('_', "-");
        Self::ALL.into_iter().find(|key| key.name() == name)
    }

    /// The setting whose name is most like `name`, if any is like it at all.
    #[must_use]
    pub fn nearest(name: &str) -> Option<Self> {
        // What `--no-csv` is on the command line is `csv = false` elsewhere.
        let name = name.to_ascii_lowercase().replace('_', "-");
        let name = name.strip_prefix("no-").unwrap_or(&name);
        // 0.7 is where the suggestions of the command line's own parser begin, too.
        Self::ALL
            .into_iter()
            .map(|key| (key, strsim::jaro_winkler(name, key.name())))
            .filter(|(_, likeness)| *likeness > 0.7)
            .max_by(|(_, a), (_, b)| a.total_cmp(b))
            .map(|(key, _)| key)
    }

    /// What a value of it has to be, for the sentence "`x` is `v`, which is not ...".
    #[must_use]
    pub const fn expects(self) -> &'static str {
        match self {
            Self::Country => "the name or code of a country",
            Self::Region => "the ISO 3166-2 code of a region",
            Self::CloudProvider => "the name of a cloud provider",
            Self::CloudRegion => "the name of a cloud region",
            Self::EnergyMix => "a list of sources of energy with how much of each",
            Self::Intensity => "a number of gCO2eq per kWh of at least 0",
            Self::Pue => "a number of at least 1",
            Self::Wue => "a number of litres per kWh of at least 0",
            Self::Embodied => "`auto` or a number of kilograms of at least 0",
            Self::Lifetime => "a number of years of more than 0",
            Self::FunctionalUnit => "a number of more than 0, and of what",
            Self::IdlePolicy => "one of `none`, `capacity`, `allocated`, `busy`, `all`",
            Self::IdlePower | Self::GpuIdlePower => "a list of numbers of watts, each at least 0",
            Self::SmtWeight => "a number from 0.5 to 1",
            Self::Project => "a name",
            Self::ExperimentId => "an id",
            Self::OutputFile => "the name of a file, without a directory",
            Self::OutputDir | Self::StateDir | Self::Sysroot => "the path of a directory",
            Self::Json => "the path of a file, or `-` for stdout",
            Self::CpuTable
            | Self::IntensityFile
            | Self::Record
            | Self::PrometheusFile
            | Self::NvmlLibrary => "the path of a file",
            Self::CodecarbonApi | Self::PrometheusPush | Self::Webhook => {
                "an address that begins with `https://` or `http://`"
            }
            Self::PrometheusUser => "the name of a user",
            Self::WebhookFormat => "one of `report`, `codecarbon`",
            Self::PublishTimeout => "a time from 100 ms to 5 min",
            Self::DaemonSocket => "the path of a socket",
            Self::Cgroup => "a list of paths of control groups",
            Self::RamPower => "a number of watts per GiB of at least 0",
            Self::Csv | Self::Quiet | Self::Verbose | Self::WaitTree | Self::Strict => "`true` or `false`",
            Self::Accounting => "one of `auto`, `daemon`, `ebpf`, `perf`, `cgroup`, `procfs`",
            Self::Interval => "a time from 10 ms to 1 h",
            Self::CheckpointInterval => "a time from 1 s to 1 h, or 0",
        }
    }

    /// A good value, and what the setting is about: the remedy for a bad one.
    #[must_use]
    pub const fn example(self) -> &'static str {
        match self {
            Self::Country => "for example `FR`, `FRA` or `France`",
            Self::Region => "for example `CA-QC` or `US-CA`",
            Self::CloudProvider => "`aws`, `azure` or `gcp`",
            Self::CloudRegion => "as the provider writes it, for example `eu-west-3`",
            Self::EnergyMix => "for example `nuclear=65,hydro=12,wind=10,gas=13`; only the proportions count",
            Self::Intensity => "for example `56.4`",
            Self::IntensityFile => "for example `grid.csv`, with the columns `time,g_per_kwh`",
            Self::Pue => {
                "PUE is the energy of the whole facility per energy of its computers, for example `1.2`"
            }
            Self::Wue => {
                "WUE is the water that the facility uses per kWh of its computers, for example `0.3`"
            }
            Self::Embodied => "for example `1300`, from the maker's product carbon footprint",
            Self::Lifetime => "for example `4`",
            Self::FunctionalUnit => "for example `60000 images`",
            Self::IdlePolicy => "`capacity` charges the job for the part of the machine's time that it ran",
            Self::IdlePower => "one number per CPU package in package order, for example `38.5,40`",
            Self::GpuIdlePower => {
                "what a GPU draws with an idle context on it: one number for all, or one per GPU in their order"
            }
            Self::SmtWeight => {
                "what a thread beside a busy sibling weighs against one alone, for example `0.575`"
            }
            Self::CpuTable => "for example `cpus.csv`, with the columns `model,tdp_w,source`",
            Self::RamPower => "for example `0.36`",
            Self::Project => "for example `digits`",
            Self::ExperimentId => "for example `5b0fa12a-3dd7-45bb-9766-cc326314d9f1`",
            Self::OutputDir => "for example `results`",
            Self::OutputFile => "for example `emissions.csv`; `--output-dir` names the directory",
            Self::NvmlLibrary => "for example `/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1`",
            Self::StateDir => {
                "what is known of this host's power is kept there, for example `/var/lib/carbon-run`"
            }
            Self::Sysroot => "it holds the directories `sys` and `proc`",
            Self::Json => "for example `report.json`",
            Self::Record => "for example `run.jsonl`",
            Self::CodecarbonApi => "for example `https://api.codecarbon.io`",
            Self::PrometheusFile => "for example `/var/lib/node_exporter/textfile/carbon-run.prom`",
            Self::PrometheusPush => "for example `http://localhost:9091`",
            Self::PrometheusUser => "its password is `prometheus-password` in a config file",
            Self::Webhook => "for example `https://example.org/runs`",
            Self::WebhookFormat => {
                "`codecarbon` is what receivers of CodeCarbon's `emissions_endpoint` expect"
            }
            Self::PublishTimeout => "for example `5s`",
            Self::Csv => "`--csv` or `--no-csv` on the command line",
            Self::Quiet | Self::Verbose | Self::WaitTree | Self::Strict => {
                "on the command line it takes no value"
            }
            Self::Accounting => "`auto` takes the best that this machine allows",
            Self::DaemonSocket => "for example `/run/carbon-run/socket`",
            Self::Cgroup => "for example `system.slice/docker-0b1c.scope`, below `/sys/fs/cgroup`",
            Self::CheckpointInterval => "for example `1m`; 0 keeps nothing",
            Self::Interval => "for example `500ms`, `1s` or `2` (seconds)",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_back_to_its_setting_with_hyphens_and_with_underscores() {
        for key in Key::ALL {
            assert_eq!(Key::named(key.name()), Some(key));
            assert_eq!(Key::named(&key.name().replace('-', "_")), Some(key));
        }
        assert_eq!(Key::named("contry"), None);
    }

    #[test]
    fn every_setting_is_listed_once() {
        let mut all = Key::ALL.to_vec();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), Key::ALL.len());
        // `Sysroot` is the last variant: a variant that ALL forgets shows here.
        assert_eq!(Key::Sysroot as usize + 1, Key::ALL.len());
    }

    #[test]
    fn a_misspelt_name_finds_the_nearest() {
        assert_eq!(Key::nearest("contry"), Some(Key::Country));
        assert_eq!(Key::nearest("IDLE_POLICE"), Some(Key::IdlePolicy));
        assert_eq!(Key::nearest("no-csv"), Some(Key::Csv));
        assert_eq!(Key::nearest("outputdir"), Some(Key::OutputDir));
        assert_eq!(Key::nearest("xyzzy"), None);
    }
}
