//! One request over HTTP or HTTPS and its answer, for whoever asks or tells somebody elsewhere.
//!
//! Nothing here is used unless a person asked for it by a setting. Requests block, so callers make them on a thread of their own.
//! - A limit on the whole of a request's time, name look-up included, and one on the answer's size.
//! - Redirects are not followed: a token in a header of its own would go along to wherever they lead.
//! - Certificates are checked against the roots that this binary carries, or against those of `SSL_CERT_FILE` and `SSL_CERT_DIR` (which a
//!   site with a certificate authority of its own sets). Proxies are those of `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.
//! - Messages have neither headers nor the query of an address, where tokens are.
//!
//! Built without the feature `http`, every request fails with [`HttpError::NotBuilt`], and the binary has no code that could make one.

#[cfg(feature = "http")]
mod client;
#[cfg(not(feature = "http"))]
mod without;

#[cfg(feature = "http")]
pub use client::Client;
#[cfg(not(feature = "http"))]
pub use without::Client;

use std::time::Duration;

/// The most bytes of an answer that are read: a day of five-minute values with all that is said beside them is a tenth of it.
pub const LARGEST_ANSWER: u64 = 4 * 1024 * 1024;

/// What is to be done with the thing at an address (RFC 9110, section 9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Fetch it.
    Get,
    /// Hand something to it.
    Post,
    /// Put something in its place.
    Put,
    /// Take it away.
    Delete,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// What is to be done.
    pub method: Method,
    /// `http://` or `https://`, and the rest of the address.
    pub url: &'a str,
    /// Names and values.
    pub headers: &'a [(&'a str, &'a str)],
    /// What is handed over. A GET and a DELETE have none.
    pub body: &'a [u8],
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code (RFC 9110, section 15).
    pub status: u16,
    /// `Retry-After`, where it has a number of seconds.
    pub retry_after: Option<Duration>,
    /// All of it.
    pub body: Vec<u8>,
}

impl Answer {
    /// Whether the server did what was asked.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// No address of this kind.
    #[error("`{address}` is no address of HTTP")]
    Address {
        /// Without its query.
        address: String,
    },
    /// A header that cannot be sent, a line break in a token as a rule.
    #[error("the value of the header `{name}` cannot be sent")]
    Header {
        /// Its name.
        name: String,
    },
    /// The time was up.
    #[error("`{address}` did not answer within {:?}", timeout)]
    TimedOut {
        /// Without its query.
        address: String,
        /// The limit.
        timeout: Duration,
    },
    /// More than [`LARGEST_ANSWER`].
    #[error("the answer of `{address}` is more than {} MiB", LARGEST_ANSWER / 1024 / 1024)]
    TooLarge {
        /// Without its query.
        address: String,
    },
    /// No connection, or one that broke.
    #[error("cannot reach `{address}`: {reason}")]
    Unreachable {
        /// Without its query.
        address: String,
        /// Why.
        reason: String,
    },
    /// This carbon-run cannot speak HTTP.
    #[error("this carbon-run was built without `http`")]
    NotBuilt,
}

/// An address as it may be told: without its query and without a user's name and password.
#[must_use]
pub fn tellable(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let bare = url.get(..end).unwrap_or_default();
    let Some((scheme, rest)) = bare.split_once("://") else {
        return bare.to_owned();
    };
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_without_what_may_be_secret() {
        for (url, told) in [
            (
                "https://api.example/v3/latest?token=s&zone=FR",
                "https://api.example/v3/latest",
            ),
            ("http://me:secret@host:9091/metrics", "http://host:9091/metrics"),
            ("http://host/a@b#x", "http://host/a@b"),
            ("https://me@host", "https://host"),
            ("nonsense?x", "nonsense"),
        ] {
            assert_eq!(tellable(url), told);
        }
    }
}
