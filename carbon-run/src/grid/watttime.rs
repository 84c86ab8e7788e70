//! WattTime version 3: `/login` with user and password gives a token of half an hour, `/v3/historical` has values every five minutes, in pounds of
//! CO2 per MWh of the plants that one more MWh would start. Marginal, and so never to be mixed with an average.

use super::{GridError, KG_PER_LB, Question, SECOND_NS, Told, time};
use crate::http::Client;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

const BASE: &str = "https://api.watttime.org";

#[derive(Deserialize)]
struct Login {
    token: String,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Point>,
    meta: Meta,
}

#[derive(Deserialize)]
struct Point {
    point_time: String,
    value: Option<f64>,
}

#[derive(Deserialize)]
struct Meta {
    units: String,
}

pub(super) fn latest(question: &Question, client: &Client, now: i64) -> Result<Told, GridError> {
    let base = question.base.as_deref().unwrap_or(BASE);
    let basic = BASE64_STANDARD.encode(question.token.as_deref().unwrap_or_default());
    let login = question.get(
        client,
        &format!("{base}/login"),
        &[("authorization", &format!("Basic {basic}"))],
    )?;
    let Login { token } = serde_json::from_slice(&login).map_err(|_| question.odd("no token"))?;
    let zone = percent_encoding::utf8_percent_encode(&question.zone, percent_encoding::NON_ALPHANUMERIC);
    let at = |unix_ns: i64| {
        jiff::Timestamp::from_nanosecond(i128::from(unix_ns))
            .map(|at| at.strftime("%Y-%m-%dT%H:%MZ").to_string())
            .unwrap_or_default()
    };
    let (start, end) = (
        at(now.saturating_sub(1800 * SECOND_NS)),
        at(now.saturating_add(60 * SECOND_NS)),
    );
    let url = format!("{base}/v3/historical?region={zone}&start={start}&end={end}&signal_type=co2_moer");
    let body = question.get(client, &url, &[("authorization", &format!("Bearer {token}"))])?;
    read(question, &body)
}

pub(super) fn read(question: &Question, body: &[u8]) -> Result<Told, GridError> {
    let answer: Answer = serde_json::from_slice(body).map_err(|_| question.odd("no carbon intensity"))?;
    if answer.meta.units != "lbs_co2_per_mwh" {
        return Err(question.odd(format!("values in `{}`", answer.meta.units)));
    }
    let newest = answer
        .data
        .iter()
        .filter_map(|point| Some((time(&point.point_time)?, point.value?)))
        .max_by_key(|(at, _)| *at);
    let (from_unix_ns, pounds) = newest.ok_or_else(|| question.odd("no value yet"))?;
    Ok(Told {
        g_per_kwh: pounds * KG_PER_LB,
        from_unix_ns,
        estimated: true,
    })
}
