//! What a run shows of a domain, kept so that the books can be closed under a baseline power that only the end tells.
//!
//! Under a power P that no window fell below, B is `P * dt` in every window, and so each line of the ledger is
//! `sum(dE * s) - P * sum(dt * s)` with the windows' shares s. Two sums a line are all that has to be remembered.

use super::carbon::Tinted;
use super::idle::{PROOF, STEPS};
use super::regression::{Bins, Intercept};
use crate::model::attribution::{Books, split};
use crate::model::calibration::quiet_below;
use crate::model::power_curve::PowerCurve;
use crate::model::recording::{IdlePolicy, Ranged};
use crate::model::report::{Ledger, QuietPower};
use crate::model::units::{GramsPerKwh, MicroJoules, Share, Watts};
use crate::model::usage::WindowUsage;
use std::time::Duration;

/// A quiet window is at least as long as this: the counter's steps are then a thousandth of it.
const QUIET_SECONDS: f64 = 1.0;

/// `energy - P * time`: joules, and seconds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Line {
    energy: f64,
    time: f64,
}

impl Line {
    pub(super) fn add(&mut self, window: Self, share: f64) {
        self.energy += window.energy * share;
        self.time += window.time * share;
    }

    pub(super) fn joules(self) -> f64 {
        self.energy
    }

    pub(super) fn seconds(self) -> f64 {
        self.time
    }

    /// Under that power; joules.
    pub(super) fn at(self, power: f64) -> f64 {
        (self.energy - power * self.time).max(0.0)
    }
}

/// The job's line, and that line times the part of each window that was not the job's, the marginal and the standalone cost.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Contest {
    job: Line,
    contended: Line,
    marginal: Line,
    standalone: Line,
}

/// What a window says of the job's energy, to be shared among the phases that were on in it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sight {
    pub(super) tinted: Tinted,
    pub(super) contest: Contest,
}

/// What was seen so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    measured: MicroJoules,
    whole: Line,
    contest: Contest,
    others: Line,
    own: Line,
    kernel: Option<Line>,
    /// Of windows in which nobody ran.
    nobody: Line,
    /// Seconds times the job's part of the CPUs' time.
    capacity: f64,
    /// Watts of the window that drew least.
    least: Option<f64>,
    quiet: Quiet,
    bins: Bins,
    tinted: Tinted,
}

impl Evidence {
    /// Enters a window.
    pub(super) fn enter(
        &mut self,
        energy: MicroJoules,
        elapsed: Duration,
        usage: &WindowUsage,
        curve: Option<&PowerCurve>,
        intensity: Option<Ranged<GramsPerKwh>>,
    ) -> Sight {
        let window = Line {
            energy: energy.joules().get(),
            time: elapsed.as_secs_f64(),
        };
        self.measured += energy;
        self.whole.add(window, 1.0);
        let capacity = if usage.all_ns > 0 {
            usage.job_ns as f64 / usage.all_ns as f64
        } else {
            0.0
        };
        self.capacity += window.time * capacity;
        let busy = usage.busy() as f64;
        let job = if busy > 0.0 { usage.job as f64 / busy } else { 0.0 };
        let mut sight = Sight {
            tinted: Tinted::of(window, job, capacity, intensity),
            contest: Contest::default(),
        };
        if intensity.is_some() {
            self.tinted.join(&sight.tinted, 1.0);
        }
        if usage.kernel.is_some() {
            self.kernel.get_or_insert_default();
        }
        if busy > 0.0 {
            let share = |weight: u128| weight as f64 / busy;
            self.others.add(window, share(usage.others));
            self.own.add(window, share(usage.own));
            if let (Some(line), Some(weight)) = (&mut self.kernel, usage.kernel) {
                line.add(window, share(weight));
            }
            sight.contest = Contest::of(window, usage, busy, curve);
            self.contest.join(&sight.contest, 1.0);
        } else {
            self.nobody.add(window, 1.0);
        }
        self.look_for_idle(window, elapsed, usage, busy);
        sight
    }

    fn look_for_idle(&mut self, window: Line, elapsed: Duration, usage: &WindowUsage, busy: f64) {
        let Some(sure) = elapsed.checked_sub(STEPS).filter(|_| elapsed >= PROOF) else {
            return;
        };
        let most = window.energy / sure.as_secs_f64();
        self.least = Some(self.least.map_or(most, |least| least.min(most)));
        if usage.all_ns == 0 {
            return;
        }
        let load = (busy / 1000.0 / usage.all_ns as f64).min(1.0);
        self.bins.enter(load, window.energy, window.time);
        let cpus = usage.all_ns as f64 / 1e9 / window.time;
        self.quiet.enter(window, busy / 1e12 / window.time, cpus);
    }

    /// The most that the idle domain can draw; `None` when no window was long enough to prove anything.
    pub(super) fn ceiling(&self) -> Option<Watts> {
        self.least.map(Watts::clamped)
    }

    /// The lowest power while next to nothing ran.
    pub(super) fn quiet(&self) -> Option<QuietPower> {
        self.quiet.lowest
    }

    pub(super) fn intercept(&self) -> Option<Intercept> {
        self.bins.intercept()
    }

    pub(super) fn contest(&self) -> &Contest {
        &self.contest
    }

    /// The mean intensity of the job's energy under a baseline power; `None` where it does not change with time, or where the
    /// job has no energy.
    pub(super) fn intensity(
        &self,
        power: Watts,
        policy: IdlePolicy,
        allocated: Share,
    ) -> Option<Ranged<GramsPerKwh>> {
        self.tinted.mean(power.get(), policy, allocated)
    }

