//! What an existing CodeCarbon set-up says: `~/.codecarbon.config`, then `.codecarbon.config` in the working directory, then the
//! variables `CODECARBON_*`, whose names have any case. Together they are the lowest layer of all: whatever carbon-run's own files say
//! wins. As they are not written for us, nothing in them is an error: what cannot be used is a note, and what means nothing here
//! is listed by `doctor`.

mod ini;
mod keys;

use super::layer::{Layer, Origin};
use super::secret::Secret;
use super::{Key, resolve};
use crate::model::recording::Note;
use keys::{Meaning, meaning};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

/// The name of the file in both places.
pub(super) const FILE: &str = ".codecarbon.config";

/// What the name of a variable of theirs begins with, in any case.
const PREFIX: &str = "codecarbon_";

/// A key that means nothing to carbon-run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unused {
    /// The key, lower case.
    pub key: String,
    /// Where it stands.
    pub origin: Origin,
    /// Why it means nothing.
    pub why: String,
}

/// Where a word of theirs stands, and the word.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    text: OsString,
    origin: Origin,
    /// The user id of the file's owner where that is nobody to be trusted with what is written and sent where.
    stranger: Option<u32>,
}

/// All that they say, in the order of their precedence: a later one takes the earlier one's place.
#[derive(Debug, Default)]
pub(super) struct Words {
    words: BTreeMap<String, Word>,
    notes: Vec<Note>,
}

/// What that means to carbon-run.
#[derive(Debug, Default)]
pub(super) struct Meant {
    pub(super) layer: Layer,
    pub(super) notes: Vec<Note>,
    pub(super) unused: Vec<Unused>,
}

impl Words {
    /// A file's text. `shown` is its path as people write it; `stranger` owns the file and is not to be trusted.
    pub(super) fn of_file(&mut self, bytes: &[u8], shown: &str, stranger: Option<u32>) {
        match ini::parse(bytes) {
            Ok(entries) => self.words.extend(entries.into_iter().map(|(key, entry)| {
                let origin = Origin::CodeCarbon {
                    name: key.clone(),
                    place: format!("{shown}:{}", entry.line),
                };
                let text = entry.value.into();
                (
                    key,
                    Word {
                        text,
                        origin,
                        stranger,
                    },
                )
            })),
            Err(broken) => self.unusable(
                format!("{shown}:{}: {}", broken.line, broken.reason),
                "CodeCarbon's configuration was left out: put the line right, or say it in `carbon-run.toml`",
            ),
        }
    }

    /// A file that is there and cannot be read.
    pub(super) fn unreadable(&mut self, shown: &str, reason: &str) {
        self.unusable(
            format!("cannot read `{shown}`: {reason}"),
            "CodeCarbon's configuration was left out: make the file readable, or move it away",
        );
    }

    fn unusable(&mut self, message: String, hint: &str) {
        self.notes.push(note(message, hint));
    }

    /// The variables.
    pub(super) fn of_environment<'a>(
        &mut self,
        variables: impl IntoIterator<Item = &'a (OsString, OsString)>,
    ) {
        for (name, value) in variables {
            let Some(lower) = name.to_str().map(str::to_lowercase) else {
                continue;
            };
            let Some(key) = lower.strip_prefix(PREFIX) else {
                continue;
            };
            let origin = Origin::CodeCarbon {
                name: name.to_string_lossy().into_owned(),
                place: "environment".to_owned(),
            };
            let word = Word {
                text: value.clone(),
                origin,
                stranger: None,
            };
            self.words.insert(key.to_owned(), word);
        }
    }

    /// In carbon-run's terms.
    pub(super) fn meant(self) -> Meant {
        let Self { words, notes } = self;
        let mut meant = Meant {
            notes,
            ..Meant::default()
        };
        for (key, word) in words.iter().filter(|(_, word)| !word.text.is_empty()) {
            match meaning(key) {
                // The three-letter code is the one that CodeCarbon looks emissions up by.
                Some(Meaning::Setting(_))
                    if key == "country_2letter_iso_code" && is_said(&words, "country_iso_code") =>
                {
                    meant.nothing(key, word, "`country_iso_code` says it");
                }
                Some(Meaning::Setting(name)) => meant.say_named(name, key, word.text.clone(), word),
                Some(Meaning::Secret(name)) => match Secret::named(name) {
                    Some(secret) => meant
                        .layer
                        .confide(secret, word.text.clone(), word.origin.clone()),
                    None => meant.nothing(key, word, "this version has no setting for it"),
                },
                Some(Meaning::Results) => {}
                Some(Meaning::Nothing(why)) => meant.nothing(key, word, why),
                None => meant.nothing(key, word, "CodeCarbon 3.3.2 has no such key"),
            }
        }
        meant.results(&words);
        meant
    }
}

/// A way of theirs to publish.
struct Published {
    /// As `output_methods` has it.
    method: &'static str,
    /// The older word for the same.
    switch: &'static str,
    /// The key of the address, and what stands in for it.
    address: &'static str,
    default: &'static str,
    /// The name of our setting.
    setting: &'static str,
}

