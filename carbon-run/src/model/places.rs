//! Which country or region people mean.

use super::recording::Place;
use super::tables::{Country, Region, Tables};
use super::units::GramsPerKwh;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A place that has no figure, or that nobody knows.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UnknownPlace {
    /// No country has this code or name.
    #[error("unknown country `{given}`")]
    Country {
        /// As given.
        given: String,
        /// The nearest names with their codes, nearest first, as `France (FRA)`; empty when nothing is near.
        nearest: Vec<String>,
    },
    /// No region has this code or name.
    #[error("unknown region `{given}`")]
    Region {
        /// As given.
        given: String,
        /// The nearest names with their codes, as `Quebec (CA-QC)`.
        nearest: Vec<String>,
    },
    /// The country exists, and the tables have no figure for it.
    #[error("there is no carbon intensity for `{name}` in the tables")]
    NoFigure {
        /// The country's name.
        name: String,
    },
    /// The country exists, and the tables do not divide it.
    #[error("there are no regions of `{name}` in the tables")]
    Undivided {
        /// The country's name.
        name: String,
        /// Its ISO3 code.
        iso3: String,
    },
    /// `--country` and `--region` name different countries.
    #[error("region `{region}` is not in country `{country}`")]
    Disagree {
        /// ISO3.
        country: String,
        /// ISO 3166-2.
        region: String,
    },
    /// `--intensity` is no amount.
    #[error("`{given}` is not a carbon intensity in gCO2eq/kWh")]
    Intensity {
        /// As given.
        given: f64,
    },
    /// Cloud regions are not in the tables.
    #[error(
        "there is no carbon intensity for region `{region}` of cloud provider `{provider}` in the tables"
    )]
    Cloud {
        /// As given.
        provider: String,
        /// As given.
        region: String,
    },
}

impl UnknownPlace {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Country { nearest, .. } if nearest.is_empty() => {
                "give the ISO 3166 code or the English name, as `FR`, `FRA` or `France`".to_owned()
            }
            Self::Region { nearest, .. } if nearest.is_empty() => {
                "give the ISO 3166-2 code of a state or province of AU, CA, CN or US, as `CA-QC`".to_owned()
            }
            Self::Country { nearest, .. } | Self::Region { nearest, .. } => {
                format!("did you mean {}?", nearest.join(", "))
            }
            Self::NoFigure { .. } => {
                "give the figure itself with `--intensity`, in gCO2eq/kWh, or a neighbour with `--country`"
                    .to_owned()
            }
            Self::Undivided { iso3, .. } => format!("give `--country {iso3}` alone"),
            Self::Disagree { .. } => "give only one of `--country` and `--region`".to_owned(),
            Self::Intensity { .. } => "give a number of at least 0, as `--intensity 56`".to_owned(),
            Self::Cloud { .. } => "give the country of the data centre with `--country`".to_owned(),
        }
    }
}

impl Tables {
    /// The place that the person's words mean: intensity before region before country, and the world when nothing was
    /// said. Words that do not win are checked all the same. `intensity` is in gCO2eq/kWh; `country` is ISO2, ISO3 or
    /// an English name, `region` is ISO 3166-2 or, beside a country, the part behind the hyphen, or a name; any case.
    ///
    /// # Errors
    /// [`UnknownPlace`] when a word means nothing, when country and region disagree, or when the tables have no figure.
    pub fn resolve_place(
        &self,
        country: Option<&str>,
        region: Option<&str>,
        intensity: Option<f64>,
    ) -> Result<Place, UnknownPlace> {
        let country = country.map(|given| self.country(given)).transpose()?;
        let region = region.map(|given| self.region(given, country)).transpose()?;
        if let (Some(country), Some(region)) = (country, region)
            && !region.is_in(country)
        {
            return Err(UnknownPlace::Disagree {
                country: country.iso3.clone(),
                region: region.code.clone(),
            });
        }
        if let Some(given) = intensity {
            GramsPerKwh::new(given).map_err(|_| UnknownPlace::Intensity { given })?;
            return Ok(Place::Given(given));
        }
        if let Some(region) = region {
            return Ok(Place::Region(region.code.clone()));
        }
        match country {
            Some(country) if country.g_per_kwh.is_none() => Err(UnknownPlace::NoFigure {
                name: country.name.clone(),
            }),
            Some(country) => Ok(Place::Country(country.iso3.clone())),
            None => Ok(Place::World),
        }
    }

