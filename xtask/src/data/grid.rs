//! Builds data/grid: intensity of countries, of regions, of the world.

use super::table;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Pounds to kilograms (exact, by definition since 1959): lb/MWh times this is g/kWh.
pub(super) const KG_PER_LB: f64 = 0.453_592_37;

#[derive(Deserialize)]
struct Iso {
    iso2: String,
    iso3: String,
    name: String,
}

#[derive(Deserialize)]
struct Ember {
    iso3: String,
    g_per_kwh: f64,
    year: u16,
}

#[derive(Deserialize)]
struct SnapshotYear {
    iso3: String,
    year: u16,
}

#[derive(Deserialize)]
struct Mix {
    #[serde(rename = "total_TWh")]
    total_twh: Option<f64>,
}

#[derive(Deserialize)]
struct ManualRegion {
    code: String,
    name: String,
    g_per_kwh: f64,
    year: u16,
}

/// A figure of the country table, before its row is written.
struct Figure {
    g: f64,
    year: u16,
    source: &'static str,
}

const WORLD: &str = "WORLD";

/// grid/country.csv and grid/world.csv.
pub(crate) fn countries(data: &Path, co2: &Path, codecarbon: &Path) -> Result<(String, String)> {
    let mut figures = BTreeMap::new();
    let mut years = BTreeMap::new();
    for row in table::read::<SnapshotYear>(data, "manual/ember_2025_years.csv")? {
        years.insert(row.iso3, row.year);
    }
    let mut manual = BTreeMap::new();
    for row in table::read::<Ember>(data, "manual/ember_2026.csv")? {
        manual.insert(
            row.iso3,
            Figure {
                g: row.g_per_kwh,
                year: row.year,
                source: "ember-2026",
            },
        );
    }
    for (code, g) in snapshot(co2)? {
        // The snapshot writes 0 for a country whose value is missing (CAF), and mixes in aggregates (ASIA, G7, WORLD).
        let country = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        if !country || g == 0.0 || manual.contains_key(&code) {
            continue;
        }
        let Some(year) = years.get(&code) else {
            bail!("the snapshot has `{code}`, and manual/ember_2025_years.csv has no year for it");
        };
        figures.insert(
            code,
            Figure {
                g,
                year: *year,
                source: "ember-2025",
            },
        );
    }
    figures.extend(manual);
    let world = figures
        .remove(WORLD)
        .context("manual/ember_2026.csv has no `WORLD`")?;

    let generation = generation(codecarbon)?;
    let mut rows = Vec::new();
    let mut iso = table::read::<Iso>(data, "manual/iso3166.csv")?;
    iso.sort_by(|a, b| a.iso3.cmp(&b.iso3));
    for Iso { iso2, iso3, name } in iso {
        let mut row = vec![iso3.clone(), iso2, name];
        match figures.remove(&iso3) {
            None => row.extend(std::iter::repeat_n(String::new(), 7)),
            Some(figure) => {
                let rounding = generation.get(&iso3).and_then(|twh| rounding(figure.g, *twh));
                row.extend([
                    table::number(figure.g),
                    figure.year.to_string(),
                    figure.source.to_owned(),
                ]);
                row.extend(["lifecycle", "production", "co2e"].map(str::to_owned));
                row.push(rounding.map(table::number).unwrap_or_default());
            }
        }
        rows.push(row);
    }
    if let Some(code) = figures.keys().next() {
        bail!("`{code}` has a figure, and manual/iso3166.csv has no such country");
    }
    let country = table::write(&COUNTRY_ABOUT, &COUNTRY_HEADER, rows.iter().map(Vec::as_slice))?;
    let world = region_row(WORLD, "world average", &world, "lifecycle", "production", "co2e");
    let world = table::write(&WORLD_ABOUT, &REGION_HEADER, [world.as_slice()])?;
    Ok((country, world))
}

const COUNTRY_HEADER: [&str; 10] = [
    "iso3",
    "iso2",
    "name",
    "g_per_kwh",
    "year",
    "source",
    "boundary",
    "flow",
    "gas",
    "rounding_g",
];
const COUNTRY_ABOUT: [&str; 5] = [
    "Written by `cargo xtask data refresh`: change data/manual or the pins in data/sources.toml, not this file.",
    "gCO2eq per kWh generated, annual average, GWP100; lifecycle of the power plants, imports and grid losses left out.",
    "An empty g_per_kwh: Ember has no figure for that country. Ember (2026), Yearly Electricity Data, CC BY 4.0.",
    "rounding_g: half the step of the figure, where that is 1 g or more: Ember derives it from TWh and Mt with two",
    "decimals, which is coarse for a grid of less than about 5 TWh a year (generation: OWID's mix in codecarbon 3.3.2, MIT).",
];
const WORLD_ABOUT: [&str; 2] = [
    "Written by `cargo xtask data refresh`: change data/manual or the pins in data/sources.toml, not this file.",
    "What stands in where nobody said where. Ember (2026), Yearly Electricity Data, CC BY 4.0.",
];

/// Code and g/kWh of each entry of @tgwf/co2's average intensities, which are JavaScript: `const data = { ... };`.
fn snapshot(co2: &Path) -> Result<BTreeMap<String, f64>> {
    let path = co2.join("package/dist/esm/data/average-intensities.min.js");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let object = text
        .split_once("const data = ")
        .and_then(|(_, rest)| rest.split_once(';'))
        .map(|(object, _)| object)
        .with_context(|| format!("no `const data = ...;` in `{}`", path.display()))?;
    serde_json::from_str(object).with_context(|| format!("cannot parse the object in `{}`", path.display()))
}

