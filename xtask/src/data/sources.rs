//! data/sources.toml: where figures come from, and which packages carry them.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::path::Path;

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sources {
    /// Publications.
    pub(crate) source: Vec<Source>,
    /// Pinned packages.
    pub(crate) package: Vec<Package>,
}

/// A publication that rows name in their `source` column.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    /// As rows name it.
    pub(crate) id: String,
    pub(crate) publisher: String,
    /// Title and edition.
    pub(crate) title: String,
    /// The year that its newest figures describe, or of the edition where it says no more.
    pub(crate) year: u16,
    pub(crate) url: String,
    /// SPDX, where there is one.
    pub(crate) licence: Option<String>,
    /// What holds, in words.
    pub(crate) terms: String,
    pub(crate) attribution: String,
    /// How the figures got here.
    pub(crate) from: String,
    /// The package that carries them, where one does.
    pub(crate) package: Option<String>,
    /// The tables with rows of this source.
    pub(crate) tables: Vec<String>,
}

/// A package in a registry, byte for byte.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) registry: Registry,
    pub(crate) name: String,
    pub(crate) version: String,
    /// The name under which the registry's client saves it.
    pub(crate) file: String,
    pub(crate) sha256: String,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Registry {
    Pypi,
    Npm,
}

/// Reads DATA/sources.toml.
pub(crate) fn read(data: &Path) -> Result<Sources> {
    let path = data.join("sources.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    toml::from_str(&text).with_context(|| format!("cannot parse `{}`", path.display()))
}
