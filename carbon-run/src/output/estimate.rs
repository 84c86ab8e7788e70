//! An estimate of hardware that was not looked at, for people and for programs.

use super::json::Beyond;
use super::plain_text::harmless;
use super::quantity::{Spelled, digits, energy, mass, percent};
use super::summary::{Row, Style, aligned, alike, beyond_rows, electricity};
use crate::model::recording::Ranged;
use crate::model::report::{Hypothetical, HypotheticalPart};
use crate::model::units::{Joules, Watts};
use serde::Serialize;

/// The version of the JSON form. Fields are added, never renamed or moved.
const SCHEMA: &str = "carbon-run/estimate/1";

/// The estimate as text.
#[must_use]
pub fn estimate_text(estimate: &Hypothetical, style: Style) -> String {
    let hours = estimate.circumstances.duration.as_secs_f64() / 3600.0;
    let busy = percent(estimate.hardware.utilisation.get());
    let mut text = format!("carbon-run: an estimate for {hours} h at {busy} utilisation\n");
    let mut rows = Vec::new();
    if let Some(total) = estimate.energy.ranged() {
        rows.push(row(
            "energy",
            true,
            energy(total),
            "estimated, not measured".to_owned(),
        ));
    }
    for part in &estimate.parts {
        let label = match part.kind {
            "gpu" => "  gpu",
            "cpu" => "  cpu",
            "ram" => "  ram",
            _ => "  other",
        };
        let detail = format!("{}, mean {} W", part.basis, digits(part.power.value.get(), 3));
        rows.push(row(label, false, energy(part.energy), detail));
    }
    let (pue, _) = estimate.circumstances.pue;
    if let Some(emitted) = estimate.emissions.ranged() {
        let place = electricity(&estimate.circumstances.intensity, pue);
        rows.push(row("CO2eq", true, mass(emitted), place));
    }
    rows.extend(beyond_rows(&estimate.beyond));
    text.push_str(&aligned(&rows, style));
    let assumed = estimate.circumstances.intensity.assumed.then(|| {
        "no place was given, so this is the world's average electricity; name one with `--country`".to_owned()
    });
    let alike = alike(&estimate.emissions, &estimate.beyond);
    for note in [assumed, alike].into_iter().flatten() {
        text.push_str(&format!("note: {note}\n"));
    }
    text
}

fn row(label: &'static str, headline: bool, spelled: Spelled, detail: String) -> Row {
    Row {
        label: label.into(),
        headline,
        value: spelled.value,
        range: spelled.range,
        detail: harmless(&detail),
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    data_version: &'a str,
    hours: f64,
    utilisation: f64,
    energy_j: Option<f64>,
    energy_range_j: Option<Range>,
    parts: Vec<Part<'a>>,
    g_per_kwh: f64,
    place: &'a str,
    place_name: &'a str,
    intensity_source: &'a str,
    boundary: &'a str,
    assumed: bool,
    pue: f64,
    emissions_g: Option<f64>,
    emissions_range_g: Option<Range>,
    #[serde(flatten)]
    beyond: Beyond<'a>,
}

#[derive(Serialize)]
struct Range {
    low: f64,
    high: f64,
}

#[derive(Serialize)]
struct Part<'a> {
    kind: &'static str,
    basis: &'a str,
    power_w: f64,
    power_range_w: Range,
    energy_j: f64,
    energy_range_j: Range,
}

impl<'a> From<&'a HypotheticalPart> for Part<'a> {
    fn from(part: &'a HypotheticalPart) -> Self {
        let Ranged { low, value, high } = part.power;
        Self {
            kind: part.kind,
            basis: &part.basis,
            power_w: value.get(),
            power_range_w: Range {
                low: Watts::get(low),
                high: Watts::get(high),
            },
            energy_j: part.energy.value.get(),
            energy_range_j: Range {
                low: Joules::get(part.energy.low),
                high: Joules::get(part.energy.high),
            },
        }
    }
}

/// The estimate as JSON, with a newline at its end.
///
/// # Errors
/// When a value has no JSON form; those of an estimate all have one.
pub fn estimate_json(estimate: &Hypothetical) -> Result<Vec<u8>, serde_json::Error> {
    let circumstances = &estimate.circumstances;
    let intensity = &circumstances.intensity;
    let range = |low: f64, high: f64| Range { low, high };
    let document = Document {
        schema: SCHEMA,
        data_version: &estimate.data_version,
        hours: circumstances.duration.as_secs_f64() / 3600.0,
        utilisation: estimate.hardware.utilisation.get(),
        energy_j: estimate.energy.value().map(|energy| energy.get()),
        energy_range_j: estimate
            .energy
            .ranged()
            .map(|ranged| range(ranged.low.get(), ranged.high.get())),
        parts: estimate.parts.iter().map(Part::from).collect(),
        g_per_kwh: intensity.value.value.get(),
        place: &intensity.place,
        place_name: &intensity.name,
        intensity_source: &intensity.source,
        boundary: &intensity.boundary,
        assumed: intensity.assumed,
        pue: circumstances.pue.0,
        emissions_g: estimate.emissions.value().map(|mass| mass.get()),
        emissions_range_g: estimate
            .emissions
            .ranged()
            .map(|ranged| range(ranged.low.get(), ranged.high.get())),
        beyond: Beyond::from(&estimate.beyond),
    };
    let mut bytes = serde_json::to_vec_pretty(&document)?;
    bytes.push(b'\n');
    Ok(bytes)
}
