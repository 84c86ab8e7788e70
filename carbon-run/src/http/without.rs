//! What stands in where carbon-run was built without HTTP.

use super::{Answer, HttpError, Request};
use std::time::Duration;

/// Makes no requests.
#[derive(Debug)]
pub struct Client;

impl Client {
    /// One that makes none.
    #[must_use]
    pub fn new(_timeout: Duration) -> Self {
        Self
    }

    /// The same.
    #[must_use]
    pub fn direct(_timeout: Duration) -> Self {
        Self
    }

    /// Fails.
    ///
    /// # Errors
    /// Always [`HttpError::NotBuilt`].
    pub fn send(&self, _request: &Request<'_>) -> Result<Answer, HttpError> {
        Err(HttpError::NotBuilt)
    }
}
