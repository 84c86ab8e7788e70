//! What is kept of this host's power between runs: what `calibrate` measured, and the lowest power that runs have seen.

use super::clocks;
use crate::host;
use crate::model::calibration::{Fit, fit, learn};
use crate::model::gpu_calibration::{gathered, merged};
use crate::model::recording::{Calibration, Conditions, KnownPower, Learned};
use crate::model::report::{QuietPower, RunReport};
use crate::settings::{Key, Origin, Settings};
use crate::sink::{SinkError, change_file};
use nix::sys::signal::SigSet;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The version of the files' shape. Fields are added, never renamed or moved.
const SCHEMA: &str = "carbon-run/power/1";

/// More than this is none of our files.
const LARGEST: u64 = 1 << 20;

/// A file of the store.
#[derive(Serialize, Deserialize)]
struct Kept<T> {
    schema: String,
    #[serde(flatten)]
    what: T,
}

/// The directories, and which machine's files in them are meant.
pub(super) struct PowerStore {
    directories: Vec<PathBuf>,
    host: String,
    /// What is below another root may be another machine, or a play.
    learns: bool,
}

impl PowerStore {
    pub(super) fn of(settings: &Settings) -> Self {
        let named = !matches!(settings.origin(Key::StateDir), Origin::Default);
        Self {
            directories: settings.state_dirs.clone(),
            host: host::identity(),
            learns: named || settings.sysroot == Path::new("/"),
        }
    }

    fn name(&self, what: &str) -> String {
        format!("{what}-{}.json", self.host)
    }

    /// Where the calibration is written to.
    fn calibration(&self) -> PathBuf {
        self.own(&self.name("calibration"))
    }

    fn own(&self, name: &str) -> PathBuf {
        let first = self.directories.first().cloned().unwrap_or_default();
        first.join(name)
    }

    /// What there is for these circumstances. A file that cannot be read or is no file of ours is as good as none.
    pub(super) fn known(&self, conditions: Conditions) -> KnownPower {
        let calibrations: Vec<Calibration> = self.all("calibration").collect();
        let worth = |one: &Calibration| match fit(&one.conditions, &conditions) {
            // Of somebody who could read no meter of the CPUs: it says nothing against what somebody else measured.
            _ if one.domains.is_empty() => 0,
            Fit::Same => 3,
            Fit::Changed(_) => 2,
            Fit::Other(_) => 1,
        };
        let here = |one: &&Calibration| one.conditions.sysroot == conditions.sysroot;
        let gpus = gathered(calibrations.iter().filter(here).flat_map(|one| &one.gpus));
        let calibration = calibrations
            .into_iter()
            .max_by_key(|one| (worth(one), one.at_unix_ns))
            .map(|one| Calibration { gpus, ..one });
        let learned = self
            .all::<Learned>("lowest-power")
            .find(|one| fit(&one.conditions, &conditions) == Fit::Same);
        KnownPower {
            calibration,
            learned,
            conditions,
        }
    }

    fn all<T: DeserializeOwned>(&self, what: &str) -> impl Iterator<Item = T> {
        let name = self.name(what);
        self.directories
            .iter()
            .filter_map(move |directory| parse(&read(&directory.join(&name))?))
    }

    /// Puts a calibration in the place of the one before, of which what this one did not measure is kept.
    pub(super) fn keep(&self, calibration: &Calibration) -> Result<PathBuf, SinkError> {
        let path = self.calibration();
        // A ^C now waits until the file is whole.
        let before = SigSet::all().thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK);
        let kept = change_file(&path, |bytes| {
            written(&merged(bytes.and_then(parse), calibration))
        });
        if let Ok(before) = before {
            before.thread_set_mask().unwrap_or_default();
        }
        kept.map(|()| path)
    }

    /// Keeps the lowest powers of a run where they are lower than those before. Whoever has no place for it goes without.
    pub(super) fn learn(&self, conditions: &Conditions, report: &RunReport) {
        let seen: Vec<(String, QuietPower)> = report
            .domains
            .iter()
            .filter_map(|domain| Some((domain.name.clone(), domain.lowest_quiet?)))
            .collect();
        let (now, _) = clocks::wall();
        self.learn_of(conditions, &seen, now);
    }

    fn learn_of(&self, conditions: &Conditions, seen: &[(String, QuietPower)], now: i64) {
        if seen.is_empty() || !self.learns || self.directories.is_empty() {
            return;
        }
        let path = self.own(&self.name("lowest-power"));
        let news = |bytes: Option<&[u8]>| learn(bytes.and_then(parse), conditions, seen, now);
        // Most runs see nothing new, and need no lock to find that out.
        if news(read(&path).as_deref()).is_none() {
            return;
        }
        if let Err(error) = change_file(&path, |bytes| written(&news(bytes)?)) {
            tracing::debug!("the lowest power is not kept: {error}");
        }
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let kept: Kept<T> = serde_json::from_slice(bytes).ok()?;
    (kept.schema == SCHEMA).then_some(kept.what)
}

