//! From a place to its electricity's carbon intensity, with pedigree and range.
//!
//! Location-based annual averages, never marginal and never market-based. Countries are lifecycle and production
//! (Ember), regions are direct: the difference is a factor of up to six where there is much hydro or nuclear power, so
//! the label goes with the figure, and the range never tries to cover it.
//!
//! # The range
//! It answers "how far may an annual average for this place be off", for the same boundary and gases:
//!
//! - A country of the newest data year: 15 %, and at least 15 g/kWh. Of the twelve countries that were compared (FRA DEU
//!   USA POL SWE IND CHN BRA ZAF CAN NOR GBR), the independently computed figure of Electricity Maps (lifecycle,
//!   consumption, 2025) lies inside for ten; outside are CAN and GBR, which trade much electricity.
//! - A region: 10 %, and at least 2 g/kWh. These are official inventories; successive editions differ by 3 to 10 %
//!   (US: 350 to 341 g from eGRID2023 to eGRID2024). Rounding in the publication is within that.
//! - Five points more for every year that the figure is older than the newest country figure: grids lost 3 to 6 % a year
//!   from 2023 to 2025, some three times that.
//! - A tiny grid: the rounding of its publisher on top (`rounding_g` in the table).
//! - The world, when nobody said where: from the 5th to the 95th percentile of the countries, because the place is what
//!   is not known.
//! - A cloud region: that of the part or the country that it is in.
//! - An energy mix: [`super::energy_mix`].
//! - `--intensity`: none. The person knows.

use super::codecarbon;
use super::places::UnknownPlace;
use super::recording::{Place, Ranged};
use super::report::{CloudPlace, Intensity};
use super::tables::Tables;
use super::units::GramsPerKwh;

const COUNTRY_SHARE: f64 = 0.15;
const COUNTRY_FLOOR_G: f64 = 15.0;
const REGION_SHARE: f64 = 0.10;
const REGION_FLOOR_G: f64 = 2.0;
const SHARE_PER_YEAR: f64 = 0.05;

/// How far to believe a figure.
struct Belief {
    share: f64,
    floor_g: f64,
    rounding_g: f64,
}

impl Tables {
    /// The carbon intensity of a place's electricity.
    ///
    /// # Errors
    /// [`UnknownPlace`] when the place is not in these tables: a recording may come from a version that had others.
    pub fn intensity(&self, place: &Place) -> Result<Intensity, UnknownPlace> {
        match place {
            Place::Given(given) => given_by_user(*given),
            Place::Mix(mix) => self.intensity_of_mix(mix),
            Place::Cloud { provider, region } => {
                let cloud = self.cloud_row(provider, region)?;
                let grid = match &cloud.subdivision {
                    Some(code) => Place::Region(code.clone()),
                    None => Place::Country(cloud.iso3.clone()),
                };
                Ok(Intensity {
                    cloud: Some(CloudPlace {
                        provider: cloud.provider.clone(),
                        region: cloud.region.clone(),
                        location: cloud.location.clone(),
                    }),
                    ..self.intensity(&grid)?
                })
            }
            Place::Region(code) => {
                let row = self.region(code, None)?;
                let belief = Belief {
                    share: REGION_SHARE,
                    floor_g: REGION_FLOOR_G,
                    rounding_g: 0.0,
                };
                let range = self.around(row.g_per_kwh, row.year, &belief);
                Ok(self.located(
                    range,
                    (&row.code, &row.name),
                    row.year,
                    &row.source,
                    (&row.boundary, &row.flow),
                ))
            }
            Place::Country(code) => {
                let row = self.country(code)?;
                let (Some(g), Some(year)) = (row.g_per_kwh, row.year) else {
                    return Err(UnknownPlace::NoFigure {
                        name: row.name.clone(),
                    });
                };
                let belief = Belief {
                    share: COUNTRY_SHARE,
                    floor_g: COUNTRY_FLOOR_G,
                    rounding_g: row.rounding_g.unwrap_or_default(),
                };
                let range = self.around(g, year, &belief);
                Ok(self.located(
                    range,
                    (&row.iso3, &row.name),
                    year,
                    &row.source,
                    (&row.boundary, &row.flow),
                ))
            }
            Place::CodeCarbon { country, region } => self.compatible(country, region.as_deref()),
            Place::World => {
                let row = &self.world;
                let range = self.anywhere();
                let labels = (row.boundary.as_str(), row.flow.as_str());
                let mut world = self.located(range, (&row.code, &row.name), row.year, &row.source, labels);
                world.assumed = true;
                Ok(world)
            }
        }
    }

