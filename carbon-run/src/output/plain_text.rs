//! Foreign text on a terminal: a command's arguments and process names may hold anything, escape sequences included.

use crate::model::recording::Arg;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What stands for the part that was cut off.
const ELLIPSIS: &str = "...";

/// The text without anything that a terminal would obey: control characters (C0, DEL, C1) and those that reorder text
/// (Unicode Standard Annex 9) are written as escapes.
pub(super) fn harmless(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut safe, character| {
            if character.is_control() || reorders(character) {
                safe.extend(character.escape_default());
            } else {
                safe.push(character);
            }
            safe
        })
}

fn reorders(character: char) -> bool {
    matches!(character, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The command as one would type it, cut to `width` columns.
pub(super) fn command_line(command: &[Arg], width: usize) -> String {
    let words: Vec<String> = command
        .iter()
        .map(|arg| quoted(&harmless(&arg.lossy())))
        .collect();
    cut(&words.join(" "), width)
}

/// A word as a shell would have to be given it; for reading, since escapes of control characters stay as they are.
fn quoted(word: &str) -> String {
    let plain = |character: char| character.is_alphanumeric() || "-_./=:,+@%^\u{fffd}".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// At most `width` columns of the text, with an ellipsis where something is missing.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(ELLIPSIS.len());
    let mut used = 0;
    let kept = text.chars().take_while(|character| {
        used += character.width().unwrap_or(0);
        used <= room
    });
    kept.chain(ELLIPSIS.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &[&str]) -> Vec<Arg> {
        words.iter().map(|word| Arg::Text((*word).to_owned())).collect()
    }

    #[test]
    fn a_command_reads_as_it_was_typed() {
        let words = command(&["python", "train.py", "--lr=0.1", "it's", "a b", ""]);
        assert_eq!(
            command_line(&words, 80),
            r"python train.py --lr=0.1 'it'\''s' 'a b' ''"
        );
    }

    #[test]
    fn a_long_command_is_cut_by_columns_and_not_by_bytes() {
        assert_eq!(command_line(&command(&["echo", "0123456789"]), 10), "echo 01...");
        assert_eq!(
            command_line(&command(&["echo", "漢字漢字漢字"]), 10),
            "echo 漢..."
        );
        assert_eq!(command_line(&command(&["echo", "12345"]), 10), "echo 12345");
    }

    #[test]
    fn arguments_cannot_drive_the_terminal() {
        let line = command_line(
            &command(&["echo", "\u{1b}[2J\u{9b}31m", "a\nb", "\u{202e}cod"]),
            200,
        );
        assert!(
            !line
                .chars()
                .any(|character| character.is_control() || reorders(character)),
            "{line:?}"
        );
        assert_eq!(line, r"echo '\u{1b}[2J\u{9b}31m' 'a\nb' '\u{202e}cod'");
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_replacements() {
        assert_eq!(command_line(&[Arg::Bytes(vec![b'x', 0xff])], 80), "x\u{fffd}");
    }
}
