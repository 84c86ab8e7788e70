//! What is wrong with a command line, in our own words: one line and a remedy.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// A command line that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UsageError {
    message: String,
    hint: String,
}

const WHERE_OPTIONS_GO: &str =
    "options of the command go after its name; `--` goes before a command that begins with a dash";

impl UsageError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }

    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: hint.into(),
        }
    }

    pub(super) fn no_command() -> Self {
        Self::new(
            "no command was given",
            "for example `carbon-run python train.py`; `carbon-run --help` shows more",
        )
    }

    pub(super) fn option_before_verb(option: &str, verb: &str) -> Self {
        Self::new(
            format!("`{option}` before the verb `{verb}` would have no effect"),
            format!(
                "`carbon-run {verb} --help` shows the options of the verb; `carbon-run {option} ... -- {verb}` runs a \
                 program called `{verb}`"
            ),
        )
    }

    pub(super) fn from_parser(error: &clap::Error) -> Self {
        let context = |kind| error.get(kind).and_then(first);
        // `--pue <RATIO>` is the parser's name of an option.
        let argument = context(ContextKind::InvalidArg).unwrap_or_default();
        let option = argument.split([' ', '=', '[']).next().unwrap_or_default();
        let value = context(ContextKind::InvalidValue).unwrap_or_default();
        let see_help = match verb_of(error) {
            Some(verb) => format!("`carbon-run {verb} --help` shows what there is"),
            None => "`carbon-run --help` shows what there is, with examples".to_owned(),
        };
        #[expect(clippy::wildcard_enum_match_arm, reason = "the parser's kinds are open-ended")]
        match error.kind() {
            ErrorKind::UnknownArgument if !argument.starts_with('-') => {
                Self::new(format!("`{argument}` is one argument too many"), see_help)
            }
            ErrorKind::UnknownArgument => Self::new(
                format!("unknown option `{argument}`"),
                match context(ContextKind::SuggestedArg) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if verb_of(error).is_some() => see_help,
                    None => WHERE_OPTIONS_GO.to_owned(),
                },
            ),
            ErrorKind::InvalidValue if value.is_empty() => Self::new(
                format!("`{option}` needs a value"),
                format!("as `{argument}`; {see_help}"),
            ),
            ErrorKind::InvalidValue => {
                let names = error.get(ContextKind::ValidValue).map(all).unwrap_or_default();
                let hint = if names.is_empty() {
                    see_help
                } else {
                    format!("it is one of {names}")
                };
                Self::new(format!("`{value}` is no value of `{argument}`"), hint)
            }
            ErrorKind::TooManyValues => Self::new(format!("`{option}` takes no value"), see_help),
            ErrorKind::MissingRequiredArgument => Self::new(format!("`{argument}` is missing"), see_help),
            // The others need a definition that this command line does not have; their first line says enough.
            _ => {
                let text = error.to_string();
                let line = text.lines().next().unwrap_or_default();
                Self::new(line.strip_prefix("error: ").unwrap_or(line), see_help)
            }
        }
    }
}

/// The verb whose options were being read. Only the parser's usage line tells: `Usage: carbon-run doctor [OPTIONS]`.
fn verb_of(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) else {
        return None;
    };
    let word = usage.to_string().split_whitespace().nth(2).map(str::to_owned);
    word.filter(|word| super::command().find_subcommand(word).is_some())
}

fn first(value: &ContextValue) -> Option<String> {
    if let ContextValue::String(text) = value {
        Some(text.clone())
    } else if let ContextValue::Strings(texts) = value {
        texts.first().cloned()
    } else {
        None
    }
}

fn all(value: &ContextValue) -> String {
    if let ContextValue::Strings(texts) = value {
        texts
            .iter()
            .map(|text| format!("`{text}`"))
            .collect::<Vec<_>>()
            .join(", ")
    } else {
        String::new()
    }
}
