//! A domain's books.

use super::energy::{EnergyRange, FigureOrigin};
use crate::model::recording::{DomainKind, IdlePolicy, Origin};
use crate::model::report::{self, DomainReport};
use crate::model::units::{MicroJoules, Watts};
use crate::output::wall_clock;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Domain<'a> {
    name: &'a str,
    kind: DomainKind,
    origin: FigureOrigin<'a>,
    /// What a model rests on; a meter has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    basis: Option<&'a str>,
    summed: bool,
    #[serde(flatten)]
    lines: Lines,
    /// Why every line is null.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel_uj_reason: Option<&'static str>,
    job_idle_uj_by_policy: Option<ByPolicy>,
    job_range_j: Option<EnergyRange>,
    idle_power: IdlePower,
    coverage: f64,
}

#[derive(Default, Serialize)]
struct Lines {
    measured_uj: Option<MicroJoules>,
    job_uj: Option<MicroJoules>,
    job_idle_uj: Option<MicroJoules>,
    others_uj: Option<MicroJoules>,
    /// The part of the others' that may be the job's as well; of GPUs only.
    #[serde(skip_serializing_if = "Option::is_none")]
    unattributed_uj: Option<MicroJoules>,
    kernel_uj: Option<MicroJoules>,
    own_uj: Option<MicroJoules>,
    idle_uj: Option<MicroJoules>,
}

#[derive(Serialize)]
struct ByPolicy {
    none: MicroJoules,
    capacity: MicroJoules,
    allocated: MicroJoules,
    busy: MicroJoules,
    all: MicroJoules,
}

/// The baseline power in watts, and how it is known: `given`, `calibrated`, `learned`, `regression`, `lowered` (from
/// `given_watts`, which was `lowered_from`), `model` or `unknown`.
#[derive(Serialize)]
struct IdlePower {
    basis: &'static str,
    watts: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    watts_reason: Option<&'static str>,
    /// Half-width in watts.
    #[serde(skip_serializing_if = "Option::is_none")]
    spread_watts: Option<f64>,
    /// When it was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    given_watts: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lowered_from: Option<&'static str>,
}

impl<'a> From<&'a DomainReport> for Domain<'a> {
    fn from(domain: &'a DomainReport) -> Self {
        let absent = match &domain.origin {
            Origin::Absent(reason) => Some(reason.as_str()),
            Origin::Measured(_) | Origin::Estimated(_) => None,
        };
        let known = absent.is_none();
        let no_kernel = known && domain.ledger.kernel.is_none();
        Self {
            name: &domain.name,
            kind: domain.kind,
            origin: FigureOrigin::from(&domain.origin),
            basis: domain.basis.as_deref(),
            summed: domain.summed,
            // A ledger without a single reading is all zeros, and absent is not 0.
            lines: if known {
                Lines {
                    unattributed_uj: (domain.kind == DomainKind::Gpu).then_some(domain.ledger.unattributed),
                    ..Lines::from(domain.ledger)
                }
            } else {
                Lines::default()
            },
            reason: absent,
            kernel_uj_reason: no_kernel
                .then_some("the accounting in use counts kernel threads among the others"),
            job_idle_uj_by_policy: known.then(|| ByPolicy::from(domain)),
            job_range_j: known.then(|| EnergyRange::from(domain.job_range)),
            idle_power: IdlePower::from(domain.idle_power),
            coverage: domain.coverage.get(),
        }
    }
}

impl From<report::Ledger> for Lines {
    fn from(ledger: report::Ledger) -> Self {
        Self {
            measured_uj: Some(ledger.measured),
            job_uj: Some(ledger.job),
            job_idle_uj: Some(ledger.job_idle),
            others_uj: Some(ledger.others),
            unattributed_uj: None,
            kernel_uj: ledger.kernel,
            own_uj: Some(ledger.own),
            idle_uj: Some(ledger.idle),
        }
    }
}

impl From<&DomainReport> for ByPolicy {
    fn from(domain: &DomainReport) -> Self {
        let under = |policy: IdlePolicy| {
            let listed = IdlePolicy::ALL.into_iter().zip(domain.job_idle_by_policy);
            listed
                .filter(|(known, _)| *known == policy)
                .map(|(_, energy)| energy)
                .sum()
        };
        Self {
            none: under(IdlePolicy::None),
            capacity: under(IdlePolicy::Capacity),
            allocated: under(IdlePolicy::Allocated),
            busy: under(IdlePolicy::Busy),
            all: under(IdlePolicy::All),
        }
    }
}

impl From<report::IdlePower> for IdlePower {
    fn from(power: report::IdlePower) -> Self {
        let found = power.found();
        let given = match power {
            report::IdlePower::Lowered { given, .. } => Some(given),
            report::IdlePower::Given(_)
            | report::IdlePower::Found(_)
            | report::IdlePower::Model(_)
            | report::IdlePower::Unknown => None,
        };
        let unknown = power.watts().is_none();
        Self {
            basis: power.basis(),
            watts: power.watts().map(Watts::get),
            watts_reason: unknown.then_some("nobody stated it, and it was not calibrated"),
            spread_watts: power.spread().map(Watts::get),
            as_of: found.map(|found| wall_clock::utc(found.as_of_unix_ns)),
            given_watts: given.map(Watts::get),
            lowered_from: given.map(|_| found.map_or("given", |found| found.basis.name())),
        }
    }
}
