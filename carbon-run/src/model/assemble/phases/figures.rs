//! From accounts to a phase's figures.

use super::Ending;
use super::accounts::{Slot, is_owner};
use super::slices::{Sign, Slice};
use crate::model::assemble::carbon::Blend;
use crate::model::assemble::domain::DomainBooks;
use crate::model::assemble::totals;
use crate::model::assemble::uncertainty::Parts;
use crate::model::recording::{DomainKind, Ranged};
use crate::model::report::{Figure, Intensity, JobEnergy, PhaseFigures};
use crate::model::units::{CpuTime, GramsPerKwh, Joules, MicroJoules, Share};
use std::time::Duration;

/// What a phase that lies between two readings has no figure for.
const UNREAD: &str = "no meter was read while it was open";

/// The accounts of a run, in the end.
pub(super) struct Figures<'a> {
    ending: &'a Ending<'a>,
    /// Nanoseconds by account.
    cpu: Option<&'a [u64]>,
    /// Those that count towards the totals.
    domains: Vec<Shared<'a>>,
}

/// A domain's figures by account.
struct Shared<'a> {
    books: &'a DomainBooks,
    microjoules: Vec<u64>,
    /// By this the grams of all accounts are those of the job: a baseline that is lowered to the least power seen is still above some
    /// short windows, and what those are short of is in no account.
    grams: f64,
}

/// A domain's part in a figure.
struct Portion<'a> {
    books: &'a DomainBooks,
    sums: Slice,
    energy: MicroJoules,
    grams: f64,
    /// Joules squared.
    doubt: f64,
}

impl<'a> Figures<'a> {
    pub(super) fn of(ending: &'a Ending<'a>, cpu: Option<&'a [u64]>) -> Self {
        let counted = ending
            .domains
            .iter()
            .filter(|books| books.is_summed() && books.is_known());
        Self {
            ending,
            cpu,
            domains: counted.map(Shared::of).collect(),
        }
    }

    /// Of some accounts, which were entered so often. `doubt` is for figures of several accounts: between those no boundary matters.
    pub(super) fn figures(
        &self,
        accounts: &[(Slot, Sign)],
        duration: Duration,
        times: u64,
        doubt: Option<&dyn Fn(&DomainBooks) -> f64>,
    ) -> PhaseFigures {
        let portions: Vec<Portion<'_>> = self
            .domains
            .iter()
            .map(|shared| {
                let Shared {
                    books, microjoules, ..
                } = shared;
                let sums = books.phases().sum(accounts);
                Portion {
                    books,
                    sums,
                    // Accounts of overlaps are rounded each by itself.
                    energy: MicroJoules(added(microjoules, accounts)).min(books.job_microjoules()),
                    grams: shared.grams,
                    doubt: doubt.map_or(sums.doubt, |doubt| doubt(books)),
                }
            })
            .collect();
        let energy = &self.ending.totals.energy;
        let figure = |kinds: &[DomainKind], job: &Figure<Joules>| {
            let of_kind = portions
                .iter()
                .filter(|portion| kinds.contains(&portion.books.domain.kind));
            figure(of_kind.collect(), job, duration, times)
        };
        let (cpu, ram, gpu) = (
            figure(&[DomainKind::Package], &energy.cpu),
            figure(&[DomainKind::Dram], &energy.ram),
            figure(&[DomainKind::Gpu], &energy.gpu),
        );
        let all = figure(
            &[DomainKind::Package, DomainKind::Dram, DomainKind::Gpu],
            &energy.total,
        );
        let total = match &cpu {
            Figure::Absent(reason) => Figure::Absent(reason.clone()),
            Figure::Known { .. } => all,
        };
        let emissions = totals::emissions(&total, self.ending.pue, &self.intensity(&portions));
        PhaseFigures {
            duration,
            cpu_time: self.cpu.map(|cpu| CpuTime(added(cpu, accounts))),
            energy: JobEnergy { total, cpu, ram, gpu },
            emissions,
            coverage: coverage(&portions, duration),
        }
    }

    /// The electricity of what was used, at each domain's mean.
    fn intensity(&self, portions: &[Portion<'_>]) -> Intensity {
        let mut blend = Blend::default();
        for portion in portions {
            if let Some(mean) = portion.books.intensity_of_phase(&portion.sums) {
                let scaled = |value: GramsPerKwh| GramsPerKwh::clamped(value.get() * portion.grams);
                let mean = Ranged {
                    low: scaled(mean.low),
                    value: scaled(mean.value),
                    high: scaled(mean.high),
                };
                blend.add(portion.energy.joules().get(), mean);
            }
        }
        let whole = self.ending.intensity;
        Intensity {
            value: blend.mean().unwrap_or(whole.value),
            ..whole.clone()
        }
    }
}

impl<'a> Shared<'a> {
    fn of(books: &'a DomainBooks) -> Self {
        let microjoules = books.microjoules_of_phases();
        let owners = microjoules.iter().enumerate().filter(|(slot, _)| is_owner(*slot));
        let apart: f64 = owners
            .filter_map(|(slot, energy)| {
                let mean = books.intensity_of_phase(&books.phases().of(slot))?;
                Some(*energy as f64 * mean.value.get())
            })
            .sum();
        let together = books
            .intensity()
            .map_or(0.0, |mean| books.job_microjoules().0 as f64 * mean.value.get());
        Self {
            books,
            microjoules,
            grams: if apart > 0.0 && together > 0.0 {
                together / apart
            } else {
                1.0
            },
        }
    }
}

fn added(by_slot: &[u64], accounts: &[(Slot, Sign)]) -> u64 {
    let of = |slot: Slot| i128::from(by_slot.get(slot).copied().unwrap_or_default());
    let sum: i128 = accounts.iter().map(|(slot, sign)| of(*slot) * sign.whole()).sum();
    u64::try_from(sum.max(0)).unwrap_or(u64::MAX)
}

fn figure(
    portions: Vec<&Portion<'_>>,
    job: &Figure<Joules>,
    duration: Duration,
    times: u64,
) -> Figure<Joules> {
    let Figure::Known { origin, .. } = job else {
        return job.clone();
    };
    let unread = |portion: &&Portion<'_>| portion.books.is_metered() && portion.sums.known_ns <= 0.0;
    if duration > Duration::ZERO && !portions.is_empty() && portions.iter().all(unread) {
        return Figure::Absent(UNREAD.to_owned());
    }
    let energy: MicroJoules = portions.iter().map(|portion| portion.energy).sum();
    let parts = portions
        .iter()
        .map(|portion| {
            portion
                .books
                .parts_of_phase(&portion.sums, portion.energy, times, portion.doubt)
        })
        .fold(Parts::default(), Parts::and);
    Figure::Known {
        ranged: parts.range(energy.joules()),
        origin: origin.clone(),
    }
}

/// As of the whole run: the least that is known of any meter.
fn coverage(portions: &[Portion<'_>], duration: Duration) -> Share {
    let metered = portions.iter().filter(|portion| portion.books.is_metered());
    let known = metered
        .map(|portion| portion.sums.known_ns)
        .fold(None, |least: Option<f64>, one| {
            Some(least.map_or(one, |least| least.min(one)))
        });
    match known {
        None => Share::NONE,
        Some(_) if duration.is_zero() => Share::ALL,
        Some(known) => {
            let part = known / duration.as_nanos() as f64;
            Share::new(part.clamp(0.0, 1.0)).unwrap_or(Share::NONE)
        }
    }
}
