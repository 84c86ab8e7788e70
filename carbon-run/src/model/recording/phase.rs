//! What a job says of its own tasks: a phase begins, a phase ends.

use crate::model::units::Moment;
use serde::{Deserialize, Serialize};

/// The longest name of a phase, in bytes.
pub const LONGEST_PHASE_NAME: usize = 200;

/// A boundary between two phases of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseMark {
    /// When the kernel took it from its sender.
    pub at: Moment,
    /// What it says.
    pub mark: PhaseStep,
}

/// What a mark says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseStep {
    /// A phase of that name begins.
    Start(String),
    /// The phase of that name ends, or the one that began last.
    Stop(Option<String>),
}

/// Why bytes are no mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoMark {
    /// Neither `start` nor `stop`.
    #[error("it is neither `start NAME` nor `stop NAME`")]
    Verb,
    /// A start of nothing.
    #[error("a phase needs a name")]
    Nameless,
    /// Longer than [`LONGEST_PHASE_NAME`].
    #[error("a phase's name has at most {LONGEST_PHASE_NAME} bytes")]
    TooLong,
    /// Line breaks, escapes and the like.
    #[error("a phase's name is UTF-8 text without control characters")]
    NotText,
}

impl PhaseStep {
    /// The mark in a datagram: `start NAME`, `stop NAME` or `stop`. Spaces around the name, and a line's end, are not part of it.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn parse(datagram: &[u8]) -> Result<Self, NoMark> {
        let text = std::str::from_utf8(datagram).map_err(|_| NoMark::NotText)?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        let name = phase_name(rest);
        match (verb, name) {
            ("start", name) => name.map(Self::Start),
            ("stop", Err(NoMark::Nameless)) => Ok(Self::Stop(None)),
            ("stop", name) => name.map(|name| Self::Stop(Some(name))),
            _ => Err(NoMark::Verb),
        }
    }

    /// The datagram that says it.
    #[must_use]
    pub fn datagram(&self) -> Vec<u8> {
        match self {
            Self::Start(name) => format!("start {name}"),
            Self::Stop(Some(name)) => format!("stop {name}"),
            Self::Stop(None) => "stop".to_owned(),
        }
        .into_bytes()
    }
}

/// A phase's name, without the spaces around it.
///
/// # Errors
/// When there is nothing left, or what may be no name.
pub fn phase_name(text: &str) -> Result<String, NoMark> {
    let name = text.trim_matches(' ');
    if name.is_empty() {
        return Err(NoMark::Nameless);
    }
    if name.len() > LONGEST_PHASE_NAME {
        return Err(NoMark::TooLong);
    }
    if name.chars().any(char::is_control) {
        return Err(NoMark::NotText);
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_datagram_is_a_mark_or_nothing() {
        let start = |name: &str| Ok(PhaseStep::Start(name.to_owned()));
        let stop = |name: &str| Ok(PhaseStep::Stop(Some(name.to_owned())));
        let longest = "x".repeat(LONGEST_PHASE_NAME);
        let too_long = "x".repeat(LONGEST_PHASE_NAME + 1);
        let table: &[(&[u8], Result<PhaseStep, NoMark>)] = &[
            (b"start train", start("train")),
            (b"stop train", stop("train")),
            (b"stop", Ok(PhaseStep::Stop(None))),
            (b"stop ", Ok(PhaseStep::Stop(None))),
            (b"stop\n", Ok(PhaseStep::Stop(None))),
            (b"start epoch 3, batch 7\n", start("epoch 3, batch 7")),
            (b"start a/b\r\n", start("a/b")),
            (b"start   padded  ", start("padded")),
            ("start \u{e9}t\u{e9}".as_bytes(), start("\u{e9}t\u{e9}")),
            (b"start stop", start("stop")),
            (b"start", Err(NoMark::Nameless)),
            (b"start    ", Err(NoMark::Nameless)),
            (b"", Err(NoMark::Verb)),
            (b"\n", Err(NoMark::Verb)),
            (b"START train", Err(NoMark::Verb)),
            (b" start train", Err(NoMark::Verb)),
            (b"start\ttrain", Err(NoMark::Verb)),
            (b"stopped", Err(NoMark::Verb)),
            (b"GET / HTTP/1.1\r\n\r\n", Err(NoMark::Verb)),
            (b"start one\nstart two", Err(NoMark::NotText)),
            (b"start train\0", Err(NoMark::NotText)),
            (b"start \x1b[31mred", Err(NoMark::NotText)),
            (b"stop \x07", Err(NoMark::NotText)),
            (b"start \xff", Err(NoMark::NotText)),
        ];
        for (datagram, wanted) in table {
            assert_eq!(PhaseStep::parse(datagram), *wanted, "{}", datagram.escape_ascii());
        }
        assert_eq!(
            PhaseStep::parse(format!("start {longest}").as_bytes()),
            start(&longest)
        );
        assert_eq!(
            PhaseStep::parse(format!("stop {too_long}").as_bytes()),
            Err(NoMark::TooLong)
        );
    }

    proptest! {
        #[test]
        fn what_is_said_is_understood(name in "[^\\pC ][^\\pC]{0,40}[^\\pC ]") {
            for step in [PhaseStep::Start(name.clone()), PhaseStep::Stop(Some(name.clone())), PhaseStep::Stop(None)] {
                prop_assert_eq!(PhaseStep::parse(&step.datagram()), Ok(step));
            }
        }

        #[test]
        fn no_bytes_at_all_are_a_panic(bytes: Vec<u8>) {
            if let Ok(step) = PhaseStep::parse(&bytes) {
                prop_assert_eq!(PhaseStep::parse(&step.datagram()), Ok(step));
            }
        }
    }
}
