//! Who is told of a run besides the person: addresses from the settings, secrets from files and the environment.

use super::secret::{Hidden, Secret};
use super::{BadValue, Chosen, Key, Layer, Origin};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// After the command has ended, carbon-run stays this long for all receivers together, at most.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What a webhook is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookFormat {
    /// The JSON report.
    Report,
    /// The cells of `emissions.csv` and the user's name, as CodeCarbon's `emissions_endpoint` is.
    CodeCarbon,
}

impl WebhookFormat {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Report, Self::CodeCarbon];

    /// As it is written in settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::CodeCarbon => "codecarbon",
        }
    }
}

/// Who is told of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Publishing {
    /// CodeCarbon's server: `https://api.codecarbon.io`, or one of your own.
    pub codecarbon_api: Option<String>,
    /// A file for node_exporter's textfile collector.
    pub prometheus_file: Option<PathBuf>,
    /// A Pushgateway.
    pub prometheus_push: Option<String>,
    /// Who pushes, where the gateway asks.
    pub prometheus_user: Option<String>,
    /// Any address.
    pub webhook: Option<String>,
    /// What it is told.
    pub webhook_format: WebhookFormat,
    /// For all of them together, 100 ms to 5 min.
    pub timeout: Duration,
    /// Where there are any.
    pub secrets: BTreeMap<Secret, Hidden>,
    /// Where each of them was said.
    pub secret_origins: BTreeMap<Secret, Origin>,
}

impl Publishing {
    pub(super) fn of(chosen: &Chosen<'_>, layers: &[Layer]) -> Result<Self, BadValue> {
        let mut secrets = BTreeMap::new();
        let mut secret_origins = BTreeMap::new();
        for (secret, said) in layers.iter().flat_map(Layer::secrets) {
            match said.text.to_str().and_then(Hidden::new) {
                Some(hidden) => {
                    secrets.insert(secret, hidden);
                    secret_origins.insert(secret, said.origin.clone());
                }
                // An empty one takes away what a lower layer says.
                None => {
                    secrets.remove(&secret);
                    secret_origins.remove(&secret);
                }
            }
        }
        Ok(Self {
            codecarbon_api: chosen.read(Key::CodecarbonApi, |value| value.address())?,
            prometheus_file: chosen.read(Key::PrometheusFile, |value| value.path())?,
            prometheus_push: chosen.read(Key::PrometheusPush, |value| value.address())?,
            prometheus_user: chosen.read(Key::PrometheusUser, |value| value.text())?,
            webhook: chosen.read(Key::Webhook, |value| value.address())?,
            webhook_format: chosen
                .read(Key::WebhookFormat, |value| value.webhook_format())?
                .unwrap_or(WebhookFormat::Report),
            timeout: chosen
                .read(Key::PublishTimeout, |value| value.publish_timeout())?
                .unwrap_or(TIMEOUT),
            secrets,
            secret_origins,
        })
    }

    /// A setting as it is shown. An address may have a secret in its path, as those of chat services do: only its host is told.
    pub(super) fn written(&self, key: Key) -> Option<String> {
        let shown = [
            (Key::CodecarbonApi, self.codecarbon_api.as_deref().map(bare)),
            (
                Key::PrometheusFile,
                self.prometheus_file
                    .as_ref()
                    .map(|path| path.display().to_string()),
            ),
            (Key::PrometheusPush, self.prometheus_push.as_deref().map(bare)),
            (Key::PrometheusUser, self.prometheus_user.clone()),
            (Key::Webhook, self.webhook.as_deref().map(bare)),
            (Key::WebhookFormat, Some(self.webhook_format.name().to_owned())),
            (Key::PublishTimeout, Some(format!("{:?}", self.timeout))),
        ];
        shown.into_iter().find(|(shown, _)| *shown == key)?.1
    }
}

/// `https://me:secret@host/services/secret?key=secret` to `https://host/...`
#[must_use]
pub fn bare(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return "...".to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let more = if path.trim_matches('/').is_empty() {
        ""
    } else {
        "/..."
    };
    format!("{scheme}://{host}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_may_be_secret() {
        for (url, shown) in [
            ("https://host", "https://host"),
            ("https://host:8/", "https://host:8"),
            ("https://me:s3cret@host/T0/s3cret?k=s3cret", "https://host/..."),
            ("https://host?k=s3cret", "https://host/..."),
            ("s3cret", "..."),
        ] {
            assert_eq!(bare(url), shown);
        }
    }
}
