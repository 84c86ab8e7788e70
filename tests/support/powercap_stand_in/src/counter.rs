//! One `energy_uj` file.

use crate::StandInError;
use crate::spec::microwatts;
use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::PathBuf;

/// What can be wrong with a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The file goes away; a handle that is open reads nothing.
    Vanish,
    /// The file is empty.
    Empty,
    /// The file holds no number.
    Garbage,
    /// Nobody but root may read the file.
    Forbid,
    /// The counter stands still.
    Freeze,
    /// The counter starts again at 0, as after firmware meddled with it, and goes on. Nothing to heal.
    Reset,
}

/// Power that grows with busy time.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    idle_uw: u64,
    busy_uw: u64,
}

impl Model {
    pub(crate) fn new(idle_w: f64, watts_per_busy_cpu: f64) -> Result<Self, StandInError> {
        Ok(Self {
            idle_uw: microwatts(idle_w)?,
            busy_uw: microwatts(watts_per_busy_cpu)?,
        })
    }

    /// Microjoules after `elapsed_ns` with `busy_ns` of CPU time, cut to whole ones.
    pub(crate) fn energy_uj(&self, elapsed_ns: u64, busy_ns: u64) -> u64 {
        let nano = u128::from(self.idle_uw) * u128::from(elapsed_ns)
            + u128::from(self.busy_uw) * u128::from(busy_ns);
        u64::try_from(nano / 1_000_000_000).unwrap_or(u64::MAX)
    }
}

#[derive(Debug)]
pub(crate) struct Counter {
    pub(crate) zone: String,
    path: PathBuf,
    file: Option<File>,
    fault: Option<Fault>,
    /// Shown is `(start + energy) mod modulus`.
    start_uj: u64,
    modulus: Option<u64>,
}

impl Counter {
    pub(crate) fn create(
        zone: String,
        path: PathBuf,
        start_uj: u64,
        range_uj: Option<u64>,
    ) -> Result<Self, StandInError> {
        let mut counter = Self {
            zone,
            path,
            file: None,
            fault: None,
            start_uj,
            modulus: range_uj.and_then(|range| range.checked_add(1)),
        };
        counter.show(0)?;
        Ok(counter)
    }

    /// Writes what the counter shows after that much energy since the start.
    pub(crate) fn show(&mut self, energy_uj: u64) -> Result<(), StandInError> {
        if !matches!(self.fault, None | Some(Fault::Forbid)) {
            return Ok(());
        }
        let sum = u128::from(self.start_uj) + u128::from(energy_uj);
        let shown = sum % self.modulus.map_or(1 << 64, u128::from);
        let file = match &mut self.file {
            Some(file) => file,
            closed @ None => closed.insert(
                OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .open(&self.path)
                    .map_err(StandInError::io(&self.path))?,
            ),
        };
        file.write_all_at(format!("{shown:020}\n").as_bytes(), 0)
            .map_err(StandInError::io(&self.path))
    }

    pub(crate) fn fault(&mut self, fault: Fault, energy_uj: u64) -> Result<(), StandInError> {
        self.heal(energy_uj)?;
        match fault {
            Fault::Vanish => {
                self.replace("")?;
                fs::remove_file(&self.path).map_err(StandInError::io(&self.path))?;
                self.file = None;
            }
            Fault::Empty => self.replace("")?,
            Fault::Garbage => self.replace("not a number\n")?,
            Fault::Forbid => self.allow(0o000)?,
            Fault::Freeze => {}
            Fault::Reset => {
                // Back to 0 now: the start is moved as far below 0 as the counter has come, on its own circle.
                let modulus = self.modulus.map_or(1 << 64, u128::from);
                let start = (modulus - u128::from(energy_uj) % modulus) % modulus;
                self.start_uj = u64::try_from(start).unwrap_or_default();
                return self.show(energy_uj);
            }
        }
        self.fault = Some(fault);
        Ok(())
    }

    pub(crate) fn heal(&mut self, energy_uj: u64) -> Result<(), StandInError> {
        if self.fault.take() == Some(Fault::Forbid) {
            self.allow(0o644)?;
        }
        self.show(energy_uj)
    }

    fn replace(&self, text: &str) -> Result<(), StandInError> {
        fs::write(&self.path, text).map_err(StandInError::io(&self.path))
    }

    fn allow(&self, mode: u32) -> Result<(), StandInError> {
        fs::set_permissions(&self.path, Permissions::from_mode(mode)).map_err(StandInError::io(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_wraps_one_microjoule_after_its_range_and_resets_to_0()
    -> Result<(), Box<dyn std::error::Error>> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("energy_uj");
        let shown =
            || -> Result<u64, Box<dyn std::error::Error>> { Ok(fs::read_to_string(&path)?.trim().parse()?) };
        let mut counter = Counter::create("zone".to_owned(), path.clone(), 900, Some(999))?;
        assert_eq!(shown()?, 900);
        counter.show(99)?;
        assert_eq!(shown()?, 999);
        counter.show(100)?;
        assert_eq!(shown()?, 0);
        counter.show(1_150)?;
        assert_eq!(shown()?, 50);
        counter.fault(Fault::Reset, 1_160)?;
        assert_eq!(shown()?, 0);
        counter.show(1_161)?;
        assert_eq!(shown()?, 1);
        Ok(())
    }

    #[test]
    fn a_fault_hides_the_counter_and_healing_shows_where_it_is_by_then()
    -> Result<(), Box<dyn std::error::Error>> {
        for (fault, seen) in [
            (Fault::Vanish, None),
            (Fault::Empty, Some("")),
            (Fault::Garbage, Some("not a number\n")),
            (Fault::Freeze, Some("00000000000000000007\n")),
        ] {
            let dir = tempfile::tempdir()?;
            let path = dir.path().join("energy_uj");
            let mut counter = Counter::create("zone".to_owned(), path.clone(), 0, None)?;
            counter.fault(fault, 7)?;
            counter.show(8)?;
            assert_eq!(fs::read_to_string(&path).ok().as_deref(), seen, "{fault:?}");
            counter.heal(9)?;
            assert_eq!(fs::read_to_string(&path)?, "00000000000000000009\n", "{fault:?}");
        }
        Ok(())
    }

    #[test]
    fn a_forbidden_counter_goes_on_and_is_readable_again_when_healed()
    -> Result<(), Box<dyn std::error::Error>> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("energy_uj");
        let mode = || fs::metadata(&path).map(|metadata| metadata.permissions().mode() & 0o777);
        let mut counter = Counter::create("zone".to_owned(), path.clone(), 0, None)?;
        counter.fault(Fault::Forbid, 7)?;
        assert_eq!(mode()?, 0);
        counter.show(8)?;
        counter.heal(9)?;
        assert_eq!(
            (mode()?, fs::read_to_string(&path)?.as_str()),
            (0o644, "00000000000000000009\n")
        );
        Ok(())
    }
}
