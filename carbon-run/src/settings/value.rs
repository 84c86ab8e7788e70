//! From text to a value in its range, the same for every layer.

use super::Target;
use super::key::Key;
use super::layer::Said;
use super::publishing::WebhookFormat;
use crate::model::recording::{Backend, IdlePolicy};
use crate::model::units::Watts;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The shortest and the longest time between two samples.
const INTERVALS: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(3600);

/// The shortest and the longest time between two checkpoints.
const CHECKPOINTS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

/// The shortest and the longest time that receivers may take.
const PUBLISHING: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(300);

/// A value that is not what [`Key::expects`] says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}`{}` is `{}`, which is not {}", place(.said), .said.origin.spelling(*.key), .said.text.display(), .key.expects())]
pub struct BadValue {
    /// The setting.
    pub key: Key,
    /// What was written, and where.
    pub said: Said,
}

impl BadValue {
    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        self.key.example()
    }
}

/// `FILE:LINE: ` for a config file; a flag or a variable needs no place beside its name.
fn place(said: &Said) -> String {
    match &said.origin {
        origin @ super::Origin::File { .. } => format!("{origin}: "),
        super::Origin::CodeCarbon { place, .. } if place != "environment" => format!("{place}: "),
        super::Origin::Default
        | super::Origin::CodeCarbon { .. }
        | super::Origin::Environment
        | super::Origin::Flag => String::new(),
    }
}

/// One value, on its way from text to its type.
pub(super) struct Reading<'a> {
    pub(super) key: Key,
    pub(super) said: &'a Said,
}

