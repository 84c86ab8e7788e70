//! data/VERSION: the day of the last refresh that changed a table, and a digest of all of them. Every report names it.

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::path::Path;

/// Its name below data/.
pub(crate) const FILE: &str = "VERSION";

/// Twelve hexadecimal digits over names and bytes of the tables.
pub(crate) fn digest<'t>(tables: impl IntoIterator<Item = (&'t str, &'t str)>) -> String {
    let mut hash = Sha256::new();
    for (name, text) in tables {
        hash.update(name.as_bytes());
        hash.update([0]);
        hash.update(text.as_bytes());
        hash.update([0]);
    }
    hash.finalize()
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Writes the file anew where the tables are not those that it names; `today` is as `2026-11-27`. Says what it wrote.
pub(crate) fn renew(data: &Path, digest: &str, today: &str) -> Result<Option<String>> {
    let path = data.join(FILE);
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    if old.trim_end().ends_with(digest) {
        return Ok(None);
    }
    let version = format!("{today}+{digest}");
    std::fs::write(&path, format!("{version}\n"))
        .with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(Some(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_changes_with_a_table_and_with_nothing_else() {
        let data = tempfile::tempdir().unwrap();
        let first = digest([("a.csv", "1"), ("b.csv", "2")]);
        assert_ne!(first, digest([("a.csv", "1"), ("b.csv", "3")]));
        assert_ne!(first, digest([("a.csv", "12"), ("b.csv", "")]));
        let written = renew(data.path(), &first, "2026-11-27").unwrap();
        assert_eq!(written, Some(format!("2026-11-27+{first}")));
        assert_eq!(renew(data.path(), &first, "2026-12-24").unwrap(), None);
    }
}
