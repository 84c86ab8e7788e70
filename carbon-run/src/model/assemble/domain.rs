//! One domain's books over a run.

mod closing;
mod gpu;
mod phases;
mod words;

use super::carbon::Blend;
use super::cpu_model::CpuModelBooks;
use super::evidence::Evidence;
use super::gauge::Gauge;
use super::gpu::GpuBooks;
use super::phases::{Parts as PhaseParts, PhaseBooks, Piece, Remade, Slices};
use super::supply::Supply;
use super::uncertainty::{self, Parts};
use super::{idle, weights};
use crate::model::attribution::{Baseline, Books, apportion};
use crate::model::counter::{Counter, ResetReason, Step};
use crate::model::power_curve::PowerCurve;
use crate::model::recording::{
    Choices, CpuUsage, Domain, DomainKind, DomainSource, GpuLook, Head, Observation, Ranged, Reading,
};
use crate::model::report::{DomainReport, IdlePower};
use crate::model::units::{GramsPerKwh, Joules, MicroJoules, Moment, Share, Watts};
use crate::model::usage::{self, Weights, WindowUsage};
use std::borrow::Cow;
use std::time::Duration;

/// One domain's books.
#[derive(Debug, Clone)]
pub(super) struct DomainBooks {
    pub(super) domain: Domain,
    meter: Meter,
    /// Before the run; what the run made of it once the books are closed.
    idle: IdlePower,
    pub(super) books: Books,
    evidence: Evidence,
    /// The intensity of the job's energy, where it changes with time.
    carbon: Blend,
    /// That of a GPU's energy which is not split yet.
    gathered: Blend,
    /// In which phases that was, and how long.
    gathered_in: (PhaseParts, Duration),
    phases: Slices,
    /// Whether the books were made again under another baseline.
    remade: Option<Remade>,
    curve: Option<PowerCurve>,
    /// The part of the domain's CPUs that is set aside for the job.
    allocated: Share,
    /// Time for which the energy is known.
    known: Duration,
    weights: Weights,
    wraps: u64,
    /// The first reason for an interval that was left out, and how many were.
    resets: Option<(ResetReason, u64)>,
    /// The first reason for a reading that failed, and how many did.
    failed: Option<(String, u64)>,
}

/// What goes with a reading.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look<'a> {
    pub(super) observation: &'a Observation,
    /// Whether the machine slept since the last observation.
    pub(super) slept: bool,
    /// Since the last observation.
    pub(super) since_last: Duration,
    /// At the GPU's users, where the domain is one.
    pub(super) gpu: Option<&'a GpuLook>,
    pub(super) supply: &'a Supply,
    pub(super) phases: &'a PhaseBooks,
}

/// Where the energy of a window comes from.
#[derive(Debug, Clone)]
enum Meter {
    /// A counter or a meter of power, and the usage at its last good reading.
    Read { gauge: Gauge, usage: Vec<CpuUsage> },
    /// A GPU's counter or power, and its users.
    Gpu(Box<GpuBooks>),
    /// Computed from usage.
    CpuModel {
        model: CpuModelBooks,
        usage: Option<Vec<CpuUsage>>,
    },
    /// Computed from the job's memory, at the end.
    RamModel {
        job: Option<Ranged<Joules>>,
        /// Whether somebody looked and was refused.
        refused: bool,
    },
}

impl DomainBooks {
    pub(super) fn open_all(head: &Head) -> Vec<Self> {
        head.domains
            .iter()
            .enumerate()
            .map(|(at, domain)| Self::open(domain, head).with_gpu(at, head))
            .collect()
    }

