//! `cargo xtask data check`: what must be true of every table. Offline; returns problems, never repairs.

use super::{
    check_cloud, check_grid, check_hardware, codecarbon, sources, sources::Sources, sources_md, table,
    version,
};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Everything embedded stays small.
const LARGEST_BYTES: usize = 300_000;

/// Something wrong with a table, as `grid/country.csv: FRA: ...`.
pub(crate) type Problem = String;

/// The embedded tables and the columns that each must have, in order.
const TABLES: [(&str, &str); 14] = [
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
    (codecarbon::TABLE, codecarbon::HEADER),
];

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
    let texts = texts(data)?;
    for (name, header) in TABLES {
        checker.form(
            name,
            header,
            texts.get(name).map(String::as_str).unwrap_or_default(),
        );
    }
    let text = |name: &str| texts.get(name).map(String::as_str).unwrap_or_default();
    let codes = check_grid::countries(&mut checker, text("grid/country.csv"));
    check_grid::aliases(&mut checker, text("grid/country_alias.csv"), &codes);
    let (name, whole) = ("grid/region.csv", Some(&codes));
    let regions = check_grid::regions(&mut checker, name, text(name), whole);
    check_grid::regions(&mut checker, "grid/world.csv", text("grid/world.csv"), None);
    let (places, providers) = (text("cloud/region.csv"), text("cloud/provider.csv"));
    check_cloud::cloud(&mut checker, places, providers, &codes, &regions);
    check_cloud::energy_sources(&mut checker, text("grid/energy_source.csv"));
    check_cloud::equivalences(&mut checker, text("equivalence.csv"));
    check_cloud::embodied(&mut checker, text("hardware/embodied.csv"));
    check_cloud::gpus(&mut checker, text("hardware/gpu_tdp.csv"));
    check_hardware::tdp(&mut checker, text("hardware/cpu_tdp.csv"));
    let names = check_hardware::vcpu(&mut checker, text("hardware/vcpu_power.csv"));
    check_hardware::series(&mut checker, text("hardware/cpu_series.csv"), &names);
    codecarbon::check(&mut checker, text(codecarbon::TABLE));
    checker.sources(data);
    checker.version(
        data,
        &version::digest(texts.iter().map(|(name, text)| (*name, text.as_str()))),
    );
    Ok(checker.problems)
}

/// Of the tables as they are.
pub(crate) fn digest(data: &Path) -> Result<String> {
    let texts = texts(data)?;
    Ok(version::digest(
        texts.iter().map(|(name, text)| (*name, text.as_str())),
    ))
}

fn texts(data: &Path) -> Result<BTreeMap<&'static str, String>> {
    let read = |name: &'static str| {
        let path = data.join(name);
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        Ok((name, text))
    };
    TABLES.iter().map(|(name, _)| read(name)).collect()
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

impl Checker<'_> {
    /// VERSION names the tables as they are.
    fn version(&mut self, data: &Path, digest: &str) {
        let written = std::fs::read_to_string(data.join(version::FILE)).unwrap_or_default();
        self.require(
            written.trim_end().ends_with(&format!("+{digest}")),
            version::FILE,
            "-",
            "is not that of the tables (run `cargo xtask data refresh`)",
        );
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