    /// The whole run's books under a baseline power.
    pub(super) fn books(&self, power: Watts, policy: IdlePolicy, allocated: Share) -> Books {
        let power = power.get();
        let microjoules = |joules: f64| MicroJoules((joules * 1e6).round() as u64).min(self.measured);
        let lines = [
            self.contest.job,
            self.others,
            self.own,
            self.kernel.unwrap_or_default(),
            self.nobody,
        ];
        let lines = lines.map(|line| line.at(power));
        let dynamic = microjoules(lines.iter().sum());
        let base = MicroJoules(self.measured.0 - dynamic.0);
        // In nanojoules, which is finer than anything that was measured.
        let [job, others, own, kernel, nobody] = split(dynamic.0, lines.map(|line| (line * 1e9) as u128))
            .unwrap_or([0, 0, 0, 0, dynamic.0])
            .map(MicroJoules);
        let job_idle_by_policy = IdlePolicy::ALL.map(|policy| {
            let part = match policy {
                IdlePolicy::None => MicroJoules::ZERO,
                IdlePolicy::Capacity => microjoules(power * self.capacity),
                IdlePolicy::Allocated => microjoules(base.joules().get() * allocated.get()),
                IdlePolicy::Busy => microjoules(power * self.contest.job.time),
                IdlePolicy::All => base,
            };
            part.min(base)
        });
        let job_idle = IdlePolicy::ALL
            .into_iter()
            .zip(job_idle_by_policy)
            .find(|(listed, _)| *listed == policy)
            .map_or(MicroJoules::ZERO, |(_, part)| part);
        Books {
            ledger: Ledger {
                measured: self.measured,
                job,
                job_idle,
                others,
                kernel: self.kernel.map(|_| kernel),
                own,
                unattributed: MicroJoules::ZERO,
                idle: MicroJoules(base.0 - job_idle.0) + nobody,
            },
            job_idle_by_policy,
        }
    }
}

impl Contest {
    /// The job's part of a window beside what it would cost alone and at the margin.
    fn of(window: Line, usage: &WindowUsage, busy: f64, curve: Option<&PowerCurve>) -> Self {
        let share = usage.job as f64 / busy;
        let mut contest = Self::default();
        contest.job.add(window, share);
        contest.contended.add(window, share * (1.0 - share));
        if let Some(curve) = curve
            && window.time > 0.0
        {
            // Weights are thousandths of nanoseconds.
            let cpus = |weight: f64| weight / 1e12 / window.time;
            let bounds = curve.bounds(cpus(usage.job as f64), cpus(busy));
            contest.marginal.add(window, share * bounds.marginal);
            contest.standalone.add(window, share * bounds.standalone);
        }
        contest
    }

    /// Another one's sums on top, times a factor.
    pub(super) fn join(&mut self, other: &Self, factor: f64) {
        self.job.add(other.job, factor);
        self.contended.add(other.contended, factor);
        self.marginal.add(other.marginal, factor);
        self.standalone.add(other.standalone, factor);
    }

    /// The window's time, times the job's part of what ran.
    pub(super) fn seconds(&self) -> f64 {
        self.job.seconds()
    }

    /// The job's dynamic energy under a baseline power, in joules.
    pub(super) fn dynamic(&self, power: f64) -> f64 {
        self.job.at(power)
    }

    /// The part of the dynamic energy around the job that was not the job's, as the job met it: 0 for a job that was
    /// alone whenever it ran.
    pub(super) fn contention(&self, power: f64) -> Share {
        relative(self.contended, self.job, power)
            .and_then(|part| Share::new(part.min(1.0)).ok())
            .unwrap_or(Share::NONE)
    }

    /// Marginal and standalone cost of the job relative to its part; `None` without a curve.
    pub(super) fn bounds(&self, power: f64) -> Option<(f64, f64)> {
        let known = self.standalone.time > 0.0;
        let marginal = relative(self.marginal, self.job, power).filter(|_| known)?;
        Some((marginal, relative(self.standalone, self.job, power)?))
    }
}

/// One line by another.
fn relative(part: Line, whole: Line, power: f64) -> Option<f64> {
    let whole = whole.at(power);
    (whole > 0.0).then(|| part.at(power) / whole)
}

/// Windows in which next to nothing ran, put together until they are long enough.
#[derive(Debug, Clone, Default)]
struct Quiet {
    so_far: Line,
    /// CPU seconds in it.
    busy: f64,
    lowest: Option<QuietPower>,
}

impl Quiet {
    /// With so many CPUs busy, of so many.
    fn enter(&mut self, window: Line, busy: f64, cpus: f64) {
        if busy >= quiet_below(cpus) {
            (self.so_far, self.busy) = (Line::default(), 0.0);
            return;
        }
        self.so_far.add(window, 1.0);
        self.busy += busy * window.time;
        let Line { energy, time } = self.so_far;
        if time < QUIET_SECONDS {
            return;
        }
        let power = Watts::clamped(energy / time);
        // A counter that stands still shows no idle machine.
        if power > Watts::ZERO && self.lowest.is_none_or(|lowest| power < lowest.power) {
            self.lowest = Some(QuietPower {
                power,
                busy_cpus: self.busy / time,
            });
        }
        (self.so_far, self.busy) = (Line::default(), 0.0);
    }
}
