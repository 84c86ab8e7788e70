//! A config file: TOML whose keys are the long options' names, `output-dir = "results"`; `output_dir` is taken too.

use super::key::Key;
use super::layer::{Layer, Origin};
use super::secret::Secret;
use std::io;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// A config file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is there and cannot be read.
    #[error("cannot read the config file `{}`: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A directory, a pipe, a device.
    #[error("the config file `{}` is not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Not UTF-8, or not TOML.
    #[error("{}:{line}: not valid TOML: {message}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// No setting has that name.
    #[error("{}:{line}: unknown key `{key}`", path.display())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// As written.
        key: String,
        /// The most similar setting, if any is similar.
        nearest: Option<Key>,
    },
    /// The same setting with a hyphen and with an underscore.
    #[error("{}:{line}: `{}` is set a second time", path.display(), key.name())]
    Repeated {
        /// The file.
        path: PathBuf,
        /// Of the second, from 1.
        line: usize,
        /// The setting.
        key: Key,
    },
    /// A table or a date, which no setting is.
    #[error("{}:{line}: `{}` is a {kind}, which is not {}", path.display(), key.name(), key.expects())]
    WrongKind {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The setting.
        key: Key,
        /// What TOML calls it.
        kind: &'static str,
    },
    /// Whoever can put a file into a directory could otherwise choose what other people overwrite there.
    #[error("{}:{line}: `{}` is not taken from a file that belongs to user {owner}", path.display(), key.name())]
    Stranger {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The setting.
        key: Key,
        /// Whose file it is: a user id.
        owner: u32,
    },
    /// A path that begins with `~/` where nobody knows the home directory.
    #[error("{}:{line}: `{}` begins with `~`, and HOME is not set", path.display(), key.name())]
    NoHome {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The setting.
        key: Key,
    },
}

impl FileError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Unreadable { .. } => "make it readable for yourself, or move it away".to_owned(),
            Self::NotAFile { .. } => "move it away, or put a text file in its place".to_owned(),
            Self::Broken { .. } => "one setting per line, as `country = \"FR\"` or `pue = 1.2`".to_owned(),
            Self::UnknownKey {
                nearest: Some(key), ..
            } => {
                format!(
                    "did you mean `{}`? the keys are the names of the long options",
                    key.name()
                )
            }
            Self::UnknownKey { nearest: None, .. } => {
                "the keys are the names of the long options in `carbon-run --help`".to_owned()
            }
            Self::Repeated { .. } => "remove one of the two; `-` and `_` mean the same".to_owned(),
            Self::WrongKind { key, .. } => key.example().to_owned(),
            Self::Stranger { key, .. } => {
                format!(
                    "say it with `--{}` or `{}`, or make the file your own",
                    key.name(),
                    key.variable()
                )
            }
            Self::NoHome { .. } => "write the whole path".to_owned(),
        }
    }
}

/// The layer of a file's text. `home` is what a leading `~/` stands for: in a file there is no shell to expand it.
pub(super) fn parse(bytes: &[u8], path: &Path, home: Option<&Path>) -> Result<Layer, FileError> {
    let text = std::str::from_utf8(bytes).map_err(|error| FileError::Broken {
        path: path.to_owned(),
        line: line_at(bytes, error.valid_up_to()),
        message: "the text is not UTF-8".to_owned(),
    })?;
    let table = DeTable::parse(text).map_err(|error| FileError::Broken {
        path: path.to_owned(),
        line: line_at(bytes, error.span().map_or(0, |span| span.start)),
        message: error.message().lines().collect::<Vec<_>>().join(", "),
    })?;

    // In the order of the text, so that the first mistake is the first one told.
    let mut entries: Vec<_> = table.get_ref().iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);

    let mut layer = Layer::default();
    for (name, value) in entries {
        let line = line_at(bytes, name.span().start);
        if let (Some(secret), DeValue::String(text)) = (Secret::named(name.get_ref()), value.get_ref()) {
            let path = path.to_owned();
            layer.confide(secret, text.to_string(), Origin::File { path, line });
            continue;
        }
        let key = Key::named(name.get_ref()).ok_or_else(|| FileError::UnknownKey {
            path: path.to_owned(),
            line,
            key: name.get_ref().to_string(),
            nearest: Key::nearest(name.get_ref()),
        })?;
        if layer.get(key).is_some() {
            return Err(FileError::Repeated {
                path: path.to_owned(),
                line,
                key,
            });
        }
        let text = written(value.get_ref()).ok_or_else(|| FileError::WrongKind {
            path: path.to_owned(),
            line,
            key,
            kind: value.get_ref().type_str(),
        })?;
        let origin = Origin::File {
            path: path.to_owned(),
            line,
        };
        match text.strip_prefix("~/").filter(|_| is_path(key)) {
            None => layer.say(key, text, origin),
            Some(rest) => {
                let home = home.ok_or_else(|| FileError::NoHome {
                    path: path.to_owned(),
                    line,
                    key,
                })?;
                layer.say(key, home.join(rest), origin);
            }
        }
    }
    Ok(layer)
}

