//! What is said of a setting whose value is wrong.

use super::Key;

impl Key {
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
            Self::Live => "one of `electricity-maps`, `uk`, `watttime`, `generic`, `off`",
            Self::LiveZone => "the name of a zone",
            Self::LiveUrl => "an address that begins with `http://` or `https://`",
            Self::LiveValue | Self::LiveTime => "a JSON pointer",
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
            Self::CodecarbonCompatible
            | Self::CloudMetadata
            | Self::Csv
            | Self::Quiet
            | Self::Verbose
            | Self::WaitTree
            | Self::Strict => "`true` or `false`",
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
            Self::Live => "who is asked for the electricity's carbon intensity while the run goes on",
            Self::LiveZone => "as the provider names it, for example `FR`, `CAISO_NORTH` or `SW1`",
            Self::LiveUrl => "for example `https://grid.example/now?zone={zone}`",
            Self::LiveValue => "for example `/data/0/intensity` (RFC 6901)",
            Self::LiveTime => "for example `/data/0/from` (RFC 6901)",
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
            Self::CloudMetadata
            | Self::CodecarbonCompatible
            | Self::Quiet
            | Self::Verbose
            | Self::WaitTree
            | Self::Strict => "on the command line it takes no value",
            Self::Accounting => "`auto` takes the best that this machine allows",
            Self::DaemonSocket => "for example `/run/carbon-run/socket`",
            Self::Cgroup => "for example `system.slice/docker-0b1c.scope`, below `/sys/fs/cgroup`",
            Self::CheckpointInterval => "for example `1m`; 0 keeps nothing",
            Self::Interval => "for example `500ms`, `1s` or `2` (seconds)",
        }
    }
}
