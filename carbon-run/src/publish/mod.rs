//! Tells others of a finished run: CodeCarbon's server, a Pushgateway, a webhook. Nobody is told unless a setting names them.
//!
//! A [`Parcel`] is what one receiver is to get, without any secret, so that it can be kept where it could not be delivered. Each goes
//! by a thread of its own, all within one limit of time: the slowest receiver does not add to the others.

mod failure;
mod gateway;

pub use failure::PublishError;

use crate::http::{Answer, Client, Method, Request};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// The version of a parcel's shape.
pub const SCHEMA: &str = "carbon-run/parcel/1";

/// What one receiver is to get of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parcel {
    /// [`SCHEMA`].
    pub schema: String,
    /// The run's id.
    pub run_id: String,
    /// The receiver's address, as the person gave it.
    pub url: String,
    /// What it gets.
    pub content: Content,
}

/// What a receiver gets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// CodeCarbon's server.
    CodeCarbon {
        /// `POST /runs`.
        run: Value,
        /// `POST /emissions`, with the id that the server gave the run.
        emission: Value,
        /// That id, where the first went well and the second did not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        registered: Option<String>,
    },
    /// A webhook: JSON.
    Webhook {
        /// As it is sent.
        body: String,
    },
    /// A Pushgateway.
    Prometheus {
        /// Metrics as text.
        body: String,
        /// The type of that text.
        content_type: String,
        /// What the gateway keeps them under, the job first.
        grouping: Vec<(String, String)>,
    },
}

impl Content {
    /// For people.
    #[must_use]
    pub const fn receiver(&self) -> &'static str {
        match self {
            Self::CodeCarbon { .. } => "CodeCarbon's server",
            Self::Webhook { .. } => "the webhook",
            Self::Prometheus { .. } => "the Pushgateway",
        }
    }

    /// For the name of a file.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CodeCarbon { .. } => "codecarbon",
            Self::Webhook { .. } => "webhook",
            Self::Prometheus { .. } => "prometheus",
        }
    }
}

/// By what receivers know us. Has no form for people.
#[derive(Clone, Default)]
pub struct Credentials {
    /// CodeCarbon's server: `x-api-token`.
    pub codecarbon_token: Option<String>,
    /// The webhook: `Authorization: Bearer`.
    pub webhook_token: Option<String>,
    /// The Pushgateway: user and password.
    pub prometheus: Option<(String, String)>,
}

/// What became of a parcel.
#[derive(Debug)]
pub struct Sent {
    /// The parcel, with what is known of its delivery.
    pub parcel: Parcel,
    /// Whether the receiver has it.
    pub outcome: Result<(), PublishError>,
}

/// How often it is looked whether to give up.
const LOOKS: Duration = Duration::from_millis(50);

