//! Results to where they were wanted, or else to where they are safe. Never fails: it says what became of them.

use super::failure::SinkError;
use super::rescue::Rescue;
use super::table::append_row;
use super::whole_file::write_file;
use crate::model::recording::Note;
use std::path::{Path, PathBuf};

/// What became of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Where it is; `None` when no place took it.
    pub path: Option<PathBuf>,
    /// What the person should know.
    pub notes: Vec<Note>,
}

/// As [`write_file`], with the rescue for when that fails.
#[must_use]
pub fn deliver_file(path: &Path, bytes: &[u8], rescue: &Rescue<'_>) -> Delivered {
    match write_file(path, bytes) {
        Ok(()) => Delivered {
            path: Some(path.to_owned()),
            notes: Vec::new(),
        },
        Err(error) => rescued(&error, bytes, rescue),
    }
}

/// As [`append_row`], with the rescue for when that fails: a table of its own with the header and this row.
#[must_use]
pub fn deliver_row(path: &Path, header: &[&str], row: &[String], rescue: &Rescue<'_>) -> Delivered {
    match append_row(path, header, row) {
        Ok(appended) => Delivered {
            path: Some(appended.path),
            notes: appended.notes,
        },
        Err(error) => match super::table::alone(header, row) {
            Ok(bytes) => rescued(&error, &bytes, rescue),
            Err(source) => lost(&error, &SinkError::io("write a row for", path)(source)),
        },
    }
}

fn rescued(error: &SinkError, bytes: &[u8], rescue: &Rescue<'_>) -> Delivered {
    match rescue.save(bytes) {
        Ok(saved) => {
            let message = format!("{error}; the result was saved as `{}`", saved.display());
            let note = Note {
                code: "result-rescued".to_owned(),
                message,
                hint: error.hint(),
                degrades: false,
            };
            Delivered {
                path: Some(saved),
                notes: vec![note],
            }
        }
        Err(worse) => lost(error, &worse),
    }
}

fn lost(error: &SinkError, worse: &SinkError) -> Delivered {
    let message = format!("{error}, and {worse}; the result is lost");
    let note = Note {
        code: "result-lost".to_owned(),
        message,
        hint: error.hint(),
        degrades: false,
    };
    Delivered {
        path: None,
        notes: vec![note],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_result_without_its_place_is_saved_and_the_message_names_where() {
        let home = tempfile::tempdir().unwrap();
        let directories = [home.path().to_owned()];
        let rescue = Rescue {
            run_id: "7",
            extension: "csv",
            directories: &directories,
        };
        let row = ["1".to_owned(), "two, three".to_owned()];
        let delivered = deliver_row(
            &home.path().join("missing/emissions.csv"),
            &["a", "b"],
            &row,
            &rescue,
        );
        let saved = home.path().join("carbon-run-7.csv");
        assert_eq!(delivered.path.as_deref(), Some(saved.as_path()));
        assert_eq!(fs::read_to_string(&saved).unwrap(), "a,b\n1,\"two, three\"\n");
        let note = &delivered.notes[0];
        assert!(
            note.message
                .contains("no such file or directory; the result was saved as `"),
            "{}",
            note.message
        );
        assert!(
            note.hint
                .as_deref()
                .is_some_and(|hint| hint.starts_with("create the directory first"))
        );
    }

    #[test]
    fn a_full_device_costs_nothing_but_a_note() {
        let home = tempfile::tempdir().unwrap();
        let directories = [home.path().to_owned()];
        let rescue = Rescue {
            run_id: "7",
            extension: "json",
            directories: &directories,
        };
        let delivered = deliver_file(Path::new("/dev/full"), b"{}", &rescue);
        assert_eq!(fs::read(delivered.path.unwrap()).unwrap(), b"{}");
        assert!(
            delivered.notes[0]
                .message
                .starts_with("cannot write `/dev/full`: no space left on device")
        );
    }

    #[test]
    fn when_nothing_takes_it_both_reasons_are_told() {
        let directories = [PathBuf::from("/proc/no-such-place")];
        let rescue = Rescue {
            run_id: "7",
            extension: "json",
            directories: &directories,
        };
        let delivered = deliver_file(Path::new("/dev/full"), b"{}", &rescue);
        assert_eq!(delivered.path, None);
        assert!(
            delivered.notes[0].message.ends_with("the result is lost"),
            "{}",
            delivered.notes[0].message
        );
    }

    #[test]
    fn what_can_be_written_needs_no_rescue() {
        let home = tempfile::tempdir().unwrap();
        let rescue = Rescue {
            run_id: "7",
            extension: "json",
            directories: &[],
        };
        let path = home.path().join("run.json");
        assert_eq!(
            deliver_file(&path, b"{}", &rescue),
            Delivered {
                path: Some(path),
                notes: Vec::new()
            }
        );
    }
}