    fn compatible(&self, country: &str, region: Option<&str>) -> Result<Intensity, UnknownPlace> {
        let rows = &mut self.compatible.iter();
        let row = rows
            .find(|row| row.country == country && row.region == region.unwrap_or_default())
            .ok_or_else(|| UnknownPlace::Country {
                given: country.to_owned(),
                nearest: Vec::new(),
            })?;
        let world = country == codecarbon::WORLD;
        let belief = Belief {
            share: COUNTRY_SHARE,
            floor_g: COUNTRY_FLOOR_G,
            rounding_g: 0.0,
        };
        let around = self.around(row.g_per_kwh, row.year.unwrap_or_default(), &belief);
        let value = if world {
            let anywhere = self.anywhere();
            Ranged {
                low: GramsPerKwh::clamped(anywhere.low.get().min(row.g_per_kwh)),
                value: around.value,
                high: GramsPerKwh::clamped(anywhere.high.get().max(row.g_per_kwh)),
            }
        } else {
            around
        };
        let name = self.country(country).map_or(country, |known| known.name.as_str());
        let name = match region {
            Some(region) => format!("{region}, {name}"),
            None if world => "world average of CodeCarbon".to_owned(),
            None => name.to_owned(),
        };
        let code = if row.code.is_empty() { country } else { &row.code };
        // A region of theirs may be of any boundary; a country is what Our World in Data has of Ember.
        let boundary = if region.is_some() { "unstated" } else { "lifecycle" };
        let mut intensity = self.located(
            value,
            (code, &name),
            row.year.unwrap_or_default(),
            &row.source,
            (boundary, "unstated"),
        );
        intensity.year = row.year;
        intensity.method = codecarbon::LABEL.to_owned();
        intensity.assumed = world;
        Ok(intensity)
    }

    fn located(
        &self,
        value: Ranged<GramsPerKwh>,
        (code, name): (&str, &str),
        year: u16,
        source: &str,
        (boundary, flow): (&str, &str),
    ) -> Intensity {
        let known = self.source(source);
        Intensity {
            value,
            place: code.to_owned(),
            name: name.to_owned(),
            source: known
                .as_ref()
                .map_or_else(|| source.to_owned(), |s| format!("{}, {}", s.publisher, s.title)),
            year: Some(year),
            boundary: boundary.to_owned(),
            flow: flow.to_owned(),
            method: "location-average".to_owned(),
            licence: known.and_then(|source| source.licence.clone()),
            assumed: false,
            cloud: None,
            mix: Vec::new(),
            live: None,
            over_time: None,
        }
    }

    fn around(&self, g: f64, year: u16, belief: &Belief) -> Ranged<GramsPerKwh> {
        let newest = self
            .countries
            .iter()
            .filter_map(|country| country.year)
            .max()
            .unwrap_or(year);
        let age = f64::from(newest.saturating_sub(year));
        let share = belief.share + SHARE_PER_YEAR * age;
        let half = (g * share).max(belief.floor_g) + belief.rounding_g;
        Ranged {
            low: GramsPerKwh::clamped(g - half),
            value: GramsPerKwh::clamped(g),
            high: GramsPerKwh::clamped(g + half),
        }
    }

    /// The world average in the spread of the countries.
    fn anywhere(&self) -> Ranged<GramsPerKwh> {
        let mut all: Vec<f64> = self
            .countries
            .iter()
            .filter_map(|country| country.g_per_kwh)
            .collect();
        all.sort_by(f64::total_cmp);
        let value = self.world.g_per_kwh;
        let at = |percent: usize| all.get(all.len() * percent / 100).copied().unwrap_or(value);
        Ranged {
            low: GramsPerKwh::clamped(at(5).min(value)),
            value: GramsPerKwh::clamped(value),
            high: GramsPerKwh::clamped(at(95).max(value)),
        }
    }
}

fn given_by_user(given: f64) -> Result<Intensity, UnknownPlace> {
    let value = GramsPerKwh::new(given).map_err(|_| UnknownPlace::Intensity { given })?;
    Ok(Intensity {
        value: Ranged {
            low: value,
            value,
            high: value,
        },
        place: "user".to_owned(),
        name: "given by the user".to_owned(),
        source: "user".to_owned(),
        year: None,
        boundary: "unstated".to_owned(),
        flow: "unstated".to_owned(),
        method: "user".to_owned(),
        licence: None,
        assumed: false,
        cloud: None,
        mix: Vec::new(),
        live: None,
        over_time: None,
    })
}

