//! Figures of examples.

use crate::model::recording::{FigureFrom, FunctionalUnit, Origin, Ranged};
use crate::model::report::{
    BeyondElectricity, Embodied, Equivalence, Figure, SoftwareCarbonIntensity, Water,
};
use crate::model::units::{Grams, GramsPerKwh, Joules, Litres, Share, Watts};

pub(super) fn known(low: f64, value: f64, high: f64, origin: Origin) -> Figure<Joules> {
    Figure::Known {
        ranged: ranged(low, value, high),
        origin,
    }
}

pub(super) fn ranged(low: f64, value: f64, high: f64) -> Ranged<Joules> {
    let joules = |value| Joules::new(value).unwrap();
    Ranged {
        low: joules(low),
        value: joules(value),
        high: joules(high),
    }
}

pub(super) fn watts(value: f64) -> Watts {
    Watts::new(value).unwrap()
}

pub(super) fn grams(value: f64) -> Grams {
    Grams::new(value).unwrap()
}

pub(super) fn grams_per_kwh(value: f64) -> GramsPerKwh {
    GramsPerKwh::new(value).unwrap()
}

fn estimated<T>(low: T, value: T, high: T) -> Figure<T> {
    Figure::Known {
        ranged: Ranged { low, value, high },
        origin: Origin::Estimated("example".to_owned()),
    }
}

pub(super) fn beyond() -> BeyondElectricity {
    let litres = Litres::clamped;
    BeyondElectricity {
        water: Some(Water {
            amount: estimated(litres(8.4e-5), litres(1.03e-4), litres(1.21e-4)),
            l_per_kwh: 0.3,
            from: FigureFrom::Published {
                source: "Microsoft".to_owned(),
                year: 2024,
            },
        }),
        embodied: Some(Embodied {
            emissions: estimated(grams(0.067), grams(0.174), grams(0.359)),
            machine: Ranged {
                low: grams(465e3),
                value: grams(1216e3),
                high: grams(2503e3),
            },
            lifetime_years: 4.0,
            share: Some(Share::clamped(0.25)),
            share_by: "cpu-time",
            basis: "a server of 1216 kg, rule of thumb".to_owned(),
        }),
        sci: Some(SoftwareCarbonIntensity {
            unit: FunctionalUnit {
                amount: 60_000.0,
                name: "images".to_owned(),
            },
            per_unit: estimated(grams(1.4e-6), grams(3.2e-6), grams(6.3e-6)),
        }),
        equivalences: vec![Equivalence {
            key: "phone".to_owned(),
            amount: 1.4,
            unit: "smartphone charges".to_owned(),
            source: "US EPA".to_owned(),
            year: 2026,
        }],
    }
}
