//! Where a record of a CSV file stands in it.

/// The line, from 1, of a record: its position is that of the comments and empty lines before it.
pub(super) fn line_at(text: &[u8], position: Option<&csv::Position>) -> u64 {
    let (Some(position), Some(from)) = (
        position,
        position.and_then(|position| text.get(usize::try_from(position.byte()).ok()?..)),
    ) else {
        return 1;
    };
    let skipped = from
        .split_inclusive(|byte| *byte == b'\n')
        .take_while(|line| line.starts_with(b"#") || line.trim_ascii().is_empty())
        .count();
    position.line() + skipped as u64
}
