//! The tables that carbon-run carries inside itself: grid intensity and CPU power, from data/ (data/SOURCES.md).
//!
//! They are built and checked by `cargo xtask data`; nothing here repairs them.

use super::cpu_series::Series;
use super::vcpu::VcpuPower;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::OnceLock;

const VERSION: &str = include_str!("../../data/VERSION");
const CLOUD_PROVIDERS: &str = include_str!("../../data/cloud/provider.csv");
const CLOUD_REGIONS: &str = include_str!("../../data/cloud/region.csv");
const COUNTRIES: &str = include_str!("../../data/grid/country.csv");
const ALIASES: &str = include_str!("../../data/grid/country_alias.csv");
const ENERGY_SOURCES: &str = include_str!("../../data/grid/energy_source.csv");
const EQUIVALENCES: &str = include_str!("../../data/equivalence.csv");
const EMBODIED: &str = include_str!("../../data/hardware/embodied.csv");
const GPU_TDP: &str = include_str!("../../data/hardware/gpu_tdp.csv");
const REGIONS: &str = include_str!("../../data/grid/region.csv");
const WORLD: &str = include_str!("../../data/grid/world.csv");
const VCPU: &str = include_str!("../../data/hardware/vcpu_power.csv");
const SERIES: &str = include_str!("../../data/hardware/cpu_series.csv");
const COMPATIBLE: &str = include_str!("../../data/codecarbon/intensity.csv");
const SOURCES: &str = include_str!("../../data/sources.toml");
const CPU_TDP: &str = include_str!("../../data/hardware/cpu_tdp.csv");

/// The tables, parsed. The large CPU list and what few runs need stay text until somebody asks.
#[derive(Debug)]
pub struct Tables {
    pub(super) countries: Vec<Country>,
    pub(super) aliases: Vec<Alias>,
    pub(super) regions: Vec<Region>,
    pub(super) world: Region,
    pub(super) energy_sources: Seldom<EnergySource>,
    pub(super) cloud_providers: Seldom<CloudProvider>,
    pub(super) cloud_regions: Seldom<CloudRegion>,
    pub(super) equivalences: Seldom<EquivalenceRow>,
    pub(super) embodied: Seldom<EmbodiedPart>,
    pub(super) gpus: Seldom<GpuBoard>,
    pub(super) vcpus: Vec<VcpuPower>,
    pub(super) series: Vec<Series>,
    pub(super) compatible: Seldom<CompatibleIntensity>,
}

/// A table that few runs need, parsed when one does: a launch does not wait for it. That each can be parsed is held by a test, and by
/// `cargo xtask data check`.
#[derive(Debug)]
pub(super) struct Seldom<T> {
    name: &'static str,
    text: &'static str,
    rows: OnceLock<Vec<T>>,
}

impl<T> Seldom<T> {
    const fn of(name: &'static str, text: &'static str) -> Self {
        Self {
            name,
            text,
            rows: OnceLock::new(),
        }
    }
}

impl<T: DeserializeOwned> std::ops::Deref for Seldom<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.rows
            .get_or_init(|| rows(self.name, self.text).unwrap_or_default())
    }
}

/// A table that this binary carries cannot be read: the binary was built from broken data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the built-in table `{table}` is broken: {reason}")]
pub struct TableError {
    table: &'static str,
    reason: String,
}

/// A row of grid/country.csv.
#[derive(Debug, Deserialize)]
pub(super) struct Country {
    pub(super) iso3: String,
    pub(super) iso2: String,
    pub(super) name: String,
    /// Lifecycle; `None` where the publisher has no figure.
    pub(super) g_per_kwh: Option<f64>,
    pub(super) year: Option<u16>,
    pub(super) source: String,
    pub(super) boundary: String,
    pub(super) flow: String,
    /// Half the step of the figure in g/kWh, where it is 1 or more.
    pub(super) rounding_g: Option<f64>,
}

/// A row of grid/country_alias.csv.
#[derive(Debug, Deserialize)]
pub(super) struct Alias {
    /// Folded.
    pub(super) alias: String,
    pub(super) iso3: String,
}

/// A row of grid/region.csv or of grid/world.csv.
#[derive(Debug, Deserialize)]
pub(super) struct Region {
    /// ISO 3166-2, or `WORLD`.
    pub(super) code: String,
    pub(super) name: String,
    pub(super) g_per_kwh: f64,
    pub(super) year: u16,
    pub(super) source: String,
    pub(super) boundary: String,
    pub(super) flow: String,
}

