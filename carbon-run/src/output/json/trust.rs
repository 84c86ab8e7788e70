//! How far to trust the figures: who counted, what was lost, what the range is made of.

use crate::model::recording::{self, Declined};
use crate::model::report::{self, RunReport};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Accounting<'a> {
    backend: &'static str,
    lost: u64,
    declined: Vec<DeclinedBackend<'a>>,
}

/// A better way to count that could not be used.
#[derive(Serialize)]
struct DeclinedBackend<'a> {
    backend: &'static str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct Quality<'a> {
    /// Nothing lost, nothing missed, nothing to warn of.
    clean: bool,
    lost: u64,
    coverage: f64,
    wraps: u64,
    resets: u64,
    slept_s: f64,
    uncertainty: Uncertainty,
    warnings: Vec<Note<'a>>,
    notes: Vec<Note<'a>>,
}

/// Each part of the range, relative to the job's energy; combined by quadrature. Left out when it is not finite.
#[derive(Serialize)]
struct Uncertainty {
    #[serde(skip_serializing_if = "Option::is_none")]
    meter: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timing: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idle: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attribution: Option<f64>,
}

#[derive(Serialize)]
struct Note<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

impl<'a> From<&'a RunReport> for Accounting<'a> {
    fn from(report: &'a RunReport) -> Self {
        Self {
            backend: report.accounting.backend.name(),
            lost: report.quality.lost,
            declined: report
                .accounting
                .declined
                .iter()
                .map(DeclinedBackend::from)
                .collect(),
        }
    }
}

impl<'a> From<&'a Declined> for DeclinedBackend<'a> {
    fn from(declined: &'a Declined) -> Self {
        Self {
            backend: declined.backend.name(),
            reason: &declined.reason,
            remedy: declined.remedy.as_deref(),
        }
    }
}

impl<'a> From<&'a report::Quality> for Quality<'a> {
    fn from(quality: &'a report::Quality) -> Self {
        let notes = |degrading: bool| {
            quality
                .notes
                .iter()
                .filter(move |note| note.degrades == degrading)
                .map(Note::from)
                .collect::<Vec<_>>()
        };
        let warnings = notes(true);
        let whole = quality.coverage >= crate::model::units::Share::ALL;
        Self {
            clean: warnings.is_empty() && quality.lost == 0 && whole,
            lost: quality.lost,
            coverage: quality.coverage.get(),
            wraps: quality.wraps,
            resets: quality.resets,
            slept_s: quality.slept.as_secs_f64(),
            uncertainty: Uncertainty::from(quality.uncertainty),
            warnings,
            notes: notes(false),
        }
    }
}

impl From<report::Uncertainty> for Uncertainty {
    fn from(parts: report::Uncertainty) -> Self {
        let finite = |part: f64| part.is_finite().then_some(part);
        Self {
            meter: finite(parts.meter),
            timing: finite(parts.timing),
            idle: finite(parts.idle),
            attribution: finite(parts.attribution),
        }
    }
}

impl<'a> From<&'a recording::Note> for Note<'a> {
    fn from(note: &'a recording::Note) -> Self {
        Self {
            code: &note.code,
            message: &note.message,
            hint: note.hint.as_deref(),
        }
    }
}
