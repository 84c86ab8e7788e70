//! From domains to the job's totals, and from joules to grams.

use super::carbon::Blend;
use super::domain::DomainBooks;
use super::uncertainty::Parts;
use crate::model::recording::{DomainKind, Gpus, NO_GPU, Origin, Ranged, Source};
use crate::model::report::{DomainReport, Figure, Intensity, JobEnergy, Uncertainty};
use crate::model::units::{Grams, GramsPerKwh, JOULES_PER_KWH, Joules, MicroJoules};

/// The job's energy and what its range is made of.
pub(super) struct Totals {
    pub(super) energy: JobEnergy,
    pub(super) uncertainty: Uncertainty,
    /// The mean intensity of that energy, where it changes with time.
    pub(super) intensity: Option<Ranged<GramsPerKwh>>,
}

/// Adds the summed domains up.
pub(super) fn total(domains: &[DomainBooks], reports: &[DomainReport], gpus: Option<&Gpus>) -> Totals {
    let sum = |kinds: &[DomainKind], absent: &str| {
        let chosen: Vec<(&DomainBooks, &DomainReport)> = domains
            .iter()
            .zip(reports)
            .filter(|(books, _)| books.is_summed() && kinds.contains(&books.domain.kind))
            .collect();
        figure(&chosen, absent)
    };
    let cpu = sum(&[DomainKind::Package], "no CPU meter and no CPU model");
    let ram = sum(&[DomainKind::Dram], without_memory(domains));
    let gpu = sum(
        &[DomainKind::Gpu],
        gpus.map_or("it was recorded by a version that did not measure GPUs", |gpus| {
            gpus.absent.as_deref().unwrap_or(NO_GPU)
        }),
    );
    let all = sum(
        &[DomainKind::Package, DomainKind::Dram, DomainKind::Gpu],
        "nothing was measured",
    );
    let total = match &cpu {
        // A total without its largest part would be read as the whole.
        Figure::Absent(reason) => Figure::Absent(reason.clone()),
        Figure::Known { .. } => all,
    };
    let parts = domains
        .iter()
        .filter(|books| books.is_summed() && books.is_known())
        .map(|books| books.parts())
        .fold(Parts::default(), Parts::and);
    let relative = |part: f64| match total.value() {
        Some(total) if total.get() > 0.0 => part / total.get(),
        _ => 0.0,
    };
    let uncertainty = Uncertainty {
        meter: relative(parts.meter_low.max(parts.meter_high)),
        timing: relative(parts.timing),
        idle: relative(parts.idle),
        attribution: relative(parts.attribution_low.max(parts.attribution_high)),
    };
    Totals {
        energy: JobEnergy { total, cpu, ram, gpu },
        uncertainty,
        intensity: intensity(domains),
    }
}

/// Of what the job used in each summed domain, at that domain's mean.
fn intensity(domains: &[DomainBooks]) -> Option<Ranged<GramsPerKwh>> {
    let mut blend = Blend::default();
    for books in domains
        .iter()
        .filter(|books| books.is_summed() && books.is_known())
    {
        if let Some(mean) = books.intensity() {
            blend.add(books.job_energy().get(), mean);
        }
    }
    blend.mean()
}

/// Why there is no domain of memory. Where a sensor shows a socket with its memory, none is added.
fn without_memory(domains: &[DomainBooks]) -> &'static str {
    let by_sensor = domains.iter().any(|books| {
        books.is_summed()
            && books.domain.kind == DomainKind::Package
            && books.domain.origin == Origin::Measured(Source::Hwmon)
    });
    if by_sensor {
        "inside the figure of the CPU, whose sensor does not tell them apart"
    } else {
        "no memory meter and no memory model"
    }
}

fn figure(chosen: &[(&DomainBooks, &DomainReport)], absent: &str) -> Figure<Joules> {
    let known: Vec<&(&DomainBooks, &DomainReport)> =
        chosen.iter().filter(|(books, _)| books.is_known()).collect();
    if known.is_empty() {
        let reason = chosen.iter().find_map(|(_, report)| match &report.origin {
            Origin::Absent(reason) => Some(reason.clone()),
            Origin::Measured(_) | Origin::Estimated(_) => None,
        });
        return Figure::Absent(reason.unwrap_or_else(|| absent.to_owned()));
    }
    let energy: MicroJoules = known.iter().map(|(_, report)| report.ledger.job_total()).sum();
    let parts = known
        .iter()
        .map(|(books, _)| books.parts())
        .fold(Parts::default(), Parts::and);
    Figure::Known {
        ranged: parts.range(energy.joules()),
        origin: join(known.iter().map(|(_, report)| &report.origin)),
    }
}

/// The origin of a sum: an estimate as soon as there is any estimate in it.
fn join<'a>(origins: impl Iterator<Item = &'a Origin>) -> Origin {
    let mut measured = None;
    let mut names: Vec<String> = Vec::new();
    let mut estimated = false;
    for origin in origins {
        let name = match origin {
            Origin::Measured(source) => {
                measured = Some(*source);
                source.name().to_owned()
            }
            Origin::Estimated(model) => {
                estimated = true;
                model.clone()
            }
            Origin::Absent(_) => continue,
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    match (estimated, measured) {
        (false, Some(source)) => Origin::Measured(source),
        _ => Origin::Estimated(names.join(" + ")),
    }
}

/// `grams = energy_kwh * pue * intensity`; the ranges of energy and intensity are independent of each other.
pub(super) fn emissions(energy: &Figure<Joules>, pue: f64, intensity: &Intensity) -> Figure<Grams> {
    match energy {
        Figure::Absent(reason) => Figure::Absent(reason.clone()),
        Figure::Known { ranged, origin } => {
            let (energy, factor) = (ranged, &intensity.value);
            let grams = |joules: f64, factor: f64| joules / JOULES_PER_KWH * factor * pue;
            let value = grams(energy.value.get(), factor.value.get());
            // In grams and not relative to the value, which may be 0 with a range.
            let side = |energy_edge: Joules, factor_edge: GramsPerKwh| {
                let by_energy = grams(energy_edge.get() - energy.value.get(), factor.value.get());
                let by_factor = grams(energy.value.get(), factor_edge.get() - factor.value.get());
                by_energy.hypot(by_factor)
            };
            let below = side(energy.low, factor.low);
            let above = side(energy.high, factor.high);
            let ranged = Ranged {
                low: Grams::clamped(value - below),
                value: Grams::clamped(value),
                high: Grams::clamped(value + above),
            };
            Figure::Known {
                ranged,
                origin: origin.clone(),
            }
        }
    }
}
