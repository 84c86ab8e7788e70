//! What the environment says of GPUs.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// The variables that say which GPUs a job may use, as they are; of the rest of the environment nothing is kept.
#[must_use]
pub fn gpu_variables(
    env: impl IntoIterator<Item = (OsString, OsString)>,
    names: &[&str],
) -> BTreeMap<String, String> {
    env.into_iter()
        .filter_map(|(name, value)| {
            let name = name.to_str().filter(|name| names.contains(name))?;
            Some((name.to_owned(), value.to_string_lossy().into_owned()))
        })
        .collect()
}