/// A row of grid/energy_source.csv: gCO2eq per kWh, lifecycle.
#[derive(Debug, Deserialize)]
pub(super) struct EnergySource {
    pub(super) source: String,
    pub(super) name: String,
    pub(super) g_per_kwh: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// A row of cloud/provider.csv.
#[derive(Debug, Deserialize)]
pub(super) struct CloudProvider {
    pub(super) provider: String,
    pub(super) pue: f64,
    pub(super) pue_year: u16,
    pub(super) pue_source: String,
    pub(super) wue_l_per_kwh: Option<f64>,
    pub(super) wue_year: Option<u16>,
    pub(super) wue_source: String,
}

/// A row of cloud/region.csv.
#[derive(Debug, Deserialize)]
pub(super) struct CloudRegion {
    pub(super) provider: String,
    pub(super) region: String,
    pub(super) location: String,
    pub(super) iso3: String,
    /// ISO 3166-2, where grid/region.csv has it.
    pub(super) subdivision: Option<String>,
    /// Of Electricity Maps.
    pub(super) zone: Option<String>,
    pub(super) pue: Option<f64>,
    pub(super) pue_year: Option<u16>,
    pub(super) pue_source: String,
}

/// A row of equivalence.csv.
#[derive(Debug, Deserialize)]
pub(super) struct EquivalenceRow {
    pub(super) key: String,
    pub(super) unit: String,
    pub(super) units: String,
    pub(super) kg_per_unit: f64,
    pub(super) year: u16,
    pub(super) source: String,
}

/// A row of hardware/embodied.csv: kgCO2eq of making one.
#[derive(Debug, Deserialize)]
pub(super) struct EmbodiedPart {
    pub(super) part: String,
    pub(super) kg: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// A row of hardware/gpu_tdp.csv.
#[derive(Debug, Deserialize)]
pub(super) struct GpuBoard {
    /// Words of the name, lower case.
    pub(super) key: String,
    pub(super) name: String,
    pub(super) tdp_w: f64,
}

/// A row of codecarbon/intensity.csv.
#[derive(Debug, Deserialize)]
pub(super) struct CompatibleIntensity {
    /// ISO3, or `WORLD`.
    pub(super) country: String,
    /// As CodeCarbon names it, lower case; empty for the country.
    pub(super) region: String,
    /// ISO3, or ISO 3166-2; empty where there is none.
    pub(super) code: String,
    pub(super) g_per_kwh: f64,
    pub(super) year: Option<u16>,
    pub(super) source: String,
}

/// What a report says of a source.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Source {
    /// As rows name it: `ember-2026`.
    pub id: String,
    /// `Ember`.
    pub publisher: String,
    /// Title and edition: `Yearly Electricity Data (2026 release)`.
    pub title: String,
    /// What its newest figures describe, or of the edition where it says no more.
    pub year: u16,
    /// SPDX, where there is one.
    pub licence: Option<String>,
    /// The line that has to travel with the figure.
    pub attribution: String,
}

impl Tables {
    /// The tables inside this binary, parsed once.
    ///
    /// # Errors
    /// When the binary was built from data that `cargo xtask data check` refuses.
    pub fn embedded() -> Result<&'static Self, TableError> {
        static TABLES: OnceLock<Result<Tables, TableError>> = OnceLock::new();
        TABLES.get_or_init(Self::parse).as_ref().map_err(Clone::clone)
    }

    fn parse() -> Result<Self, TableError> {
        let world = rows("grid/world.csv", WORLD)?.pop().ok_or_else(|| TableError {
            table: "grid/world.csv",
            reason: "it is empty".to_owned(),
        })?;
        Ok(Self {
            countries: rows("grid/country.csv", COUNTRIES)?,
            aliases: rows("grid/country_alias.csv", ALIASES)?,
            regions: rows("grid/region.csv", REGIONS)?,
            world,
            energy_sources: Seldom::of("grid/energy_source.csv", ENERGY_SOURCES),
            cloud_providers: Seldom::of("cloud/provider.csv", CLOUD_PROVIDERS),
            cloud_regions: Seldom::of("cloud/region.csv", CLOUD_REGIONS),
            equivalences: Seldom::of("equivalence.csv", EQUIVALENCES),
            embodied: Seldom::of("hardware/embodied.csv", EMBODIED),
            gpus: Seldom::of("hardware/gpu_tdp.csv", GPU_TDP),
            vcpus: rows("hardware/vcpu_power.csv", VCPU)?,
            series: rows("hardware/cpu_series.csv", SERIES)?,
            compatible: Seldom::of("codecarbon/intensity.csv", COMPATIBLE),
        })
    }

