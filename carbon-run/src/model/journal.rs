//! A recording on disk: JSON lines, each tagged with what it is.
//!
//! ```text
//! {"head":{...}}           once, first, before the command starts
//! {"observation":{...}}    any number, in order of time
//! {"tail":{...}}           once, last; missing when the launcher was killed
//! ```
//!
//! Whoever is killed while it writes leaves half a line. That line, and only that one, may be broken; anything else
//! that does not fit is an error with its line number, because figures would rest on it.

use super::recording::{DomainSource, Head, Observation, Recording, SCHEMA, Tail};
use serde::{Deserialize, Serialize};

/// One line to be written, by reference: recordings are long and need not be copied for it.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Line<'a> {
    /// The first.
    Head(&'a Head),
    /// One sample.
    Observation(&'a Observation),
    /// The last.
    Tail(&'a Tail),
}

impl Line<'_> {
    /// The line as JSON, without its newline.
    ///
    /// # Errors
    /// When a value has no JSON form; the types of [`super::recording`] all have one.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }
}

/// A whole recording in the form that [`parse`] reads.
///
/// # Errors
/// As [`Line::to_json`].
pub fn to_lines(recording: &Recording) -> Result<Vec<u8>, serde_json::Error> {
    let head = std::iter::once(Line::Head(&recording.head));
    let observations = recording.observations.iter().map(Line::Observation);
    let tail = recording.tail.iter().map(Line::Tail);
    let mut bytes = Vec::new();
    for line in head.chain(observations).chain(tail) {
        bytes.append(&mut line.to_json()?);
        bytes.push(b'\n');
    }
    Ok(bytes)
}

/// Why bytes are no recording.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Nothing in it, or nothing but half a first line.
    #[error("the recording is empty")]
    Empty,
    /// The first line is not a head.
    #[error("line 1: not a carbon-run recording: {}", brief(source))]
    NotARecording {
        /// What the parser found.
        source: serde_json::Error,
    },
    /// A shape that this version does not know.
    #[error(
        "line 1: the recording has the schema `{}`, and this version reads `{SCHEMA}`",
        cut(found)
    )]
    Schema {
        /// What the head says.
        found: String,
    },
    /// A line in the middle that cannot be parsed.
    #[error("line {line}: {}", brief(source))]
    Broken {
        /// Counted from 1.
        line: usize,
        /// What the parser found.
        source: serde_json::Error,
    },
    /// A line that can be parsed but makes no sense where it stands.
    #[error("line {line}: {what}")]
    Nonsense {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
}

/// What the parser found, with the column only: it saw one line, and the number of that is told beside it.
fn brief(error: &serde_json::Error) -> String {
    let told = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match told.strip_suffix(&place) {
        Some(what) => format!("{} at column {}", cut(what), error.column()),
        None => cut(&told),
    }
}

/// The parser quotes what it did not expect, and a line may have megabytes of that.
fn cut(text: &str) -> String {
    const ENOUGH: usize = 200;
    match text.char_indices().nth(ENOUGH) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum OwnedLine {
    Head(Box<Head>),
    Observation(Box<Observation>),
    Tail(Box<Tail>),
}

/// The recording in `bytes`. A last line without its newline that does not parse is taken for the writer's last breath
/// and left out; the recording then has no tail, which is how a reader knows.
///
/// # Errors
/// When the bytes are empty, are no recording, have another schema, or a line other than the last is broken.
pub fn parse(bytes: &[u8]) -> Result<Recording, JournalError> {
    let mut lines = numbered_lines(bytes);
    let first = lines.next().ok_or(JournalError::Empty)?;
    let head = match serde_json::from_slice(first.text) {
        Ok(OwnedLine::Head(head)) => *head,
        Ok(OwnedLine::Observation(_) | OwnedLine::Tail(_)) => {
            return Err(nonsense(
                first.number,
                "the recording does not begin with its head",
            ));
        }
        Err(_) if first.unfinished && first.text.starts_with(br#"{"head""#) => {
            return Err(JournalError::Empty);
        }
        Err(source) => return Err(JournalError::NotARecording { source }),
    };
    check_head(&head, first.number)?;

    let mut recording = Recording {
        head,
        observations: Vec::new(),
        tail: None,
    };
    for line in lines {
        if recording.tail.is_some() {
            return Err(nonsense(line.number, "something follows the tail"));
        }
        match serde_json::from_slice(line.text) {
            Ok(OwnedLine::Observation(observation)) => {
                check_observation(&recording, &observation, line.number)?;
                recording.observations.push(*observation);
            }
            Ok(OwnedLine::Tail(tail)) => recording.tail = Some(*tail),
            Ok(OwnedLine::Head(_)) => return Err(nonsense(line.number, "a second head")),
            Err(_) if line.unfinished => break,
            Err(source) => {
                return Err(JournalError::Broken {
                    line: line.number,
                    source,
                });
            }
        }
    }
    Ok(recording)
}

struct NumberedLine<'a> {
    number: usize,
    text: &'a [u8],
    unfinished: bool,
}

