//! Builds and checks data/codecarbon: the intensities that CodeCarbon itself reckons with, for those who go on with its figures.

use super::check::Checker;
use super::grid::{KG_PER_LB, json};
use super::table;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Its name below data/.
pub(crate) const TABLE: &str = "codecarbon/intensity.csv";

/// Its columns.
pub(crate) const HEADER: &str = "country,region,code,g_per_kwh,year,source";

const SOURCE: &str = "codecarbon-3.3.2";

const ABOUT: [&str; 3] = [
    "Written by `cargo xtask data refresh`: change the pin in data/sources.toml, not this file.",
    "gCO2eq per kWh as CodeCarbon 3.3.2 reckons, for `--codecarbon-compatible` alone: boundaries, gases and years are mixed, an",
    "empty `region` is the whole country, regions are named as CodeCarbon names them, and WORLD stands in for what it does not know.",
];

/// kg per kWh of what burns, as codecarbon/core/emissions.py has them; all other sources count nothing there.
const COAL: f64 = 0.995_725_971;
const PETROLEUM: f64 = 0.816_688_526_3;
const NATURAL_GAS: f64 = 0.743_841_591_6;

#[derive(Deserialize)]
struct Country {
    carbon_intensity: f64,
    year: Option<u16>,
}

#[derive(Deserialize)]
struct Mix {
    coal: f64,
    petroleum: f64,
    #[serde(rename = "naturalGas")]
    natural_gas: f64,
    total: f64,
}

#[derive(Deserialize)]
struct Zones {
    data: BTreeMap<String, Zone>,
}

#[derive(Deserialize)]
struct Zone {
    emission_factor: f64,
    year: Option<u16>,
    #[serde(default)]
    names: Vec<String>,
}

#[derive(Deserialize)]
struct Named {
    code: String,
    name: String,
}

/// A row, before it is written.
struct Row {
    country: String,
    region: String,
    code: String,
    g: f64,
    year: Option<u16>,
}

/// The table's text. Provinces get their ISO 3166-2 codes by their names in data/grid/region.csv and data/manual.
pub(crate) fn intensity(data: &Path, codecarbon: &Path) -> Result<String> {
    let file = |name: &str| format!("codecarbon/data/private_infra/{name}");
    let mut rows = Vec::new();
    let whole = |country: &str, g, year| Row {
        country: country.to_owned(),
        region: String::new(),
        code: country.to_owned(),
        g,
        year,
    };
    let countries: BTreeMap<String, Country> = json(codecarbon, &file("global_energy_mix.json"))?;
    rows.extend(
        countries
            .iter()
            .map(|(code, country)| whole(code, country.carbon_intensity, country.year)),
    );
    let sources: BTreeMap<String, serde_json::Value> =
        json(codecarbon, &file("carbon_intensity_per_source.json"))?;
    let world = sources.get("world_average").and_then(serde_json::Value::as_f64);
    rows.push(whole(
        "WORLD",
        world.context("there is no `world_average`")?,
        Some(2019),
    ));

    let states: BTreeMap<String, serde_json::Value> = json(codecarbon, &file("2023/usa_emissions.json"))?;
    for (name, state) in &states {
        let figure = state.get("emissions").and_then(serde_json::Value::as_f64);
        let code = state.get("regionCode").and_then(serde_json::Value::as_str);
        if let (Some(pounds), Some(code)) = (figure, code) {
            rows.push(Row {
                country: "USA".to_owned(),
                region: name.clone(),
                code: format!("US-{code}"),
                g: pounds * KG_PER_LB,
                year: Some(2023),
            });
        }
    }
    let provinces: Vec<Named> = table::read(data, "manual/eccc_v4.csv")?;
    let mixes: BTreeMap<String, Mix> = json(codecarbon, &file("2023/canada_energy_mix.json"))?;
    for (name, mix) in mixes {
        let kg = COAL * mix.coal + PETROLEUM * mix.petroleum + NATURAL_GAS * mix.natural_gas;
        let code = provinces
            .iter()
            .find(|province| province.name.to_lowercase() == name);
        rows.push(Row {
            country: "CAN".to_owned(),
            code: code.map(|province| province.code.clone()).unwrap_or_default(),
            region: name,
            g: 1e3 * kg / mix.total,
            year: Some(2023),
        });
    }
    let zones: Zones = json(codecarbon, &file("nordic_emissions.json"))?;
    for (zone, figure) in zones.data {
        let country = match zone.get(..2) {
            Some("SE") => "SWE",
            Some("NO") => "NOR",
            Some("FI") => "FIN",
            _ => anyhow::bail!("`{zone}` of nordic_emissions.json is in no country that is known"),
        };
        rows.push(Row {
            country: country.to_owned(),
            region: zone.to_lowercase(),
            code: String::new(),
            g: figure.emission_factor,
            year: figure.year,
        });
    }
    let provinces: Zones = json(codecarbon, &file("2023/china_provincial_emissions.json"))?;
    for (code, province) in provinces.data {
        // Each has one name or several.
        rows.extend(province.names.iter().map(|name| Row {
            country: "CHN".to_owned(),
            region: name.clone(),
            code: code.clone(),
            g: province.emission_factor,
            year: province.year,
        }));
    }
    let mut rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|row| {
            let year = row.year.map(|year| year.to_string()).unwrap_or_default();
            // All digits: the figures are to be the same, not nearly the same.
            vec![
                row.country,
                row.region,
                row.code,
                row.g.to_string(),
                year,
                SOURCE.to_owned(),
            ]
        })
        .collect();
    rows.sort();
    let header: Vec<&str> = HEADER.split(',').collect();
    table::write(&ABOUT, &header, rows.iter().map(Vec::as_slice))
}

#[derive(Deserialize)]
struct Checked {
    country: String,
    region: String,
    g_per_kwh: f64,
    source: String,
}

/// What must be true of it.
pub(super) fn check(checker: &mut Checker<'_>, text: &str) {
    let rows: Vec<Checked> = checker.rows(TABLE, text);
    let keys: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {}", row.country, row.region))
        .collect();
    checker.ordered(TABLE, keys.iter().map(String::as_str));
    for (row, key) in rows.iter().zip(&keys) {
        let possible = row.g_per_kwh.is_finite() && (0.0..2_000.0).contains(&row.g_per_kwh);
        checker.require(possible, TABLE, key, "has an intensity that no grid has");
        checker.source(TABLE, key, &row.source);
    }
    let world = rows.iter().any(|row| row.country == "WORLD");
    checker.require(world, TABLE, "WORLD", "is missing");
}
