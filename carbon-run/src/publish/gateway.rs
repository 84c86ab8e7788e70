//! How a Pushgateway is spoken to (its README, "API").

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a part of a path may have in it (RFC 3986, "unreserved").
const BARE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// `/metrics/job/carbon-run/instance/node7`. A slash or nothing cannot stand in a path, so that such a value is in base64.
pub(super) fn path(grouping: &[(String, String)]) -> String {
    let parts = grouping.iter().map(|(name, value)| {
        if value.is_empty() {
            // The gateway's own spelling of an empty value.
            format!("/{name}@base64/=")
        } else if value.contains('/') {
            format!("/{name}@base64/{}", URL_SAFE_NO_PAD.encode(value))
        } else {
            format!("/{name}/{}", utf8_percent_encode(value, BARE))
        }
    });
    format!("/metrics{}", parts.collect::<String>())
}

/// RFC 7617.
pub(super) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_of_any_name_has_a_path() {
        let grouping = [
            ("job", "carbon-run"),
            ("instance", "node 7"),
            ("project", "a/b"),
            ("x", ""),
        ];
        let grouping = grouping.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(
            path(&grouping),
            "/metrics/job/carbon-run/instance/node%207/project@base64/YS9i/x@base64/="
        );
    }

    #[test]
    fn a_password_is_written_as_the_rfc_has_it() {
        assert_eq!(
            basic("Aladdin", "open sesame"),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        );
    }
}
