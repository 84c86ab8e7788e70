//! The baseline power of a metered domain: what is known of it, in order of trust, and what the meter says against that.
//!
//! `--idle-power`, then what `carbon-run calibrate` stored, then the lowest power seen on this host while next to nothing
//! ran, then where a line through power over load of this run meets no load. Whatever it is, a domain that draws less
//! proves it wrong.

use super::evidence::Evidence;
use super::note;
use crate::model::attribution::Baseline;
use crate::model::calibration::{Fit, fit};
use crate::model::power_curve::PowerCurve;
use crate::model::recording::{CalibratedDomain, Domain, DomainKind, Head, Note};
use crate::model::report::{FoundIdle, IdleBasis, IdlePower, QuietPower};
use crate::model::units::{Share, Watts};
use std::time::Duration;

/// Shortest window whose mean power can prove a stated idle power too high: the counter's 1 ms steps weigh 4 % of it.
pub(super) const PROOF: Duration = Duration::from_millis(50);

/// After so long a GPU's counter that has not moved does not work: twenty of the slowest steps.
pub(super) const GPU_PROOF: Duration = Duration::from_secs(2);

/// What the counter's steps can hide at both ends of a window: RAPL counters are updated about every millisecond
/// (Intel SDM vol. 3B, 16.10.2; Khan et al., RAPL in Action, 2018).
pub(super) const STEPS: Duration = Duration::from_millis(2);

/// A calibrated power moves by this part of it from day to day, with temperature, beside its own spread.
pub(super) const CALIBRATED: f64 = 0.06;
/// And by this under another kernel or governor: other C-states, other frequencies.
pub(super) const CALIBRATED_ELSEWHERE: f64 = 0.25;
/// A lowest power moves by this from day to day...
const LEARNED: f64 = 0.08;
/// ...and was seen under some load: by this times the idle power for a full load, and for less in proportion to the load to
/// the power of 0.75. Judgement: the three load curves in [`crate::model::estimate`] have 3, 7 and 25 times idle, the last with an
/// idle power that is extrapolated to next to nothing.
const FULL_OVER_IDLE: f64 = 5.0;
const CONCAVE: f64 = 0.75;

impl IdlePower {
    /// What it is in the books of a window.
    pub(super) const fn baseline(self) -> Baseline {
        match self.watts() {
            Some(power) => Baseline::Power(power),
            None => Baseline::Half,
        }
    }

    /// What it is once the whole run has been seen.
    pub(super) fn settled(self, evidence: &Evidence, domain: &Domain, head: &Head) -> Self {
        let seen = match self {
            Self::Model(_) => return self,
            Self::Given(_) | Self::Lowered { .. } => self,
            Self::Found(found) if found.basis == IdleBasis::Calibrated => self,
            Self::Found(found) => Self::Found(
                learned_now(evidence, domain, head)
                    .map_or(found, |now| if now.power < found.power { now } else { found }),
            ),
            Self::Unknown => learned_now(evidence, domain, head)
                .or_else(|| fitted(evidence, head))
                .map_or(Self::Unknown, Self::Found),
        };
        match (seen.watts(), evidence.ceiling()) {
            (Some(given), Some(used)) if used < given => Self::Lowered {
                given,
                used,
                found: seen.found(),
            },
            _ => seen,
        }
    }
}

fn learned_now(evidence: &Evidence, domain: &Domain, head: &Head) -> Option<FoundIdle> {
    evidence
        .quiet()
        .map(|quiet| learned(quiet, head.started_at_unix_ns, domain, head))
}

fn learned(seen: QuietPower, as_of_unix_ns: i64, domain: &Domain, head: &Head) -> FoundIdle {
    let cpus = cpus_of(domain, head).count().max(1) as f64;
    let load = (seen.busy_cpus / cpus).clamp(0.0, 1.0);
    let part = LEARNED.hypot(FULL_OVER_IDLE * load.powf(CONCAVE));
    FoundIdle {
        basis: IdleBasis::Learned,
        power: seen.power,
        spread: Watts::clamped(seen.power.get() * part.min(1.0)),
        as_of_unix_ns,
    }
}

