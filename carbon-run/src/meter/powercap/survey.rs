//! Every zone and whether it can be read, for `doctor`.

use super::{notes, place, zone};
use crate::meter::sysfs::{CounterFile, ReadError};
use crate::model::recording::DomainKind;
use std::path::{Path, PathBuf};

/// A zone of the powercap tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Its directory's name: `intel-rapl:0:1`.
    pub id: String,
    /// Where it is, under the sysroot.
    pub path: PathBuf,
    /// What the report calls it: `package-0`, `dram-0`. `None` where its name cannot be read or says nothing.
    pub name: Option<String>,
    /// What it covers.
    pub kind: Option<DomainKind>,
    /// Why its counter cannot be read, lower case; `None` when it can.
    pub failure: Option<String>,
    /// What to do about that.
    pub remedy: Option<String>,
}

/// All zones under `sysroot` (`/` for this machine), by number; none where the kernel shows no counters.
///
/// Reads each counter once.
///
/// # Errors
/// When the directory of zones is there and cannot be listed.
pub fn survey(sysroot: &Path) -> Result<Vec<Zone>, SurveyError> {
    let found = zone::find(sysroot).map_err(SurveyError)?;
    let identities = place::identify(&found);
    Ok(found
        .into_iter()
        .zip(identities)
        .map(|(zone, identity)| {
            let counter = CounterFile::new(zone.dir.join("energy_uj")).read();
            let error = zone.name.err().or(counter.err());
            Zone {
                id: zone.id.to_string(),
                path: zone.dir,
                kind: identity.as_ref().map(|(kind, ..)| *kind),
                name: identity.map(|(.., name)| name),
                remedy: error.as_ref().and_then(notes::remedy).map(str::to_owned),
                failure: error.map(|error| error.to_string()),
            }
        })
        .collect())
}

/// Why the zones could not be listed.
#[derive(Debug, thiserror::Error)]
#[error("energy counters cannot be looked for: {0}")]
pub struct SurveyError(ReadError);

impl SurveyError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        notes::remedy(&self.0)
    }
}
