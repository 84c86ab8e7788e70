//! What the electricity's carbon intensity is now, by those who publish it while it is used.
//!
//! Nothing is asked unless a person says `--live`. What goes out is the zone and, where the provider wants one, the person's token. One question
//! is one or two requests within a limit of time; who asks, how often and what is done with an answer is the session's business.

mod electricity_maps;
mod failure;
mod generic;
pub mod metadata;
mod uk;
mod watttime;

pub use failure::GridError;

use crate::http::{Client, Method, Request};
use crate::model::recording::{LiveFacts, LiveProvider as Provider, LiveStep};
use crate::model::units::GramsPerKwh;
use std::time::Duration;

/// A question takes no longer, whatever it waits for.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// More than this is no carbon intensity (Turkmenistan's average is 1306 g/kWh); marginal plants may be dirtier than any average.
const HIGHEST_G_PER_KWH: f64 = 2000.0;

/// Pounds to kilograms (exact, by definition since 1959): lb/MWh times this is g/kWh.
const KG_PER_LB: f64 = 0.453_592_37;

const SECOND_NS: i64 = 1_000_000_000;

/// A question that can be asked again and again.
#[derive(Clone)]
pub struct Question {
    /// Whom.
    pub provider: Provider,
    /// As the provider names it; empty where there is none.
    pub zone: String,
    /// Another address than the provider's own, without a slash at its end.
    pub base: Option<String>,
    /// Of WattTime `USER:PASSWORD`.
    pub token: Option<String>,
    /// JSON pointers (RFC 6901) to value and time in a generic answer.
    pub pointers: (String, Option<String>),
}

impl Question {
    /// What is to be said of the values in a report.
    #[must_use]
    pub fn facts(&self) -> LiveFacts {
        let (boundary, flow) = match self.provider {
            Provider::ElectricityMaps => ("lifecycle", "consumption"),
            // Their method: carbon of generation and of imports, without what came before.
            Provider::Uk => ("direct", "consumption"),
            Provider::WattTime => ("direct", "production"),
            Provider::Generic => ("unstated", "unstated"),
        };
        LiveFacts {
            provider: match &self.base {
                Some(base) if self.provider == Provider::Generic => host_of(base).to_owned(),
                _ => self.provider.title().to_owned(),
            },
            zone: match (self.provider, self.zone.as_str()) {
                (Provider::Uk, "") => "GB".to_owned(),
                (_, zone) => zone.to_owned(),
            },
            boundary: boundary.to_owned(),
            flow: flow.to_owned(),
            marginal: self.provider == Provider::WattTime,
        }
    }

    /// Asks, and looks hard at the answer. `now` is the wall clock, nanoseconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// When there is no answer in time, or none that can be used; the reason has no token in it.
    pub fn ask(&self, client: &Client, now: i64) -> Result<LiveStep, GridError> {
        let value = match self.provider {
            Provider::ElectricityMaps => electricity_maps::latest(self, client)?,
            Provider::Uk => uk::latest(self, client)?,
            Provider::WattTime => watttime::latest(self, client, now)?,
            Provider::Generic => generic::latest(self, client, now)?,
        };
        value.step(self.provider.period(), now)
    }

    fn get(&self, client: &Client, url: &str, headers: &[(&str, &str)]) -> Result<Vec<u8>, GridError> {
        let answer = client.send(&Request {
            method: Method::Get,
            url,
            headers,
            body: b"",
        })?;
        match answer.status {
            200..=299 => Ok(answer.body),
            401 | 403 => Err(GridError::Refused {
                provider: self.provider.title(),
                status: answer.status,
            }),
            404 => Err(GridError::Zone {
                provider: self.provider.title(),
                zone: self.zone.clone(),
            }),
            status => Err(GridError::Status {
                provider: self.provider.title(),
                status,
                retry_after: answer.retry_after,
            }),
        }
    }

    fn odd(&self, what: impl Into<String>) -> GridError {
        GridError::Odd {
            provider: self.provider.title(),
            what: what.into(),
        }
    }
}

fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Told {
    g_per_kwh: f64,
    from_unix_ns: i64,
    estimated: bool,
}

impl Told {
    /// A value that makes sense and is of now: not from the future, and not older than two periods and an hour.
    fn step(self, period: Duration, now: i64) -> Result<LiveStep, GridError> {
        let value = GramsPerKwh::new(self.g_per_kwh)
            .ok()
            .filter(|value| value.get() <= HIGHEST_G_PER_KWH)
            .ok_or(GridError::Absurd {
                value: self.g_per_kwh,
            })?;
        let period_ns = i64::try_from(period.as_nanos()).unwrap_or(i64::MAX / 8);
        let slack = period_ns.max(600 * SECOND_NS);
        if self.from_unix_ns > now.saturating_add(slack) {
            return Err(GridError::Future);
        }
        let oldest = now.saturating_sub(2 * period_ns + 3600 * SECOND_NS);
        if self.from_unix_ns < oldest {
            let age = now.saturating_sub(self.from_unix_ns) / SECOND_NS;
            return Err(GridError::Stale { minutes: age / 60 });
        }
        // A late value is the newest there is: it holds now.
        let until = self.from_unix_ns.saturating_add(2 * period_ns);
        Ok(LiveStep {
            from_unix_ns: self.from_unix_ns,
            until_unix_ns: until.max(now.saturating_add(period_ns)),
            g_per_kwh: value,
            estimated: self.estimated,
        })
    }
}

/// A time of RFC 3339 or nearly so (Great Britain's has no seconds), nanoseconds since 1970-01-01T00:00:00Z.
fn time(text: &str) -> Option<i64> {
    let parsed = text.parse::<jiff::Timestamp>().or_else(|_| {
        let padded = text
            .strip_suffix('Z')
            .map(|text| format!("{text}:00Z"))
            .unwrap_or_default();
        padded.parse()
    });
    i64::try_from(parsed.ok()?.as_nanosecond()).ok()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
