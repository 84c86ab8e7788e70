//! What must be true of the tables under data/cloud, and of the small ones that are typed by hand.

use super::check::Checker;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// A facility cannot take less than its computers; none that publishes takes twice as much.
const PUE_RANGE: std::ops::Range<f64> = 1.0..2.0;
/// The oldest figure of a facility that is better than none.
const OLDEST_PUE: u16 = 2022;

#[derive(Deserialize)]
struct Region {
    provider: String,
    region: String,
    location: String,
    iso3: String,
    subdivision: String,
    source: String,
    pue: Option<f64>,
    pue_year: Option<u16>,
    pue_source: String,
}

#[derive(Deserialize)]
struct Provider {
    provider: String,
    pue: f64,
    pue_year: u16,
    pue_source: String,
    wue_l_per_kwh: Option<f64>,
    wue_year: Option<u16>,
    wue_source: String,
}

#[derive(Deserialize)]
struct EnergySource {
    source: String,
    name: String,
    g_per_kwh: f64,
    low: f64,
    high: f64,
    from: String,
    range_from: String,
}

#[derive(Deserialize)]
struct Equivalence {
    key: String,
    kg_per_unit: f64,
    year: u16,
    source: String,
}

#[derive(Deserialize)]
struct Embodied {
    part: String,
    kg: f64,
    low: f64,
    high: f64,
    source: String,
}

#[derive(Deserialize)]
struct Gpu {
    key: String,
    name: String,
    tdp_w: f64,
    source: String,
}

/// cloud/region.csv and cloud/provider.csv. `countries` has ISO2 by ISO3, `regions` the codes of region.csv.
pub(super) fn cloud(
    checker: &mut Checker<'_>,
    regions_text: &str,
    providers_text: &str,
    countries: &BTreeMap<String, String>,
    regions: &BTreeSet<String>,
) {
    let name = "cloud/provider.csv";
    let providers: Vec<Provider> = checker.rows(name, providers_text);
    checker.ordered(name, providers.iter().map(|row| row.provider.as_str()));
    for row in &providers {
        efficiency(checker, name, &row.provider, row.pue, row.pue_year);
        checker.source(name, &row.provider, &row.pue_source);
        match (row.wue_l_per_kwh, row.wue_year) {
            (Some(wue), Some(year)) => {
                let fine = (0.0..10.0).contains(&wue) && (OLDEST_PUE..=checker.this_year()).contains(&year);
                checker.require(fine, name, &row.provider, "has no WUE of our time");
                checker.source(name, &row.provider, &row.wue_source);
            }
            (None, None) => {}
            _ => checker.problem(
                name,
                &row.provider,
                "has a WUE without a year, or a year without one",
            ),
        }
    }
    let name = "cloud/region.csv";
    let rows: Vec<Region> = checker.rows(name, regions_text);
    let keys: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {}", row.provider, row.region))
        .collect();
    checker.ordered(name, keys.iter().map(String::as_str));
    checker.require(rows.len() > 100, name, "-", "has fewer than a hundred regions");
    for (row, key) in rows.iter().zip(&keys) {
        let provider = providers.iter().any(|known| known.provider == row.provider);
        checker.require(
            provider,
            name,
            key,
            "is of a provider that is not in provider.csv",
        );
        checker.require(!row.location.is_empty(), name, key, "is nowhere");
        let country = countries.get(&row.iso3);
        checker.require(country.is_some(), name, key, "is in no country of country.csv");
        let inside = row.subdivision.is_empty()
            || regions.contains(&row.subdivision)
                && country.is_some_and(|iso2| row.subdivision.starts_with(&format!("{iso2}-")));
        checker.require(
            inside,
            name,
            key,
            "is in a subdivision that region.csv or its country has not",
        );
        checker.source(name, key, &row.source);
        match (row.pue, row.pue_year) {
            (Some(pue), Some(year)) => {
                efficiency(checker, name, key, pue, year);
                checker.source(name, key, &row.pue_source);
            }
            (None, None) => {}
            _ => checker.problem(name, key, "has a PUE without a year, or a year without one"),
        }
    }
}

fn efficiency(checker: &mut Checker<'_>, table: &str, row: &str, pue: f64, year: u16) {
    checker.require(
        PUE_RANGE.contains(&pue),
        table,
        row,
        &format!("has a PUE of {pue}"),
    );
    let ours = (OLDEST_PUE..=checker.this_year()).contains(&year);
    checker.require(ours, table, row, &format!("has a PUE of the year {year}"));
}

/// grid/energy_source.csv
pub(super) fn energy_sources(checker: &mut Checker<'_>, text: &str) {
    let name = "grid/energy_source.csv";
    let rows: Vec<EnergySource> = checker.rows(name, text);
    checker.ordered(name, rows.iter().map(|row| row.source.as_str()));
    checker.require(rows.len() > 10, name, "-", "has fewer than ten sources of energy");
    for row in &rows {
        let fine =
            0.0 < row.low && row.low <= row.g_per_kwh && row.g_per_kwh <= row.high && row.high <= 1500.0;
        checker.require(
            fine && !row.name.is_empty(),
            name,
            &row.source,
            "has a figure outside its range",
        );
        checker.source(name, &row.source, &row.from);
        checker.source(name, &row.source, &row.range_from);
    }
}

/// equivalence.csv
pub(super) fn equivalences(checker: &mut Checker<'_>, text: &str) {
    let name = "equivalence.csv";
    let rows: Vec<Equivalence> = checker.rows(name, text);
    checker.ordered(name, rows.iter().map(|row| row.key.as_str()));
    for row in &rows {
        let fine = row.kg_per_unit > 0.0 && (2020..=checker.this_year()).contains(&row.year);
        checker.require(fine, name, &row.key, "is like nothing, or of no year of ours");
        checker.source(name, &row.key, &row.source);
    }
}

/// hardware/embodied.csv
pub(super) fn embodied(checker: &mut Checker<'_>, text: &str) {
    let name = "hardware/embodied.csv";
    let rows: Vec<Embodied> = checker.rows(name, text);
    checker.ordered(name, rows.iter().map(|row| row.part.as_str()));
    let parts: Vec<&str> = rows.iter().map(|row| row.part.as_str()).collect();
    let all = parts == ["gpu-card", "gpu-module", "memory", "server"];
    checker.require(all, name, "-", "has other parts than the model adds up");
    for row in &rows {
        let fine = 0.0 < row.low && row.low <= row.kg && row.kg <= row.high;
        checker.require(fine, name, &row.part, "has a figure outside its range");
        checker.source(name, &row.part, &row.source);
    }
}

/// hardware/gpu_tdp.csv
pub(super) fn gpus(checker: &mut Checker<'_>, text: &str) {
    let name = "hardware/gpu_tdp.csv";
    let rows: Vec<Gpu> = checker.rows(name, text);
    checker.ordered(name, rows.iter().map(|row| row.key.as_str()));
    checker.require(rows.len() > 40, name, "-", "has fewer than forty boards");
    for row in &rows {
        let fine = (30.0..=1500.0).contains(&row.tdp_w);
        checker.require(fine, name, &row.key, "draws what no board does");
        let key = row
            .key
            .split(' ')
            .all(|word| row.name.to_lowercase().contains(word));
        checker.require(key, name, &row.key, "has a key that is not in its name");
        checker.source(name, &row.key, &row.source);
    }
}
