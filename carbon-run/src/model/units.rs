//! Physical quantities as types.
//!
//! Energy that is counted stays an integer ([`MicroJoules`]) until the report; everything that a person reads is a
//! finite, non-negative `f64` behind a newtype ([`Joules`], [`Watts`], [`Grams`], [`GramsPerKwh`], [`Share`]).

use serde::{Deserialize, Serialize};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Sub};
use std::time::Duration;

/// Joules in one kilowatt-hour (exact: 1000 W for 3600 s).
pub const JOULES_PER_KWH: f64 = 3_600_000.0;

/// A quantity that is not finite, or is negative where only amounts make sense.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{value} is not a valid number of {unit}")]
pub struct BadQuantity {
    value: f64,
    unit: &'static str,
}

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $unit:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
        #[serde(try_from = "f64", into = "f64")]
        pub struct $name(f64);

        impl $name {
            /// Nothing of it.
            pub const ZERO: Self = Self(0.0);

            /// Wraps a number of
            #[doc = $unit]
            /// .
            ///
            /// # Errors
            /// When `value` is negative, infinite or not a number.
            pub fn new(value: f64) -> Result<Self, BadQuantity> {
                if value.is_finite() && value >= 0.0 {
                    Ok(Self(value))
                } else {
                    Err(BadQuantity { value, unit: $unit })
                }
            }

            /// For results of arithmetic on valid quantities, where rounding may leave a tiny negative: never below 0, and
            /// what is beyond all numbers is the largest of them.
            #[must_use]
            pub fn clamped(value: f64) -> Self {
                Self(value.max(0.0).min(f64::MAX))
            }

            /// The number, in
            #[doc = $unit]
            /// .
            #[must_use]
            pub const fn get(self) -> f64 {
                self.0
            }
        }

        impl TryFrom<f64> for $name {
            type Error = BadQuantity;
            fn try_from(value: f64) -> Result<Self, BadQuantity> {
                Self::new(value)
            }
        }

        impl From<$name> for f64 {
            fn from(quantity: $name) -> f64 {
                quantity.0
            }
        }

        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }

        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                self.0 += other.0;
            }
        }

        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
                items.fold(Self::ZERO, Add::add)
            }
        }
    };
}

quantity!(
    /// Energy in joules, finite and at least 0.
    Joules, "joules"
);
quantity!(
    /// Power in watts, finite and at least 0.
    Watts, "watts"
);
quantity!(
    /// Mass of CO2-equivalent in grams (GWP100), finite and at least 0.
    Grams, "grams"
);
quantity!(
    /// Water in litres, finite and at least 0.
    Litres, "litres"
);
quantity!(
    /// Carbon intensity of electricity in gCO2eq per kilowatt-hour, finite and at least 0.
    GramsPerKwh, "gCO2eq/kWh"
);

impl Joules {
    /// The same energy in kilowatt-hours.
    #[must_use]
    pub fn kwh(self) -> f64 {
        self.0 / JOULES_PER_KWH
    }
}

impl Mul<Duration> for Watts {
    type Output = Joules;
    fn mul(self, time: Duration) -> Joules {
        Joules(self.0 * time.as_secs_f64())
    }
}

impl Mul<GramsPerKwh> for Joules {
    type Output = Grams;
    fn mul(self, intensity: GramsPerKwh) -> Grams {
        Grams(self.kwh() * intensity.0)
    }
}

impl Mul<Share> for Joules {
    type Output = Joules;
    fn mul(self, share: Share) -> Joules {
        Joules(self.0 * share.0)
    }
}

impl Watts {
    /// The same power in whole microwatts, rounded to nearest and saturating (1 W = 1e6 µW).
    #[must_use]
    pub fn microwatts(self) -> u64 {
        (self.0 * 1e6).round() as u64
    }
}

/// A part of a whole, in `[0, 1]`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Share(f64);

impl Share {
    /// Nothing.
    pub const NONE: Self = Self(0.0);
    /// All of it.
    pub const ALL: Self = Self(1.0);

    /// For results of arithmetic, where rounding may leave the range: never outside of it, and nothing for what is no number.
    #[must_use]
    pub fn clamped(value: f64) -> Self {
        Self(if value.is_nan() {
            0.0
        } else {
            value.clamp(0.0, 1.0)
        })
    }

    /// Wraps a fraction.
    ///
    /// # Errors
    /// When `value` lies outside `[0, 1]` or is not a number.
    pub fn new(value: f64) -> Result<Self, BadQuantity> {
        if (0.0..=1.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err(BadQuantity { value, unit: "share" })
        }
    }

    /// `part / whole`, cut to `[0, 1]`; nothing of an empty whole is nothing.
    #[must_use]
    pub fn of(part: u64, whole: u64) -> Self {
        if whole == 0 {
            Self(0.0)
        } else {
            Self((part as f64 / whole as f64).min(1.0))
        }
    }

    /// The fraction.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Share {
    type Error = BadQuantity;
    fn try_from(value: f64) -> Result<Self, BadQuantity> {
        Self::new(value)
    }
}

impl From<Share> for f64 {
    fn from(share: Share) -> f64 {
        share.0
    }
}

/// Counted energy in whole microjoules. `u64` holds 5.1 million kWh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MicroJoules(pub u64);

impl MicroJoules {
    /// No energy.
    pub const ZERO: Self = Self(0);

    /// The same energy as a floating-point figure, for the report.
    #[must_use]
    pub fn joules(self) -> Joules {
        Joules(self.0 as f64 / 1e6)
    }

    /// `self - other`, or `None` when that would be negative.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

impl Add for MicroJoules {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for MicroJoules {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for MicroJoules {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::ZERO, Add::add)
    }
}

/// On-CPU time in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CpuTime(pub u64);

impl CpuTime {
    /// No time.
    pub const ZERO: Self = Self(0);

    /// The same time in seconds.
    #[must_use]
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The time from `earlier` to `self`; counters that ran backwards give none.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

impl Add for CpuTime {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for CpuTime {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for CpuTime {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.since(other)
    }
}

impl Sum for CpuTime {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::ZERO, Add::add)
    }
}

/// A moment on `CLOCK_MONOTONIC`, in nanoseconds. The kernel side stamps with the same clock (`bpf_ktime_get_ns`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub u64);

impl Moment {
    /// The time from `earlier` to `self`; none when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Joules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} J", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watts_for_a_time_are_joules_and_joules_on_a_grid_are_grams() {
        let energy = Watts::new(100.0).unwrap() * Duration::from_secs(36_000);
        assert!((energy.kwh() - 1.0).abs() < 1e-12);
        let mass = energy * GramsPerKwh::new(458.49).unwrap();
        assert!((mass.get() - 458.49).abs() < 1e-9);
    }

    #[test]
    fn a_quantity_refuses_what_is_no_amount() {
        assert!(Joules::new(f64::NAN).is_err());
        assert!(Watts::new(-1.0).is_err());
        assert!(Share::new(1.000_1).is_err());
        assert!(serde_json::from_str::<Watts>("-3").is_err());
    }

    #[test]
    fn a_share_of_nothing_is_nothing() {
        assert_eq!(Share::of(3, 0), Share::NONE);
    }
}
