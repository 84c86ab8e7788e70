//! `cargo xtask data check`: what must be true of every table. Offline; returns problems, never repairs.

use super::{check_cloud, check_hardware, sources, sources::Sources, sources_md, table};
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Uzbekistan (1000) and Turkmenistan (1306) are real: methane leaks count in a lifecycle figure.
const HIGHEST_G_PER_KWH: f64 = 1500.0;
/// Everything embedded stays small.
const LARGEST_BYTES: usize = 300_000;
/// The oldest figure that is better than none.
const OLDEST_YEAR: u16 = 2021;
/// Fewer countries with a figure than this is a parse error, not an edition.
const FEWEST_COUNTRIES: usize = 200;

/// Something wrong with a table, as `grid/country.csv: FRA: ...`.
pub(crate) type Problem = String;

/// The embedded tables and the columns that each must have, in order.
const TABLES: [(&str, &str); 13] = [
    (
        "cloud/provider.csv",
        "provider,name,pue,pue_year,pue_source,wue_l_per_kwh,wue_year,wue_source",
    ),
    (
        "cloud/region.csv",
        "provider,region,location,iso3,subdivision,zone,source,pue,pue_year,pue_source",
    ),
    ("equivalence.csv", "key,unit,units,kg_per_unit,year,source"),
    (
        "grid/country.csv",
        "iso3,iso2,name,g_per_kwh,year,source,boundary,flow,gas,rounding_g",
    ),
    ("grid/country_alias.csv", "alias,iso3"),
    (
        "grid/energy_source.csv",
        "source,name,g_per_kwh,low,high,from,range_from",
    ),
    (
        "grid/region.csv",
        "code,name,g_per_kwh,year,source,boundary,flow,gas",
    ),
    (
        "grid/world.csv",
        "code,name,g_per_kwh,year,source,boundary,flow,gas",
    ),
    ("hardware/cpu_tdp.csv", "key,tdp_w,source"),
    ("hardware/embodied.csv", "part,unit,kg,low,high,year,source"),
    ("hardware/gpu_tdp.csv", "key,name,tdp_w,source"),
    (
        "hardware/vcpu_power.csv",
        "vendor,family,models,steppings,name,year,min_w,max_w,proxy,source",
    ),
    ("hardware/cpu_series.csv", "pattern,kind,name,source"),
];

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

/// The year on this machine's clock, UTC, near enough (a year of 365.2425 days).
pub(crate) fn this_year() -> Result<u16> {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let years = since_1970.as_secs() / 31_556_952;
    Ok(1970 + u16::try_from(years)?)
}

/// Checks everything below `data`. An error is a file that cannot be read at all.
pub(crate) fn all(data: &Path, this_year: u16) -> Result<Vec<Problem>> {
    let sources = sources::read(data)?;
    let mut checker = Checker {
        sources: &sources,
        this_year,
        used: BTreeSet::new(),
        problems: Vec::new(),
    };
    let mut texts = BTreeMap::new();
    for (name, header) in TABLES {
        let path = data.join(name);
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        checker.form(name, header, &text);
        texts.insert(name, text);
    }
    let text = |name: &str| texts.get(name).map(String::as_str).unwrap_or_default();
    let codes = checker.countries(text("grid/country.csv"));
    checker.aliases(text("grid/country_alias.csv"), &codes);
    let regions = checker.regions("grid/region.csv", text("grid/region.csv"), Some(&codes));
    checker.regions("grid/world.csv", text("grid/world.csv"), None);
    let (places, providers) = (text("cloud/region.csv"), text("cloud/provider.csv"));
    check_cloud::cloud(&mut checker, places, providers, &codes, &regions);
    check_cloud::energy_sources(&mut checker, text("grid/energy_source.csv"));
    check_cloud::equivalences(&mut checker, text("equivalence.csv"));
    check_cloud::embodied(&mut checker, text("hardware/embodied.csv"));
    check_cloud::gpus(&mut checker, text("hardware/gpu_tdp.csv"));
    check_hardware::tdp(&mut checker, text("hardware/cpu_tdp.csv"));
    let names = check_hardware::vcpu(&mut checker, text("hardware/vcpu_power.csv"));
    check_hardware::series(&mut checker, text("hardware/cpu_series.csv"), &names);
    checker.sources(data);
    Ok(checker.problems)
}