fn fitted(evidence: &Evidence, head: &Head) -> Option<FoundIdle> {
    evidence.intercept().map(|line| FoundIdle {
        basis: IdleBasis::Regression,
        power: line.power,
        spread: line.spread,
        as_of_unix_ns: head.started_at_unix_ns,
    })
}

/// What is known of a domain before the run.
pub(super) fn prior(domain: &Domain, head: &Head) -> IdlePower {
    let known = &head.power;
    let calibrated = || {
        let (calibration, one) = calibrated(domain, head)?;
        let part = match fit(&calibration.conditions, &known.conditions) {
            Fit::Same => CALIBRATED,
            Fit::Changed(_) => CALIBRATED_ELSEWHERE,
            Fit::Other(_) => return None,
        };
        Some(FoundIdle {
            basis: IdleBasis::Calibrated,
            power: one.idle,
            spread: Watts::clamped(one.spread.get().hypot(part * one.idle.get())),
            as_of_unix_ns: calibration.at_unix_ns,
        })
    };
    let seen = || {
        let store = known.learned.as_ref()?;
        let one = store.domains.iter().find(|one| one.name == domain.name)?;
        let fits = matches!(fit(&store.conditions, &known.conditions), Fit::Same);
        let quiet = QuietPower {
            power: one.power,
            busy_cpus: one.busy_cpus,
        };
        fits.then(|| learned(quiet, one.at_unix_ns, domain, head))
    };
    stated(domain, head)
        .map(IdlePower::Given)
        .or_else(|| calibrated().or_else(seen).map(IdlePower::Found))
        .unwrap_or(IdlePower::Unknown)
}

fn calibrated<'a>(
    domain: &Domain,
    head: &'a Head,
) -> Option<(&'a crate::model::recording::Calibration, &'a CalibratedDomain)> {
    let calibration = head.power.calibration.as_ref()?;
    let same = |one: &&CalibratedDomain| one.name == domain.name && one.kind == domain.kind;
    Some((calibration, calibration.domains.iter().find(same)?))
}

/// The domain's power over load, where it was measured on a machine like this.
pub(super) fn curve(domain: &Domain, head: &Head, shared_permille: u32) -> Option<PowerCurve> {
    let (calibration, one) = calibrated(domain, head)?;
    match fit(&calibration.conditions, &head.power.conditions) {
        Fit::Same | Fit::Changed(_) => PowerCurve::new(&one.curve, shared_permille),
        Fit::Other(_) => None,
    }
}

/// What `--idle-power` says of a domain: per package, in package order; dies of a package share theirs. A copy of
/// another domain's counter is not summed and takes no share from it.
fn stated(domain: &Domain, head: &Head) -> Option<Watts> {
    let package = package_of(domain, head)?;
    let dies = head
        .domains
        .iter()
        .filter(|other| other.summed && package_of(other, head) == Some(package))
        .count();
    let stated = packages(head)
        .iter()
        .position(|other| *other == package)
        .and_then(|at| head.choices.idle_power.get(at))?;
    Some(Watts::clamped(stated.get() / dies.max(1) as f64))
}

/// What the reader should know of where the idle powers come from, for all domains together.
pub(super) fn notes(head: &Head) -> Vec<Note> {
    let calibration = head.power.calibration.as_ref().filter(|calibration| {
        let is_of = |domain: &Domain| calibration.domains.iter().any(|one| one.name == domain.name);
        head.domains.iter().any(is_of)
    });
    let said =
        calibration.and_then(
            |calibration| match fit(&calibration.conditions, &head.power.conditions) {
                Fit::Same => None,
                Fit::Changed(what) => Some((
                    "calibration-changed",
                    format!("the stored idle power was measured under {what}, so its range is wider"),
                )),
                Fit::Other(what) => Some((
                    "calibration-unused",
                    format!("the stored idle power was measured {what}, and is not used"),
                )),
            },
        );
    let said = said.map(|(code, message)| Note {
        degrades: false,
        ..note(
            code,
            message,
            Some("`carbon-run calibrate` measures it again".to_owned()),
        )
    });
    misfit(head).into_iter().chain(said).collect()
}

