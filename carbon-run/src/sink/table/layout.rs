//! What a table on the disk looks like, from its first line and its last byte.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// A header longer than this is none of ours.
const LONGEST_HEADER: u64 = 64 * 1024;

/// What there is to append to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Nothing: the header is still to be written.
    Empty,
    /// The same columns.
    Ours {
        /// Which of our columns stands at each place of the file.
        order: Vec<usize>,
        /// Whether the last line is whole.
        ends_in_newline: bool,
        /// Whether lines end in a carriage return and a newline.
        carriage_returns: bool,
    },
    /// Other columns, or no table at all.
    Others,
}

impl Layout {
    /// Looks at a file that nobody else is writing to now.
    pub(super) fn of(mut file: &File, header: &[&str]) -> io::Result<Self> {
        let length = file.seek(SeekFrom::End(0))?;
        if length == 0 {
            return Ok(Self::Empty);
        }
        let mut last = [0];
        file.seek(SeekFrom::Start(length - 1))?;
        file.read_exact(&mut last)?;
        let mut start = Vec::new();
        file.seek(SeekFrom::Start(0))?;
        file.take(LONGEST_HEADER).read_to_end(&mut start)?;
        Ok(match order(&start, header) {
            Some(order) => Self::Ours {
                order,
                ends_in_newline: last == *b"\n",
                carriage_returns: has_carriage_returns(&start),
            },
            None => Self::Others,
        })
    }
}

/// For each column of the first line, which of `header` it is; `None` unless it has all of them, and each once.
fn order(start: &[u8], header: &[&str]) -> Option<Vec<usize>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(start);
    let mut first = csv::ByteRecord::new();
    if !reader.read_byte_record(&mut first).ok()? || first.len() != header.len() {
        return None;
    }
    let order: Vec<usize> = first
        .iter()
        .map(|name| header.iter().position(|ours| ours.as_bytes() == name))
        .collect::<Option<_>>()?;
    let all = (0..header.len()).all(|column| order.contains(&column));
    all.then_some(order)
}

fn has_carriage_returns(start: &[u8]) -> bool {
    start
        .split_inclusive(|byte| *byte == b'\n')
        .next()
        .is_some_and(|first| first.ends_with(b"\r\n"))
}

/// One line of a table, quoted where it must be (RFC 4180).
pub(super) fn line<Cell: AsRef<[u8]>>(cells: &[Cell], carriage_returns: bool) -> io::Result<Vec<u8>> {
    let terminator = if carriage_returns {
        csv::Terminator::CRLF
    } else {
        csv::Terminator::Any(b'\n')
    };
    let mut writer = csv::WriterBuilder::new()
        .terminator(terminator)
        .from_writer(Vec::new());
    writer.write_record(cells)?;
    writer.into_inner().map_err(csv::IntoInnerError::into_error)
}
