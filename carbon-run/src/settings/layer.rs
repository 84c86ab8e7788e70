//! A layer is what one place says: a config file, the environment, or the command line. Values stay text until
//! [`super::resolve`], so that every layer is held to the same ranges by the same code.

use super::key::{Key, OWN_VARIABLES, VARIABLE_PREFIX};
use super::secret::Secret;
use crate::model::recording::Note;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Where a setting was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: carbon-run's own choice.
    Default,
    /// In a config file.
    File {
        /// Its path.
        path: PathBuf,
        /// The line of the key, from 1.
        line: usize,
    },
    /// In the environment.
    Environment,
    /// In CodeCarbon's configuration.
    CodeCarbon {
        /// The key or the variable, as it is written there.
        name: String,
        /// `~/.codecarbon.config:3`, or `environment`.
        place: String,
    },
    /// On the command line.
    Flag,
}

impl Origin {
    /// `key` as it is written at that place: `--pue`, `CARBON_RUN_PUE`, `pue`.
    #[must_use]
    pub fn spelling(&self, key: Key) -> String {
        match self {
            Self::Flag => format!("--{}", key.name()),
            Self::Environment => key.variable(),
            Self::CodeCarbon { name, .. } => name.clone(),
            Self::File { .. } | Self::Default => key.name().to_owned(),
        }
    }
}

/// For people: `default`, `/etc/carbon-run.toml:3`, `environment`, `CODECARBON_PUE`, `command line`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment => f.write_str("environment"),
            Self::CodeCarbon { name, place } if place == "environment" => f.write_str(name),
            Self::CodeCarbon { place, .. } => f.write_str(place),
            Self::Flag => f.write_str("command line"),
        }
    }
}

/// A value as it was written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The text. A list is joined by commas; a boolean is `true` or `false`.
    pub text: OsString,
    /// Where.
    pub origin: Origin,
}

/// What one place says.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Layer {
    said: BTreeMap<Key, Said>,
    secrets: BTreeMap<Secret, Said>,
}

/// Without the secrets.
impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(&self.said)
            .entries(self.secrets.keys().map(|secret| (secret, "hidden")))
            .finish()
    }
}

impl Layer {
    /// Adds a value; a later one for the same key takes the earlier one's place.
    pub fn say(&mut self, key: Key, text: impl Into<OsString>, origin: Origin) {
        let text = text.into();
        self.said.insert(key, Said { text, origin });
    }

    /// Adds a secret.
    pub fn confide(&mut self, secret: Secret, text: impl Into<OsString>, origin: Origin) {
        let text = text.into();
        self.secrets.insert(secret, Said { text, origin });
    }

    /// Every secret of it.
    pub fn secrets(&self) -> impl Iterator<Item = (Secret, &Said)> {
        self.secrets.iter().map(|(secret, said)| (*secret, said))
    }

    /// What it says of `key`.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&Said> {
        self.said.get(&key)
    }

    /// Everything that it says.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &Said)> {
        self.said.iter().map(|(key, said)| (*key, said))
    }
}

/// The environment's layer, and a warning for each `CARBON_RUN_*` variable that is no setting. A variable that is empty
/// counts as not set.
pub fn of_environment<'a>(
    variables: impl IntoIterator<Item = &'a (OsString, OsString)>,
) -> (Layer, Vec<Note>) {
    let mut layer = Layer::default();
    let mut notes = Vec::new();
    for (variable, value) in variables {
        let Some(name) = variable.as_bytes().strip_prefix(VARIABLE_PREFIX.as_bytes()) else {
            continue;
        };
        if OWN_VARIABLES.iter().any(|own| variable == own) || value.is_empty() {
            continue;
        }
        if let Some(secret) = Secret::ALL
            .into_iter()
            .find(|secret| variable == secret.variable().as_str())
        {
            layer.confide(secret, value.clone(), Origin::Environment);
            continue;
        }
        match Key::ALL
            .into_iter()
            .find(|key| variable == key.variable().as_str())
        {
            Some(key) => layer.say(key, value.clone(), Origin::Environment),
            None => notes.push(unknown_variable(variable, OsStr::from_bytes(name))),
        }
    }
    (layer, notes)
}

/// Only a warning: the variable may belong to a newer carbon-run, and a shared profile should serve both.
fn unknown_variable(variable: &OsStr, name: &OsStr) -> Note {
    let nearest = Key::nearest(&name.to_string_lossy());
    Note {
        code: "unknown-variable".to_owned(),
        message: format!("`{}` is no setting and was ignored", variable.display()),
        hint: nearest.map(|key| format!("did you mean `{}`?", key.variable())),
        degrades: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> (Layer, Vec<Note>) {
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)))
            .collect();
        of_environment(&variables)
    }

    #[test]
    fn every_setting_has_a_variable() {
        for key in Key::ALL {
            let (layer, notes) = environment(&[(&key.variable(), "x"), ("PATH", "/bin")]);
            assert_eq!(
                layer.get(key).map(|said| said.text.clone()),
                Some("x".into()),
                "{key:?}"
            );
            assert_eq!(layer.iter().count(), 1);
            assert!(notes.is_empty());
        }
    }

    #[test]
    fn a_misspelt_variable_is_a_warning_that_names_the_nearest() {
        let (layer, notes) = environment(&[("CARBON_RUN_CONTRY", "FR")]);
        assert_eq!(layer, Layer::default());
        assert_eq!(notes.len(), 1);
        assert!(notes[0].degrades);
        assert_eq!(
            notes[0].message,
            "`CARBON_RUN_CONTRY` is no setting and was ignored"
        );
        assert_eq!(
            notes[0].hint.as_deref(),
            Some("did you mean `CARBON_RUN_COUNTRY`?")
        );
    }

    #[test]
    fn the_run_id_of_an_enclosing_run_is_no_misspelling() {
        assert_eq!(
            environment(&[("CARBON_RUN_ID", "1b4e28ba")]),
            (Layer::default(), Vec::new())
        );
    }

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        assert_eq!(
            environment(&[("CARBON_RUN_PUE", "")]),
            (Layer::default(), Vec::new())
        );
    }
}
