//! From unpacked packages and data/manual to the text of every built file. The same input gives the same bytes.

use super::{cloud, codecarbon as compatible, compare, grid, sources, sources_md, tdp};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a refresh writes.
pub(crate) struct Built {
    /// Name below data/, and text.
    pub(crate) files: Vec<(&'static str, String)>,
    /// What was left out, and why.
    pub(crate) notes: Vec<String>,
}

/// Builds everything.
pub(crate) fn all(data: &Path, packages: &BTreeMap<String, PathBuf>) -> Result<Built> {
    let package = |id: &str| {
        packages
            .get(id)
            .with_context(|| format!("sources.toml has no package `{id}`"))
    };
    let (codecarbon, co2) = (package("codecarbon")?, package("tgwf-co2")?);
    let (country, world) = grid::countries(data, co2, codecarbon)?;
    let region = grid::regions(data, codecarbon)?;
    let (tdp, mut notes) = tdp::build(data, codecarbon)?;
    let (clouds, more) = cloud::regions(data, package("botocore")?, codecarbon)?;
    notes.extend(more);
    notes.extend(compare::countries(&country, codecarbon)?);
    let intensity = compatible::intensity(data, codecarbon)?;
    let sources = sources_md::text(&sources::read(data)?);
    let files = vec![
        ("grid/country.csv", country),
        ("grid/world.csv", world),
        ("grid/region.csv", region),
        ("cloud/region.csv", clouds),
        ("hardware/cpu_tdp.csv", tdp),
        (compatible::TABLE, intensity),
        ("SOURCES.md", sources),
    ];
    Ok(Built { files, notes })
}
