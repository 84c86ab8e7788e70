//! Great Britain's Carbon Intensity API (NESO, CC-BY-4.0): `/intensity`, `/regional/regionid/N`, `/regional/postcode/SW1`. No token.

use super::{GridError, Question, Told, time};
use crate::http::Client;
use serde::Deserialize;

const BASE: &str = "https://api.carbonintensity.org.uk";

#[derive(Deserialize)]
struct National {
    data: Vec<Slot>,
}

#[derive(Deserialize)]
struct Regional {
    data: Vec<Region>,
}

#[derive(Deserialize)]
struct Region {
    data: Vec<Slot>,
}

#[derive(Deserialize)]
struct Slot {
    from: String,
    intensity: Value,
}

#[derive(Deserialize)]
struct Value {
    forecast: Option<f64>,
    /// Known half an hour later; regions have none.
    actual: Option<f64>,
}

pub(super) fn latest(question: &Question, client: &Client) -> Result<Told, GridError> {
    let base = question.base.as_deref().unwrap_or(BASE);
    let zone = question.zone.trim();
    let plain = zone.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let path = match zone {
        "" | "GB" => "intensity".to_owned(),
        number if number.parse::<u8>().is_ok() => format!("regional/regionid/{number}"),
        postcode if plain => format!("regional/postcode/{postcode}"),
        other => {
            return Err(GridError::Zone {
                provider: question.provider.title(),
                zone: other.to_owned(),
            });
        }
    };
    let body = question.get(
        client,
        &format!("{base}/{path}"),
        &[("accept", "application/json")],
    )?;
    read(question, &body)
}

pub(super) fn read(question: &Question, body: &[u8]) -> Result<Told, GridError> {
    let slots = match serde_json::from_slice::<National>(body) {
        Ok(national) => national.data,
        Err(_) => serde_json::from_slice::<Regional>(body)
            .map_err(|_| question.odd("no carbon intensity"))?
            .data
            .into_iter()
            .flat_map(|region| region.data)
            .collect(),
    };
    let slot = slots.first().ok_or_else(|| question.odd("no half-hour"))?;
    let value = slot.intensity.actual.or(slot.intensity.forecast);
    Ok(Told {
        g_per_kwh: value.ok_or_else(|| question.odd("no value yet"))?,
        from_unix_ns: time(&slot.from).ok_or_else(|| question.odd("a time that is none"))?,
        estimated: slot.intensity.actual.is_none(),
    })
}