/// The lines that are not blank. A file that was being extended when the power failed can end in zero bytes, which the
/// file system had reserved and not yet filled; they count as the missing end of the last line.
fn numbered_lines(bytes: &[u8]) -> impl Iterator<Item = NumberedLine<'_>> {
    let end = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    let bytes = bytes.get(..end).unwrap_or_default();
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .enumerate()
        .map(|(index, line)| NumberedLine {
            number: index + 1,
            text: line.trim_ascii(),
            unfinished: !line.ends_with(b"\n"),
        })
        .filter(|line| !line.text.is_empty())
}

/// What the model's arithmetic takes for granted.
fn check_head(head: &Head, line: usize) -> Result<(), JournalError> {
    if head.schema != SCHEMA {
        return Err(JournalError::Schema {
            found: head.schema.clone(),
        });
    }
    for domain in &head.domains {
        if let Some(group) = domain.groups.iter().find(|group| **group >= head.groups.len()) {
            return Err(nonsense(
                line,
                format!(
                    "domain `{}` names CPU group {group}, which is not there",
                    domain.name
                ),
            ));
        }
        if let DomainSource::Counter { tick, .. } = &domain.source
            && tick.ticks == 0
        {
            return Err(nonsense(
                line,
                format!("domain `{}` has an energy per 0 ticks", domain.name),
            ));
        }
    }
    let devices = head.gpus.iter().flat_map(|gpus| &gpus.devices);
    if let Some(domain) = devices
        .filter_map(|gpu| gpu.domain)
        .find(|domain| *domain >= head.domains.len())
    {
        return Err(nonsense(
            line,
            format!("a GPU names domain {domain}, which is not there"),
        ));
    }
    if !(head.choices.pue.is_finite() && head.choices.pue >= 1.0) {
        return Err(nonsense(
            line,
            format!("a PUE of {} (at least 1)", head.choices.pue),
        ));
    }
    Ok(())
}

fn check_observation(so_far: &Recording, observation: &Observation, line: usize) -> Result<(), JournalError> {
    let (readings, domains) = (observation.readings.len(), so_far.head.domains.len());
    if readings != domains {
        return Err(nonsense(
            line,
            format!("{readings} readings of {domains} domains"),
        ));
    }
    let (usage, groups) = (observation.usage.len(), so_far.head.groups.len());
    if usage != groups {
        return Err(nonsense(
            line,
            format!("CPU time of {usage} groups, and there are {groups}"),
        ));
    }
    let devices = so_far.head.gpus.as_ref().map_or(0, |gpus| gpus.devices.len());
    let looks = observation.gpus.len();
    if looks != 0 && looks != devices {
        return Err(nonsense(line, format!("looks at {looks} of {devices} GPUs")));
    }
    if so_far
        .observations
        .last()
        .is_some_and(|earlier| earlier.at > observation.at)
    {
        return Err(nonsense(line, "earlier than the line before it"));
    }
    Ok(())
}

fn nonsense(line: usize, what: impl Into<String>) -> JournalError {
    JournalError::Nonsense {
        line,
        what: what.into(),
    }
}

#[cfg(test)]
mod tests;
