//! stderr, for people. stdout belongs to the job.

use super::patience;
use crate::model::recording::Note;
use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// How long a terminal or pipe that does not block may have no room.
const PATIENCE: Duration = Duration::from_secs(1);

/// For what is no terminal and says nothing about its width.
const USUAL_WIDTH: u16 = 80;

/// What we write to, which may go away at any time: a closed pipe or a full disk ends the printing and nothing else.
#[derive(Debug)]
pub struct Screen<W = io::Stderr> {
    to: W,
    color: bool,
    width: u16,
    trouble: Option<io::Error>,
}

impl Screen {
    /// stderr as it is now. Reads the environment (`NO_COLOR`, `CLICOLOR_FORCE`, `CLICOLOR`, `TERM`, `COLUMNS`).
    #[must_use]
    pub fn stderr() -> Self {
        let stderr = io::stderr();
        let color = wants_color(|name| env::var_os(name), stderr.is_terminal());
        let terminal = terminal_size::terminal_size_of(&stderr).map(|(width, _)| width.0);
        let stated = || env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let width = terminal
            .filter(|width| *width > 0)
            .or_else(stated)
            .unwrap_or(USUAL_WIDTH);
        Self {
            to: stderr,
            color,
            width,
            trouble: None,
        }
    }
}

impl<W: Write> Screen<W> {
    /// Whether colours are wanted.
    pub fn color(&self) -> bool {
        self.color
    }

    /// In columns.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Prints text as it is. Never fails; after the first trouble it does nothing.
    pub fn print(&mut self, text: &str) {
        if self.trouble.is_none() {
            let printed =
                patience::write_all(&mut self.to, text.as_bytes(), PATIENCE).and_then(|()| self.to.flush());
            self.trouble = printed.err();
        }
    }

    /// Prints a note as `carbon-run: MESSAGE` and, on a line of its own, `hint: REMEDY`.
    pub fn tell(&mut self, note: &Note) {
        let (on, off) = if self.color {
            ("\u{1b}[33m", "\u{1b}[0m")
        } else {
            ("", "")
        };
        let kind = if note.degrades {
            format!("{on}warning:{off} ")
        } else {
            String::new()
        };
        let hint = note
            .hint
            .as_deref()
            .map(|hint| format!("hint: {}\n", one_line(hint)))
            .unwrap_or_default();
        self.print(&format!("carbon-run: {kind}{}\n{hint}", one_line(&note.message)));
    }

    /// Why printing stopped, if it did.
    pub fn trouble(&self) -> Option<&io::Error> {
        self.trouble.as_ref()
    }
}

/// A path in a message may hold anything; what a terminal would obey is written as an escape.
fn one_line(text: &str) -> String {
    let escaped = |letter: char| -> String {
        if letter.is_control() {
            letter.escape_default().collect()
        } else {
            letter.to_string()
        }
    };
    text.chars().map(escaped).collect()
}

/// no-color.org, then bixense.com/clicolors, then terminals that know no colours.
fn wants_color(variable: impl Fn(&str) -> Option<OsString>, terminal: bool) -> bool {
    let stated = |name: &str| variable(name).filter(|value| !value.is_empty());
    let is = |name: &str, value: &str| stated(name).is_some_and(|found| found == value);
    if stated("NO_COLOR").is_some() {
        return false;
    }
    if stated("CLICOLOR_FORCE").is_some() && !is("CLICOLOR_FORCE", "0") {
        return true;
    }
    terminal && !is("TERM", "dumb") && !is("CLICOLOR", "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn color(variables: &[(&str, &str)], terminal: bool) -> bool {
        let variable = |name: &str| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| OsString::from(value))
        };
        wants_color(variable, terminal)
    }

    fn screen<W: Write>(to: W) -> Screen<W> {
        Screen {
            to,
            color: false,
            width: 80,
            trouble: None,
        }
    }

    #[test]
    fn colours_are_for_terminals_unless_the_environment_says_otherwise() {
        assert!(color(&[("TERM", "xterm")], true));
        assert!(!color(&[], false));
        assert!(!color(&[("NO_COLOR", "1")], true));
        assert!(color(&[("NO_COLOR", "")], true));
        assert!(!color(&[("TERM", "dumb")], true));
        assert!(!color(&[("CLICOLOR", "0")], true));
        assert!(color(&[("CLICOLOR_FORCE", "1")], false));
        assert!(!color(&[("CLICOLOR_FORCE", "0")], false));
        assert!(!color(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], true));
    }

    #[test]
    fn a_closed_pipe_and_a_full_disk_are_noted_and_nothing_else() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut closed = screen(writer);
        closed.print("figures\n");
        closed.print("more\n");
        assert_eq!(
            closed.trouble().map(io::Error::kind),
            Some(io::ErrorKind::BrokenPipe)
        );

        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut full = screen(full);
        full.print("figures\n");
        assert_eq!(
            full.trouble().map(io::Error::kind),
            Some(io::ErrorKind::StorageFull)
        );
    }

    #[test]
    fn a_note_is_one_line_and_its_hint_another() {
        let mut said = screen(Vec::new());
        said.tell(&Note {
            code: "table-beside".to_owned(),
            message: "`a\u{1b}[2Jb\n.csv` has other columns".to_owned(),
            hint: Some("move that file away".to_owned()),
            degrades: false,
        });
        let text = String::from_utf8(said.to).unwrap();
        assert_eq!(
            text,
            "carbon-run: `a\\u{1b}[2Jb\\n.csv` has other columns\nhint: move that file away\n"
        );
    }
}
