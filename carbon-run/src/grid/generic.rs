//! Any address that answers with JSON: a site's own, or a provider that has no code here. Grams per kWh, at a JSON pointer (RFC 6901).

use super::{GridError, Question, SECOND_NS, Told, time};
use crate::http::Client;
use serde_json::Value;

pub(super) fn latest(question: &Question, client: &Client, now: i64) -> Result<Told, GridError> {
    let zone = percent_encoding::utf8_percent_encode(&question.zone, percent_encoding::NON_ALPHANUMERIC);
    let url = question
        .base
        .as_deref()
        .unwrap_or_default()
        .replace("{zone}", &zone.to_string());
    let bearer = question.token.as_ref().map(|token| format!("Bearer {token}"));
    let headers: Vec<(&str, &str)> = bearer
        .iter()
        .map(|bearer| ("authorization", bearer.as_str()))
        .collect();
    let body = question.get(client, &url, &headers)?;
    read(question, &body, now)
}

/// A number, or a text of one. Without a pointer to the time it is of now.
pub(super) fn read(question: &Question, body: &[u8], now: i64) -> Result<Told, GridError> {
    let (value, at) = &question.pointers;
    let answer: Value = serde_json::from_slice(body).map_err(|_| question.odd("no JSON"))?;
    let found = answer.pointer(value).and_then(|value| match value.as_str() {
        Some(text) => text.trim().parse().ok(),
        None => value.as_f64(),
    });
    let from_unix_ns = match at {
        None => Some(now),
        Some(at) => answer.pointer(at).and_then(|at| match at.as_str() {
            Some(text) => time(text),
            None => at.as_i64()?.checked_mul(SECOND_NS),
        }),
    };
    Ok(Told {
        g_per_kwh: found.ok_or_else(|| question.odd(format!("no number at `{value}`")))?,
        from_unix_ns: from_unix_ns.ok_or_else(|| question.odd("no time where `--live-time` says"))?,
        estimated: false,
    })
}
