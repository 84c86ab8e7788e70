//! Which country or region people mean.

use super::recording::{MixPart, Place};
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
    /// No cloud has this name.
    #[error("unknown cloud provider `{given}`")]
    CloudProvider {
        /// As given.
        given: String,
    },
    /// The cloud has no region of this name.
    #[error("unknown region `{given}` of cloud provider `{provider}`")]
    CloudRegion {
        /// `aws`, `azure`, `gcp`.
        provider: String,
        /// As given.
        given: String,
        /// The nearest names, nearest first.
        nearest: Vec<String>,
    },
    /// Regions of several clouds have the same names, and a cloud is in many places.
    #[error("`--{given}` without `--{missing}`")]
    HalfACloud {
        /// What was given.
        given: &'static str,
        /// What was not.
        missing: &'static str,
    },
    /// `--country` or `--region`, and a cloud region somewhere else.
    #[error("region `{region}` of `{provider}` is in {country}")]
    CloudElsewhere {
        /// `aws`, `azure`, `gcp`.
        provider: String,
        /// The cloud region.
        region: String,
        /// ISO3, or ISO 3166-2.
        country: String,
    },
    /// No source of energy has this name.
    #[error("unknown source of energy `{given}`")]
    EnergySource {
        /// As given.
        given: String,
        /// All there are.
        known: Vec<String>,
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
            Self::CloudProvider { .. } => "give `aws`, `azure` or `gcp`".to_owned(),
            Self::CloudRegion {
                nearest, provider, ..
            } if nearest.is_empty() => {
                format!("give the region as `{provider}` names it, or its country with `--country`")
            }
            Self::CloudRegion { nearest, .. } => format!("did you mean {}?", nearest.join(", ")),
            Self::HalfACloud { .. } => {
                "give both, as `--cloud-provider aws --cloud-region eu-west-3`".to_owned()
            }
            Self::CloudElsewhere { .. } => "give only one of them".to_owned(),
            Self::EnergySource { known, .. } => format!("give some of {}", known.join(", ")),
        }
    }
}

/// What the person says of the electricity, word by word.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlaceWords<'a> {
    /// ISO2, ISO3 or an English name, in any case.
    pub country: Option<&'a str>,
    /// ISO 3166-2, or, beside a country, the part behind the hyphen, or a name; in any case.
    pub region: Option<&'a str>,
    /// `aws`, `azure`, `gcp`, or the maker's name.
    pub cloud_provider: Option<&'a str>,
    /// As the provider writes it; an availability zone will do.
    pub cloud_region: Option<&'a str>,
    /// Sources of energy, and how much of each; only the proportions count.
    pub energy_mix: Option<&'a [(String, f64)]>,
    /// gCO2eq/kWh.
    pub intensity: Option<f64>,
}

impl PlaceWords<'_> {
    /// Whether anything is said at all.
    #[must_use]
    pub fn any(&self) -> bool {
        self.country.is_some()
            || self.region.is_some()
            || self.cloud_provider.is_some()
            || self.cloud_region.is_some()
            || self.energy_mix.is_some()
            || self.intensity.is_some()
    }
}

impl Tables {
    /// The place that the person's words mean: intensity before mix before cloud region before region before country, and the world
    /// when nothing was said. Words that do not win are checked all the same.
    ///
    /// # Errors
    /// [`UnknownPlace`] when a word means nothing, when two of them disagree, or when the tables have no figure.
    pub fn resolve_place(&self, words: &PlaceWords<'_>) -> Result<Place, UnknownPlace> {
        let country = words.country.map(|given| self.country(given)).transpose()?;
        let region = words
            .region
            .map(|given| self.region(given, country))
            .transpose()?;
        if let (Some(country), Some(region)) = (country, region)
            && !region.is_in(country)
        {
            return Err(UnknownPlace::Disagree {
                country: country.iso3.clone(),
                region: region.code.clone(),
            });
        }
        let cloud = self.cloud(words.cloud_provider, words.cloud_region)?;
        if let Some(cloud) = cloud {
            let other_country = country.is_some_and(|country| country.iso3 != cloud.iso3);
            let subdivision = cloud.subdivision.as_deref();
            let other_region = region.is_some_and(|region| subdivision != Some(region.code.as_str()));
            if other_country || other_region {
                return Err(UnknownPlace::CloudElsewhere {
                    provider: cloud.provider.clone(),
                    region: cloud.region.clone(),
                    country: subdivision.unwrap_or(&cloud.iso3).to_owned(),
                });
            }
        }
        let mix: Option<Vec<MixPart>> = words.energy_mix.map(|mix| self.energy_mix(mix)).transpose()?;
        if let Some(given) = words.intensity {
            GramsPerKwh::new(given).map_err(|_| UnknownPlace::Intensity { given })?;
            return Ok(Place::Given(given));
        }
        if let Some(mix) = mix {
            return Ok(Place::Mix(mix));
        }
        if let Some(cloud) = cloud {
            return Ok(Place::Cloud {
                provider: cloud.provider.clone(),
                region: cloud.region.clone(),
            });
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
pub(super) fn best(mut scored: Vec<(f64, String)>) -> Vec<String> {
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
