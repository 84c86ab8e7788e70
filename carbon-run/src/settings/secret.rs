//! What nobody but its receiver is to see. A secret comes from a config file or the environment and has no flag, for flags are in
//! `/proc/PID/cmdline` for everybody to read; and it is never printed.

use std::fmt;

/// A secret. Its [`name`](Secret::name) is its key in a config file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Secret {
    /// The project's token for CodeCarbon's server.
    CodecarbonToken,
    /// Of the provider of live intensities; of WattTime `USER:PASSWORD`.
    LiveToken,
    /// A bearer token for the webhook.
    WebhookToken,
    /// Beside `--prometheus-user`.
    PrometheusPassword,
}

impl Secret {
    /// Every secret.
    pub const ALL: [Self; 4] = [
        Self::CodecarbonToken,
        Self::LiveToken,
        Self::WebhookToken,
        Self::PrometheusPassword,
    ];

    /// The key in a config file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CodecarbonToken => "codecarbon-token",
            Self::LiveToken => "live-token",
            Self::WebhookToken => "webhook-token",
            Self::PrometheusPassword => "prometheus-password",
        }
    }

    /// The environment variable: `CARBON_RUN_WEBHOOK_TOKEN`.
    #[must_use]
    pub fn variable(self) -> String {
        let name = self.name().replace('-', "_").to_ascii_uppercase();
        format!("{}{name}", super::VARIABLE_PREFIX)
    }

    /// The secret of that name; underscores may stand for hyphens.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = name.replace('_', "-");
        Self::ALL.into_iter().find(|secret| secret.name() == name)
    }
}

/// A secret's value: it shows itself to who asks for it by name, and to nobody else.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    /// Without the white space around it, which nobody means; `None` where nothing is left.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The value.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hidden")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_itself_to_nobody_by_accident() {
        let secret = Hidden::new(" s3cret\n").unwrap();
        assert_eq!(secret.reveal(), "s3cret");
        assert_eq!(
            format!("{secret:?} {:#?}", Some(&secret))
                .matches("s3cret")
                .count(),
            0
        );
        assert_eq!(Hidden::new(" \n"), None);
    }

    #[test]
    fn a_name_leads_back_to_its_secret_and_to_no_setting() {
        for secret in Secret::ALL {
            assert_eq!(Secret::named(&secret.name().replace('-', "_")), Some(secret));
            assert_eq!(super::super::Key::named(secret.name()), None);
            assert!(secret.variable().starts_with("CARBON_RUN_"));
        }
    }
}