const PUBLISHED: [Published; 2] = [
    Published {
        method: "api",
        switch: "save_to_api",
        address: "api_endpoint",
        default: "https://api.codecarbon.io",
        setting: "codecarbon-api",
    },
    Published {
        method: "prometheus",
        switch: "save_to_prometheus",
        address: "prometheus_url",
        default: "http://localhost:9091",
        setting: "prometheus-push",
    },
];

fn is_said(words: &BTreeMap<String, Word>, key: &str) -> bool {
    words.get(key).is_some_and(|word| !word.text.is_empty())
}

fn note(message: String, hint: impl Into<String>) -> Note {
    Note {
        code: "codecarbon-config".to_owned(),
        message,
        hint: Some(hint.into()),
        degrades: true,
    }
}

impl Meant {
    fn nothing(&mut self, key: &str, word: &Word, why: &str) {
        self.unused.push(Unused {
            key: key.to_owned(),
            origin: word.origin.clone(),
            why: why.to_owned(),
        });
    }

    /// Takes a value over for the setting of that name, if there is one.
    fn say_named(&mut self, name: &str, key: &str, text: impl Into<OsString>, word: &Word) {
        match Key::named(name) {
            Some(setting) => self.say(setting, text, word),
            None => self.nothing(key, word, "this version has no setting for it"),
        }
    }

    /// Takes a value over, if it is one of ours.
    fn say(&mut self, setting: Key, text: impl Into<OsString>, word: &Word) {
        let at = &word.origin;
        if let Some(owner) = word.stranger.filter(|_| Key::WRITTEN.contains(&setting)) {
            self.notes.push(note(
                format!(
                    "{at}: `{}` was not taken from a file that belongs to user {owner}",
                    at.spelling(setting)
                ),
                format!("say it with `--{}` or `{}`", setting.name(), setting.variable()),
            ));
            return;
        }
        let mut alone = Layer::default();
        alone.say(setting, text, at.clone());
        match resolve(Vec::new(), std::slice::from_ref(&alone)) {
            Ok(_) => alone
                .iter()
                .for_each(|(key, said)| self.layer.say(key, said.text.clone(), said.origin.clone())),
            Err(error) => self.notes.push(note(
                format!("{error}; it was left out"),
                format!("{}; or set `--{}`", error.hint(), setting.name()),
            )),
        }
    }

    /// Whether and where results go: `output_methods` is the newer word, and wins over the switches.
    fn results(&mut self, words: &BTreeMap<String, Word>) {
        let methods = words.get("output_methods").filter(|word| !word.text.is_empty());
        let wanted = |switch: &str, method: &str| -> Option<(bool, &Word)> {
            if let Some(word) = methods {
                let methods = word.text.to_string_lossy().to_lowercase();
                return Some((methods.split(',').any(|said| said.trim() == method), word));
            }
            let word = words.get(switch).filter(|word| !word.text.is_empty())?;
            Some((word.text.to_string_lossy().to_lowercase() == "true", word))
        };
        if let Some((wanted, word)) = wanted("save_to_file", "csv") {
            self.say(Key::Csv, wanted.to_string(), word);
        }
        for (switch, method) in [
            ("save_to_logger", "logger"),
            ("save_to_logfire", "logfire"),
            ("", "boamps"),
        ] {
            if let Some((true, word)) = wanted(switch, method) {
                let key = if methods.is_some() {
                    "output_methods"
                } else {
                    switch
                };
                self.nothing(key, word, &format!("carbon-run does not publish by `{method}`"));
            }
        }
        for Published {
            method,
            switch,
            address,
            default,
            setting,
        } in PUBLISHED
        {
            let at = words.get(address).filter(|word| !word.text.is_empty());
            match wanted(switch, method) {
                Some((true, word)) => {
                    let url = at.map_or(default.into(), |at| at.text.to_string_lossy());
                    // Their client of Prometheus takes an address without a scheme.
                    let url = if url.contains("://") {
                        url.into_owned()
                    } else {
                        format!("http://{url}")
                    };
                    let key = if at.is_some() { address } else { switch };
                    self.say_named(setting, key, url, at.unwrap_or(word));
                }
                _ => {
                    if let Some(at) = at {
                        let why = format!("`output_methods` does not have `{method}`");
                        self.nothing(address, at, &why);
                    }
                }
            }
        }
        if let Some(word) = words
            .get("emissions_endpoint")
            .filter(|word| !word.text.is_empty())
        {
            self.say_named("webhook", "emissions_endpoint", word.text.clone(), word);
            if Key::named("webhook").is_some() {
                self.say_named("webhook-format", "emissions_endpoint", "codecarbon", word);
            }
        }
        if let Some(word) = words.get("log_level").filter(|word| !word.text.is_empty()) {
            if word.text.to_string_lossy().eq_ignore_ascii_case("debug") {
                self.say(Key::Verbose, "true", word);
            } else {
                self.nothing(
                    "log_level",
                    word,
                    "there is no log below `debug`; `--quiet` leaves the summary out",
                );
            }
        }
    }
}

/// A path below the home directory as people write it.
pub(super) fn shown(path: &Path, home: Option<&Path>) -> String {
    match home.and_then(|home| path.strip_prefix(home).ok()) {
        Some(rest) => format!("~/{}", rest.display()),
        None => path.strip_prefix(".").unwrap_or(path).display().to_string(),
    }
}

#[cfg(test)]
mod tests;