/// Sends all at once, and is back within `limit`, or soon after `give_up` says so.
#[must_use]
pub fn send_all(
    parcels: Vec<Parcel>,
    credentials: &Credentials,
    limit: Duration,
    give_up: &dyn Fn() -> bool,
) -> Vec<Sent> {
    let until = Instant::now() + limit;
    let (report, outcomes) = channel();
    for (number, parcel) in parcels.iter().enumerate() {
        let (report, mut parcel, credentials) = (report.clone(), parcel.clone(), credentials.clone());
        let work = move || {
            let outcome = send(&mut parcel, &credentials, until);
            // Nobody listens any more once the time is up.
            report
                .send((number, Sent { parcel, outcome }))
                .unwrap_or_default();
        };
        let thread = std::thread::Builder::new().name("publish".to_owned());
        // Where no thread can be had, the parcel counts as late, and is kept.
        thread.spawn(work).map(drop).unwrap_or_default();
    }
    drop(report);
    let mut sent: Vec<Sent> = parcels
        .into_iter()
        .map(|parcel| Sent {
            parcel,
            outcome: Err(PublishError::Late { limit }),
        })
        .collect();
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match outcomes.recv_timeout(left.min(LOOKS)) {
            Ok((number, done)) => {
                if let Some(place) = sent.get_mut(number) {
                    *place = done;
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) if left.is_zero() => break,
            Err(RecvTimeoutError::Timeout) if give_up() => {
                for sent in &mut sent {
                    if matches!(sent.outcome, Err(PublishError::Late { .. })) {
                        sent.outcome = Err(PublishError::BrokenOff);
                    }
                }
                break;
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
    sent
}

fn send(parcel: &mut Parcel, credentials: &Credentials, until: Instant) -> Result<(), PublishError> {
    let json = ("content-type", "application/json");
    let url = parcel.url.clone();
    match &mut parcel.content {
        Content::CodeCarbon {
            run,
            emission,
            registered,
        } => {
            let token = credentials.codecarbon_token.as_deref();
            let headers: Vec<_> = std::iter::once(json)
                .chain(token.map(|token| ("x-api-token", token)))
                .collect();
            let id = match registered {
                Some(id) => id.clone(),
                None => {
                    let address = below(&url, "/runs");
                    let answer = ask(
                        Method::Post,
                        &address,
                        &headers,
                        run.to_string().as_bytes(),
                        until,
                    )?;
                    let answer: Option<Value> = serde_json::from_slice(&answer.body).ok();
                    let id = answer.as_ref().and_then(|answer| answer.get("id")?.as_str());
                    let id = id.ok_or(PublishError::NoId)?.to_owned();
                    *registered = Some(id.clone());
                    id
                }
            };
            if let Value::Object(emission) = emission {
                emission.insert("run_id".to_owned(), id.into());
            }
            let address = below(&url, "/emissions");
            ask(
                Method::Post,
                &address,
                &headers,
                emission.to_string().as_bytes(),
                until,
            )
            .map(drop)
        }
        Content::Webhook { body } => {
            let bearer = credentials
                .webhook_token
                .as_ref()
                .map(|token| format!("Bearer {token}"));
            let headers: Vec<_> = std::iter::once(json)
                .chain(bearer.as_deref().map(|bearer| ("authorization", bearer)))
                .collect();
            ask(Method::Post, &url, &headers, body.as_bytes(), until).map(drop)
        }
        Content::Prometheus {
            body,
            content_type,
            grouping,
        } => {
            let basic = credentials
                .prometheus
                .as_ref()
                .map(|(user, password)| gateway::basic(user, password));
            let headers: Vec<_> = std::iter::once(("content-type", content_type.as_str()))
                .chain(basic.as_deref().map(|basic| ("authorization", basic)))
                .collect();
            let address = below(&url, &gateway::path(grouping));
            ask(Method::Put, &address, &headers, body.as_bytes(), until).map(drop)
        }
    }
}

/// The answer of a receiver that took it.
fn ask(
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    until: Instant,
) -> Result<Answer, PublishError> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(PublishError::Late { limit: left });
    }
    let answer = Client::new(left).send(&Request {
        method,
        url,
        headers,
        body,
    })?;
    if answer.is_success() {
        Ok(answer)
    } else {
        Err(PublishError::refused(&answer))
    }
}

/// An address below another one.
fn below(url: &str, path: &str) -> String {
    format!("{}{path}", url.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_at_the_end_of_an_address_makes_no_difference() {
        for url in ["http://h:1", "http://h:1/", "http://h:1//"] {
            assert_eq!(below(url, "/runs"), "http://h:1/runs");
        }
    }

    #[test]
    fn a_parcel_reads_back_as_it_was() {
        let parcel = Parcel {
            schema: SCHEMA.to_owned(),
            run_id: "7".to_owned(),
            url: "http://h".to_owned(),
            content: Content::CodeCarbon {
                run: Value::Null,
                emission: Value::Null,
                registered: Some("9".to_owned()),
            },
        };
        let text = serde_json::to_string(&parcel).unwrap();
        assert_eq!(serde_json::from_str::<Parcel>(&text).unwrap(), parcel);
    }

    #[test]
    fn without_parcels_nothing_is_waited_for() {
        let begun = Instant::now();
        assert!(
            send_all(
                Vec::new(),
                &Credentials::default(),
                Duration::from_secs(300),
                &|| false
            )
            .is_empty()
        );
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
}
