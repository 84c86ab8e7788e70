//! What the rules for wraps, resets, sleep and gaps come to, reading by reading.

use super::*;
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;
/// 2^32 units of 61.035 µJ, as most Intel packages have it.
const RANGE: u64 = 262_143_328_850;

fn at(ticks: u64, seconds: u64) -> Reading {
    Reading::Ticks {
        ticks,
        at: Moment(seconds * SECOND),
    }
}

fn package(wraps_at: Option<u64>) -> Counter {
    Counter::new(TickSize::MICROJOULE, wraps_at, Watts::new(200.0).ok())
}

fn reset(step: &Step) -> Option<ResetReason> {
    if let Step::Reset { reason, .. } = step {
        Some(*reason)
    } else {
        None
    }
}

fn energy(step: &Step) -> Option<(u64, bool)> {
    if let Step::Energy { energy, wrapped, .. } = step {
        Some((energy.0, *wrapped))
    } else {
        None
    }
}

#[test]
fn the_first_reading_is_a_baseline_and_the_second_gives_the_difference() {
    let mut counter = package(Some(RANGE));
    assert_eq!(counter.step(&at(5_000, 1), false), Step::First);
    assert_eq!(
        counter.step(&at(90_005_000, 2), false),
        Step::Energy {
            energy: MicroJoules(90_000_000),
            from: Moment(SECOND),
            to: Moment(2 * SECOND),
            wrapped: false
        }
    );
}

#[test]
fn a_decrease_of_plausible_power_is_a_wrap() {
    let mut counter = package(Some(RANGE));
    counter.step(&at(RANGE - 40_000_000, 1), false);
    assert_eq!(
        energy(&counter.step(&at(60_000_000, 2), false)),
        Some((100_000_000, true))
    );
}

#[test]
fn a_decrease_of_implausible_power_is_a_reset_and_the_baseline_restarts() {
    let mut counter = package(Some(RANGE));
    counter.step(&at(1_000_000_000, 1), false);
    assert_eq!(
        reset(&counter.step(&at(7, 2), false)),
        Some(ResetReason::Decreased)
    );
    assert_eq!(
        energy(&counter.step(&at(50_000_007, 3), false)),
        Some((50_000_000, false))
    );
}

#[test]
fn the_ceiling_is_twice_the_stated_maximum_and_1200_watts_where_none_is_stated() {
    for (max, below, above) in [
        (Some(200.0), 400_000_000, 405_000_000),
        (Some(0.0), 1_200_000_000, 1_213_000_000),
        (None, 1_200_000_000, 1_213_000_000),
    ] {
        let max = max.and_then(|watts| Watts::new(watts).ok());
        for (gained, believed) in [(below, true), (above, false)] {
            let mut wrapping = Counter::new(TickSize::MICROJOULE, Some(RANGE), max);
            wrapping.step(&at(RANGE - 1, 1), false);
            assert_eq!(
                energy(&wrapping.step(&at(gained - 1, 2), false)).is_some(),
                believed,
                "{max:?} {gained}"
            );
            let mut rising = Counter::new(TickSize::MICROJOULE, Some(RANGE), max);
            rising.step(&at(0, 1), false);
            assert_eq!(
                energy(&rising.step(&at(gained, 2), false)).is_some(),
                believed,
                "{max:?} {gained}"
            );
        }
    }
}

#[test]
fn a_whole_step_of_the_counter_within_a_microsecond_is_believed() {
    let mut counter = package(Some(RANGE));
    let stamp = |ticks, ns| Reading::Ticks {
        ticks,
        at: Moment(ns),
    };
    counter.step(&stamp(0, SECOND), false);
    assert_eq!(
        energy(&counter.step(&stamp(200_000, SECOND + 1_000), false)),
        Some((200_000, false))
    );
}

#[test]
fn without_a_range_a_decrease_is_dropped_and_says_so() {
    let mut counter = package(None);
    counter.step(&at(RANGE - 1, 1), false);
    assert_eq!(
        reset(&counter.step(&at(5, 2), false)),
        Some(ResetReason::UnknownRange)
    );
}

#[test]
fn a_reading_beyond_the_range_is_no_wrap() {
    let mut counter = package(Some(1_000_000_000));
    counter.step(&at(1_000_000_000, 1), false);
    assert_eq!(
        reset(&counter.step(&at(5, 2), false)),
        Some(ResetReason::Decreased)
    );
}

#[test]
fn an_interval_with_sleep_in_it_is_dropped_also_across_a_failed_reading() {
    let mut counter = package(Some(RANGE));
    counter.step(&at(0, 1), false);
    assert_eq!(counter.step(&at(10, 2), true), Step::Slept);
    assert_eq!(energy(&counter.step(&at(30, 3), false)), Some((20, false)));
    let gone = Reading::Failed("gone".to_owned());
    assert_eq!(counter.step(&gone, true), Step::Missing("gone".to_owned()));
    assert_eq!(counter.step(&at(50, 5), false), Step::Slept);
    assert_eq!(energy(&counter.step(&at(60, 6), false)), Some((10, false)));
}