/// The value as one would write it after a flag.
fn written(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(switch) => Some(switch.to_string()),
        DeValue::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(|item| written(item.get_ref())).collect();
            items.map(|items| items.join(","))
        }
        DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

const fn is_path(key: Key) -> bool {
    matches!(
        key,
        Key::CpuTable | Key::OutputDir | Key::Json | Key::Record | Key::StateDir | Key::Sysroot
    )
}

/// The line, from 1, of a byte of the text.
fn line_at(text: &[u8], offset: usize) -> usize {
    1 + text.iter().take(offset).filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Layer, FileError> {
        parse(text.as_bytes(), Path::new("a.toml"), Some(Path::new("/home/ada")))
    }

    fn message(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    fn value(text: &str, key: Key) -> String {
        read(text)
            .unwrap()
            .get(key)
            .unwrap()
            .text
            .to_str()
            .unwrap()
            .to_owned()
    }

    #[test]
    fn a_value_is_taken_as_it_would_be_written_after_the_flag() {
        assert_eq!(value("country = 'FR'", Key::Country), "FR");
        assert_eq!(value("pue = 1.25", Key::Pue), "1.25");
        assert_eq!(value("interval = 2", Key::Interval), "2");
        assert_eq!(value("intensity = 1_000", Key::Intensity), "1000");
        assert_eq!(value("csv = false", Key::Csv), "false");
        assert_eq!(value("idle-power = [38.5, 40]", Key::IdlePower), "38.5,40");
        assert_eq!(value("idle_power = '38.5,40'", Key::IdlePower), "38.5,40");
    }

    #[test]
    fn a_setting_knows_its_file_and_line() {
        let layer = read("# mine\n\npue = 1.2\n").unwrap();
        assert_eq!(layer.get(Key::Pue).unwrap().origin.to_string(), "a.toml:3");
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_the_file_the_line_and_the_nearest() {
        let error = read("pue = 1.2\ncontry = 'FR'\n").unwrap_err();
        assert_eq!(error.to_string(), "a.toml:2: unknown key `contry`");
        assert!(
            error.hint().starts_with("did you mean `country`?"),
            "{}",
            error.hint()
        );
        assert!(read("xyzzy = 1").unwrap_err().hint().contains("--help"));
    }

    #[test]
    fn the_first_mistake_of_the_text_is_the_one_told() {
        assert_eq!(message("zzz = 1\naaa = 1\n"), "a.toml:1: unknown key `zzz`");
    }

    #[test]
    fn broken_toml_is_told_with_its_line() {
        let told = message("country = \"FR\"\npue = = 1\n");
        assert!(told.starts_with("a.toml:2: not valid TOML: "), "{told}");
        assert!(!told.contains('\n'), "{told}");
    }

    #[test]
    fn text_that_is_not_utf_8_is_told_with_its_line() {
        let error = parse(b"pue = 1\nproject = \"\xff\"\n", Path::new("a.toml"), None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a.toml:2: not valid TOML: the text is not UTF-8"
        );
    }

    #[test]
    fn the_same_setting_in_both_spellings_is_an_error() {
        assert_eq!(
            message("output-dir = 'a'\noutput_dir = 'b'"),
            "a.toml:2: `output-dir` is set a second time"
        );
    }

    #[test]
    fn a_table_or_a_date_is_no_value() {
        assert!(message("[project]\nname = 'x'").starts_with("a.toml:1: `project` is a table"));
        assert!(message("interval = 1979-05-27").starts_with("a.toml:1: `interval` is a datetime"));
        assert!(message("idle-power = [[1]]\npue = {}").contains("`pue` is a table"));
    }

    #[test]
    fn a_leading_tilde_of_a_path_is_home_and_of_a_name_is_not() {
        assert_eq!(value("output-dir = '~/runs'", Key::OutputDir), "/home/ada/runs");
        assert_eq!(value("project = '~/runs'", Key::Project), "~/runs");
        let error = parse(b"record = '~/r'", Path::new("a.toml"), None).unwrap_err();
        assert!(error.to_string().contains("HOME is not set"));
    }
}
