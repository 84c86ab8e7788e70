//! Electricity Maps, `GET /v4/carbon-intensity/latest?zone=FR` with the header `auth-token`; version 3 has the same answer.

use super::{GridError, Question, Told, time};
use crate::http::Client;
use serde::Deserialize;

const BASE: &str = "https://api.electricitymaps.com/v4";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    carbon_intensity: Option<f64>,
    datetime: String,
    #[serde(default)]
    is_estimated: bool,
    estimation_method: Option<String>,
    #[serde(rename = "_disclaimer")]
    disclaimer: Option<String>,
}

pub(super) fn latest(question: &Question, client: &Client) -> Result<Told, GridError> {
    let base = question.base.as_deref().unwrap_or(BASE);
    let zone = percent_encoding::utf8_percent_encode(&question.zone, percent_encoding::NON_ALPHANUMERIC);
    let url = format!("{base}/carbon-intensity/latest?zone={zone}");
    let token = question.token.as_deref().unwrap_or_default();
    let body = question.get(client, &url, &[("auth-token", token)])?;
    read(question, &body)
}

/// Trial keys get numbers that are made up, and say so.
pub(super) fn read(question: &Question, body: &[u8]) -> Result<Told, GridError> {
    let answer: Answer = serde_json::from_slice(body).map_err(|_| question.odd("no carbon intensity"))?;
    let sandbox = answer
        .estimation_method
        .is_some_and(|method| method.contains("SANDBOX"));
    if sandbox || answer.disclaimer.is_some() {
        return Err(GridError::Sandbox);
    }
    Ok(Told {
        g_per_kwh: answer
            .carbon_intensity
            .ok_or_else(|| question.odd("no value yet"))?,
        from_unix_ns: time(&answer.datetime).ok_or_else(|| question.odd("a time that is none"))?,
        estimated: answer.is_estimated,
    })
}
