//! Which region of which cloud people mean, and what is published of its facility.

use super::places::{PlaceWords, UnknownPlace, best};
use super::recording::{FigureFrom, Place};
use super::tables::{CloudRegion, Tables};

/// What the operator publishes of a facility.
#[derive(Debug, Clone, PartialEq)]
pub struct Facility {
    /// Energy of the facility per energy of its computers, at least 1 (ISO/IEC 30134-2), and who says so.
    pub pue: (f64, FigureFrom),
    /// Litres of water per kWh of its computers' energy (ISO/IEC 30134-9), and who says so.
    pub wue: Option<(f64, FigureFrom)>,
}

/// Other names under which people know a cloud, folded.
const PROVIDERS: [(&str, &str); 10] = [
    ("amazon", "aws"),
    ("amazonwebservices", "aws"),
    ("aws", "aws"),
    ("azure", "azure"),
    ("gcp", "gcp"),
    ("google", "gcp"),
    ("googlecloud", "gcp"),
    ("googlecloudplatform", "gcp"),
    ("microsoft", "azure"),
    ("microsoftazure", "azure"),
];

impl Tables {
    /// The cloud region that two words mean; `None` of no words.
    pub(super) fn cloud(
        &self,
        provider: Option<&str>,
        region: Option<&str>,
    ) -> Result<Option<&CloudRegion>, UnknownPlace> {
        let half = |given, missing| Err(UnknownPlace::HalfACloud { given, missing });
        let (provider, region) = match (provider, region) {
            (None, None) => return Ok(None),
            (Some(_), None) => return half("cloud-provider", "cloud-region"),
            (None, Some(_)) => return half("cloud-region", "cloud-provider"),
            (Some(provider), Some(region)) => (provider, region),
        };
        let wanted = folded(provider);
        let (_, provider) = PROVIDERS
            .into_iter()
            .find(|(name, _)| *name == wanted)
            .ok_or_else(|| UnknownPlace::CloudProvider {
                given: provider.to_owned(),
            })?;
        self.cloud_row(provider, region).map(Some)
    }

    /// ISO3 of the country in which the cloud region of these words is; `None` where they name none.
    ///
    /// # Errors
    /// As [`Self::resolve_place`].
    pub fn country_of_cloud(&self, words: &PlaceWords<'_>) -> Result<Option<&str>, UnknownPlace> {
        let row = self.cloud(words.cloud_provider, words.cloud_region)?;
        Ok(row.map(|row| row.iso3.as_str()))
    }

    /// The row of a region, by the provider's own name. Azure writes some with spaces (`West Europe`); an availability zone
    /// (`eu-west-3a`, `europe-west9-b`) is in its region.
    pub(super) fn cloud_row(&self, provider: &str, region: &str) -> Result<&CloudRegion, UnknownPlace> {
        let wanted = region.trim().to_lowercase().replace(' ', "");
        let zone = wanted.strip_suffix(|letter: char| letter.is_ascii_lowercase());
        let zone = zone.map(|region| region.strip_suffix('-').unwrap_or(region));
        let named = |name: &str| {
            let mut rows = self.cloud_regions.iter();
            rows.find(|row| row.provider == provider && row.region == name)
        };
        named(&wanted)
            .or_else(|| named(zone.filter(|_| provider != "azure")?))
            .ok_or_else(|| UnknownPlace::CloudRegion {
                provider: provider.to_owned(),
                given: region.to_owned(),
                nearest: self.nearest_cloud_regions(provider, &wanted),
            })
    }

    fn nearest_cloud_regions(&self, provider: &str, wanted: &str) -> Vec<String> {
        let of_this = self.cloud_regions.iter().filter(|row| row.provider == provider);
        let scored = of_this.map(|row| {
            let by_name = strsim::jaro_winkler(wanted, &row.region);
            let by_place = strsim::jaro_winkler(wanted, &folded(&row.location));
            (
                by_name.max(by_place),
                format!("`{}` ({})", row.region, row.location),
            )
        });
        best(scored.collect())
    }

