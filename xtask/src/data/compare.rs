//! Countries' intensities beside those of a second source: Our World in Data's edition in CodeCarbon's package, some years older and of the same
//! boundary. Grids change by some percent a year; what is far apart is a slip of the hand, or worth a look.

use super::table;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Apart by more than this part of the greater, and by more than so many g/kWh.
const FAR_SHARE: f64 = 0.4;
const FAR_G: f64 = 60.0;
/// More than this part of all countries far apart is no slip of a hand, but another table.
const MOST_FAR: f64 = 0.15;

#[derive(Deserialize)]
struct Country {
    iso3: String,
    g_per_kwh: Option<f64>,
}

#[derive(Deserialize)]
struct Second {
    carbon_intensity: Option<f64>,
    year: Option<u16>,
}

/// A note for every country whose two figures are far apart; an error when they are many.
pub(crate) fn countries(built: &str, codecarbon: &Path) -> Result<Vec<String>> {
    let path = codecarbon.join("codecarbon/data/private_infra/global_energy_mix.json");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let second: BTreeMap<String, Second> =
        serde_json::from_str(&text).with_context(|| format!("cannot parse `{}`", path.display()))?;
    let mut notes = Vec::new();
    let mut compared = 0;
    for Country { iso3, g_per_kwh } in table::parse(built)? {
        let other = second
            .get(&iso3)
            .and_then(|row| Some((row.carbon_intensity?, row.year?)));
        let (Some(ours), Some((theirs, year))) = (g_per_kwh, other) else {
            continue;
        };
        // A missing figure is written as 0 there.
        if theirs <= 0.0 {
            continue;
        }
        compared += 1;
        let apart = (ours - theirs).abs();
        if apart > FAR_G && apart > FAR_SHARE * ours.max(theirs) {
            notes.push(format!(
                "grid/country.csv: {iso3} has {ours} g/kWh, and Our World in Data {theirs} in {year}"
            ));
        }
    }
    ensure!(
        (notes.len() as f64) <= MOST_FAR * f64::from(compared),
        "{} of {compared} countries are far from their second source:\n{}",
        notes.len(),
        notes.join("\n")
    );
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(built: &str, theirs: &str) -> Result<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("codecarbon/data/private_infra");
        std::fs::create_dir_all(&inside).unwrap();
        std::fs::write(inside.join("global_energy_mix.json"), theirs).unwrap();
        countries(built, folder.path())
    }

    #[test]
    fn a_slip_of_the_hand_is_told_and_a_grid_that_changes_is_not() {
        let mut built = "iso3,g_per_kwh\nFRA,41.45\nDEU,3300\n".to_owned();
        let mut theirs =
            r#"{"FRA":{"carbon_intensity":56.0,"year":2023},"DEU":{"carbon_intensity":381.0,"year":2023}"#
                .to_owned();
        for number in 0..9 {
            built.push_str(&format!("X{number}X,500\n"));
            theirs.push_str(&format!(
                r#","X{number}X":{{"carbon_intensity":520.0,"year":2022}}"#
            ));
        }
        theirs.push('}');
        let notes = compared(&built, &theirs).unwrap();
        assert_eq!(notes.len(), 1);
        assert!(notes[0].contains("DEU has 3300"), "{notes:?}");
    }

    #[test]
    fn another_table_altogether_stops_the_refresh() {
        let error = compared(
            "iso3,g_per_kwh\nFRA,4145\nDEU,\n",
            r#"{"FRA":{"carbon_intensity":56.0,"year":2023},"DEU":{"carbon_intensity":0,"year":2023}}"#,
        );
        assert!(error.unwrap_err().to_string().contains("1 of 1 countries"));
    }
}
