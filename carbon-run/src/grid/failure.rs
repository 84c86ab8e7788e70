//! Why there is no value.

use crate::http::HttpError;
use std::time::Duration;

/// Why there is no value. Messages have no token in them.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GridError {
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The token is wrong, or not for this zone.
    #[error("{provider} refused the token (status {status})")]
    Refused {
        /// Who.
        provider: &'static str,
        /// 401 or 403.
        status: u16,
    },
    /// The zone is unknown there.
    #[error("{provider} does not know the zone `{zone}`")]
    Zone {
        /// Who.
        provider: &'static str,
        /// As asked.
        zone: String,
    },
    /// Another status.
    #[error("{provider} answered with status {status}")]
    Status {
        /// Who.
        provider: &'static str,
        /// The status.
        status: u16,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// Not what is documented.
    #[error("{provider} answered with {what}")]
    Odd {
        /// Who.
        provider: &'static str,
        /// What it was.
        what: String,
    },
    /// The numbers of a trial key are made up.
    #[error("Electricity Maps answered with made-up numbers: the token is one for its sandbox")]
    Sandbox,
    /// No amount of anything.
    #[error("a carbon intensity of {value} g/kWh")]
    Absurd {
        /// As told.
        value: f64,
    },
    /// Of another time.
    #[error("a carbon intensity of {minutes} minutes ago")]
    Stale {
        /// Its age.
        minutes: i64,
    },
    /// Of a time to come.
    #[error("a carbon intensity of a time to come")]
    Future,
}

impl GridError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused { .. } => Some(
                "give a token that is good for this zone in `CARBON_RUN_LIVE_TOKEN`, or as `live-token` in a config file"
                    .to_owned(),
            ),
            Self::Sandbox => Some("give the token of an account and no trial key".to_owned()),
            Self::Zone { .. } => Some("name it with `--live-zone`".to_owned()),
            Self::Http(HttpError::NotBuilt) => {
                Some("build carbon-run with its feature `http`".to_owned())
            }
            Self::Odd { .. } => Some("with `--live generic`, `--live-value` and `--live-time` say where to look".to_owned()),
            Self::Http(_) | Self::Status { .. } | Self::Absurd { .. } | Self::Stale { .. } | Self::Future => None,
        }
    }

    /// How long to wait before the next try, where the provider said so.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        if let Self::Status { retry_after, .. } = self {
            *retry_after
        } else {
            None
        }
    }

    /// Whether asking again cannot help.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. } | Self::Sandbox | Self::Zone { .. } | Self::Http(HttpError::NotBuilt)
        )
    }
}
