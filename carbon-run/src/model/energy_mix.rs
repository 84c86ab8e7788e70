//! From what electricity is made of to its carbon intensity: the mean of the sources' factors, weighted by their parts.
//!
//! `g = sum(part * g_source)`, lifecycle, with the factors of data/grid/energy_source.csv (IPCC AR5, medians). The range: each source may be
//! anywhere within what has been published of it, independently of the others, so their half-widths combine by quadrature.

use super::places::UnknownPlace;
use super::recording::{MixPart, Ranged};
use super::report::Intensity;
use super::tables::{EnergySource, Tables};
use super::units::GramsPerKwh;

/// Where the factors come from, in a report.
const FACTORS: &str = "IPCC AR5 WG III, Annex III (2014), medians";

/// Other names of sources that people use.
const SYNONYMS: [(&str, &str); 6] = [
    ("natural-gas", "gas"),
    ("petroleum", "oil"),
    ("pv", "solar"),
    ("solar-pv", "solar"),
    ("water", "hydro"),
    ("wind-onshore", "wind"),
];

impl Tables {
    /// The parts of a mix, each source once, by amounts in any unit.
    pub(super) fn energy_mix(&self, given: &[(String, f64)]) -> Result<Vec<MixPart>, UnknownPlace> {
        let whole: f64 = given.iter().map(|(_, amount)| amount).sum();
        let mut parts: Vec<MixPart> = Vec::new();
        for (name, amount) in given {
            let source = self.energy_source(name)?.source.clone();
            let share = amount / whole;
            match parts.iter_mut().find(|part| part.source == source) {
                Some(part) => part.share += share,
                None => parts.push(MixPart { source, share }),
            }
        }
        Ok(parts)
    }

    fn energy_source(&self, given: &str) -> Result<&EnergySource, UnknownPlace> {
        let wanted = given.trim().to_lowercase().replace([' ', '_'], "-");
        let synonym = SYNONYMS.into_iter().find(|(name, _)| *name == wanted);
        let wanted = synonym.map_or(wanted.as_str(), |(_, source)| source);
        self.energy_sources
            .iter()
            .find(|row| row.source == wanted)
            .ok_or_else(|| UnknownPlace::EnergySource {
                given: given.to_owned(),
                known: self
                    .energy_sources
                    .iter()
                    .map(|row| format!("`{}`", row.source))
                    .collect(),
            })
    }

    /// The carbon intensity of a mix.
    ///
    /// # Errors
    /// When a source is not in these tables.
    pub(super) fn intensity_of_mix(&self, mix: &[MixPart]) -> Result<Intensity, UnknownPlace> {
        let (mut value, mut below, mut above) = (0.0, 0.0_f64, 0.0_f64);
        let mut names = Vec::new();
        for part in mix {
            let row = self.energy_source(&part.source)?;
            value += part.share * row.g_per_kwh;
            below = below.hypot(part.share * (row.g_per_kwh - row.low));
            above = above.hypot(part.share * (row.high - row.g_per_kwh));
            names.push(format!("{:.0} % {}", part.share * 100.0, row.name));
        }
        Ok(Intensity {
            value: Ranged {
                low: GramsPerKwh::clamped(value - below),
                value: GramsPerKwh::clamped(value),
                high: GramsPerKwh::clamped(value + above),
            },
            place: "mix".to_owned(),
            name: names.join(", "),
            source: FACTORS.to_owned(),
            year: None,
            boundary: "lifecycle".to_owned(),
            flow: "unstated".to_owned(),
            method: "energy-mix".to_owned(),
            licence: None,
            assumed: false,
            cloud: None,
            mix: mix.to_vec(),
            live: None,
            over_time: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::places::PlaceWords;
    use crate::model::recording::Place;
    use proptest::prelude::*;

    fn mix(given: &[(&str, f64)]) -> Result<Intensity, UnknownPlace> {
        let tables = Tables::embedded().unwrap();
        let given: Vec<(String, f64)> = given
            .iter()
            .map(|(name, amount)| ((*name).to_owned(), *amount))
            .collect();
        let place = tables.resolve_place(&PlaceWords {
            energy_mix: Some(&given),
            ..PlaceWords::default()
        })?;
        tables.intensity(&place)
    }

    fn grams(given: &[(&str, f64)]) -> f64 {
        mix(given).unwrap().value.value.get()
    }

    #[track_caller]
    fn close(found: f64, wanted: f64) {
        assert!((found - wanted).abs() < 1e-9, "{found}, not {wanted}");
    }

    #[test]
    fn a_mix_is_the_mean_of_its_sources() {
        close(
            grams(&[("coal", 30.0), ("gas", 20.0), ("wind", 50.0)]),
            0.3 * 820.0 + 0.2 * 490.0 + 0.5 * 11.0,
        );
        close(grams(&[("nuclear", 1.0)]), 12.0);
        // Terawatt-hours do as well as per cent.
        close(
            grams(&[("hydro", 3.5), ("oil", 0.5)]),
            (3.5 * 24.0 + 0.5 * 840.0) / 4.0,
        );
    }

    #[test]
    fn names_that_mean_the_same_are_one_source() {
        let found = mix(&[("PV", 1.0), ("solar", 1.0), ("Natural Gas", 2.0)]).unwrap();
        assert_eq!(found.mix.len(), 2);
        assert_eq!(found.name, "50 % solar photovoltaic, 50 % natural gas");
        assert_eq!(
            (found.method.as_str(), found.boundary.as_str()),
            ("energy-mix", "lifecycle")
        );
    }

    #[test]
    fn an_unknown_source_is_an_error_that_names_all_there_are() {
        let error = mix(&[("coal", 1.0), ("peat", 1.0)]).unwrap_err();
        assert_eq!(error.to_string(), "unknown source of energy `peat`");
        assert!(error.hint().contains("`coal`") && error.hint().contains("`wind-offshore`"));
    }

    #[test]
    fn a_mix_of_another_version_is_an_error() {
        let place = Place::Mix(vec![MixPart {
            source: "fusion".to_owned(),
            share: 1.0,
        }]);
        assert!(Tables::embedded().unwrap().intensity(&place).is_err());
    }

    proptest! {
        #[test]
        fn a_mix_lies_between_its_sources_and_inside_its_range(
            coal in 0.0..1000.0_f64, wind in 0.0..1000.0_f64, gas in 0.001..1000.0_f64, unit in 0.001..1000.0_f64,
        ) {
            let found = mix(&[("coal", coal), ("wind", wind), ("gas", gas)]).unwrap().value;
            let value = found.value.get();
            prop_assert!((11.0 - 1e-9..=820.0 + 1e-9).contains(&value));
            prop_assert!(found.low.get() <= value && value <= found.high.get());
            let scaled = grams(&[("coal", coal * unit), ("wind", wind * unit), ("gas", gas * unit)]);
            prop_assert!((scaled - value).abs() < 1e-6);
        }
    }
}