    /// Which tables these are: the day on which they last changed, and a digest of them, as `2026-11-27+3f2a9c41d07b`.
    #[must_use]
    pub fn version() -> &'static str {
        VERSION.trim_end()
    }

    /// Publisher, edition and licence of a row's source. Only its own lines are parsed: a launch needs one of many.
    #[must_use]
    pub fn source(&self, id: &str) -> Option<Source> {
        let named = format!("\nid = \"{id}\"\n");
        let lines = blocks().find(|lines| lines.contains(&named))?;
        toml::from_str(lines).ok()
    }

    /// Every source, in the order of data/sources.toml: for attribution.
    #[must_use]
    pub fn sources(&self) -> Vec<Source> {
        blocks().filter_map(|lines| toml::from_str(lines).ok()).collect()
    }
}

/// The lines of each source in data/sources.toml.
fn blocks() -> impl Iterator<Item = &'static str> {
    let blocks = SOURCES.split("[[source]]").skip(1);
    blocks.map(|block| block.split("[[package]]").next().unwrap_or(block))
}

/// Thermal design power of one package in watts, by [`super::cpu_key::cpu_key`].
pub(super) fn tdp(key: &str) -> Option<f64> {
    // One pass over the text is cheaper than parsing 4700 rows, and happens once per run at most. The checker sees to it
    // that no cell is quoted.
    CPU_TDP.lines().find_map(|line| {
        let (watts, _source) = line.strip_prefix(key)?.strip_prefix(',')?.split_once(',')?;
        watts.parse().ok()
    })
}

/// Every key with its watts, in the order of the keys.
pub(super) fn tdps() -> impl Iterator<Item = (&'static str, f64)> {
    CPU_TDP
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut cells = line.split(',');
            Some((cells.next()?, cells.next()?.parse().ok()?))
        })
}

fn rows<T: DeserializeOwned>(table: &'static str, text: &str) -> Result<Vec<T>, TableError> {
    let broken = |error: csv::Error| TableError {
        table,
        reason: error.to_string(),
    };
    let mut reader = csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    reader.deserialize().map(|row| row.map_err(broken)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cpu_key::cpu_key;

    #[test]
    fn every_row_names_a_source_that_has_a_publisher() {
        let tables = Tables::embedded().unwrap();
        let used = tables
            .countries
            .iter()
            .filter(|row| row.g_per_kwh.is_some())
            .map(|row| &row.source);
        let mut checked = 0;
        for id in used.chain(tables.regions.iter().map(|row| &row.source)) {
            assert!(
                tables
                    .source(id)
                    .is_some_and(|source| !source.publisher.is_empty()),
                "{id}"
            );
            checked += 1;
        }
        assert!(checked > 300);
    }

    #[test]
    fn every_table_that_is_parsed_when_it_is_needed_can_be() {
        fn counted<T: DeserializeOwned>(table: &Seldom<T>, least: usize) {
            let parsed = rows::<T>(table.name, table.text).unwrap();
            assert!(parsed.len() >= least, "{} has {} rows", table.name, parsed.len());
        }
        let tables = Tables::embedded().unwrap();
        counted(&tables.energy_sources, 13);
        counted(&tables.cloud_providers, 3);
        counted(&tables.cloud_regions, 140);
        counted(&tables.equivalences, 3);
        counted(&tables.embodied, 4);
        counted(&tables.gpus, 50);
        counted(&tables.compatible, 250);
    }

    #[test]
    fn every_source_is_found_by_its_id() {
        let tables = Tables::embedded().unwrap();
        let all = tables.sources();
        assert_eq!(all.len(), SOURCES.matches("[[source]]").count());
        for source in all {
            assert_eq!(tables.source(&source.id), Some(source));
        }
        assert_eq!(tables.source("nobody"), None);
    }

    #[test]
    fn a_broken_table_is_named_with_its_reason() {
        let error = rows::<Region>("grid/region.csv", "code,name\nX,Y\n").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("the built-in table `grid/region.csv` is broken: "),
            "{error}"
        );
    }

    #[test]
    fn every_key_of_the_cpu_table_is_its_own_key_and_is_found() {
        let mut rows = 0;
        let mut last = "";
        for line in CPU_TDP.lines().filter(|line| !line.starts_with('#')).skip(1) {
            let mut cells = line.split(',');
            let key = cells.next().unwrap();
            assert_eq!(cpu_key(key).as_deref(), Some(key));
            assert!(key > last, "`{key}` follows `{last}`: a key must have one power");
            assert_eq!(tdp(key), cells.next().unwrap().parse().ok(), "{key}");
            last = key;
            rows += 1;
        }
        assert!(rows > 4000);
    }
}
