//! What must be true of the tables under data/grid that have intensities of places.

use super::check::Checker;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Uzbekistan (1000) and Turkmenistan (1306) are real: methane leaks count in a lifecycle figure.
const HIGHEST_G_PER_KWH: f64 = 1500.0;
/// The oldest figure that is better than none.
const OLDEST_YEAR: u16 = 2021;
/// Fewer countries with a figure than this is a parse error, not an edition.
const FEWEST_COUNTRIES: usize = 200;

#[derive(Deserialize)]
struct Country {
    iso3: String,
    iso2: String,
    name: String,
    g_per_kwh: Option<f64>,
    year: Option<u16>,
    source: String,
    boundary: String,
    flow: String,
    gas: String,
    rounding_g: Option<f64>,
}

#[derive(Deserialize)]
struct Alias {
    alias: String,
    iso3: String,
}

#[derive(Deserialize)]
struct Region {
    code: String,
    name: String,
    g_per_kwh: f64,
    year: u16,
    source: String,
    boundary: String,
    flow: String,
    gas: String,
}

fn figure(checker: &mut Checker<'_>, table: &str, row: &str, g: f64, year: u16) {
    checker.require(
        g > 0.0 && g <= HIGHEST_G_PER_KWH,
        table,
        row,
        &format!("has {g} g/kWh, outside 0 to {HIGHEST_G_PER_KWH}"),
    );
    let possible = (OLDEST_YEAR..=checker.this_year()).contains(&year);
    checker.require(possible, table, row, &format!("is of the year {year}"));
}

fn labels(checker: &mut Checker<'_>, table: &str, row: &str, boundary: &str, flow: &str, gas: &str) {
    let fine = matches!(boundary, "lifecycle" | "direct")
        && matches!(flow, "production" | "consumption")
        && matches!(gas, "co2e" | "co2");
    checker.require(
        fine,
        table,
        row,
        &format!("has the labels `{boundary}`, `{flow}`, `{gas}`"),
    );
}

/// Returns ISO2 by ISO3.
pub(super) fn countries(checker: &mut Checker<'_>, text: &str) -> BTreeMap<String, String> {
    let name = "grid/country.csv";
    let rows: Vec<Country> = checker.rows(name, text);
    checker.ordered(name, rows.iter().map(|row| row.iso3.as_str()));
    for (what, values) in [
        ("iso2", rows.iter().map(|row| &row.iso2).collect::<Vec<_>>()),
        ("name", rows.iter().map(|row| &row.name).collect()),
    ] {
        let mut seen = BTreeSet::new();
        for value in values {
            let unique = !value.is_empty() && seen.insert(value.to_lowercase());
            checker.require(unique, name, value, &format!("is an empty or repeated {what}"));
        }
    }
    let mut figures = 0;
    for row in &rows {
        let codes = is_code(&row.iso3, 3) && is_code(&row.iso2, 2);
        checker.require(
            codes,
            name,
            &row.iso3,
            "has codes that are not two and three capitals",
        );
        match (row.g_per_kwh, row.year) {
            (Some(g), Some(year)) => {
                figures += 1;
                figure(checker, name, &row.iso3, g, year);
                labels(checker, name, &row.iso3, &row.boundary, &row.flow, &row.gas);
                checker.source(name, &row.iso3, &row.source);
                let rounding = row.rounding_g.is_none_or(|half| half >= 1.0 && half <= g);
                checker.require(
                    rounding,
                    name,
                    &row.iso3,
                    "has a rounding_g outside 1 to its figure",
                );
            }
            (None, None) => {
                let empty = [&row.source, &row.boundary, &row.flow, &row.gas]
                    .iter()
                    .all(|cell| cell.is_empty());
                checker.require(empty, name, &row.iso3, "has a source or labels, but no figure");
            }
            _ => checker.problem(
                name,
                &row.iso3,
                "has a figure without a year, or a year without a figure",
            ),
        }
    }
    checker.require(
        figures >= FEWEST_COUNTRIES,
        name,
        "-",
        &format!("has {figures} figures, fewer than {FEWEST_COUNTRIES}"),
    );
    rows.into_iter().map(|row| (row.iso3, row.iso2)).collect()
}

pub(super) fn aliases(checker: &mut Checker<'_>, text: &str, codes: &BTreeMap<String, String>) {
    let name = "grid/country_alias.csv";
    let rows: Vec<Alias> = checker.rows(name, text);
    checker.ordered(name, rows.iter().map(|row| row.alias.as_str()));
    for Alias { alias, iso3 } in &rows {
        let folded = alias.split(' ').all(|word| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        });
        checker.require(folded, name, alias, "is not folded");
        let code = alias.to_uppercase();
        let taken = codes.iter().any(|(iso3, iso2)| *iso3 == code || *iso2 == code);
        checker.require(!taken, name, alias, "is a country's code");
        checker.require(
            codes.contains_key(iso3),
            name,
            alias,
            &format!("means `{iso3}`, which is no country"),
        );
    }
}

/// `codes`: the countries that a region's prefix may name; `None` for the world's one row.
/// Returns their codes.
pub(super) fn regions(
    checker: &mut Checker<'_>,
    name: &str,
    text: &str,
    codes: Option<&BTreeMap<String, String>>,
) -> BTreeSet<String> {
    let rows: Vec<Region> = checker.rows(name, text);
    checker.ordered(name, rows.iter().map(|row| row.code.as_str()));
    checker.require(!rows.is_empty(), name, "-", "has no rows");
    for row in &rows {
        if let Some(codes) = codes {
            let (country, part) = row.code.split_once('-').unwrap_or_default();
            let fine = codes.values().any(|iso2| iso2 == country)
                && (1..=3).contains(&part.len())
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
            checker.require(
                fine,
                name,
                &row.code,
                "is no ISO 3166-2 code of a country in country.csv",
            );
        }
        checker.require(!row.name.is_empty(), name, &row.code, "has no name");
        figure(checker, name, &row.code, row.g_per_kwh, row.year);
        labels(checker, name, &row.code, &row.boundary, &row.flow, &row.gas);
        checker.source(name, &row.code, &row.source);
    }
    rows.into_iter().map(|row| row.code).collect()
}

fn is_code(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_uppercase())
}
