//! Builds data/cloud/region.csv: where each region of a cloud is, and how much energy its facility takes.

use super::table;
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Partitions of AWS that are not for the public, and say not where they are.
const SECRET: &str = "aws-iso";

#[derive(Deserialize)]
struct Region {
    provider: String,
    region: String,
    location: String,
    iso3: String,
    subdivision: String,
    zone: String,
}

#[derive(Deserialize)]
struct Pue {
    provider: String,
    region: String,
    pue: f64,
    year: u16,
}

#[derive(Deserialize)]
struct Endpoints {
    partitions: Vec<Partition>,
}

#[derive(Deserialize)]
struct Partition {
    partition: String,
    regions: BTreeMap<String, serde::de::IgnoredAny>,
}

/// A row of CodeCarbon's impact.csv, which has Google's regions.
#[derive(Deserialize)]
struct Impact {
    provider: String,
    region: String,
    #[serde(rename = "countryIsoCode")]
    iso3: String,
}

const HEADER: [&str; 10] = [
    "provider",
    "region",
    "location",
    "iso3",
    "subdivision",
    "zone",
    "source",
    "pue",
    "pue_year",
    "pue_source",
];
const ABOUT: [&str; 4] = [
    "Written by `cargo xtask data refresh`: change data/manual or the pins in data/sources.toml, not this file.",
    "Where the regions of clouds are: country, and subdivision (ISO 3166-2) where region.csv has a figure for it; the zone of Electricity Maps",
    "where it is certain. pue: energy of the facility per energy of its computers over a year, where the operator publishes it for",
    "the region; else provider.csv has that of the fleet. Sources, years and licences: SOURCES.md.",
];

/// cloud/region.csv, and a note for what the second sources say otherwise.
pub(crate) fn regions(data: &Path, botocore: &Path, codecarbon: &Path) -> Result<(String, Vec<String>)> {
    let regions: Vec<Region> = table::read(data, "manual/cloud_region.csv")?;
    let mut pues = BTreeMap::new();
    for row in table::read::<Pue>(data, "manual/cloud_pue.csv")? {
        pues.insert((row.provider, row.region), (row.pue, row.year));
    }
    same_regions(&regions, &aws(botocore)?)?;
    let notes = other_countries(&regions, codecarbon)?;
    let mut rows = Vec::new();
    for row in &regions {
        let (place, efficiency) = match row.provider.as_str() {
            "aws" => ("aws-regions", "aws-efficiency"),
            "azure" => ("azure-regions", "azure-efficiency"),
            "gcp" => ("gcp-locations", "gcp-efficiency"),
            other => bail!("manual/cloud_region.csv has the provider `{other}`"),
        };
        let mut cells = [
            &row.provider,
            &row.region,
            &row.location,
            &row.iso3,
            &row.subdivision,
            &row.zone,
        ]
        .map(Clone::clone)
        .to_vec();
        cells.push(place.to_owned());
        match pues.remove(&(row.provider.clone(), row.region.clone())) {
            Some((pue, year)) => cells.extend([table::number(pue), year.to_string(), efficiency.to_owned()]),
            None => cells.extend(std::iter::repeat_n(String::new(), 3)),
        }
        rows.push(cells);
    }
    if let Some((provider, region)) = pues.keys().next() {
        bail!("manual/cloud_pue.csv has `{region}` of `{provider}`, and manual/cloud_region.csv has not");
    }
    rows.sort();
    let text = table::write(&ABOUT, &HEADER, rows.iter().map(Vec::as_slice))?;
    Ok((text, notes))
}

/// The regions that AWS's own client knows.
fn aws(botocore: &Path) -> Result<BTreeSet<String>> {
    let path = botocore.join("botocore/data/endpoints.json");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let endpoints: Endpoints =
        serde_json::from_str(&text).with_context(|| format!("cannot parse `{}`", path.display()))?;
    Ok(endpoints
        .partitions
        .into_iter()
        .filter(|partition| !partition.partition.starts_with(SECRET))
        .flat_map(|partition| partition.regions.into_keys())
        .collect())
}

fn same_regions(typed: &[Region], known: &BTreeSet<String>) -> Result<()> {
    let ours: BTreeSet<String> = typed
        .iter()
        .filter(|row| row.provider == "aws")
        .map(|row| row.region.clone())
        .collect();
    let differ: Vec<&String> = ours.symmetric_difference(known).collect();
    ensure!(
        differ.is_empty(),
        "manual/cloud_region.csv and botocore do not have the same regions of AWS: {differ:?}"
    );
    Ok(())
}

/// What CodeCarbon says of Google's regions, where it is another country or a region that we lack.
fn other_countries(typed: &[Region], codecarbon: &Path) -> Result<Vec<String>> {
    let path = codecarbon.join("codecarbon/data/cloud/impact.csv");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let theirs: Vec<Impact> = table::parse(text.trim_start_matches('\u{feff}'))
        .with_context(|| format!("cannot parse `{}`", path.display()))?;
    let mut notes = Vec::new();
    let mut agree = 0;
    for row in theirs {
        let ours = typed
            .iter()
            .find(|ours| ours.provider == row.provider && ours.region == row.region);
        match ours {
            Some(ours) if ours.iso3 == row.iso3 => agree += 1,
            // A grid of its own, whoever it belongs to.
            Some(ours) if ours.iso3 == "HKG" && row.iso3 == "CHN" => agree += 1,
            Some(ours) => bail!(
                "`{}` of `{}` is in {} by manual/cloud_region.csv and in {} by impact.csv",
                row.region,
                row.provider,
                ours.iso3,
                row.iso3
            ),
            None => notes.push(format!(
                "cloud/region.csv: `{}` of `{}` is in impact.csv only",
                row.region, row.provider
            )),
        }
    }
    ensure!(agree > 30, "only {agree} rows of impact.csv could be compared");
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    fn region(region: &str, iso3: &str) -> Region {
        Region {
            provider: "gcp".to_owned(),
            region: region.to_owned(),
            location: String::new(),
            iso3: iso3.to_owned(),
            subdivision: String::new(),
            zone: String::new(),
        }
    }

    #[test]
    fn a_region_that_aws_has_and_we_have_not_stops_the_refresh_and_secret_ones_do_not() {
        let botocore = folder(&[(
            "botocore/data/endpoints.json",
            r#"{"partitions":[{"partition":"aws","regions":{"eu-new-1":{"description":"x"}}},
                {"partition":"aws-iso-b","regions":{"us-isob-east-1":{}}}]}"#,
        )]);
        let known = aws(botocore.path()).unwrap();
        assert_eq!(known, BTreeSet::from(["eu-new-1".to_owned()]));
        let error = same_regions(&[], &known).unwrap_err().to_string();
        assert!(error.contains("eu-new-1"), "{error}");
    }

    #[test]
    fn two_sources_that_disagree_on_a_country_stop_the_refresh() {
        let codecarbon = folder(&[(
            "codecarbon/data/cloud/impact.csv",
            "\u{feff}provider,region,countryIsoCode\ngcp,europe-west9,BEL\n",
        )]);
        let error = other_countries(&[region("europe-west9", "FRA")], codecarbon.path())
            .unwrap_err()
            .to_string();
        assert!(error.contains("in FRA") && error.contains("in BEL"), "{error}");
    }
}
