//! Rows of CSV.

use super::columns::Columns;
use super::{Rows, Wrong, grams};
use crate::model::csv_lines::line_at;
use csv::ErrorKind;

/// The rows of a text; `#` begins a comment.
pub(super) fn rows(text: &[u8]) -> Result<Rows, Wrong> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter(text))
        .comment(Some(b'#'))
        .trim(csv::Trim::All)
        .from_reader(text);
    let header = reader.headers().map_err(|error| broken(text, &error))?.clone();
    let header_line = line_at(text, header.position());
    if header.is_empty() {
        return Err((1, "the file is empty".to_owned()));
    }
    let names: Vec<&str> = header.iter().collect();
    let columns = Columns::among(&names).map_err(|problem| (header_line, problem))?;
    let mut rows = Rows::new(columns.boundary, columns.utc);
    for record in reader.records() {
        let record = record.map_err(|error| broken(text, &error))?;
        let line = line_at(text, record.position());
        let cell = |at: usize| record.get(at).unwrap_or_default();
        let written = cell(columns.intensity);
        let value = written.parse().unwrap_or(f64::NAN);
        let value = grams(value, written).map_err(|problem| (line, problem))?;
        rows.enter(line, cell(columns.time), value)?;
    }
    Ok(rows)
}

/// What divides the header more often: a semicolon or a comma.
fn delimiter(text: &[u8]) -> u8 {
    let header = text
        .split(|byte| *byte == b'\n')
        .find(|line| !line.starts_with(b"#") && !line.trim_ascii().is_empty())
        .unwrap_or_default();
    let count = |wanted: u8| header.iter().filter(|byte| **byte == wanted).count();
    if count(b';') > count(b',') { b';' } else { b',' }
}

fn broken(text: &[u8], error: &csv::Error) -> Wrong {
    let problem = if let ErrorKind::Utf8 { .. } = error.kind() {
        "the text is not UTF-8".to_owned()
    } else if let ErrorKind::UnequalLengths {
        expected_len, len, ..
    } = error.kind()
    {
        format!("the row has {len} cells, not {expected_len} as the header has")
    } else {
        "the text is not CSV".to_owned()
    };
    (line_at(text, error.position()), problem)
}
