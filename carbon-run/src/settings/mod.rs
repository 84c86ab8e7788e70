//! Settings: defaults < files < environment < flags, validated before the command starts.
//!
//! [`resolve`] is pure: it is given the layers, lowest first. [`load()`] reads them: `/etc/carbon-run.toml`, then
//! `carbon-run/config.toml` under `XDG_CONFIG_HOME` or `~/.config`, then `carbon-run.toml` in the working directory, then
//! the variables `CARBON_RUN_*`, then the flags; below all of them, what CodeCarbon's configuration says. Whatever is wrong is an error before the start: a setting that is
//! silently ignored is a wrong figure.

mod beyond;
mod codecarbon;
mod file;
mod key;
mod layer;
mod live;
mod load;
mod place;
mod publishing;
mod replay;
mod secret;
mod value;

pub use beyond::{BeyondSettings, Embodied};
pub use codecarbon::Unused;
pub use file::FileError;
pub use key::{Key, OWN_VARIABLES, VARIABLE_PREFIX};
pub use layer::{Layer, Origin, Said, of_environment};
pub use live::LiveSettings;
pub use load::{Surroundings, load};
pub use place::PlaceSettings;
pub use publishing::{Publishing, WebhookFormat, bare};
pub use replay::{ReplaySettings, resolve_replay};
pub use secret::{Hidden, Secret};
pub use value::BadValue;

use crate::model::recording::{Backend, IdlePolicy, Note};
use crate::model::units::Watts;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
use value::Reading;

/// Where a document goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Into a file.
    File(PathBuf),
    /// To stdout, because the person asked for it with `-`.
    Stdout,
}

/// Everything that a run may be told, each value in its range. Relative paths are relative to the working directory,
/// also those of a config file elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The command and its arguments, byte for byte; empty for a verb.
    pub command: Vec<OsString>,
    /// `--country` and its kin.
    pub place: PlaceSettings,
    /// `--cloud-metadata`: where nothing else says so, the cloud is asked which region this is.
    pub cloud_metadata: bool,
    /// `--live` and what belongs to it.
    pub live: LiveSettings,
    /// `--pue`: facility energy per IT energy, finite and at least 1; `None`: what is published of the place, else 1.
    pub pue: Option<f64>,
    /// `--wue`, `--embodied`, `--lifetime`, `--functional-unit`.
    pub beyond: BeyondSettings,
    /// `--codecarbon-compatible`: its intensities, and its models where there is no meter.
    pub codecarbon_compatible: bool,
    /// `--project`.
    pub project: Option<String>,
    /// `--experiment-id`: what CodeCarbon's readers group runs by.
    pub experiment_id: Option<String>,
    /// Where `emissions.csv` lies.
    pub output_dir: PathBuf,
    /// Whether a row is added to the table there.
    pub csv: bool,
    /// `--output-file`: the table's name, `emissions.csv` by default, which CodeCarbon's readers know.
    pub table: OsString,
    /// Where the JSON report goes, if anywhere.
    pub json: Option<Target>,
    /// Where the recording goes, if anywhere.
    pub record: Option<PathBuf>,
    /// Who is told of the run.
    pub publishing: Publishing,
    /// No summary.
    pub quiet: bool,
    /// Say on stderr what is being done.
    pub verbose: bool,
    /// Who pays for idle power; `None`: by the situation (`allocated` with an allocation, else `capacity`).
    pub idle_policy: Option<IdlePolicy>,
    /// Watts per package, in package order; empty when nobody said.
    pub idle_power: Vec<Watts>,
    /// Watts per GPU with an idle context on it, in the order of the devices, or one value for all; empty when nobody said.
    pub gpu_idle_power: Vec<Watts>,
    /// What a thread-second beside a busy sibling weighs against one alone, in thousandths, 500 to 1000.
    pub smt_weight_permille: u32,
    /// `--cpu-table`: the person's own table of CPU power.
    pub cpu_table: Option<PathBuf>,
    /// `--ram-power`: watts per GiB of memory.
    pub ram_power: Option<Watts>,
    /// Between two samples, 10 ms to 1 h; `None`: 1 s, and 100 ms while a run is young.
    pub interval: Option<Duration>,
    /// Between two checkpoints, 1 s to 1 h; `None`: there are to be none.
    pub checkpoint_interval: Option<Duration>,
    /// Whether the JSON report's file is this run's alone, so that it may have the figures so far in it.
    pub json_is_own: bool,
    /// The rung of the ladder to use; `None`: the best that can be had.
    pub accounting: Option<Backend>,
    /// Where the daemon listens.
    pub daemon_socket: PathBuf,
    /// Control groups whose processes are the job's, too; paths below `/sys/fs/cgroup`.
    pub cgroups: Vec<PathBuf>,
    /// Wait for descendants that outlive the command.
    pub wait_tree: bool,
    /// Fail where a measurement would otherwise be degraded.
    pub strict: bool,
    /// NVIDIA's management library, where it is not to be searched for.
    pub nvml_library: Option<PathBuf>,
    /// Where what is known of this host's power is kept: written to the first, read from all. What no layer says is what
    /// [`Surroundings::state_directories`] says.
    pub state_dirs: Vec<PathBuf>,
    /// Hardware files are read from `sys` and `proc` in here.
    pub sysroot: PathBuf,
    /// What stands in CodeCarbon's configuration and means nothing here.
    pub unused: Vec<Unused>,
    /// What is worth knowing of how these came about.
    pub notes: Vec<Note>,
    /// Where each setting that was said was said; the others are defaults.
    pub origins: BTreeMap<Key, Origin>,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A config file that cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A value out of its range.
    #[error(transparent)]
    Value(#[from] BadValue),
}

