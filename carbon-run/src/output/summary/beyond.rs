//! The rows beyond the electricity's emissions, and what those are like.

use super::table::Row;
use crate::model::recording::{FigureFrom, Ranged};
use crate::model::report::{BeyondElectricity, Embodied, Figure, SoftwareCarbonIntensity, Water};
use crate::model::units::{Grams, Litres, Share};
use crate::output::plain_text::harmless;
use crate::output::quantity::{Spelled, digits, mass, percent, volume};

/// In the order of the report.
pub(in crate::output) fn rows(beyond: &BeyondElectricity) -> Vec<Row> {
    let embodied = beyond.embodied.as_ref().map(embodied);
    let sci = beyond.sci.as_ref().map(sci);
    let water = beyond.water.as_ref().map(water);
    [embodied, sci, water].into_iter().flatten().collect()
}

fn embodied(embodied: &Embodied) -> Row {
    let share = embodied.share.filter(|share| *share < Share::ALL).map(|share| {
        let by = match embodied.share_by {
            "allocation" => " (allocated)",
            "cpu-time" => " (of the CPU time)",
            _ => "",
        };
        format!("{}{by} of ", percent(share.get()))
    });
    let detail = format!(
        "{}{}, over {} years",
        share.unwrap_or_default(),
        embodied.basis,
        embodied.lifetime_years
    );
    row("embodied", &embodied.emissions, mass, &detail)
}

fn sci(sci: &SoftwareCarbonIntensity) -> Row {
    let unit = &sci.unit;
    let detail = format!(
        "for each of {} {}, with the making of the machine",
        unit.amount, unit.name
    );
    row("SCI", &sci.per_unit, mass, &detail)
}

fn water(water: &Water) -> Row {
    let by = match &water.from {
        FigureFrom::User => "as stated".to_owned(),
        FigureFrom::Published { source, year } => format!("{source} {year}"),
    };
    let detail = format!("{} l/kWh, {by}", digits(water.l_per_kwh, 3));
    let spelled = |litres: Ranged<Litres>| volume(litres);
    row("water", &water.amount, spelled, &detail)
}

fn row<T: Copy>(
    label: &'static str,
    figure: &Figure<T>,
    spelled: impl FnOnce(Ranged<T>) -> Spelled,
    detail: &str,
) -> Row {
    match figure {
        Figure::Known { ranged, .. } => {
            let Spelled { value, range } = spelled(*ranged);
            Row {
                label: label.into(),
                headline: false,
                value,
                range,
                detail: harmless(detail),
            }
        }
        Figure::Absent(reason) => Row::unknown(label, reason),
    }
}

/// In the largest unit of which it is at least one. Less than that helps nobody.
pub(in crate::output) fn alike(emissions: &Figure<Grams>, beyond: &BeyondElectricity) -> Option<String> {
    let grams: Grams = emissions.value()?;
    let fitting = |key: &&str| {
        let like = beyond.equivalences.iter().find(|like| like.key == **key)?;
        (like.amount >= 1.0).then_some(like)
    };
    let like = ["car", "phone"].iter().find_map(fitting)?;
    let alone = Ranged {
        low: grams,
        value: grams,
        high: grams,
    };
    Some(format!(
        "{} of CO2eq is like {} {} ({} {})",
        mass(alone).value,
        digits(like.amount, 2),
        like.unit,
        like.source,
        like.year
    ))
}
