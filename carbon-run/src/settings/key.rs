//! The names of the settings: one list, from which the config file's keys, the environment's variables and the
//! command line's long options follow.

mod words;

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
    /// `--cloud-metadata`
    CloudMetadata,
    /// `--energy-mix`
    EnergyMix,
    /// `--intensity`
    Intensity,
    /// `--intensity-file`
    IntensityFile,
    /// `--live`
    Live,
    /// `--live-zone`
    LiveZone,
    /// `--live-url`
    LiveUrl,
    /// `--live-value`
    LiveValue,
    /// `--live-time`
    LiveTime,
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
    /// `--codecarbon-compatible`
    CodecarbonCompatible,
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
pub const OWN_VARIABLES: [&str; 2] = ["CARBON_RUN_ID", "CARBON_RUN_PHASE_SOCKET"];

impl Key {
    /// Every setting, in the order of the help.
    pub const ALL: [Self; 51] = [
        Self::Country,
        Self::Region,
        Self::CloudProvider,
        Self::CloudRegion,
        Self::CloudMetadata,
        Self::EnergyMix,
        Self::Intensity,
        Self::IntensityFile,
        Self::Live,
        Self::LiveZone,
        Self::LiveUrl,
        Self::LiveValue,
        Self::LiveTime,
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
        Self::CodecarbonCompatible,
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
    pub const PLACE: [Self; 8] = [
        Self::Country,
        Self::Region,
        Self::CloudProvider,
        Self::CloudRegion,
        Self::EnergyMix,
        Self::Intensity,
        Self::IntensityFile,
        Self::LiveZone,
    ];

    /// Those that together say what is told to a webhook: the format of a lower layer is not that of a higher one's address.
    pub const HOOK: [Self; 2] = [Self::Webhook, Self::WebhookFormat];

    /// The settings that name what is written to, and who is told of a run.
    pub const WRITTEN: [Self; 10] = [
        Self::LiveUrl,
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
            Self::CloudMetadata => "cloud-metadata",
            Self::EnergyMix => "energy-mix",
            Self::Intensity => "intensity",
            Self::IntensityFile => "intensity-file",
            Self::Live => "live",
            Self::LiveZone => "live-zone",
            Self::LiveUrl => "live-url",
            Self::LiveValue => "live-value",
            Self::LiveTime => "live-time",
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
            Self::CodecarbonCompatible => "codecarbon-compatible",
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