impl SettingsError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::File(error) => error.hint(),
            Self::Value(error) => error.hint().to_owned(),
        }
    }
}

/// For each setting, the word of the highest layer that says anything of it.
struct Chosen<'a>(BTreeMap<Key, &'a Said>);

impl<'a> Chosen<'a> {
    fn from(layers: &'a [Layer]) -> Self {
        let mut chosen = BTreeMap::new();
        for layer in layers {
            for group in [&Key::PLACE[..], &Key::HOOK] {
                if group.iter().any(|key| layer.get(*key).is_some()) {
                    chosen.retain(|key, _| !group.contains(key));
                }
            }
            chosen.extend(layer.iter());
        }
        Self(chosen)
    }

    fn read<T>(
        &self,
        key: Key,
        parse: impl FnOnce(Reading<'_>) -> Result<T, BadValue>,
    ) -> Result<Option<T>, BadValue> {
        self.0
            .get(&key)
            .map(|said| parse(Reading { key, said }))
            .transpose()
    }

    fn switch(&self, key: Key, default: bool) -> Result<bool, BadValue> {
        Ok(self.read(key, |value| value.switch())?.unwrap_or(default))
    }
}

/// Settings from layers, lowest first; what none of them says is the default. Only values that are in force are looked at:
/// a bad one in a file that the person cannot edit is put right by a higher layer.
///
/// # Errors
/// When a value that is in force is out of its range.
pub fn resolve(command: Vec<OsString>, layers: &[Layer]) -> Result<Settings, BadValue> {
    let chosen = Chosen::from(layers);
    Ok(Settings {
        command,
        place: PlaceSettings::from(&chosen)?,
        cloud_metadata: chosen.switch(Key::CloudMetadata, false)?,
        live: LiveSettings::from(&chosen)?,
        pue: chosen.read(Key::Pue, |value| value.number(1.0))?,
        beyond: BeyondSettings::from(&chosen)?,
        codecarbon_compatible: chosen.switch(Key::CodecarbonCompatible, false)?,
        project: chosen.read(Key::Project, |value| value.text())?,
        experiment_id: chosen.read(Key::ExperimentId, |value| value.text())?,
        output_dir: chosen
            .read(Key::OutputDir, |value| value.path())?
            .unwrap_or_else(|| ".".into()),
        csv: chosen.switch(Key::Csv, true)?,
        table: chosen
            .read(Key::OutputFile, |value| value.file_name())?
            .unwrap_or_else(|| "emissions.csv".into()),
        json: chosen.read(Key::Json, |value| value.target())?,
        record: chosen.read(Key::Record, |value| value.path())?,
        publishing: Publishing::of(&chosen, layers)?,
        quiet: chosen.switch(Key::Quiet, false)?,
        verbose: chosen.switch(Key::Verbose, false)?,
        idle_policy: chosen.read(Key::IdlePolicy, |value| value.idle_policy())?,
        idle_power: chosen
            .read(Key::IdlePower, |value| value.watts())?
            .unwrap_or_default(),
        gpu_idle_power: chosen
            .read(Key::GpuIdlePower, |value| value.watts())?
            .unwrap_or_default(),
        // HaPPy, USENIX ATC'14: two busy siblings draw about 1.15 times what one does.
        smt_weight_permille: chosen
            .read(Key::SmtWeight, |value| value.smt_weight_permille())?
            .unwrap_or(575),
        cpu_table: chosen.read(Key::CpuTable, |value| value.path())?,
        ram_power: chosen.read(Key::RamPower, |value| value.watts_per_gib())?,
        interval: chosen.read(Key::Interval, |value| value.interval())?,
        checkpoint_interval: chosen
            .read(Key::CheckpointInterval, |value| value.checkpoint_interval())?
            .unwrap_or(Some(Duration::from_secs(30))),
        json_is_own: false,
        accounting: chosen
            .read(Key::Accounting, |value| value.accounting())?
            .flatten(),
        daemon_socket: chosen
            .read(Key::DaemonSocket, |value| value.path())?
            .unwrap_or_else(|| "/run/carbon-run/socket".into()),
        cgroups: chosen
            .read(Key::Cgroup, |value| value.paths())?
            .unwrap_or_default(),
        wait_tree: chosen.switch(Key::WaitTree, false)?,
        strict: chosen.switch(Key::Strict, false)?,
        nvml_library: chosen.read(Key::NvmlLibrary, |value| value.path())?,
        state_dirs: chosen
            .read(Key::StateDir, |value| value.path())?
            .into_iter()
            .collect(),
        sysroot: chosen
            .read(Key::Sysroot, |value| value.path())?
            .unwrap_or_else(|| "/".into()),
        unused: Vec::new(),
        notes: Vec::new(),
        origins: chosen
            .0
            .iter()
            .map(|(key, said)| (*key, said.origin.clone()))
            .collect(),
    })
}

impl Settings {
    /// Where a setting was said.
    #[must_use]
    pub fn origin(&self, key: Key) -> &Origin {
        self.origins.get(&key).unwrap_or(&Origin::Default)
    }

