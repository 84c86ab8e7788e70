//! The range of the job's figure and what it is made of (METHOD.md, "Uncertainty").
//!
//! A part is a half-width in joules. Within a kind, domains are taken to err together (added); kinds are independent of
//! each other (combined by quadrature). The parts are judgements, stated with their grounds, and held against machines
//! whose truth is known in `tests/coverage.rs` beside this file.

use super::evidence::Evidence;
use super::idle::STEPS;
use crate::model::attribution::Books;
use crate::model::recording::{IdlePolicy, Ranged};
use crate::model::report::{IdlePower, Ledger};
use crate::model::units::{Joules, MicroJoules, Share};
use std::time::Duration;

/// RAPL against a meter at the plug: correlation 0.99, within some 5 % after the supply's offset (Khan et al., RAPL in
/// Action, ACM TOMPECS 2018, doi 10.1145/3177754). A little more, for the tails that a quadrature of skewed parts leaves out.
const METER: f64 = 0.054;

/// What the steps of a GPU's counter hide at both ends: up to 100 ms each on data centre GPUs (Yang et al., Part-time
/// Power Measurements, arXiv 2312.02741).
const GPU_STEPS: Duration = Duration::from_millis(200);

/// A CPU second of one code against one of another, in power: 2 to 3 between compute- and memory-bound ones in the worst
/// case. Nineteen of twenty pairs lie within this factor when each draws anything between 1 and 2.5, on a package that is concave.
const MIX: f64 = 2.25;

/// The exponent of dynamic power over load where no curve was measured; judgement. The three load curves in
/// [`crate::model::estimate`] have 0.77, 0.84 and 0.99 between a tenth of the load and all of it, and 0.24, 0.45 and 0.97 between
/// half and all: near its limit a package can bend more than this.
const CONCAVE: f64 = 0.7;

/// The smallest part of the dynamic energy for which a concave curve is taken at its word.
const SMALLEST: f64 = 0.02;

/// Half-widths, in joules. `low` and `high` differ where a figure can be further off to one side.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Parts {
    pub(super) meter_low: f64,
    pub(super) meter_high: f64,
    pub(super) timing: f64,
    pub(super) idle: f64,
    pub(super) attribution_low: f64,
    pub(super) attribution_high: f64,
    /// What may be the job's on top of its figure. Nothing speaks for a smaller part of it than for all.
    pub(super) unattributed: f64,
}

impl Parts {
    /// Another domain's errors on top.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            meter_low: self.meter_low + other.meter_low,
            meter_high: self.meter_high + other.meter_high,
            timing: self.timing + other.timing,
            idle: self.idle + other.idle,
            attribution_low: self.attribution_low + other.attribution_low,
            attribution_high: self.attribution_high + other.attribution_high,
            unattributed: self.unattributed + other.unattributed,
        }
    }

    /// The range around `value`; never below 0.
    pub(super) fn range(self, value: Joules) -> Ranged<Joules> {
        let around = |meter: f64, attribution: f64| {
            [meter, self.timing, self.idle, attribution]
                .iter()
                .map(|part| part * part)
                .sum::<f64>()
                .sqrt()
        };
        Ranged {
            low: Joules::clamped(value.get() - around(self.meter_low, self.attribution_low)),
            value,
            high: Joules::clamped(
                value.get() + around(self.meter_high, self.attribution_high) + self.unattributed,
            ),
        }
    }
}

/// Of a counter: meter, the counter's steps at both ends, the baseline, and the split.
pub(super) fn of_counter(books: &Books, idle: IdlePower, known: Duration, evidence: &Evidence) -> Parts {
    let base = idle.watts().map_or(0.0, crate::model::units::Watts::get);
    let (low, high) = split(
        books.ledger.job.joules().get(),
        evidence.contest().contention(base).get(),
        evidence.contest().bounds(base),
    );
    Parts {
        attribution_low: low,
        attribution_high: high,
        ..unsplit(books, idle, known, STEPS)
    }
}