#[test]
fn energy_over_a_gap_is_known_over_the_longer_interval() {
    let mut counter = package(Some(RANGE));
    counter.step(&at(RANGE - 100, 1), false);
    counter.step(&Reading::Failed("gone".to_owned()), false);
    counter.step(&Reading::Failed("gone".to_owned()), false);
    assert_eq!(
        counter.step(&at(150, 4), false),
        Step::Energy {
            energy: MicroJoules(250),
            from: Moment(SECOND),
            to: Moment(4 * SECOND),
            wrapped: true
        }
    );
}

#[test]
fn a_gap_that_could_hide_a_whole_turn_of_the_counter_gives_no_energy() {
    // 400 W for 700 s is more than one turn of 262 kJ.
    for (last, ticks) in [(0, 1_000), (1_000, 0)] {
        let mut counter = package(Some(RANGE));
        counter.step(&at(last, 1), false);
        assert_eq!(
            reset(&counter.step(&at(ticks, 1_401), false)),
            Some(ResetReason::GapTooLong),
            "{last} to {ticks}"
        );
    }
}

#[test]
fn a_reading_from_the_past_is_no_energy() {
    let mut counter = package(Some(RANGE));
    counter.step(&at(10, 2), false);
    assert_eq!(
        reset(&counter.step(&at(20, 1), false)),
        Some(ResetReason::OutOfOrder)
    );
}

#[test]
fn a_model_has_no_counter() {
    let source = DomainSource::Counter {
        tick: TickSize::MICROJOULE,
        wraps_at: Some(RANGE),
        max_power: None,
    };
    let mut counter = Counter::of(&source).unwrap();
    assert!(matches!(
        counter.step(&Reading::Modelled, false),
        Step::Missing(_)
    ));
}

fn readings() -> impl Strategy<Value = Vec<(Reading, bool)>> {
    let reading = prop_oneof![
        4 => (any::<u64>(), any::<u64>()).prop_map(|(ticks, ns)| Reading::Ticks { ticks, at: Moment(ns) }),
        1 => Just(Reading::Failed("gone".to_owned())),
        1 => Just(Reading::Modelled),
    ];
    prop::collection::vec((reading, any::<bool>()), 0..40)
}

proptest! {
    #[test]
    fn unwrapping_gives_back_the_increments_that_were_wrapped(
        start in any::<u64>(),
        wraps_at in 500_000_000_u64..400_000_000_000,
        increments in prop::collection::vec(0_u64..400_000_000, 1..60),
    ) {
        // 400 W for a second each, which is less than any of these ranges.
        let mut counter = package(Some(wraps_at));
        let mut total = start % wraps_at;
        counter.step(&at(total, 0), false);
        let mut wraps = 0;
        for (second, increment) in (1..).zip(&increments) {
            total += increment;
            let step = counter.step(&at(total % wraps_at, second), false);
            let (gained, wrapped) = energy(&step).unwrap();
            prop_assert_eq!(gained, *increment);
            wraps += u64::from(wrapped);
        }
        prop_assert_eq!(wraps, total / wraps_at);
    }

    #[test]
    fn many_small_steps_and_one_large_one_give_the_same_energy(
        tick in (1_u64..100_000, 1_u64..100_000),
        increments in prop::collection::vec(0_u64..1_000, 1..200),
    ) {
        let tick = TickSize { microjoules: tick.0, ticks: tick.1 };
        // An hour a step, so that no amount is implausible.
        let mut small = Counter::new(tick, None, None);
        let mut large = Counter::new(tick, None, None);
        small.step(&at(0, 0), false);
        large.step(&at(0, 0), false);
        let mut ticks = 0;
        let mut sum = 0;
        let mut now = 0;
        for increment in &increments {
            ticks += increment;
            now += 3_600;
            sum += energy(&small.step(&at(ticks, now), false)).unwrap().0;
        }
        let whole = energy(&large.step(&at(ticks, now), false)).unwrap().0;
        prop_assert_eq!(sum, whole);
        prop_assert_eq!(sum, ticks * tick.microjoules / tick.ticks);
    }

    #[test]
    fn no_input_makes_it_panic_or_give_more_than_the_domain_can_draw(
        tick in any::<(u64, u64)>(),
        wraps_at in any::<Option<u64>>(),
        max in prop::option::of(0.0_f64..1e15),
        readings in readings(),
    ) {
        let tick = TickSize { microjoules: tick.0, ticks: tick.1 };
        let max = max.and_then(|watts| Watts::new(watts).ok());
        let mut counter = Counter::new(tick, wraps_at, max);
        let ceiling = u128::from(counter.ceiling_uw);
        for (reading, slept) in &readings {
            if let Step::Energy { energy, from, to, .. } = counter.step(reading, *slept) {
                let time = (to.since(from) + STEP_SLACK).as_nanos();
                // One microjoule of a fraction may have been carried over.
                prop_assert!(u128::from(energy.0) <= ceiling * time / 1_000_000_000 + 1);
            }
        }
    }
}