    /// Every setting with its value as it would be written in a config file (`None`: not set) and where it was said.
    pub fn explain(&self) -> impl Iterator<Item = (Key, Option<String>, &Origin)> {
        Key::ALL
            .into_iter()
            .map(|key| (key, self.written(key), self.origin(key)))
    }

    fn written(&self, key: Key) -> Option<String> {
        match key {
            Key::Country
            | Key::Region
            | Key::CloudProvider
            | Key::CloudRegion
            | Key::EnergyMix
            | Key::Intensity
            | Key::IntensityFile => self.place.written(key),
            Key::CloudMetadata => Some(self.cloud_metadata.to_string()),
            Key::Live | Key::LiveZone | Key::LiveUrl | Key::LiveValue | Key::LiveTime => {
                self.live.written(key)
            }
            Key::Pue => self.pue.map(|pue| pue.to_string()),
            Key::Wue => self.beyond.wue.map(|wue| wue.to_string()),
            Key::Embodied => self.beyond.embodied_written(),
            Key::Lifetime => self.beyond.lifetime_years.map(|years| years.to_string()),
            Key::FunctionalUnit => self.beyond.unit_written(),
            Key::IdlePolicy => self.idle_policy.map(|policy| policy.name().to_owned()),
            Key::IdlePower => listed(&self.idle_power),
            Key::GpuIdlePower => listed(&self.gpu_idle_power),
            Key::SmtWeight => Some((f64::from(self.smt_weight_permille) / 1000.0).to_string()),
            Key::CpuTable => self.cpu_table.as_ref().map(|path| path.display().to_string()),
            Key::RamPower => self.ram_power.map(|watts| watts.get().to_string()),
            Key::CodecarbonCompatible => Some(self.codecarbon_compatible.to_string()),
            Key::Project => self.project.clone(),
            Key::ExperimentId => self.experiment_id.clone(),
            Key::OutputFile => Some(self.table.display().to_string()),
            Key::OutputDir => Some(self.output_dir.display().to_string()),
            Key::Csv => Some(self.csv.to_string()),
            Key::Json => self.json.as_ref().map(|target| match target {
                Target::File(path) => path.display().to_string(),
                Target::Stdout => "-".to_owned(),
            }),
            Key::Record => self.record.as_ref().map(|path| path.display().to_string()),
            Key::CodecarbonApi
            | Key::PrometheusFile
            | Key::PrometheusPush
            | Key::PrometheusUser
            | Key::Webhook
            | Key::WebhookFormat
            | Key::PublishTimeout => self.publishing.written(key),
            Key::Quiet => Some(self.quiet.to_string()),
            Key::Verbose => Some(self.verbose.to_string()),
            Key::Accounting => Some(self.accounting.map_or("auto", Backend::name).to_owned()),
            Key::DaemonSocket => Some(self.daemon_socket.display().to_string()),
            Key::Cgroup => {
                let paths: Vec<String> = self
                    .cgroups
                    .iter()
                    .map(|path| path.display().to_string())
                    .collect();
                (!paths.is_empty()).then(|| paths.join(","))
            }
            Key::Interval => self.interval.map(|interval| format!("{interval:?}")),
            Key::CheckpointInterval => Some(
                self.checkpoint_interval
                    .map_or("0".to_owned(), |interval| format!("{interval:?}")),
            ),
            Key::WaitTree => Some(self.wait_tree.to_string()),
            Key::Strict => Some(self.strict.to_string()),
            Key::NvmlLibrary => self.nvml_library.as_ref().map(|path| path.display().to_string()),
            Key::StateDir => self.state_dirs.first().map(|path| path.display().to_string()),
            Key::Sysroot => Some(self.sysroot.display().to_string()),
        }
    }
}

fn listed(watts: &[Watts]) -> Option<String> {
    let watts: Vec<_> = watts.iter().map(|watts| watts.get().to_string()).collect();
    (!watts.is_empty()).then(|| watts.join(","))
}

#[cfg(test)]
mod tests;