/// Collects problems.
pub(super) struct Checker<'a> {
    sources: &'a Sources,
    this_year: u16,
    /// Pairs of table and source that some row made.
    used: BTreeSet<(String, String)>,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    pub(super) fn problem(&mut self, table: &str, row: &str, what: &str) {
        self.problems.push(format!("{table}: {row}: {what}"));
    }

    pub(super) fn require(&mut self, holds: bool, table: &str, row: &str, what: &str) {
        if !holds {
            self.problem(table, row, what);
        }
    }

    pub(super) fn this_year(&self) -> u16 {
        self.this_year
    }

    pub(super) fn rows<T: serde::de::DeserializeOwned>(&mut self, name: &str, text: &str) -> Vec<T> {
        table::parse(text).unwrap_or_else(|error| {
            self.problem(name, "-", &format!("{error:#}"));
            Vec::new()
        })
    }

    /// The shape of the text: comment, header, order, no stray bytes.
    fn form(&mut self, name: &str, header: &str, text: &str) {
        self.require(
            text.starts_with("# "),
            name,
            "-",
            "does not begin with a comment on unit and origin",
        );
        self.require(text.ends_with('\n'), name, "-", "does not end with a newline");
        self.require(
            !text.contains(['\r', '\t', '\u{feff}']),
            name,
            "-",
            "has a CR, a tab or a byte order mark",
        );
        self.require(text.len() < LARGEST_BYTES, name, "-", "is too large to embed");
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        let found = lines.next().unwrap_or_default();
        self.require(
            found == header,
            name,
            "-",
            &format!("has the header `{found}`, not `{header}`"),
        );
    }

    /// Ascending keys, each once.
    pub(super) fn ordered<'k>(&mut self, name: &str, keys: impl IntoIterator<Item = &'k str>) {
        let mut last: Option<&str> = None;
        for key in keys {
            if let Some(last) = last {
                self.require(last != key, name, key, "is there twice");
                self.require(last <= key, name, key, &format!("is out of order after `{last}`"));
            }
            last = Some(key);
        }
    }

    pub(super) fn source(&mut self, table: &str, row: &str, id: &str) {
        let known = self.sources.source.iter().any(|source| source.id == id);
        self.require(
            known,
            table,
            row,
            &format!("names the source `{id}`, which is not in sources.toml"),
        );
        self.used.insert((table.to_owned(), id.to_owned()));
    }

    fn figure(&mut self, table: &str, row: &str, g: f64, year: u16) {
        self.require(
            g > 0.0 && g <= HIGHEST_G_PER_KWH,
            table,
            row,
            &format!("has {g} g/kWh, outside 0 to {HIGHEST_G_PER_KWH}"),
        );
        let possible = (OLDEST_YEAR..=self.this_year).contains(&year);
        self.require(possible, table, row, &format!("is of the year {year}"));
    }

    fn labels(&mut self, table: &str, row: &str, boundary: &str, flow: &str, gas: &str) {
        let fine = matches!(boundary, "lifecycle" | "direct")
            && matches!(flow, "production" | "consumption")
            && matches!(gas, "co2e" | "co2");
        self.require(
            fine,
            table,
            row,
            &format!("has the labels `{boundary}`, `{flow}`, `{gas}`"),
        );
    }

    /// Returns ISO2 by ISO3.
    fn countries(&mut self, text: &str) -> BTreeMap<String, String> {
        let name = "grid/country.csv";
        let rows: Vec<Country> = self.rows(name, text);
        self.ordered(name, rows.iter().map(|row| row.iso3.as_str()));
        for (what, values) in [
            ("iso2", rows.iter().map(|row| &row.iso2).collect::<Vec<_>>()),
            ("name", rows.iter().map(|row| &row.name).collect()),
        ] {
            let mut seen = BTreeSet::new();
            for value in values {
                let unique = !value.is_empty() && seen.insert(value.to_lowercase());
                self.require(unique, name, value, &format!("is an empty or repeated {what}"));
            }
        }
        let mut figures = 0;
        for row in &rows {
            let codes = is_code(&row.iso3, 3) && is_code(&row.iso2, 2);
            self.require(
                codes,
                name,
                &row.iso3,
                "has codes that are not two and three capitals",
            );
            match (row.g_per_kwh, row.year) {
                (Some(g), Some(year)) => {
                    figures += 1;
                    self.figure(name, &row.iso3, g, year);
                    self.labels(name, &row.iso3, &row.boundary, &row.flow, &row.gas);
                    self.source(name, &row.iso3, &row.source);
                    let rounding = row.rounding_g.is_none_or(|half| half >= 1.0 && half <= g);
                    self.require(
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
                    self.require(empty, name, &row.iso3, "has a source or labels, but no figure");
                }
                _ => self.problem(
                    name,
                    &row.iso3,
                    "has a figure without a year, or a year without a figure",
                ),
            }
        }
        self.require(
            figures >= FEWEST_COUNTRIES,
            name,
            "-",
            &format!("has {figures} figures, fewer than {FEWEST_COUNTRIES}"),
        );
        rows.into_iter().map(|row| (row.iso3, row.iso2)).collect()
    }

    fn aliases(&mut self, text: &str, codes: &BTreeMap<String, String>) {
        let name = "grid/country_alias.csv";
        let rows: Vec<Alias> = self.rows(name, text);
        self.ordered(name, rows.iter().map(|row| row.alias.as_str()));
        for Alias { alias, iso3 } in &rows {
            let folded = alias.split(' ').all(|word| {
                !word.is_empty()
                    && word
                        .bytes()
                        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            });
            self.require(folded, name, alias, "is not folded");
            let code = alias.to_uppercase();
            let taken = codes.iter().any(|(iso3, iso2)| *iso3 == code || *iso2 == code);
            self.require(!taken, name, alias, "is a country's code");
            self.require(
                codes.contains_key(iso3),
                name,
                alias,
                &format!("means `{iso3}`, which is no country"),
            );
        }
    }

    /// `codes`: the countries that a region's prefix may name; `None` for the world's one row.
    /// Returns their codes.
    fn regions(
        &mut self,
        name: &str,
        text: &str,
        codes: Option<&BTreeMap<String, String>>,
    ) -> BTreeSet<String> {
        let rows: Vec<Region> = self.rows(name, text);
        self.ordered(name, rows.iter().map(|row| row.code.as_str()));
        self.require(!rows.is_empty(), name, "-", "has no rows");
        for row in &rows {
            if let Some(codes) = codes {
                let (country, part) = row.code.split_once('-').unwrap_or_default();
                let fine = codes.values().any(|iso2| iso2 == country)
                    && (1..=3).contains(&part.len())
                    && part
                        .bytes()
                        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
                self.require(
                    fine,
                    name,
                    &row.code,
                    "is no ISO 3166-2 code of a country in country.csv",
                );
            }
            self.require(!row.name.is_empty(), name, &row.code, "has no name");
            self.figure(name, &row.code, row.g_per_kwh, row.year);
            self.labels(name, &row.code, &row.boundary, &row.flow, &row.gas);
            self.source(name, &row.code, &row.source);
        }
        rows.into_iter().map(|row| row.code).collect()
    }

    /// Every source says rightly which tables hold it, and SOURCES.md says what sources.toml says.
    fn sources(&mut self, data: &Path) {
        let mut claimed = BTreeSet::new();
        for source in &self.sources.source {
            claimed.extend(
                source
                    .tables
                    .iter()
                    .map(|table| (table.clone(), source.id.clone())),
            );
            let known = source
                .package
                .as_ref()
                .is_none_or(|id| self.sources.package.iter().any(|p| p.id == *id));
            if !known {
                self.problems
                    .push(format!("sources.toml: {}: names an unknown package", source.id));
            }
        }
        for (table, id) in claimed.symmetric_difference(&self.used) {
            self.problems.push(format!(
                "sources.toml: {id}: its `tables` and the rows of `{table}` disagree"
            ));
        }
        let written = std::fs::read_to_string(data.join("SOURCES.md")).unwrap_or_default();
        if written != sources_md::text(self.sources) {
            self.problems
                .push("SOURCES.md: differs from sources.toml (run `cargo xtask data refresh`)".to_owned());
        }
    }
}

fn is_code(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
