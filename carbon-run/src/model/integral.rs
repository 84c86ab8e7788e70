//! From readings of power to energy per interval, for meters that count no energy: the trapezoid between two readings.
//!
//! What happened between two readings that both succeeded is taken to lie on the line between them. Where a reading
//! failed, nobody looked, and the interval is left out and said to be left out.

use super::counter::{ResetReason, Step, UNKNOWN_CEILING_UW};
use super::recording::Reading;
use super::units::{MicroJoules, Moment, Watts};

/// How many times its stated maximum a domain may seem to draw before the reading is disbelieved, as for counters.
const HEADROOM: u64 = 2;

/// Two microwatts times one nanosecond, of which a microjoule has this many.
const PER_MICROJOULE: u128 = 2_000_000_000;

/// Follows one meter of power from reading to reading.
#[derive(Debug, Clone)]
pub struct Integral {
    /// Microwatts above which a reading is not believed.
    ceiling_uw: u64,
    last: Option<(u64, Moment)>,
    slept: bool,
    /// Whether a reading failed since the last good one.
    unseen: bool,
    /// The part of a microjoule not handed out yet, in units of [`PER_MICROJOULE`].
    remainder: u128,
    /// Sum of the squares of what each interval may be off by, in joules squared.
    doubt: f64,
}

impl Integral {
    /// A meter of a domain that draws at most `max_power`; [`UNKNOWN_CEILING_UW`] where that is not known.
    #[must_use]
    pub fn new(max_power: Option<Watts>) -> Self {
        Self {
            ceiling_uw: max_power
                .map(Watts::microwatts)
                .filter(|&microwatts| microwatts > 0)
                .map_or(UNKNOWN_CEILING_UW, |max| max.saturating_mul(HEADROOM)),
            last: None,
            slept: false,
            unseen: false,
            remainder: 0,
            doubt: 0.0,
        }
    }

    /// What is not known of the energy so far because nobody looked between two readings, in joules. Power may have gone
    /// from one to the other at any moment in between, which is half of their difference times the time either way; the
    /// intervals are independent (added in quadrature).
    #[must_use]
    pub fn doubt(&self) -> f64 {
        self.doubt.sqrt()
    }

    /// Takes the next reading. `slept` says whether the machine slept since the previous call, whatever that one gave.
    pub fn step(&mut self, reading: &Reading, slept: bool) -> Step {
        self.slept |= slept;
        let missing = match reading {
            Reading::Power { microwatts, .. } if *microwatts > self.ceiling_uw => {
                "a power beyond what the hardware can draw".to_owned()
            }
            Reading::Power { microwatts, at } => return self.good(*microwatts, *at),
            Reading::Failed(reason) => reason.clone(),
            Reading::Ticks { .. } => "a counter where a power was expected".to_owned(),
            Reading::Modelled => "a model where a power was expected".to_owned(),
        };
        self.unseen = true;
        Step::Missing(missing)
    }

    fn good(&mut self, microwatts: u64, at: Moment) -> Step {
        let slept = std::mem::take(&mut self.slept);
        let unseen = std::mem::take(&mut self.unseen);
        let Some((last, from)) = self.last.replace((microwatts, at)) else {
            return Step::First;
        };
        if slept {
            return Step::Slept;
        }
        let reset = |reason| Step::Reset { from, to: at, reason };
        if unseen {
            return reset(ResetReason::Unseen);
        }
        let Some(elapsed_ns) = at.0.checked_sub(from.0) else {
            return reset(ResetReason::OutOfOrder);
        };
        let half_difference_w = last.abs_diff(microwatts) as f64 / 2e6;
        self.doubt += (half_difference_w * elapsed_ns as f64 / 1e9).powi(2);
        let sum = u128::from(last) + u128::from(microwatts);
        let total = self.remainder + sum * u128::from(elapsed_ns);
        self.remainder = total % PER_MICROJOULE;
        Step::Energy {
            energy: MicroJoules(u64::try_from(total / PER_MICROJOULE).unwrap_or(u64::MAX)),
            from,
            to: at,
            wrapped: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn power(watts: u64, at_ms: u64) -> Reading {
        Reading::Power {
            microwatts: watts * 1_000_000,
            at: Moment(at_ms * 1_000_000),
        }
    }

    fn energy(step: &Step) -> Option<u64> {
        match step {
            Step::Energy { energy, .. } => Some(energy.0),
            Step::First | Step::Reset { .. } | Step::Slept | Step::Missing(_) => None,
        }
    }

    #[test]
    fn a_ramp_is_its_mean_power_times_the_time() {
        let mut integral = Integral::new(None);
        assert_eq!(integral.step(&power(10, 0), false), Step::First);
        assert_eq!(energy(&integral.step(&power(30, 500), false)), Some(10_000_000));
    }

    #[test]
    fn a_steady_power_is_in_no_doubt_and_steps_are_by_half_of_each_in_quadrature() {
        let mut integral = Integral::new(None);
        for second in 0..10 {
            integral.step(&power(50, second * 1_000), false);
        }
        assert!(integral.doubt().abs() < 1e-12);
        // Two steps of 40 W in a second each: 20 J either way, twice.
        integral.step(&power(90, 10_000), false);
        integral.step(&power(50, 11_000), false);
        assert!((integral.doubt() - 20.0 * 2.0_f64.sqrt()).abs() < 1e-9);
    }

    #[test]
    fn an_interval_in_which_a_reading_failed_is_left_out() {
        let mut integral = Integral::new(None);
        integral.step(&power(10, 0), false);
        let failed = integral.step(&Reading::Failed("gone".to_owned()), false);
        assert_eq!(failed, Step::Missing("gone".to_owned()));
        assert!(matches!(
            integral.step(&power(10, 2_000), false),
            Step::Reset {
                reason: ResetReason::Unseen,
                ..
            }
        ));
        assert_eq!(energy(&integral.step(&power(10, 3_000), false)), Some(10_000_000));
    }

    #[test]
    fn a_power_that_the_hardware_cannot_draw_is_no_reading() {
        let mut integral = Integral::new(Watts::new(100.0).ok());
        integral.step(&power(200, 0), false);
        assert!(matches!(
            integral.step(&power(201, 1_000), false),
            Step::Missing(_)
        ));
    }

    #[test]
    fn an_interval_with_sleep_in_it_is_left_out() {
        let mut integral = Integral::new(None);
        integral.step(&power(10, 0), false);
        assert_eq!(integral.step(&power(10, 1_000), true), Step::Slept);
    }

    proptest! {
        #[test]
        fn many_short_intervals_add_up_to_the_whole(
            microwatts in 1..1_000_000_000_u64,
            pauses_ns in prop::collection::vec(1..2_000_000_000_u64, 1..200),
        ) {
            let mut integral = Integral::new(None);
            let mut at = 0;
            let mut sum = 0;
            integral.step(&Reading::Power { microwatts, at: Moment(0) }, false);
            for pause in pauses_ns {
                at += pause;
                sum += energy(&integral.step(&Reading::Power { microwatts, at: Moment(at) }, false)).unwrap_or_default();
            }
            let whole = u128::from(microwatts) * u128::from(at) / 1_000_000_000;
            prop_assert_eq!(u128::from(sum), whole);
        }
    }
}