    pub(super) fn country(&self, given: &str) -> Result<&Country, UnknownPlace> {
        let wanted = fold(given);
        let by_iso3 = |iso3: &str| self.countries.iter().find(|country| country.iso3 == iso3);
        let code = wanted.to_ascii_uppercase();
        by_iso3(&code)
            .or_else(|| self.countries.iter().find(|country| country.iso2 == code))
            .or_else(|| {
                self.countries
                    .iter()
                    .find(|country| fold(&country.name) == wanted)
            })
            .or_else(|| {
                let alias = self.aliases.iter().find(|alias| alias.alias == wanted)?;
                by_iso3(&alias.iso3)
            })
            .ok_or_else(|| UnknownPlace::Country {
                given: given.to_owned(),
                nearest: self.nearest_countries(&wanted),
            })
    }

    pub(super) fn region(&self, given: &str, country: Option<&Country>) -> Result<&Region, UnknownPlace> {
        let wanted = fold(given);
        let code = wanted.replace(' ', "-").to_ascii_uppercase();
        let by_code = |code: &str| self.regions.iter().find(|region| region.code == code);
        let found = by_code(&code).or_else(|| by_code(&format!("{}-{code}", country?.iso2)));
        if let Some(region) = found {
            return Ok(region);
        }
        let mut named = self
            .regions
            .iter()
            .filter(|region| country.is_none_or(|country| region.is_in(country)))
            .filter(|region| fold(&region.name) == wanted);
        if let (Some(region), None) = (named.next(), named.next()) {
            return Ok(region);
        }
        // `FR-IDF` is a region, just not one of ours.
        let prefix = given
            .trim()
            .split_once(['-', '_'])
            .map(|(prefix, _)| prefix.to_ascii_uppercase());
        let meant = prefix
            .and_then(|prefix| self.countries.iter().find(|country| country.iso2 == prefix))
            .or(country);
        if let Some(country) = meant
            && !self.regions.iter().any(|region| region.is_in(country))
        {
            return Err(UnknownPlace::Undivided {
                name: country.name.clone(),
                iso3: country.iso3.clone(),
            });
        }
        Err(UnknownPlace::Region {
            given: given.to_owned(),
            nearest: self.nearest_regions(&wanted, &code),
        })
    }

    fn nearest_countries(&self, wanted: &str) -> Vec<String> {
        let mut scored = Vec::new();
        for country in &self.countries {
            let names = self.aliases.iter().filter(|alias| alias.iso3 == country.iso3);
            let name = fold(&country.name);
            let names = names.map(|alias| alias.alias.as_str()).chain([name.as_str()]);
            let mut score = names
                .map(|name| strsim::jaro_winkler(wanted, name))
                .fold(0.0, f64::max);
            // Short words are codes with a slip in them; names are too long to be near.
            if wanted.chars().count() <= 3 {
                for code in [&country.iso2, &country.iso3] {
                    let code = code.to_ascii_lowercase();
                    score = score.max(strsim::normalized_damerau_levenshtein(wanted, &code) + 0.2);
                }
            }
            scored.push((score, format!("`{}` ({})", country.name, country.iso3)));
        }
        best(scored)
    }

    fn nearest_regions(&self, wanted: &str, code: &str) -> Vec<String> {
        let scored = self.regions.iter().map(|region| {
            let by_name = strsim::jaro_winkler(wanted, &fold(&region.name));
            let by_code = strsim::jaro_winkler(code, &region.code);
            (
                by_name.max(by_code),
                format!("`{}` ({})", region.name, region.code),
            )
        });
        best(scored.collect())
    }
}

impl Region {
    fn is_in(&self, country: &Country) -> bool {
        self.code
            .split_once('-')
            .is_some_and(|(prefix, _)| prefix == country.iso2)
    }
}

/// The three nearest of those that are near enough to be a slip of the finger.
fn best(mut scored: Vec<(f64, String)>) -> Vec<String> {
    const NEAR: f64 = 0.8;
    scored.retain(|(score, _)| *score >= NEAR);
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().take(3).map(|(_, name)| name).collect()
}

/// Lower case, without accents, punctuation and a leading `the`; words apart by one space.
fn fold(text: &str) -> String {
    let plain: String = text.nfd().filter(|letter| !is_combining_mark(*letter)).collect();
    let mut words = Vec::new();
    for word in plain.split(|letter: char| letter.is_whitespace() || "-_,()/".contains(letter)) {
        // `Côte d'Ivoire` and `Cote dIvoire`, `U.K.` and `UK`
        let word: String = word
            .chars()
            .filter(|letter| letter.is_alphanumeric() || *letter == '&')
            .collect();
        match word.to_lowercase().as_str() {
            "" => {}
            "the" if words.is_empty() => {}
            "&" => words.push("and".to_owned()),
            word => words.push(word.to_owned()),
        }
    }
    words.join(" ")
}

#[cfg(test)]
#[path = "places_tests.rs"]
mod tests;