/// Of a GPU: as of a counter, with its slower steps. `unsure` is the part of its baseline that is only assumed, half of
/// what it may be. What is nobody's for certain has a part of its own and is nobody's work beside the job's.
pub(super) fn of_gpu(books: &Books, idle: IdlePower, unsure: Share, known: Duration) -> Parts {
    let parts = unsplit(books, idle, known, GPU_STEPS);
    let certain = Ledger {
        others: MicroJoules(books.ledger.others.0.saturating_sub(books.ledger.unattributed.0)),
        ..books.ledger
    };
    let (low, high) = split(
        certain.job.joules().get(),
        contention(&certain).get(),
        Some((1.0, 1.0)),
    );
    Parts {
        idle: match idle {
            IdlePower::Unknown => parts.idle * unsure.get(),
            IdlePower::Given(_) | IdlePower::Found(_) | IdlePower::Lowered { .. } | IdlePower::Model(_) => {
                parts.idle
            }
        },
        attribution_low: low,
        attribution_high: high,
        unattributed: books.ledger.unattributed.joules().get(),
        ..parts
    }
}

/// All parts but that of the split. `steps` is what the steps of the counter can hide at both ends.
fn unsplit(books: &Books, idle: IdlePower, known: Duration, steps: Duration) -> Parts {
    let ledger = &books.ledger;
    let job = ledger.job_total().joules().get();
    let power = if known.is_zero() {
        0.0
    } else {
        ledger.measured.joules().get() / known.as_secs_f64()
    };
    // The job's energy as a function of the baseline B is `B * idle_share + (E - B) * dynamic_share`: an error of B
    // counts by the difference of the shares, which is that of the two policies' figures.
    let [_, _, _, busy, _] = books.job_idle_by_policy;
    let lever = (ledger.job_idle.joules().get() - busy.joules().get()).abs();
    Parts {
        meter_low: job * METER,
        meter_high: job * METER,
        // A job that did not run has nothing to mistime.
        timing: if job > 0.0 {
            steps.as_secs_f64() * power
        } else {
            0.0
        },
        idle: lever * of_idle(idle),
        ..Parts::default()
    }
}

/// How far off a baseline may be, relative to itself.
pub(super) fn of_idle(idle: IdlePower) -> f64 {
    match (idle.watts(), idle.spread()) {
        (Some(power), Some(spread)) if power.get() > 0.0 => spread.get() / power.get(),
        (Some(_), _) => 0.0,
        // The headline assumes half of the energy; it may be none of it or all.
        (None, _) => 1.0,
    }
}

/// Of a model: its own range, and the split.
pub(super) fn of_model(range: Ranged<Joules>, books: &Books) -> Parts {
    let ledger = &books.ledger;
    let (low, high) = split(
        ledger.job.joules().get(),
        contention(ledger).get(),
        Some((1.0, 1.0)),
    );
    Parts {
        attribution_low: low,
        attribution_high: high,
        ..of_range(range)
    }
}

/// Of a range that is given.
pub(super) fn of_range(range: Ranged<Joules>) -> Parts {
    Parts {
        meter_low: range.value.get() - range.low.get(),
        meter_high: range.high.get() - range.value.get(),
        ..Parts::default()
    }
}

/// The part of the dynamic energy that was not the job's. Every domain has its own contention: who is busy on another
/// package takes nothing from this one.
fn contention(ledger: &Ledger) -> Share {
    let rest = ledger.others + ledger.kernel.unwrap_or_default() + ledger.own;
    Share::of(rest.0, (ledger.job + rest).0)
}

/// How far the job's dynamic part may be off to each side, for the part `rest` of the dynamic energy that was not the
/// job's: by what time does not know of the work, and by what it costs at the margin and alone.
pub(super) fn split(job: f64, rest: f64, bounds: Option<(f64, f64)>) -> (f64, f64) {
    let mix = |factor: f64| 1.0 / (1.0 - rest + rest * factor);
    let (marginal, standalone) = bounds.unwrap_or_else(|| assumed(rest));
    let low = (1.0 - mix(MIX)).hypot((1.0 - marginal).max(0.0));
    let high = (mix(1.0 / MIX) - 1.0).hypot((standalone - 1.0).max(0.0));
    (job * low, job * high)
}

/// Marginal and standalone cost relative to the proportional part, on a package whose dynamic power grows with the load
/// to the power of [`CONCAVE`].
fn assumed(rest: f64) -> (f64, f64) {
    let mine = (1.0 - rest).max(SMALLEST);
    let rest = 1.0 - mine;
    ((1.0 - rest.powf(CONCAVE)) / mine, mine.powf(CONCAVE - 1.0))
}

/// The order of policies that [`unsplit`] relies on.
const _: () = assert!(matches!(IdlePolicy::ALL, [_, _, _, IdlePolicy::Busy, _]));
