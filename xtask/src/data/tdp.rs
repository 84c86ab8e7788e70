//! Builds data/hardware/cpu_tdp.csv: thermal design power by the key of the model name.

use super::cpu_key::cpu_key;
use super::table;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "TDP")]
    tdp: String,
}

#[derive(Deserialize)]
struct Manual {
    name: String,
    tdp_w: f64,
    source: String,
}

const HEADER: [&str; 3] = ["key", "tdp_w", "source"];
const ABOUT: [&str; 3] = [
    "Written by `cargo xtask data refresh`: change data/manual or the pins in data/sources.toml, not this file.",
    "Thermal design power (or Intel's Processor Base Power) of one package in watts, by cpu_key of the model name.",
    "Collected by CodeCarbon from AMD's and Intel's public specifications (MIT, SOURCES.md), and data/manual/cpu_tdp.csv.",
];

/// The table's text, and what had to be left out.
pub(crate) fn build(data: &Path, codecarbon: &Path) -> Result<(String, Vec<String>)> {
    let path = codecarbon.join("codecarbon/data/hardware/cpu_power.csv");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let listed: Vec<Listed> = table::parse(&text).with_context(|| format!("in `{}`", path.display()))?;
    let manual: Vec<Manual> = table::read(data, "manual/cpu_tdp.csv")?;
    let (rows, notes) = merge(&listed, &manual);
    Ok((
        table::write(&ABOUT, &HEADER, rows.iter().map(Vec::as_slice))?,
        notes,
    ))
}

/// One row per key. A key with two different figures in the list has none; a figure typed by hand wins.
fn merge(listed: &[Listed], manual: &[Manual]) -> (Vec<Vec<String>>, Vec<String>) {
    let mut notes = Vec::new();
    let mut found: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let (mut nameless, mut powerless) = (0_u32, 0_u32);
    for row in listed {
        let Some(key) = listed_key(&row.name) else {
            nameless += 1;
            continue;
        };
        // `27.29.5`, and one 0 W
        match row.tdp.parse::<f64>() {
            Ok(watts) if watts > 0.0 => found.entry(key).or_default().push(watts),
            _ => powerless += 1,
        }
    }
    notes.push(format!(
        "cpu_tdp: {nameless} listed names without a vendor or a model number are left out"
    ));
    notes.push(format!(
        "cpu_tdp: {powerless} listed parts without a readable power are left out"
    ));

    let by_hand: BTreeMap<String, &Manual> = manual
        .iter()
        .filter_map(|row| Some((cpu_key(&row.name)?, row)))
        .collect();
    let mut rows = BTreeMap::new();
    for (key, watts) in found {
        let first = watts.first().copied().unwrap_or_default();
        if by_hand.contains_key(&key) {
            continue;
        }
        if watts.iter().any(|other| (other - first).abs() > 1e-9) {
            notes.push(format!(
                "cpu_tdp: `{key}` is listed with {watts:?} W and is left out"
            ));
            continue;
        }
        rows.insert(
            key.clone(),
            vec![key, table::number(first), "codecarbon".to_owned()],
        );
    }
    for (key, row) in by_hand {
        rows.insert(
            key.clone(),
            vec![key, table::number(row.tdp_w), row.source.clone()],
        );
    }
    (rows.into_values().collect(), notes)
}

/// The list leaves the family off many AMD parts. Four digits that begin with 3, 4 or 6 are Opterons (and nothing else);
/// other bare numbers (`460`, `B57`, `1075T`) could be several families, and are not taken.
fn listed_key(name: &str) -> Option<String> {
    // How a part is sold is no part of its name; other parentheses tell variants apart and make the name unusable.
    let name = name.strip_suffix(" (OEM Only)").unwrap_or(name);
    let first = name.split(' ').next().unwrap_or_default();
    let generation = name.to_lowercase().contains("gen ");
    if first.starts_with(|letter: char| letter.is_ascii_digit()) && !generation {
        let digits = first.trim_end_matches('P');
        let opteron = digits.len() == 4
            && digits.starts_with(['3', '4', '6'])
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        return if opteron {
            cpu_key(&format!("Opteron {name}"))
        } else {
            None
        };
    }
    // `B57`, `N830`: a lone model number of no family.
    let lone = name.split(' ').count() == 1 && !name.contains('-');
    if lone { None } else { cpu_key(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str, tdp: &str) -> Listed {
        Listed {
            name: name.to_owned(),
            tdp: tdp.to_owned(),
        }
    }

    #[test]
    fn one_key_with_two_powers_has_none_and_is_told() {
        let (rows, notes) = merge(
            &[listed("Intel Atom E640", "3.6"), listed("Atom E640", "4.5")],
            &[],
        );
        assert!(rows.is_empty());
        assert!(
            notes
                .iter()
                .any(|note| note.contains("`atom e640` is listed with [3.6, 4.5] W"))
        );
    }

    #[test]
    fn a_figure_typed_by_hand_wins() {
        let manual = [Manual {
            name: "Intel Core i7-12700K".to_owned(),
            tdp_w: 125.0,
            source: "intel-ark".to_owned(),
        }];
        let (rows, _) = merge(&[listed("Intel Core i7-12700K", "190")], &manual);
        assert_eq!(rows, [["core i7-12700k", "125", "intel-ark"].map(str::to_owned)]);
    }

    #[test]
    fn malformed_and_zero_powers_are_left_out() {
        let (rows, _) = merge(
            &[listed("Intel Celeron 1200", "29.32.9"), listed("AMD EPYC 1", "0")],
            &[],
        );
        assert!(rows.is_empty());
    }

    #[test]
    fn a_bare_number_is_an_opteron_or_nothing() {
        assert_eq!(listed_key("6276").as_deref(), Some("opteron 6276"));
        assert_eq!(listed_key("4274 HE").as_deref(), Some("opteron 4274 he"));
        assert_eq!(listed_key("6338P").as_deref(), Some("opteron 6338p"));
        for name in ["460", "1075T", "255e", "B57", "965"] {
            assert_eq!(listed_key(name), None, "{name}");
        }
        assert_eq!(
            listed_key("AMD Ryzen 7 4700G (OEM Only)").as_deref(),
            Some("ryzen 7 4700g")
        );
        assert_eq!(listed_key("AMD Phenom II X4 965 BE (140W)"), None);
        assert_eq!(listed_key("7th Gen FX 9800P APU").as_deref(), Some("fx-9800p"));
    }
}