    /// What is published of a place's facility: of the region itself, else of the provider's whole fleet. `None` for a place that
    /// is no cloud's.
    #[must_use]
    pub fn facility(&self, place: &Place) -> Option<Facility> {
        let Place::Cloud { provider, region } = place else {
            return None;
        };
        let region = self.cloud_row(provider, region).ok()?;
        let fleet = self
            .cloud_providers
            .iter()
            .find(|row| row.provider == region.provider)?;
        let pue = match (region.pue, region.pue_year) {
            (Some(pue), Some(year)) => (pue, self.published(&region.pue_source, year)),
            _ => (fleet.pue, self.published(&fleet.pue_source, fleet.pue_year)),
        };
        let wue = fleet.wue_l_per_kwh.zip(fleet.wue_year);
        Some(Facility {
            pue,
            wue: wue.map(|(wue, year)| (wue, self.published(&fleet.wue_source, year))),
        })
    }

    /// The overhead of a place's facility, and who says so: the person, else the operator, else nobody.
    #[must_use]
    pub fn overhead(&self, said: Option<f64>, place: &Place) -> (f64, Option<FigureFrom>) {
        match (said, self.facility(place)) {
            (Some(pue), _) => (pue, Some(FigureFrom::User)),
            (None, Some(Facility { pue: (pue, from), .. })) => (pue, Some(from)),
            (None, None) => (1.0, None),
        }
    }

    /// The zone of Electricity Maps that a place is in, where it is certain.
    #[must_use]
    pub fn electricity_maps_zone(&self, place: &Place) -> Option<String> {
        match place {
            Place::Cloud { provider, region } => self.cloud_row(provider, region).ok()?.zone.clone(),
            // Of these countries, and of no other that has parts in the tables, the zones are the parts.
            Place::Region(code) => {
                let whole = code.starts_with("CA-") || code.starts_with("AU-");
                whole.then(|| code.clone())
            }
            Place::Country(iso3) => {
                let row = self.countries.iter().find(|row| row.iso3 == *iso3)?;
                Some(row.iso2.clone())
            }
            Place::Given(_) | Place::Mix(_) | Place::CodeCarbon { .. } | Place::World => None,
        }
    }

    fn published(&self, id: &str, year: u16) -> FigureFrom {
        let known = self.source(id);
        FigureFrom::Published {
            source: known.map_or_else(|| id.to_owned(), |known| known.publisher.clone()),
            year,
        }
    }
}

