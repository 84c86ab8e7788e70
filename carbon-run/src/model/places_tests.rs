//! What people type, and what they mean.

use super::*;

fn tables() -> &'static Tables {
    Tables::embedded().unwrap()
}

fn words<'a>(country: Option<&'a str>, region: Option<&'a str>, intensity: Option<f64>) -> PlaceWords<'a> {
    PlaceWords {
        country,
        region,
        intensity,
        ..PlaceWords::default()
    }
}

fn country(given: &str) -> Result<Place, UnknownPlace> {
    tables().resolve_place(&words(Some(given), None, None))
}

fn region(given: &str) -> Result<Place, UnknownPlace> {
    tables().resolve_place(&words(None, Some(given), None))
}

#[test]
fn a_country_is_found_by_code_and_by_name_in_any_case() {
    for (given, iso3) in [
        ("FR", "FRA"),
        ("fra", "FRA"),
        ("France", "FRA"),
        (" fRANCE ", "FRA"),
        ("UK", "GBR"),
        ("GB", "GBR"),
        ("u.k.", "GBR"),
        ("Great Britain", "GBR"),
        ("USA", "USA"),
        ("us", "USA"),
        ("United States of America", "USA"),
        ("South Korea", "KOR"),
        ("Korea, Republic of", "KOR"),
        ("Czech Republic", "CZE"),
        ("czechia", "CZE"),
        ("Turkey", "TUR"),
        ("Türkiye", "TUR"),
        ("turkiye", "TUR"),
        ("Ivory Coast", "CIV"),
        ("Côte d’Ivoire", "CIV"),
        ("Cote d'Ivoire", "CIV"),
        ("The Netherlands", "NLD"),
        ("Holland", "NLD"),
        ("Russian Federation", "RUS"),
        ("Viet Nam", "VNM"),
        ("Kosovo", "XKX"),
        ("xk", "XKX"),
        ("Réunion", "REU"),
        ("Trinidad & Tobago", "TTO"),
        ("guinea-bissau", "GNB"),
        ("DR Congo", "COD"),
        ("no", "NOR"),
        ("Bosnia-Herzegovina", "BIH"),
    ] {
        assert_eq!(country(given), Ok(Place::Country(iso3.to_owned())), "{given}");
    }
}

#[test]
fn every_country_with_a_figure_is_found_by_each_of_its_names() {
    let tables = tables();
    let mut known = 0;
    for row in tables.countries.iter().filter(|row| row.g_per_kwh.is_some()) {
        for given in [&row.iso2, &row.iso3, &row.name] {
            assert_eq!(country(given), Ok(Place::Country(row.iso3.clone())), "{given}");
        }
        known += 1;
    }
    assert!(known > 200);
    for row in &tables.aliases {
        assert_eq!(fold(&row.alias), row.alias);
        assert_eq!(
            tables.country(&row.alias).unwrap().iso3,
            row.iso3,
            "{}",
            row.alias
        );
    }
}

#[test]
fn a_wrong_country_is_an_error_with_the_nearest_names() {
    let error = country("Frnace").unwrap_err();
    assert_eq!(error.to_string(), "unknown country `Frnace`");
    assert!(
        error.hint().starts_with("did you mean `France` (FRA)"),
        "{}",
        error.hint()
    );
    let hint = country("Germny").unwrap_err().hint();
    assert!(hint.starts_with("did you mean `Germany` (DEU)"), "{hint}");
    let hint = country("Untied Kingdom").unwrap_err().hint();
    assert!(hint.contains("`United Kingdom` (GBR)"), "{hint}");
    let hint = country("FRN").unwrap_err().hint();
    assert!(hint.contains("`France` (FRA)"), "{hint}");
}

#[test]
fn a_word_that_is_near_nothing_gets_the_form_instead() {
    for given in ["zzqxj", "", "  ", "12345", "ASIA", "G20", "world"] {
        let error = country(given).unwrap_err();
        assert!(
            matches!(error, UnknownPlace::Country { .. }),
            "{given:?}: {error:?}"
        );
    }
    assert!(
        country("zzqxj")
            .unwrap_err()
            .hint()
            .contains("`FR`, `FRA` or `France`")
    );
}

#[test]
fn a_country_without_a_figure_is_known_but_refused() {
    for given in ["Central African Republic", "CAF", "VA", "Liechtenstein"] {
        let error = country(given).unwrap_err();
        assert!(
            matches!(error, UnknownPlace::NoFigure { .. }),
            "{given}: {error:?}"
        );
        assert!(error.hint().contains("`--intensity`"));
    }
}

#[test]
fn a_region_is_found_by_code_and_by_name() {
    for (given, code) in [
        ("CA-QC", "CA-QC"),
        ("us-ca", "US-CA"),
        ("US_TX", "US-TX"),
        ("California", "US-CA"),
        ("québec", "CA-QC"),
        ("AU-NSW", "AU-NSW"),
        ("cn-bj", "CN-BJ"),
        ("new york", "US-NY"),
    ] {
        assert_eq!(region(given), Ok(Place::Region(code.to_owned())), "{given}");
    }
    let beside = tables().resolve_place(&words(Some("Canada"), Some("qc"), None));
    assert_eq!(beside, Ok(Place::Region("CA-QC".to_owned())));
}

#[test]
fn a_wrong_region_is_an_error_with_the_nearest_names() {
    let error = region("CA-QB").unwrap_err();
    assert_eq!(error.to_string(), "unknown region `CA-QB`");
    assert!(error.hint().contains("(CA-QC)"), "{}", error.hint());
    let hint = region("Californa").unwrap_err().hint();
    assert!(hint.starts_with("did you mean `California` (US-CA)"), "{hint}");
}

#[test]
fn a_region_of_a_country_that_is_not_divided_says_so() {
    let error = region("FR-IDF").unwrap_err();
    assert_eq!(
        error.to_string(),
        "there are no regions of `France` in the tables"
    );
    assert_eq!(error.hint(), "give `--country FRA` alone");
}

#[test]
fn country_and_region_must_agree() {
    let error = tables()
        .resolve_place(&words(Some("FRA"), Some("CA-QC"), None))
        .unwrap_err();
    assert_eq!(
        error,
        UnknownPlace::Disagree {
            country: "FRA".to_owned(),
            region: "CA-QC".to_owned()
        }
    );
    let agreed = tables().resolve_place(&words(Some("can"), Some("CA-QC"), None));
    assert_eq!(agreed, Ok(Place::Region("CA-QC".to_owned())));
}

#[test]
fn intensity_wins_but_the_other_words_are_checked() {
    let tables = tables();
    assert_eq!(
        tables.resolve_place(&words(Some("FRA"), None, Some(56.0))),
        Ok(Place::Given(56.0))
    );
    assert_eq!(
        tables.resolve_place(&words(Some("VAT"), None, Some(0.0))),
        Ok(Place::Given(0.0))
    );
    assert!(
        tables
            .resolve_place(&words(Some("Frnace"), None, Some(56.0)))
            .is_err()
    );
    for given in [-1.0, f64::NAN, f64::INFINITY] {
        let error = tables.resolve_place(&words(None, None, Some(given))).unwrap_err();
        assert!(matches!(error, UnknownPlace::Intensity { .. }), "{given}");
    }
}

#[test]
fn nothing_said_is_the_world() {
    assert_eq!(tables().resolve_place(&words(None, None, None)), Ok(Place::World));
}