/// What the reader should know of a domain's idle power.
pub(super) fn note_of(domain: &Domain, idle: IdlePower) -> Option<Note> {
    let name = &domain.name;
    match idle {
        IdlePower::Lowered { given, used, found } => {
            // Within the spread of a measurement it is no news.
            let news = found.is_none_or(|found| given.get() - used.get() > found.spread.get());
            let (what, hint) = match found.map(|found| found.basis) {
                None if domain.kind == DomainKind::Gpu => ("stated", "state a lower `--gpu-idle-power`"),
                None => ("stated", "state a lower `--idle-power`"),
                Some(IdleBasis::Calibrated) if domain.kind == DomainKind::Gpu => (
                    "calibrated",
                    "`carbon-run calibrate` measures it again, while a context is held that does nothing",
                ),
                Some(IdleBasis::Calibrated) => ("calibrated", "`carbon-run calibrate` measures it again"),
                Some(IdleBasis::Learned) => ("learned", "`carbon-run calibrate` measures it"),
                Some(IdleBasis::Regression) => ("extrapolated", "`carbon-run calibrate` measures it"),
            };
            Some(Note {
                degrades: news && domain.summed,
                ..note(
                    "idle-power-lowered",
                    format!(
                        "`{name}` drew {:.1} W, less than its {what} idle power of {:.1} W, which was lowered to that",
                        used.get(),
                        given.get()
                    ),
                    Some(hint.to_owned()),
                )
            })
        }
        IdlePower::Unknown if domain.kind == DomainKind::Package && domain.summed => Some(Note {
            degrades: false,
            ..note(
                "idle-power-unknown",
                format!("the idle power of `{name}` is not known; the range covers every possible one"),
                Some(
                    "`carbon-run calibrate` measures it, on a quiet machine; or give `--idle-power` (watts per package \
                     with nothing to do)"
                        .to_owned(),
                ),
            )
        }),
        IdlePower::Unknown | IdlePower::Given(_) | IdlePower::Found(_) | IdlePower::Model(_) => None,
    }
}
/// A stated idle power that does not fit the packages.
pub(super) fn misfit(head: &Head) -> Option<Note> {
    let stated = head.choices.idle_power.len();
    let packages = packages(head).len();
    if stated == 0 || stated == packages {
        return None;
    }
    Some(if packages == 0 {
        note(
            "idle-power-unused",
            "`--idle-power` changes nothing: no CPU package has a meter here".to_owned(),
            None,
        )
    } else {
        note(
            "idle-power-count",
            format!("`--idle-power` names {stated} packages, but {packages} are measured"),
            Some("give one value per package, in package order".to_owned()),
        )
    })
}

/// The packages that have a counter, in package order.
fn packages(head: &Head) -> Vec<u32> {
    let mut packages: Vec<u32> = head
        .domains
        .iter()
        .filter_map(|domain| package_of(domain, head))
        .collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

/// The package whose counter this is; `None` for every other kind of domain.
fn package_of(domain: &Domain, head: &Head) -> Option<u32> {
    if domain.kind != DomainKind::Package {
        return None;
    }
    let group = domain.groups.first()?;
    head.groups.get(*group).map(|group| group.package)
}

/// The CPUs that a domain feeds.
fn cpus_of<'a>(domain: &'a Domain, head: &'a Head) -> impl Iterator<Item = u32> {
    let fed = |number: usize| domain.groups.is_empty() || domain.groups.contains(&number);
    head.groups
        .iter()
        .enumerate()
        .filter(move |(number, _)| fed(*number))
        .flat_map(|(_, group)| group.cpus.iter().copied())
}

/// The part of a domain's CPUs that is set aside for the job; all of them where nobody said.
pub(super) fn allocated(domain: &Domain, head: &Head) -> Share {
    let count = |cpus: usize| u64::try_from(cpus).unwrap_or(u64::MAX);
    match &head.choices.allocated_cpus {
        Some(mine) if cpus_of(domain, head).next().is_some() => Share::of(
            count(cpus_of(domain, head).filter(|cpu| mine.contains(cpu)).count()),
            count(cpus_of(domain, head).count()).saturating_mul(
                head.choices
                    .allocated_among
                    .map_or(1, |tasks| u64::from(tasks.max(1))),
            ),
        ),
        _ => head.choices.allocated.unwrap_or(Share::ALL),
    }
}
