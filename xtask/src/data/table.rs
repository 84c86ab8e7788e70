//! Reading and writing the one shape that every table has: comment lines, a header, rows.

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use std::path::Path;

/// The rows of DATA/name, by header name.
pub(crate) fn read<T: DeserializeOwned>(data: &Path, name: &str) -> Result<Vec<T>> {
    let path = data.join(name);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    parse(&text).with_context(|| format!("cannot parse `{}`", path.display()))
}

/// The rows of a table's text. A byte order mark or a missing header is an error of serde's, naming the column.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<Vec<T>> {
    let mut reader = csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    reader.deserialize().map(|row| row.map_err(Into::into)).collect()
}

/// A table's text: `# ` before each line of `about`, then the header, then the rows as they come.
pub(crate) fn write<'a, R>(about: &[&str], header: &[&str], rows: R) -> Result<String>
where
    R: IntoIterator<Item = &'a [String]>,
{
    let mut out = Vec::new();
    for line in about {
        out.extend_from_slice(format!("# {line}\n").as_bytes());
    }
    let mut writer = csv::WriterBuilder::new().from_writer(out);
    writer.write_record(header)?;
    for row in rows {
        if row.len() != header.len() {
            bail!("a row of {} cells under a header of {}", row.len(), header.len());
        }
        writer.write_record(row)?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// A figure as tables write it: at most three decimals, none that say nothing.
pub(crate) fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_written_without_idle_zeros() {
        assert_eq!(
            [41.45, 600.0, 2.6, 0.0004].map(super::number),
            ["41.45", "600", "2.6", "0"]
        );
    }
}
