//! What `replay` may be told. Only flags count: a replay on another machine, with other files and another environment,
//! gives the same report unless the person asks for another.

use super::{BadValue, BeyondSettings, Chosen, Key, Layer, PlaceSettings, Target};
use crate::model::recording::IdlePolicy;
use crate::model::units::Watts;
use std::ffi::OsString;
use std::path::PathBuf;

/// What replaces the choices of a recording; `None` leaves the recording's own.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplaySettings {
    /// The recording to read.
    pub recording: PathBuf,
    /// `--country` and its kin. Any word on the place replaces all of the recorded place.
    pub place: PlaceSettings,
    /// `--pue`, finite and at least 1.
    pub pue: Option<f64>,
    /// `--wue`, `--embodied`, `--lifetime`, `--functional-unit`.
    pub beyond: BeyondSettings,
    /// `--idle-policy`.
    pub idle_policy: Option<IdlePolicy>,
    /// `--idle-power`: watts per package, in package order.
    pub idle_power: Option<Vec<Watts>>,
    /// `--gpu-idle-power`: watts per GPU, in the order of the devices, or one value for all.
    pub gpu_idle_power: Option<Vec<Watts>>,
    /// `--smt-weight` in thousandths, 500 to 1000.
    pub smt_weight_permille: Option<u32>,
    /// `--cpu-table`: takes the place of the recorded model of the CPUs, where there is one.
    pub cpu_table: Option<PathBuf>,
    /// `--ram-power`: watts per GiB of memory.
    pub ram_power: Option<Watts>,
    /// Where `emissions.csv` lies.
    pub output_dir: PathBuf,
    /// `--output-file`: the table's name.
    pub table: OsString,
    /// Whether a row is added to `emissions.csv`; not unless asked for.
    pub csv: bool,
    /// Where the JSON report goes, if anywhere.
    pub json: Option<Target>,
    /// No summary.
    pub quiet: bool,
    /// Say on stderr what is being done.
    pub verbose: bool,
}

/// The flags of a replay, each in its range.
///
/// # Errors
/// When a value is out of its range.
pub fn resolve_replay(recording: PathBuf, flags: &Layer) -> Result<ReplaySettings, BadValue> {
    let chosen = Chosen::from(std::slice::from_ref(flags));
    Ok(ReplaySettings {
        recording,
        place: PlaceSettings::from(&chosen)?,
        pue: chosen.read(Key::Pue, |value| value.number(1.0))?,
        beyond: BeyondSettings::from(&chosen)?,
        idle_policy: chosen.read(Key::IdlePolicy, |value| value.idle_policy())?,
        idle_power: chosen.read(Key::IdlePower, |value| value.watts())?,
        gpu_idle_power: chosen.read(Key::GpuIdlePower, |value| value.watts())?,
        smt_weight_permille: chosen.read(Key::SmtWeight, |value| value.smt_weight_permille())?,
        cpu_table: chosen.read(Key::CpuTable, |value| value.path())?,
        ram_power: chosen.read(Key::RamPower, |value| value.watts_per_gib())?,
        output_dir: chosen
            .read(Key::OutputDir, |value| value.path())?
            .unwrap_or_else(|| ".".into()),
        table: chosen
            .read(Key::OutputFile, |value| value.file_name())?
            .unwrap_or_else(|| "emissions.csv".into()),
        csv: chosen.switch(Key::Csv, false)?,
        json: chosen.read(Key::Json, |value| value.target())?,
        quiet: chosen.switch(Key::Quiet, false)?,
        verbose: chosen.switch(Key::Verbose, false)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Origin;

    #[test]
    fn a_replay_without_flags_changes_nothing_and_writes_nothing() {
        let settings = resolve_replay("run.jsonl".into(), &Layer::default()).unwrap();
        assert_eq!(settings.recording, PathBuf::from("run.jsonl"));
        assert_eq!(
            (settings.pue, settings.idle_policy, settings.place.intensity),
            (None, None, None)
        );
        assert!(settings.idle_power.is_none() && settings.smt_weight_permille.is_none());
        assert!(!settings.csv && settings.json.is_none());
    }

    #[test]
    fn the_flags_of_a_replay_are_held_to_the_ranges_of_a_run() {
        for (key, bad, good) in [
            (Key::Pue, "0.9", "1.4"),
            (Key::Intensity, "-1", "56"),
            (Key::SmtWeight, "2", "0.6"),
            (Key::RamPower, "-0.1", "0.4"),
        ] {
            let mut flags = Layer::default();
            flags.say(key, bad, Origin::Flag);
            assert_eq!(resolve_replay("r".into(), &flags).unwrap_err().key, key);
            flags.say(key, good, Origin::Flag);
            assert!(resolve_replay("r".into(), &flags).is_ok());
        }
    }
}