impl Reading<'_> {
    fn bad(&self) -> BadValue {
        BadValue {
            key: self.key,
            said: self.said.clone(),
        }
    }

    /// UTF-8 that says something.
    pub(super) fn text(&self) -> Result<String, BadValue> {
        let text = self
            .said
            .text
            .to_str()
            .map(str::trim)
            .filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or_else(|| self.bad())
    }

    /// Paths with commas between, none of them empty.
    pub(super) fn paths(&self) -> Result<Vec<PathBuf>, BadValue> {
        let path = self.path()?;
        let parts = path.as_os_str().as_bytes().split(|byte| *byte == b',');
        let parts: Vec<PathBuf> = parts.map(|part| PathBuf::from(OsStr::from_bytes(part))).collect();
        if parts.iter().any(|part| part.as_os_str().is_empty()) {
            return Err(self.bad());
        }
        Ok(parts)
    }

    pub(super) fn parsed<T>(&self, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, BadValue> {
        parse(&self.text()?).ok_or_else(|| self.bad())
    }

    /// A finite number of at least `least`.
    pub(super) fn number(&self, least: f64) -> Result<f64, BadValue> {
        self.parsed(|text| {
            f64::from_str(text)
                .ok()
                .filter(|number| number.is_finite() && *number >= least)
        })
    }

    pub(super) fn switch(&self) -> Result<bool, BadValue> {
        self.parsed(|text| match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        })
    }

    /// Any bytes but none at all.
    pub(super) fn path(&self) -> Result<PathBuf, BadValue> {
        let path = PathBuf::from(&self.said.text);
        if path.as_os_str().is_empty() {
            Err(self.bad())
        } else {
            Ok(path)
        }
    }

    /// Of HTTP, with a host. What else there is of it is the receiver's business.
    pub(super) fn address(&self) -> Result<String, BadValue> {
        self.parsed(|text| {
            let (scheme, rest) = text.split_once("://")?;
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let good =
                matches!(scheme, "http" | "https") && !host.is_empty() && !text.contains(char::is_whitespace);
            good.then(|| text.to_owned())
        })
    }

    pub(super) fn webhook_format(&self) -> Result<WebhookFormat, BadValue> {
        self.parsed(|text| {
            WebhookFormat::ALL
                .into_iter()
                .find(|format| format.name() == text)
        })
    }

    pub(super) fn publish_timeout(&self) -> Result<Duration, BadValue> {
        self.parsed(|text| time(text).filter(|time| PUBLISHING.contains(time)))
    }

    /// A name that leads into no other directory.
    pub(super) fn file_name(&self) -> Result<OsString, BadValue> {
        let path = self.path()?;
        match path.file_name() {
            Some(name) if name == path.as_os_str() => Ok(name.to_owned()),
            _ => Err(self.bad()),
        }
    }

    pub(super) fn target(&self) -> Result<Target, BadValue> {
        let path = self.path()?;
        Ok(if path.as_os_str() == "-" {
            Target::Stdout
        } else {
            Target::File(path)
        })
    }

    pub(super) fn watts(&self) -> Result<Vec<Watts>, BadValue> {
        self.parsed(|text| {
            text.split(',')
                .map(|number| {
                    f64::from_str(number.trim())
                        .ok()
                        .and_then(|watts| Watts::new(watts).ok())
                })
                .collect()
        })
    }

    /// `coal=30,wind=70`: names with amounts of at least 0, not all of them 0. A `%` behind an amount changes nothing.
    pub(super) fn energy_mix(&self) -> Result<Vec<(String, f64)>, BadValue> {
        let part = |part: &str| {
            let (source, amount) = part.split_once('=')?;
            let amount = amount.trim().trim_end_matches('%').trim_end();
            let amount = f64::from_str(amount).ok()?;
            let source = source.trim().to_owned();
            (amount.is_finite() && amount >= 0.0 && !source.is_empty()).then_some((source, amount))
        };
        self.parsed(|text| {
            let parts: Vec<_> = text.split(',').map(part).collect::<Option<_>>()?;
            let whole: f64 = parts.iter().map(|(_, amount)| amount).sum();
            (whole > 0.0 && whole.is_finite()).then_some(parts)
        })
    }

    pub(super) fn watts_per_gib(&self) -> Result<Watts, BadValue> {
        self.parsed(|text| Watts::new(f64::from_str(text).ok()?).ok())
    }

    /// Thousandths, rounded to nearest, of a number from 0.5 to 1.
    pub(super) fn smt_weight_permille(&self) -> Result<u32, BadValue> {
        self.parsed(|text| {
            let weight = f64::from_str(text)
                .ok()
                .filter(|weight| (0.5..=1.0).contains(weight))?;
            Some((weight * 1000.0).round() as u32)
        })
    }

    /// A bare number is seconds; otherwise a number with its unit, as `500ms` or `1m 30s`.
    pub(super) fn interval(&self) -> Result<Duration, BadValue> {
        self.parsed(|text| time(text).filter(|time| INTERVALS.contains(time)))
    }

    /// The same; nothing is `None`.
    pub(super) fn checkpoint_interval(&self) -> Result<Option<Duration>, BadValue> {
        self.parsed(|text| match time(text)? {
            Duration::ZERO => Some(None),
            time => CHECKPOINTS.contains(&time).then_some(Some(time)),
        })
    }

    pub(super) fn idle_policy(&self) -> Result<IdlePolicy, BadValue> {
        self.parsed(|text| IdlePolicy::ALL.into_iter().find(|policy| policy.name() == text))
    }

    /// `auto` is `None`: the best that can be had.
    pub(super) fn accounting(&self) -> Result<Option<Backend>, BadValue> {
        let backends = std::iter::once(None).chain(Backend::ALL.map(Some));
        self.parsed(|text| {
            backends
                .clone()
                .find(|backend| backend.map_or("auto", Backend::name) == text)
        })
    }
}

fn time(text: &str) -> Option<Duration> {
    match f64::from_str(text) {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => jiff::SignedDuration::from_str(text)
            .ok()
            .and_then(|time| time.try_into().ok()),
    }
}

#[cfg(test)]
#[path = "value_tests.rs"]
mod tests;
