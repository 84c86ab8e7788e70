//! Beyond the emissions of the electricity: the facility's water, the job's part of making the machine, emissions per functional unit.

use crate::model::recording::{Beyond, Choices, EmbodiedMachine, Host, IdlePolicy, Origin, Ranged, WaterUse};
use crate::model::report::{
    BeyondElectricity, DomainReport, Embodied, Figure, GpuReport, SoftwareCarbonIntensity, Water,
};
use crate::model::tables::Tables;
use crate::model::units::{CpuTime, Grams, Joules, Litres, MicroJoules, Share};
use std::time::Duration;

/// A year in seconds (365 days: 35,040 h are four).
const YEAR_S: f64 = 365.0 * 86_400.0;

/// What is known of the run.
pub(super) struct Known<'a> {
    pub(super) choices: &'a Choices,
    pub(super) host: &'a Host,
    pub(super) duration: Duration,
    pub(super) cpu_time: Option<CpuTime>,
    pub(super) energy: &'a Figure<Joules>,
    pub(super) emissions: &'a Figure<Grams>,
    pub(super) gpus: &'a [GpuReport],
    pub(super) domains: &'a [DomainReport],
}

impl Known<'_> {
    pub(super) fn beyond(&self) -> BeyondElectricity {
        let Beyond { water, machine, unit } = &self.choices.beyond;
        let embodied = machine.as_ref().map(|machine| self.embodied(machine));
        let equivalences = match (self.emissions.value(), Tables::embedded()) {
            (Some(mass), Ok(tables)) => tables.equivalences(mass),
            _ => Vec::new(),
        };
        let sci = unit.as_ref().map(|unit| {
            let both = embodied.as_ref().map_or_else(
                || self.emissions.clone(),
                |made| sum(self.emissions, &made.emissions),
            );
            SoftwareCarbonIntensity {
                unit: unit.clone(),
                per_unit: scaled(&both, 1.0 / unit.amount, Grams::clamped, Grams::get),
            }
        });
        BeyondElectricity {
            water: water.as_ref().map(|water| self.water(water)),
            embodied,
            sci,
            equivalences,
        }
    }

    /// By the computers' energy (ISO/IEC 30134-9), and not the facility's.
    fn water(&self, water: &WaterUse) -> Water {
        let amount = scaled(self.energy, water.l_per_kwh, Litres::clamped, Joules::kwh);
        Water {
            amount,
            l_per_kwh: water.l_per_kwh,
            from: water.from.clone(),
        }
    }

    fn embodied(&self, machine: &EmbodiedMachine) -> Embodied {
        let part_of_life = self.duration.as_secs_f64() / (machine.lifetime_years * YEAR_S);
        let (share, share_by) = self.share();
        let of_gpus = || {
            machine
                .gpus
                .iter()
                .zip(self.gpus.iter().map(|gpu| self.share_of_gpu(gpu)))
        };
        let at = |end: fn(&Ranged<Grams>) -> Grams| {
            let of_machine = end(&machine.machine).get() * share.map_or(0.0, Share::get);
            let of_gpus: f64 = of_gpus().map(|(gpu, share)| end(gpu).get() * share.get()).sum();
            Grams::clamped((of_machine + of_gpus) * part_of_life)
        };
        let emissions = match share {
            None => Figure::Absent("the job's part of the machine was not counted".to_owned()),
            Some(_) => Figure::Known {
                ranged: Ranged {
                    low: at(|range| range.low),
                    value: at(|range| range.value),
                    high: at(|range| range.high),
                },
                origin: Origin::Estimated("embodied-share".to_owned()),
            },
        };
        let whole = |end: fn(&Ranged<Grams>) -> Grams| {
            machine
                .gpus
                .iter()
                .map(end)
                .fold(end(&machine.machine), |sum, one| sum + one)
        };
        Embodied {
            emissions,
            machine: Ranged {
                low: whole(|range| range.low),
                value: whole(|range| range.value),
                high: whole(|range| range.high),
            },
            lifetime_years: machine.lifetime_years,
            share,
            share_by,
            basis: machine.basis.clone(),
        }
    }

    /// What of the machine was set aside for the job, or else what it used.
    fn share(&self) -> (Option<Share>, &'static str) {
        let allocated = self.choices.allocated;
        match (self.choices.idle_policy, allocated) {
            (IdlePolicy::All, _) => (Some(Share::ALL), "all"),
            (IdlePolicy::Allocated, Some(share)) => (Some(share), "allocation"),
            _ => {
                let cpus = self.host.cpus.map(f64::from);
                let used = self.cpu_time.zip(cpus).and_then(|(time, cpus)| {
                    let all = cpus * self.duration.as_nanos() as f64;
                    (all > 0.0).then(|| Share::clamped(time.0 as f64 / all))
                });
                (used, "cpu-time")
            }
        }
    }

    /// What of a GPU was set aside for the job; where nothing says, its part of what was used.
    fn share_of_gpu(&self, gpu: &GpuReport) -> Share {
        if let Some(share) = gpu.gpu.allocated {
            return share;
        }
        let Some(domain) = gpu.gpu.domain.and_then(|at| self.domains.get(at)) else {
            return Share::NONE;
        };
        let MicroJoules(job) = domain.ledger.job;
        let MicroJoules(others) = domain.ledger.others;
        if job == 0 {
            Share::NONE
        } else {
            Share::of(job, job.saturating_add(others))
        }
    }
}

fn sum(one: &Figure<Grams>, other: &Figure<Grams>) -> Figure<Grams> {
    let (Figure::Known { ranged: a, origin }, Figure::Known { ranged: b, .. }) = (one, other) else {
        let reason = one.reason().or(other.reason()).unwrap_or_default();
        return Figure::Absent(reason.to_owned());
    };
    let side = |end: fn(&Ranged<Grams>) -> Grams| {
        let of = |range: &Ranged<Grams>| end(range).get() - range.value.get();
        of(a).hypot(of(b))
    };
    let value = a.value.get() + b.value.get();
    Figure::Known {
        ranged: Ranged {
            low: Grams::clamped(value - side(|range| range.low)),
            value: Grams::clamped(value),
            high: Grams::clamped(value + side(|range| range.high)),
        },
        origin: match origin {
            Origin::Estimated(model) => Origin::Estimated(model.clone()),
            Origin::Measured(_) | Origin::Absent(_) => Origin::Estimated("embodied-share".to_owned()),
        },
    }
}

/// A figure times a factor.
fn scaled<T: Copy, U>(figure: &Figure<T>, factor: f64, make: fn(f64) -> U, get: fn(T) -> f64) -> Figure<U> {
    match figure {
        Figure::Absent(reason) => Figure::Absent(reason.clone()),
        Figure::Known { ranged, origin } => Figure::Known {
            ranged: Ranged {
                low: make(get(ranged.low) * factor),
                value: make(get(ranged.value) * factor),
                high: make(get(ranged.high) * factor),
            },
            origin: origin.clone(),
        },
    }
}

#[cfg(test)]
#[path = "beyond_tests.rs"]
mod tests;