    fn open(domain: &Domain, head: &Head) -> Self {
        let weights = weights(head);
        let (meter, idle) = match &domain.source {
            DomainSource::Counter {
                tick,
                wraps_at,
                max_power,
            } => read(
                Gauge::Counter(Counter::new(*tick, *wraps_at, *max_power)),
                domain,
                head,
            ),
            DomainSource::Power {
                max_power,
                averages_over,
            } => read(Gauge::power(*max_power, *averages_over), domain, head),
            DomainSource::CpuModel(model) => (
                Meter::CpuModel {
                    model: CpuModelBooks::new(model.clone(), weights.shared_permille),
                    usage: None,
                },
                IdlePower::Model(model.idle.value),
            ),
            DomainSource::RamModel(_) => (
                Meter::RamModel {
                    job: None,
                    refused: false,
                },
                IdlePower::Model(Watts::ZERO),
            ),
        };
        Self {
            domain: domain.clone(),
            meter,
            idle,
            books: Books::default(),
            evidence: Evidence::default(),
            carbon: Blend::default(),
            gathered: Blend::default(),
            gathered_in: Default::default(),
            phases: Slices::default(),
            remade: None,
            curve: idle::curve(domain, head, weights.shared_permille),
            allocated: idle::allocated(domain, head),
            known: Duration::ZERO,
            weights,
            wraps: 0,
            resets: None,
            failed: None,
        }
    }

    /// Enters the next reading.
    pub(super) fn observe(&mut self, reading: &Reading, look: &Look<'_>, choices: &Choices) {
        let Look {
            observation,
            slept,
            since_last,
            supply,
            phases,
            gpu: _,
        } = *look;
        match &mut self.meter {
            Meter::Gpu(_) => self.observe_gpu(reading, look, choices),
            Meter::Read { gauge, usage: before } => {
                let usage = match reading.at() {
                    Some(at) => usage::up_to(observation, at),
                    None => Cow::Borrowed(observation.usage.as_slice()),
                };
                let step = gauge.step(reading, slept);
                let before = match step {
                    Step::Missing(reason) => {
                        self.failed.get_or_insert((reason, 0)).1 += 1;
                        return;
                    }
                    Step::First | Step::Energy { .. } | Step::Reset { .. } | Step::Slept => {
                        std::mem::replace(before, usage.to_vec())
                    }
                };
                match step {
                    Step::Energy {
                        energy,
                        from,
                        to,
                        wrapped,
                    } => {
                        self.wraps += u64::from(wrapped);
                        let window =
                            WindowUsage::between(&before, &usage, &self.domain.groups, &self.weights);
                        self.enter(energy, (from, to), &window, look, choices);
                    }
                    Step::Reset { reason, .. } => self.resets.get_or_insert((reason, 0)).1 += 1,
                    Step::First | Step::Slept | Step::Missing(_) => {}
                }
            }
            Meter::CpuModel { model, usage: before } => {
                let usage = observation.usage.as_slice();
                if let Some(before) = before.replace(usage.to_vec())
                    && !slept
                {
                    let window = WindowUsage::between(&before, usage, &self.domain.groups, &self.weights);
                    let (energy, elapsed) = model.energy(&window, usage, &self.domain.groups);
                    let idle = Baseline::Power(model.idle());
                    let policy = choices.idle_policy;
                    let books = apportion(energy, elapsed, idle, &window, policy, self.allocated);
                    let from = Moment(observation.at.0.saturating_sub(nanoseconds(since_last)));
                    let intensity = supply.between(from, observation.at);
                    let piece = Piece {
                        books: &books,
                        sight: None,
                        intensity,
                        known: since_last,
                    };
                    self.add(&piece);
                    self.share(&phases.between(from, observation.at), &piece, phases);
                }
            }
            Meter::RamModel { .. } => {}
        }
    }

    fn enter(
        &mut self,
        energy: MicroJoules,
        (from, to): (Moment, Moment),
        window: &WindowUsage,
        look: &Look<'_>,
        choices: &Choices,
    ) {
        let elapsed = to.since(from);
        let intensity = look.supply.between(from, to);
        let sight = self
            .evidence
            .enter(energy, elapsed, window, self.curve.as_ref(), intensity);
        let books = apportion(
            energy,
            elapsed,
            self.idle.baseline(),
            window,
            choices.idle_policy,
            self.allocated,
        );
        let piece = Piece {
            books: &books,
            sight: Some(sight),
            intensity,
            known: elapsed,
        };
        self.add(&piece);
        self.share(&look.phases.between(from, to), &piece, look.phases);
    }