fn written<T: Serialize>(what: &T) -> Option<Vec<u8>> {
    let kept = Kept {
        schema: SCHEMA.to_owned(),
        what,
    };
    let mut bytes = serde_json::to_vec_pretty(&kept).ok()?;
    bytes.push(b'\n');
    Some(bytes)
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let file = File::open(path).ok()?;
    file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::recording::{CalibratedDomain, CalibratedGpu, CalibratedPower, DomainKind};
    use crate::model::units::Watts;

    fn store(directories: &[&Path]) -> PowerStore {
        PowerStore {
            directories: directories.iter().map(|path| path.to_path_buf()).collect(),
            host: "node7".to_owned(),
            learns: true,
        }
    }

    fn calibration(kernel: &str, at_unix_ns: i64) -> Calibration {
        Calibration {
            at_unix_ns,
            conditions: here(kernel),
            domains: vec![CalibratedDomain {
                name: "package-0".to_owned(),
                kind: DomainKind::Package,
                idle: Watts::new(20.25).unwrap(),
                spread: Watts::new(0.5).unwrap(),
                windows: 10,
                curve: Vec::new(),
            }],
            gpus: Vec::new(),
        }
    }

    fn of_a_gpu(at_unix_ns: i64, deep: bool) -> Calibration {
        let power = CalibratedPower {
            watts: Watts::new(70.0).unwrap(),
            spread: Watts::new(0.5).unwrap(),
            windows: 10,
            at_unix_ns,
            driver: None,
        };
        Calibration {
            domains: Vec::new(),
            gpus: vec![CalibratedGpu {
                device: "GPU-1".to_owned(),
                name: None,
                deep: deep.then(|| power.clone()),
                resident: (!deep).then_some(power),
            }],
            ..calibration("6.12", at_unix_ns)
        }
    }

    fn here(kernel: &str) -> Conditions {
        Conditions {
            kernel: Some(kernel.to_owned()),
            ..Conditions::default()
        }
    }

    #[test]
    fn what_is_kept_is_found_again_by_its_host_alone() {
        let home = tempfile::tempdir().unwrap();
        let one = store(&[home.path()]);
        let kept = calibration("6.12", 7);
        let path = one.keep(&kept).unwrap();
        assert!(path.ends_with("calibration-node7.json"), "{}", path.display());
        assert_eq!(one.known(here("6.12")).calibration, Some(kept));
        let other = PowerStore {
            host: "node8".to_owned(),
            ..store(&[home.path()])
        };
        assert_eq!(other.known(here("6.12")).calibration, None);
    }

    #[test]
    fn of_ones_own_and_the_hosts_the_one_that_fits_counts_and_then_the_newer() {
        let (own, host) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let both = store(&[own.path(), host.path()]);
        store(&[host.path()]).keep(&calibration("6.12", 1)).unwrap();
        store(&[own.path()]).keep(&calibration("5.15", 2)).unwrap();
        let found = |kernel: &str| both.known(here(kernel)).calibration.unwrap().at_unix_ns;
        assert_eq!((found("6.12"), found("5.15"), found("4.19")), (1, 2, 2));
    }

    #[test]
    fn gpus_of_all_directories_are_known_and_a_newer_file_without_cpus_hides_no_cpus() {
        let (own, host) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let both = store(&[own.path(), host.path()]);
        store(&[host.path()]).keep(&calibration("6.12", 1)).unwrap();
        store(&[host.path()]).keep(&of_a_gpu(2, true)).unwrap();
        store(&[own.path()]).keep(&of_a_gpu(3, false)).unwrap();
        let found = both.known(here("6.12")).calibration.unwrap();
        assert_eq!(
            (found.at_unix_ns, found.domains.len(), found.gpus.len()),
            (1, 1, 1)
        );
        let at = |power: &Option<CalibratedPower>| power.as_ref().map(|power| power.at_unix_ns);
        let states: Vec<_> = found
            .gpus
            .iter()
            .map(|gpu| (at(&gpu.deep), at(&gpu.resident)))
            .collect();
        assert_eq!(states, [(Some(2), Some(3))]);
        // With nothing of the CPUs anywhere, the GPUs are known all the same; below another root they are not.
        let alone = store(&[own.path()]);
        assert_eq!(alone.known(here("6.12")).calibration, Some(of_a_gpu(3, false)));
        let elsewhere = Conditions {
            sysroot: Some("/play".to_owned()),
            ..here("6.12")
        };
        assert!(
            alone
                .known(elsewhere)
                .calibration
                .is_some_and(|one| one.gpus.is_empty())
        );
    }

    #[test]
    fn the_lowest_power_that_any_run_saw_is_found_by_the_next_unless_the_machine_is_a_play() {
        let home = tempfile::tempdir().unwrap();
        let saw = |watts: f64| {
            let quiet = QuietPower {
                power: Watts::new(watts).unwrap(),
                busy_cpus: 0.0,
            };
            vec![("package-0".to_owned(), quiet)]
        };
        let store = store(&[home.path()]);
        let lowest = || {
            let learned = store.known(here("6.12")).learned?;
            Some(learned.domains.first()?.power.get())
        };
        let play = PowerStore {
            directories: store.directories.clone(),
            host: store.host.clone(),
            learns: false,
        };
        play.learn_of(&here("6.12"), &saw(10.0), 1);
        store.learn_of(&here("6.12"), &[], 1);
        assert_eq!(lowest(), None);
        for (watts, wanted) in [(30.0, 30.0), (25.0, 25.0), (28.0, 25.0)] {
            store.learn_of(&here("6.12"), &saw(watts), 1);
            assert_eq!(lowest(), Some(wanted));
        }
        assert_eq!(store.known(here("5.15")).learned, None);
    }

    #[test]
    fn a_file_of_garbage_or_of_another_version_is_none() {
        let home = tempfile::tempdir().unwrap();
        let store = store(&[home.path()]);
        for text in ["", "{", "[]", r#"{"schema":"carbon-run/power/9"}"#, "\u{0}\u{1}"] {
            std::fs::write(store.calibration(), text).unwrap();
            assert_eq!(store.known(here("6.12")).calibration, None, "{text}");
        }
        std::fs::remove_file(store.calibration()).unwrap();
        std::fs::create_dir(store.calibration()).unwrap();
        assert_eq!(store.known(here("6.12")).calibration, None);
        assert!(store.keep(&calibration("6.12", 1)).is_err());
    }
}
