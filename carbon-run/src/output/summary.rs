//! What a person reads on stderr after the run: a table of about eight lines, then what is worth knowing about it.
//!
//! Every figure stands with its range and says whether it was measured or estimated; one that is not known says why.

mod beyond;
mod phases;
mod remarks;
mod table;

pub(super) use beyond::{alike, rows as beyond_rows};
pub(super) use table::{Row, aligned, electricity};

use crate::model::report::RunReport;
use phases::phases;
use remarks::remarks;
use table::table;

/// How the terminal wants it. Without colour the text says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether to use ANSI colours.
    pub color: bool,
    /// The terminal's width in columns. Only the command is cut to it; figures and reasons are never.
    pub width: u16,
}

impl Style {
    /// For files and pipes.
    pub const PLAIN: Self = Self {
        color: false,
        width: 80,
    };

    fn bold(self, text: &str) -> String {
        self.painted("1", text)
    }

    fn dim(self, text: &str) -> String {
        self.painted("2", text)
    }

    fn yellow(self, text: &str) -> String {
        self.painted("33", text)
    }

    fn cyan(self, text: &str) -> String {
        self.painted("36", text)
    }

    /// SGR, ECMA-48 section 8.3.117.
    fn painted(self, code: &str, text: &str) -> String {
        if self.color && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// The summary, ending in a newline.
#[must_use]
pub fn summary(report: &RunReport, style: Style) -> String {
    let mut text = table(report, style);
    text.push_str(&phases(report, style));
    for line in remarks(report, style) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
