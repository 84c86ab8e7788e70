//! Why a receiver does not have it.

use crate::http::{Answer, HttpError};
use std::time::Duration;

/// The most letters of an answer that are told.
const LONGEST: usize = 160;

/// Why a receiver does not have its parcel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// An answer that is a no.
    #[error("it answered {status}{}", ending(.said))]
    Refused {
        /// The status code.
        status: u16,
        /// The beginning of what it said.
        said: String,
    },
    /// CodeCarbon's server took the run and did not say under which id.
    #[error("its answer has no `id`")]
    NoId,
    /// The time was up.
    #[error("there was no answer within {:?}", limit)]
    Late {
        /// For all receivers together.
        limit: Duration,
    },
    /// Somebody did not want to wait any longer.
    #[error("a signal broke it off")]
    BrokenOff,
}

fn ending(said: &str) -> String {
    if said.is_empty() {
        String::new()
    } else {
        format!(": {said}")
    }
}

impl PublishError {
    pub(super) fn refused(answer: &Answer) -> Self {
        let text = String::from_utf8_lossy(&answer.body);
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Self::Refused {
            status: answer.status,
            said: words.chars().take(LONGEST).collect(),
        }
    }

    /// What to do about it; `secret` is the setting by which the receiver knows us.
    #[must_use]
    pub fn hint(&self, secret: &str) -> String {
        match self {
            Self::Refused {
                status: 401 | 403, ..
            } => {
                format!("see whether `{secret}` in a config file, or its variable, is right")
            }
            Self::Refused {
                status: 300..=399, ..
            } => "give the address that it leads to: redirects are not followed, for a secret would go along"
                .to_owned(),
            Self::Refused { status: 404, .. } | Self::NoId => "see whether the address is right".to_owned(),
            Self::BrokenOff => "`carbon-run publish` sends it".to_owned(),
            Self::Refused { .. } => "the receiver knows why; `carbon-run publish` tries again".to_owned(),
            Self::Late { .. } | Self::Http(HttpError::TimedOut { .. }) => {
                "`--publish-timeout` gives it more time; `carbon-run publish` tries again".to_owned()
            }
            Self::Http(HttpError::NotBuilt) => "build carbon-run with the feature `http`".to_owned(),
            Self::Http(HttpError::Header { .. }) => format!("`{secret}` is to be one line of plain letters"),
            Self::Http(_) => "`carbon-run publish` tries again, from where there is a network".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_answer_is_told_in_a_line() {
        let answer = Answer {
            status: 422,
            retry_after: None,
            body: format!("a\n\n b{}", "c".repeat(1000)).into_bytes(),
        };
        let told = PublishError::refused(&answer).to_string();
        assert!(
            told.starts_with("it answered 422: a bccc") && told.len() < 200,
            "{told}"
        );
    }
}
