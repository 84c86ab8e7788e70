//! Which column is the time, and which the intensity.

/// What a figure of intensity counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Boundary {
    /// With what building the plants and winning the fuel emitted.
    Lifecycle,
    /// It does not say.
    Unstated,
    /// What comes out of the chimneys.
    Direct,
}

impl Boundary {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Lifecycle => "lifecycle",
            Self::Unstated => "unstated",
            Self::Direct => "direct",
        }
    }
}

/// The names that matter, as they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    /// The place of the time's among all names.
    pub(super) time: usize,
    /// Whether its name says that times are UTC.
    pub(super) utc: bool,
    /// The place of the intensity's among all names.
    pub(super) intensity: usize,
    pub(super) boundary: Boundary,
}

const TIMES: [&str; 6] = ["time", "timestamp", "datetime", "dateandtime", "start", "from"];
const INTENSITIES: [&str; 3] = ["gperkwh", "intensity", "intensitygperkwh"];
/// In other units, or no intensity.
const OTHER: [&str; 7] = ["kgco", "kgper", "lbs", "lbco", "mwh", "percent", "forecast"];

impl Columns {
    /// Among a file's names.
    ///
    /// # Errors
    /// What is missing, or there twice.
    pub(super) fn among(names: &[&str]) -> Result<Self, String> {
        let listed = || {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            names.join(", ")
        };
        let times: Vec<(usize, bool)> = names
            .iter()
            .enumerate()
            .filter_map(|(at, name)| Some((at, time(name)?)))
            .collect();
        let (time, utc) = match times.as_slice() {
            [one] => *one,
            [] => return Err(format!("no column of the time among {}", listed())),
            [..] => return Err(format!("more than one column of the time among {}", listed())),
        };
        let mut intensities: Vec<(Boundary, usize)> = names
            .iter()
            .enumerate()
            .filter_map(|(at, name)| Some((intensity(name)?, at)))
            .collect();
        intensities.sort_unstable();
        let (boundary, intensity) = match intensities.as_slice() {
            [] => {
                return Err(format!(
                    "no column of the intensity in gCO2eq/kWh among {}",
                    listed()
                ));
            }
            [(one, _), (other, _), ..] if one == other => {
                return Err(format!(
                    "more than one column of the intensity among {}",
                    listed()
                ));
            }
            [first, ..] => *first,
        };
        Ok(Self {
            time,
            utc,
            intensity,
            boundary,
        })
    }
}

/// Lower case, letters and digits of ASCII alone.
fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

/// Whether a name is that of the time, and if so, whether it says that it is UTC.
fn time(name: &str) -> Option<bool> {
    let plain = plain(name);
    let bare = plain.strip_suffix("utc").or_else(|| plain.strip_prefix("utc"));
    TIMES.contains(&bare.unwrap_or(&plain)).then_some(bare.is_some())
}

/// Whether a name is that of the intensity, and if so, of which.
fn intensity(name: &str) -> Option<Boundary> {
    let plain = plain(name);
    let meant = INTENSITIES.contains(&plain.as_str())
        || plain.contains("carbonintensity")
        || (plain.contains("gco2") && plain.contains("kwh"));
    if !meant || OTHER.iter().any(|other| plain.contains(other)) {
        return None;
    }
    Some(if plain.contains("lifecycle") || plain.ends_with("lca") {
        Boundary::Lifecycle
    } else if plain.contains("direct") {
        Boundary::Direct
    } else {
        Boundary::Unstated
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn among(names: &[&str]) -> Result<(usize, bool, usize, &'static str), String> {
        let found = Columns::among(names)?;
        Ok((found.time, found.utc, found.intensity, found.boundary.name()))
    }

    #[test]
    fn the_columns_are_known_by_many_names() {
        for (names, found) in [
            (&["time", "g_per_kwh"][..], (0, false, 1, "unstated")),
            (&["G per kWh", "zone", "Timestamp"], (2, false, 0, "unstated")),
            (&["datetime", "carbon_intensity"], (0, false, 1, "unstated")),
            (&["datetime", "carbonIntensity"], (0, false, 1, "unstated")),
            (&["time_utc", "intensity"], (0, true, 1, "unstated")),
            (&["UTC time", "gCO2eq per kWh"], (0, true, 1, "unstated")),
            (
                &["timestamp", "intensity_gco2_per_kwh"],
                (0, false, 1, "unstated"),
            ),
            (
                &["from", "to", "Actual Carbon Intensity (gCO2/kWh)"],
                (0, false, 2, "unstated"),
            ),
            (
                &[
                    "datetime",
                    "carbon intensity (gCO2/kWh)",
                    "Carbon intensity forecast",
                ],
                (0, false, 1, "unstated"),
            ),
            (
                &[
                    "Datetime (UTC)",
                    "Country",
                    "Zone name",
                    "Zone id",
                    "Carbon intensity gCO₂eq/kWh (direct)",
                    "Carbon intensity gCO₂eq/kWh (Life cycle)",
                    "Carbon-free energy percentage (CFE%)",
                    "Renewable energy percentage (RE%)",
                    "Data source",
                    "Data estimated",
                ],
                (0, true, 5, "lifecycle"),
            ),
            (
                &["Datetime (UTC)", "Carbon Intensity gCO₂eq/kWh (LCA)"],
                (0, true, 1, "lifecycle"),
            ),
            (
                &["time", "Carbon intensity gCO₂eq/kWh (direct)"],
                (0, false, 1, "direct"),
            ),
        ] {
            assert_eq!(among(names), Ok(found), "{names:?}");
        }
    }

    #[test]
    fn what_is_missing_or_there_twice_is_told_with_the_names_that_are_there() {
        for (names, told) in [
            (
                &["when", "g_per_kwh"][..],
                "no column of the time among `when`, `g_per_kwh`",
            ),
            (
                &["time", "Datetime (UTC)", "g_per_kwh"],
                "more than one column of the time among `time`, `Datetime (UTC)`, `g_per_kwh`",
            ),
            (
                &["time", "kg_per_kwh"],
                "no column of the intensity in gCO2eq/kWh among `time`, `kg_per_kwh`",
            ),
            (
                &["time", "kgCO2/kWh"],
                "no column of the intensity in gCO2eq/kWh among `time`, `kgCO2/kWh`",
            ),
            (
                &["time", "carbon intensity (lbs/MWh)"],
                "no column of the intensity in gCO2eq/kWh among `time`, `carbon intensity (lbs/MWh)`",
            ),
            (
                &["time", "carbon_intensity", "g_per_kwh"],
                "more than one column of the intensity among `time`, `carbon_intensity`, `g_per_kwh`",
            ),
            (&[], "no column of the time among "),
        ] {
            assert_eq!(among(names), Err(told.to_owned()), "{names:?}");
        }
    }
}