#[cfg(test)]
#[path = "intensity_golden_tests.rs"]
mod golden;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(place: &Place) -> Intensity {
        Tables::embedded().unwrap().intensity(place).unwrap()
    }

    fn grams(range: Ranged<GramsPerKwh>) -> [f64; 3] {
        [range.low, range.value, range.high].map(|g| (g.get() * 100.0).round() / 100.0)
    }

    #[track_caller]
    fn close(found: [f64; 3], wanted: [f64; 3]) {
        let near = found
            .iter()
            .zip(wanted)
            .all(|(found, wanted)| (found - wanted).abs() < 0.006);
        assert!(near, "{found:?}, not {wanted:?}");
    }

    #[test]
    fn france_is_embers_lifecycle_figure_of_2025() {
        let france = of(&Place::Country("FRA".to_owned()));
        close(grams(france.value), [26.45, 41.45, 56.45]);
        assert_eq!((france.place.as_str(), france.name.as_str()), ("FRA", "France"));
        assert_eq!(france.source, "Ember, Yearly Electricity Data (2026 release)");
        assert_eq!(france.year, Some(2025));
        assert_eq!(
            (france.boundary.as_str(), france.flow.as_str()),
            ("lifecycle", "production")
        );
        assert_eq!(france.method, "location-average");
        assert_eq!(france.licence.as_deref(), Some("CC-BY-4.0"));
        assert!(!france.assumed);
    }

    #[test]
    fn an_older_figure_is_believed_less() {
        let ukraine = of(&Place::Country("UKR".to_owned()));
        assert_eq!(ukraine.year, Some(2022));
        close(grams(ukraine.value), [250.47 * 0.7, 250.47, 250.47 * 1.3]);
    }

    #[test]
    fn a_tiny_grid_carries_its_rounding_and_never_goes_below_nothing() {
        let montserrat = of(&Place::Country("MSR".to_owned()));
        let [low, value, high] = grams(montserrat.value);
        close([low, value, high], [0.0, 1000.0, 2300.0]);
    }

    #[test]
    fn a_region_is_direct_and_says_so() {
        let quebec = of(&Place::Region("CA-QC".to_owned()));
        assert_eq!(
            (quebec.boundary.as_str(), quebec.flow.as_str()),
            ("direct", "consumption")
        );
        close(grams(quebec.value), [0.6, 2.6, 4.6]);
        assert_eq!((quebec.place.as_str(), quebec.name.as_str()), ("CA-QC", "Quebec"));
        let california = of(&Place::Region("US-CA".to_owned()));
        close(grams(california.value), [143.25, 179.06, 214.88]);
        assert_eq!(california.licence, None);
        let beijing = of(&Place::Region("CN-BJ".to_owned()));
        assert!(
            beijing.source.contains("CO2 emission factors of 2023"),
            "{}",
            beijing.source
        );
    }

    #[test]
    fn the_world_is_an_assumption_with_the_spread_of_the_countries() {
        let world = of(&Place::World);
        assert!(world.assumed);
        assert_eq!(
            (world.place.as_str(), world.name.as_str()),
            ("WORLD", "world average")
        );
        let [low, value, high] = grams(world.value);
        close([low, value, high], [low, 458.49, high]);
        assert!(
            (20.0..60.0).contains(&low) && (650.0..950.0).contains(&high),
            "{low} to {high}"
        );
    }

    #[test]
    fn a_given_intensity_is_the_persons_own_and_has_no_range() {
        let given = of(&Place::Given(56.0));
        close(grams(given.value), [56.0, 56.0, 56.0]);
        assert_eq!((given.place.as_str(), given.method.as_str()), ("user", "user"));
        assert_eq!(
            (given.boundary.as_str(), given.flow.as_str()),
            ("unstated", "unstated")
        );
        assert_eq!((given.year, given.licence), (None, None));
    }

    #[test]
    fn kosovo_and_turkmenistan_are_real() {
        close(
            [of(&Place::Country("XKX".to_owned())).value.value.get(), 0.0, 0.0],
            [902.9, 0.0, 0.0],
        );
        close(
            [of(&Place::Country("TKM".to_owned())).value.value.get(), 0.0, 0.0],
            [1306.3, 0.0, 0.0],
        );
    }

    #[test]
    fn every_range_holds_its_value() {
        let tables = Tables::embedded().unwrap();
        let countries = tables.countries.iter().filter(|row| row.g_per_kwh.is_some());
        let places = countries.map(|row| Place::Country(row.iso3.clone()));
        let places = places.chain(tables.regions.iter().map(|row| Place::Region(row.code.clone())));
        let mut checked = 0;
        for place in places {
            let Ranged { low, value, high } = of(&place).value;
            assert!(
                low < value && value < high,
                "{place:?}: {low:?} {value:?} {high:?}"
            );
            checked += 1;
        }
        assert!(checked > 300);
    }

    #[test]
    fn a_place_of_another_version_is_an_error() {
        let tables = Tables::embedded().unwrap();
        let cloud = Place::Cloud {
            provider: "aws".to_owned(),
            region: "eu-moon-1".to_owned(),
        };
        let error = tables.intensity(&cloud).unwrap_err();
        assert!(error.to_string().contains("`eu-moon-1`"), "{error}");
        assert!(tables.intensity(&Place::Country("ZZZ".to_owned())).is_err());
        assert!(tables.intensity(&Place::Country("CAF".to_owned())).is_err());
    }
}
