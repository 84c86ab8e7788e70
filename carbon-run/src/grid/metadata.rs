//! Which region of a cloud this machine is in, as the cloud's own metadata service says: one address of the link, never a name on the internet.

use crate::http::{Answer, Client, HttpError, Method, Request};
use std::time::Duration;

/// The address of the link is near or not there.
const TIMEOUT: Duration = Duration::from_millis(300);
/// The same for all three clouds.
const BASE: &str = "http://169.254.169.254";

/// Asks. `base` is in place of the clouds' own address.
///
/// # Errors
/// When nobody answers in 300 ms.
pub fn region(provider: &str, base: Option<&str>) -> Result<Option<String>, HttpError> {
    let base = base.unwrap_or(BASE).trim_end_matches('/');
    let client = Client::direct(TIMEOUT);
    let ask = |method, path: &str, headers: &[(&str, &str)]| {
        client.send(&Request {
            method,
            url: &format!("{base}{path}"),
            headers,
            body: b"",
        })
    };
    let answer = match provider {
        // IMDSv2 (AWS, "Use IMDSv2"): a token first. Version 1 is not asked: where it is on, version 2 is.
        "aws" => {
            let seconds = [("x-aws-ec2-metadata-token-ttl-seconds", "60")];
            let token = ask(Method::Put, "/latest/api/token", &seconds)?;
            let Some(token) = said(&token) else {
                return Ok(None);
            };
            ask(
                Method::Get,
                "/latest/meta-data/placement/region",
                &[("x-aws-ec2-metadata-token", &token)],
            )?
        }
        "azure" => ask(
            Method::Get,
            "/metadata/instance/compute/location?api-version=2021-02-01&format=text",
            &[("metadata", "true")],
        )?,
        _ => ask(
            Method::Get,
            "/computeMetadata/v1/instance/zone",
            &[("metadata-flavor", "Google")],
        )?,
    };
    // Google's is `projects/123/zones/europe-west9-b`.
    Ok(said(&answer).and_then(|text| text.rsplit('/').next().map(str::to_owned)))
}

/// A line of plain text.
fn said(answer: &Answer) -> Option<String> {
    let text = std::str::from_utf8(&answer.body).ok()?.trim();
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    (answer.is_success() && plain && !text.is_empty() && text.len() < 1024).then(|| text.to_owned())
}