/// TWh generated in a year, by country.
fn generation(codecarbon: &Path) -> Result<BTreeMap<String, f64>> {
    let mix: BTreeMap<String, Mix> =
        json(codecarbon, "codecarbon/data/private_infra/global_energy_mix.json")?;
    Ok(mix
        .into_iter()
        .filter_map(|(code, mix)| Some((code, mix.total_twh?)))
        .collect())
}

/// Half the step of a figure that is (Mt, two decimals) / (TWh, two decimals): 0.005 Mt is 5e9 g, 1 TWh is 1e9 kWh.
/// `None` below 1 g, and where the generation itself is rounded to nothing.
fn rounding(g: f64, twh: f64) -> Option<f64> {
    let half = (5.0 + 0.005 * g) / twh;
    (half.is_finite() && half >= 1.0).then(|| half.min(g).round())
}

const REGION_HEADER: [&str; 8] = [
    "code",
    "name",
    "g_per_kwh",
    "year",
    "source",
    "boundary",
    "flow",
    "gas",
];
const REGION_ABOUT: [&str; 3] = [
    "Written by `cargo xtask data refresh`: change data/manual or the pins in data/sources.toml, not this file.",
    "g per kWh, annual average. DIRECT emissions of the power plants: not comparable with country.csv, which is lifecycle.",
    "gas: co2e with GWP100, or co2 alone. Sources, years and licences: SOURCES.md.",
];

fn region_row(code: &str, name: &str, figure: &Figure, boundary: &str, flow: &str, gas: &str) -> Vec<String> {
    let (g, year) = (table::number(figure.g), figure.year.to_string());
    [code, name, &g, &year, figure.source, boundary, flow, gas]
        .map(str::to_owned)
        .into()
}

/// grid/region.csv.
pub(crate) fn regions(data: &Path, codecarbon: &Path) -> Result<String> {
    let mut rows = us_states(codecarbon)?;
    rows.extend(chinese_provinces(codecarbon)?);
    for (name, source) in [
        ("manual/eccc_v4.csv", "eccc-v4"),
        ("manual/nga_2026.csv", "nga-2026"),
    ] {
        for row in table::read::<ManualRegion>(data, name)? {
            let figure = Figure {
                g: row.g_per_kwh,
                year: row.year,
                source,
            };
            rows.push(region_row(
                &row.code,
                &row.name,
                &figure,
                "direct",
                "consumption",
                "co2e",
            ));
        }
    }
    rows.sort();
    table::write(&REGION_ABOUT, &REGION_HEADER, rows.iter().map(Vec::as_slice))
}

#[derive(Deserialize)]
struct UsState {
    emissions: Option<f64>,
    #[serde(rename = "regionCode")]
    code: Option<String>,
}

fn us_states(codecarbon: &Path) -> Result<Vec<Vec<String>>> {
    let all: BTreeMap<String, serde_json::Value> = json(
        codecarbon,
        "codecarbon/data/private_infra/2023/usa_emissions.json",
    )?;
    if all
        .get("_unit")
        .and_then(|unit| unit.get("emissions"))
        .and_then(|unit| unit.as_str())
        != Some("lbs/MWh")
    {
        bail!("usa_emissions.json is no longer in `lbs/MWh`");
    }
    let mut rows = Vec::new();
    for (name, value) in all
        .into_iter()
        .filter(|(name, _)| !name.starts_with('_') && name != "usa")
    {
        let state: UsState = serde_json::from_value(value).with_context(|| format!("in `{name}`"))?;
        let (Some(pounds), Some(code)) = (state.emissions, state.code) else {
            bail!("`{name}` of usa_emissions.json lacks its figure or its code");
        };
        let figure = Figure {
            g: pounds * KG_PER_LB,
            year: 2023,
            source: "egrid-2023",
        };
        rows.push(region_row(
            &format!("US-{code}"),
            &title(&name),
            &figure,
            "direct",
            "production",
            "co2e",
        ));
    }
    Ok(rows)
}

#[derive(Deserialize)]
struct China {
    data: BTreeMap<String, Province>,
}

#[derive(Deserialize)]
struct Province {
    emission_factor: f64,
    unit: String,
    description: String,
    year: u16,
}

fn chinese_provinces(codecarbon: &Path) -> Result<Vec<Vec<String>>> {
    let all: China = json(
        codecarbon,
        "codecarbon/data/private_infra/2023/china_provincial_emissions.json",
    )?;
    let mut rows = Vec::new();
    for (code, province) in all.data {
        if province.unit != "gCO2/kWh" {
            bail!(
                "`{code}` of china_provincial_emissions.json is in `{}`",
                province.unit
            );
        }
        let figure = Figure {
            g: province.emission_factor,
            year: province.year,
            source: "mee-2025-47",
        };
        rows.push(region_row(
            &code,
            &province.description,
            &figure,
            "direct",
            "consumption",
            "co2",
        ));
    }
    Ok(rows)
}

/// `new york` as `New York`; `of` stays small.
fn title(name: &str) -> String {
    let word = |word: &str| match word.split_at_checked(1) {
        Some((first, rest)) if word != "of" => first.to_uppercase() + rest,
        _ => word.to_owned(),
    };
    name.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

pub(super) fn json<T: serde::de::DeserializeOwned>(folder: &Path, name: &str) -> Result<T> {
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("cannot parse `{}`", path.display()))
}

#[cfg(test)]
#[path = "grid_tests.rs"]
mod tests;
