//! Golden values: what places must come to, typed from the publications themselves and not read from the tables that are tested.
//!
//! Countries: Ember, Yearly Electricity Data, 2026 release (2025) and 2025 release. US states: eGRID2023 rev 2. Provinces: ECCC 4.0,
//! Table 5.4. States of Australia: NGA Factors 2026. Provinces of China: MEE 2025 No. 47. PUE: Amazon, Google 2024, Microsoft 2022/23.

use super::*;
use crate::model::places::PlaceWords;

/// What is said, g/kWh, year, boundary, and the facility's overhead where it is a cloud's.
type Golden = (PlaceWords<'static>, f64, u16, &'static str, Option<f64>);

fn country(country: &'static str, g: f64, year: u16) -> Golden {
    let words = PlaceWords {
        country: Some(country),
        ..PlaceWords::default()
    };
    (words, g, year, "lifecycle", None)
}

fn region(region: &'static str, g: f64, year: u16) -> Golden {
    let words = PlaceWords {
        region: Some(region),
        ..PlaceWords::default()
    };
    (words, g, year, "direct", None)
}

fn cloud(
    provider: &'static str,
    region: &'static str,
    (g, year, boundary): (f64, u16, &'static str),
    pue: f64,
) -> Golden {
    let words = PlaceWords {
        cloud_provider: Some(provider),
        cloud_region: Some(region),
        ..PlaceWords::default()
    };
    (words, g, year, boundary, Some(pue))
}

#[test]
fn forty_five_places_are_what_their_publishers_say() {
    let golden = [
        country("FRA", 41.45, 2025),
        country("DEU", 329.65, 2025),
        country("USA", 384.4, 2025),
        country("POL", 590.8, 2025),
        country("SWE", 35.35, 2025),
        country("IND", 670.55, 2025),
        country("CHN", 526.19, 2025),
        country("BRA", 109.95, 2025),
        country("ZAF", 698.96, 2025),
        country("CAN", 190.73, 2025),
        country("NOR", 28.1, 2025),
        country("GBR", 217.41, 2025),
        country("JPN", 477.37, 2025),
        country("KOR", 417.14, 2025),
        country("AUS", 524.59, 2025),
        country("ITA", 284.63, 2025),
        country("ESP", 153.56, 2025),
        country("NLD", 253.56, 2025),
        country("UKR", 250.47, 2022),
        country("TUR", 475.73, 2025),
        region("US-CA", 179.1, 2023),
        region("US-TX", 349.8, 2023),
        region("US-WA", 120.9, 2023),
        region("US-VA", 244.8, 2023),
        region("CA-QC", 2.6, 2024),
        region("CA-AB", 346.0, 2024),
        region("AU-NSW", 600.0, 2026),
        region("AU-TAS", 210.0, 2026),
        region("CN-BJ", 555.4, 2023),
        region("CN-GD", 441.9, 2023),
        cloud("aws", "us-east-1", (244.8, 2023, "direct"), 1.15),
        cloud("aws", "eu-west-1", (255.9, 2025, "lifecycle"), 1.11),
        cloud("aws", "eu-central-1", (329.65, 2025, "lifecycle"), 1.35),
        cloud("aws", "ap-south-1", (670.55, 2025, "lifecycle"), 1.42),
        cloud("aws", "ca-central-1", (2.6, 2024, "direct"), 1.19),
        cloud("aws", "eu-north-1", (35.35, 2025, "lifecycle"), 1.1),
        cloud("azure", "westeurope", (253.56, 2025, "lifecycle"), 1.14),
        cloud("azure", "northeurope", (255.9, 2025, "lifecycle"), 1.19),
        cloud("azure", "southcentralus", (349.8, 2023, "direct"), 1.28),
        cloud("azure", "swedencentral", (35.35, 2025, "lifecycle"), 1.16),
        cloud("gcp", "europe-west1", (109.3, 2025, "lifecycle"), 1.09),
        cloud("gcp", "us-central1", (287.6, 2023, "direct"), 1.1),
        cloud("gcp", "europe-north1", (57.47, 2025, "lifecycle"), 1.09),
        cloud("gcp", "asia-east1", (634.07, 2025, "lifecycle"), 1.12),
        cloud("gcp", "us-west1", (165.5, 2023, "direct"), 1.07),
    ];
    assert!(golden.len() >= 40);
    let tables = Tables::embedded().unwrap();
    for (words, g, year, boundary, pue) in golden {
        let place = tables.resolve_place(&words).unwrap();
        let found = tables.intensity(&place).unwrap();
        let value = found.value.value.get();
        // Pounds per megawatt-hour were turned into grams; half a gram is a slip, a tenth is rounding.
        assert!((value - g).abs() < 0.1, "{words:?}: {value}, not {g}");
        assert_eq!(
            (found.year, found.boundary.as_str()),
            (Some(year), boundary),
            "{words:?}"
        );
        assert_eq!(
            tables.facility(&place).map(|facility| facility.pue.0),
            pue,
            "{words:?}"
        );
    }
}
