//! What the person says of the electricity: a place, an intensity, a file of them.

use crate::model::intensity_file::{IntensityFileError, parse};
use crate::model::intensity_series::Outside;
use crate::model::places::{PlaceWords, UnknownPlace};
use crate::model::recording::{IntensitySeries, Note, Place};
use crate::model::report::Intensity;
use crate::model::tables::Tables;
use crate::settings::PlaceSettings;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest file that is read: a year of values every five minutes, with all that Electricity Maps exports beside them, is
/// half of it.
const LARGEST_BYTES: u64 = 32 * 1024 * 1024;

/// Words on the electricity that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ElectricityError {
    /// The place that was named.
    #[error(transparent)]
    Place(#[from] UnknownPlace),
    /// The file cannot be read.
    #[error("cannot read the carbon intensities `{}`: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file does not end where a good one would.
    #[error("the carbon intensities `{}` are more than {} MiB", path.display(), LARGEST_BYTES / 1024 / 1024)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A line of it is no row.
    #[error(transparent)]
    Broken(#[from] IntensityFileError),
    /// One intensity for all of the time, and another for each hour of it.
    #[error("`--{given}` and `--intensity-file` are both given")]
    Both {
        /// The option of the one for all of the time.
        given: &'static str,
    },
}

impl ElectricityError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Place(error) => error.hint(),
            Self::Unreadable { .. } => {
                "name a file that you may read, or leave `--intensity-file` out".to_owned()
            }
            Self::TooLarge { .. } => {
                "give the time of the run only, with the columns `time,g_per_kwh`".to_owned()
            }
            Self::Broken(error) => error.hint().to_owned(),
            Self::Both { .. } => "give only one of them".to_owned(),
        }
    }
}

/// The words, as the settings have them.
#[derive(Debug, Clone, Copy)]
pub struct Words<'a> {
    /// On where it comes from.
    pub place: PlaceWords<'a>,
    /// `--intensity-file`.
    pub file: Option<&'a Path>,
}

/// What they mean.
#[derive(Debug, Clone)]
pub struct Electricity {
    /// In the terms of the tables.
    pub place: Place,
    /// That place's intensity.
    pub intensity: Intensity,
    /// What goes before it, as time goes by.
    pub series: Option<IntensitySeries>,
}

impl Electricity {
    /// In a line, for people, with the intensity of a moment: wall clock, nanoseconds since 1970-01-01T00:00:00Z.
    pub(super) fn said_at(&self, unix_ns: i64) -> String {
        let Intensity {
            value,
            name,
            source,
            cloud,
            ..
        } = &self.intensity;
        let cloud = cloud
            .as_ref()
            .map(|cloud| format!(", {} {} in {}", cloud.provider, cloud.region, cloud.location))
            .unwrap_or_default();
        let average = format!("{:.0} gCO2eq/kWh, {name}{cloud} ({source})", value.value.get());
        let Some(series) = &self.series else {
            return average;
        };
        let file = &series.facts().source;
        if !series.covers(unix_ns) {
            return format!("nothing for now in `{file}`; {average}");
        }
        let now = series.between(unix_ns, unix_ns, &Outside::Nearest).intensity;
        format!("{:.0} gCO2eq/kWh now, by `{file}`", now.value.get())
    }
}

impl<'a> Words<'a> {
    /// Those of a run or of a replay.
    #[must_use]
    pub fn of(settings: &'a PlaceSettings) -> Self {
        Self {
            place: PlaceWords {
                country: settings.country.as_deref(),
                region: settings.region.as_deref(),
                cloud_provider: settings.cloud_provider.as_deref(),
                cloud_region: settings.cloud_region.as_deref(),
                energy_mix: settings.energy_mix.as_deref(),
                intensity: settings.intensity,
            },
            file: settings.intensity_file.as_deref(),
        }
    }
}

impl Words<'_> {
    /// Whether anything is said at all.
    #[must_use]
    pub fn any(&self) -> bool {
        self.place.any() || self.file.is_some()
    }

    /// What the words mean. Those that do not win are checked all the same; the file is read to its end.
    ///
    /// # Errors
    /// When a word means nothing, two of them disagree, or the file is no time series.
    pub fn electricity(&self, tables: &Tables) -> Result<Electricity, ElectricityError> {
        if self.file.is_some() {
            // A figure for all of the time, and another for each hour of it.
            let fixed = [
                (self.place.intensity.is_some(), "intensity"),
                (self.place.energy_mix.is_some(), "energy-mix"),
            ];
            if let Some((_, given)) = fixed.into_iter().find(|(given, _)| *given) {
                return Err(ElectricityError::Both { given });
            }
        }
        let place = tables.resolve_place(&self.place)?;
        Ok(Electricity {
            intensity: tables.intensity(&place)?,
            series: self.file.map(read).transpose()?,
            place,
        })
    }
}

/// That a series does not have the moment at which a run starts: wall clock, nanoseconds since 1970-01-01T00:00:00Z.
pub(super) fn uncovered(series: &IntensitySeries, unix_ns: i64) -> Option<Note> {
    (!series.covers(unix_ns)).then(|| Note {
        code: "intensity-not-covered".to_owned(),
        message: format!("`{}` has no carbon intensity for now", series.facts().source),
        hint: Some("give a file that covers the run".to_owned()),
        degrades: true,
    })
}

pub(super) fn read(path: &Path) -> Result<IntensitySeries, ElectricityError> {
    let unreadable = |source| ElectricityError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut text = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(LARGEST_BYTES + 1)
        .read_to_end(&mut text)
        .map_err(unreadable)?;
    if text.len() as u64 > LARGEST_BYTES {
        return Err(ElectricityError::TooLarge {
            path: path.to_owned(),
        });
    }
    let name = path
        .file_name()
        .map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy());
    Ok(parse(&path.display().to_string(), &name, &text)?)
}