    fn add(&mut self, piece: &Piece<'_>) {
        if let Some(intensity) = piece.intensity {
            let job = piece.books.ledger.job_total().joules().get();
            self.carbon.add(job, intensity);
        }
        self.books.add(piece.books);
        self.known += piece.known;
    }

    pub(super) fn job_energy(&self) -> Joules {
        self.books.ledger.job_total().joules()
    }

    /// The mean intensity of the job's energy; `None` where it does not change with time, or there is no energy.
    pub(super) fn intensity(&self) -> Option<Ranged<GramsPerKwh>> {
        self.carbon.mean()
    }

    pub(super) fn is_summed(&self) -> bool {
        self.domain.summed
    }

    /// Whether gaps in its readings are gaps in the report. A model of memory has looks, not readings.
    pub(super) fn is_metered(&self) -> bool {
        !matches!(self.meter, Meter::RamModel { .. })
    }

    pub(super) fn wraps(&self) -> u64 {
        self.wraps
    }

    pub(super) fn resets(&self) -> u64 {
        self.resets.map_or(0, |(_, count)| count)
    }

    /// Whether any energy is known at all.
    pub(super) fn is_known(&self) -> bool {
        self.known > Duration::ZERO && !self.stands_still()
    }

    /// A package that or its memory that draws nothing for fifty steps of its counter is not off, or nobody could be
    /// running: the counter does not work (some firmware never fills DRAM's), and its 0 is no measurement.
    fn stands_still(&self) -> bool {
        let proof = match self.domain.kind {
            DomainKind::Package | DomainKind::Dram => idle::PROOF,
            // A meter of power at 0 is a card that the kernel has put to sleep.
            DomainKind::Gpu if matches!(self.domain.source, DomainSource::Counter { .. }) => idle::GPU_PROOF,
            DomainKind::Gpu | DomainKind::Core | DomainKind::Uncore | DomainKind::Psys => return false,
        };
        matches!(self.meter, Meter::Read { .. } | Meter::Gpu(_))
            && self.known >= proof
            && self.books.ledger.measured == MicroJoules::ZERO
    }

    pub(super) fn coverage(&self, duration: Duration) -> Share {
        if self.stands_still() {
            return Share::NONE;
        }
        if duration.is_zero() {
            return if self.is_known() { Share::ALL } else { Share::NONE };
        }
        Share::new((self.known.as_secs_f64() / duration.as_secs_f64()).min(1.0)).unwrap_or(Share::NONE)
    }

    /// The parts of the range of the job's figure, in joules.
    pub(super) fn parts(&self) -> Parts {
        match &self.meter {
            Meter::Read { gauge, .. } => {
                let counted = uncertainty::of_counter(&self.books, self.idle, self.known, &self.evidence);
                counted.and(gauge.blur(&self.books.ledger, self.known))
            }
            Meter::Gpu(gpu) => gpu.parts(&self.books, self.known),
            Meter::CpuModel { model, .. } => uncertainty::of_model(model.job_range(&self.books), &self.books),
            Meter::RamModel { job, .. } => job.map_or_else(Parts::default, uncertainty::of_range),
        }
    }

    pub(super) fn report(&self, duration: Duration) -> DomainReport {
        let ledger = self.books.ledger;
        DomainReport {
            name: self.domain.name.clone(),
            kind: self.domain.kind,
            origin: self.origin(),
            basis: match &self.domain.source {
                DomainSource::Counter { .. } | DomainSource::Power { .. } => None,
                DomainSource::CpuModel(model) => Some(model.basis.clone()),
                DomainSource::RamModel(model) => Some(model.basis.clone()),
            },
            summed: self.domain.summed,
            ledger,
            job_idle_by_policy: self.books.job_idle_by_policy,
            job_range: self.parts().range(ledger.job_total().joules()),
            idle_power: self.idle,
            lowest_quiet: self.evidence.quiet(),
            coverage: self.coverage(duration),
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A meter that has not been read yet.
fn read(gauge: Gauge, domain: &Domain, head: &Head) -> (Meter, IdlePower) {
    let usage = Vec::new();
    (Meter::Read { gauge, usage }, idle::prior(domain, head))
}