/// Lower case, letters and digits only.
fn folded(text: &str) -> String {
    text.chars()
        .filter(|letter| letter.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables() -> &'static Tables {
        Tables::embedded().unwrap()
    }

    fn cloud(provider: &str, region: &str) -> Result<Place, UnknownPlace> {
        tables().resolve_place(&PlaceWords {
            cloud_provider: Some(provider),
            cloud_region: Some(region),
            ..PlaceWords::default()
        })
    }

    #[test]
    fn a_cloud_region_is_found_under_the_names_that_people_use() {
        for (provider, given, region) in [
            ("aws", "eu-west-3", "aws eu-west-3"),
            ("AWS", "EU-WEST-3", "aws eu-west-3"),
            ("Amazon Web Services", "eu-west-3a", "aws eu-west-3"),
            ("google", "europe-west9-b", "gcp europe-west9"),
            ("gcp", "europe-west9", "gcp europe-west9"),
            ("Microsoft Azure", "West Europe", "azure westeurope"),
            ("azure", "francecentral", "azure francecentral"),
            // The same name in two clouds.
            ("aws", "me-central-1", "aws me-central-1"),
            ("gcp", "me-central1", "gcp me-central1"),
        ] {
            let Ok(Place::Cloud {
                provider,
                region: found,
            }) = cloud(provider, given)
            else {
                panic!("{provider} {given}");
            };
            assert_eq!(format!("{provider} {found}"), region);
        }
    }

    #[test]
    fn what_is_no_cloud_region_is_an_error_with_the_nearest() {
        let error = cloud("aws", "eu-wets-3").unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown region `eu-wets-3` of cloud provider `aws`"
        );
        assert!(error.hint().contains("`eu-west-3` (Paris)"), "{}", error.hint());
        let error = cloud("aws", "Frankfurt").unwrap_err();
        assert!(error.hint().contains("`eu-central-1`"), "{}", error.hint());
        let error = cloud("digitalocean", "fra1").unwrap_err();
        assert_eq!(error.to_string(), "unknown cloud provider `digitalocean`");
        assert_eq!(error.hint(), "give `aws`, `azure` or `gcp`");
    }

    #[test]
    fn half_a_cloud_is_no_place() {
        let half = PlaceWords {
            cloud_region: Some("northeurope"),
            ..PlaceWords::default()
        };
        let error = tables().resolve_place(&half).unwrap_err();
        assert_eq!(error.to_string(), "`--cloud-region` without `--cloud-provider`");
    }

    #[test]
    fn a_cloud_region_elsewhere_than_the_country_is_an_error() {
        let words = |country, region| PlaceWords {
            country,
            region,
            cloud_provider: Some("aws"),
            cloud_region: Some("ca-central-1"),
            ..PlaceWords::default()
        };
        let error = tables().resolve_place(&words(Some("FRA"), None)).unwrap_err();
        assert_eq!(error.to_string(), "region `ca-central-1` of `aws` is in CA-QC");
        assert!(
            tables()
                .resolve_place(&words(Some("CAN"), Some("CA-ON")))
                .is_err()
        );
        assert!(tables().resolve_place(&words(Some("CAN"), Some("CA-QC"))).is_ok());
    }

    #[test]
    fn every_cloud_region_has_an_intensity_and_a_facility() {
        let mut checked = 0;
        for row in tables().cloud_regions.iter() {
            let place = cloud(&row.provider, &row.region).unwrap();
            let intensity = tables().intensity(&place).unwrap();
            assert_eq!(intensity.cloud.unwrap().region, row.region);
            assert!(intensity.value.value.get() > 0.0);
            let facility = tables().facility(&place).unwrap();
            assert!((1.0..2.0).contains(&facility.pue.0), "{}", row.region);
            checked += 1;
        }
        assert!(checked > 140);
    }

    #[test]
    fn a_region_has_its_own_overhead_and_else_its_fleets() {
        let of = |provider, region| {
            let facility = tables().facility(&cloud(provider, region).unwrap()).unwrap();
            let (pue, FigureFrom::Published { source, year }) = facility.pue else {
                panic!("nobody said so");
            };
            (pue, source, year, facility.wue.map(|(wue, _)| wue))
        };
        assert_eq!(
            of("aws", "eu-west-1"),
            (1.11, "Amazon".to_owned(), 2024, Some(0.12))
        );
        assert_eq!(
            of("aws", "eu-west-3"),
            (1.14, "Amazon".to_owned(), 2025, Some(0.12))
        );
        assert_eq!(of("gcp", "europe-west9"), (1.09, "Google".to_owned(), 2024, None));
        assert_eq!(tables().facility(&Place::Country("FRA".to_owned())), None);
    }

    #[test]
    fn a_zone_is_told_only_where_it_is_certain() {
        let zone = |place| tables().electricity_maps_zone(&place);
        assert_eq!(zone(Place::Country("FRA".to_owned())).as_deref(), Some("FR"));
        assert_eq!(zone(Place::Region("CA-QC".to_owned())).as_deref(), Some("CA-QC"));
        assert_eq!(zone(Place::Region("US-CA".to_owned())), None);
        let of_cloud = |provider, region| zone(cloud(provider, region).unwrap());
        assert_eq!(of_cloud("aws", "us-east-1").as_deref(), Some("US-MIDA-PJM"));
        assert_eq!(of_cloud("aws", "us-west-2"), None);
        assert_eq!(zone(Place::World), None);
    }
}
