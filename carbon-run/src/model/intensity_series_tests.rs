use super::*;
use crate::model::recording::{IntensityStep, SeriesFacts};
use proptest::prelude::*;

fn grams(value: f64) -> GramsPerKwh {
    GramsPerKwh::new(value).unwrap()
}

fn series(steps: &[(i64, f64)], until: i64) -> IntensitySeries {
    let values = || steps.iter().map(|(_, value)| *value);
    let facts = SeriesFacts {
        source: "grid.csv".to_owned(),
        boundary: "unstated".to_owned(),
        lowest_g_per_kwh: grams(values().fold(f64::INFINITY, f64::min)),
        highest_g_per_kwh: grams(values().fold(0.0, f64::max)),
        until_unix_ns: until,
    };
    let steps = steps.iter().map(|(from_unix_ns, value)| IntensityStep {
        from_unix_ns: *from_unix_ns,
        g_per_kwh: grams(*value),
    });
    IntensitySeries::new(facts, steps.collect()).unwrap()
}

/// Low, value, high, lowest, highest, and what is not covered.
fn told(stretch: Stretch) -> ([f64; 3], [f64; 2], u64) {
    let Ranged { low, value, high } = stretch.intensity;
    let (lowest, highest) = stretch.values;
    (
        [low, value, high].map(GramsPerKwh::get),
        [lowest, highest].map(GramsPerKwh::get),
        stretch.uncovered_ns,
    )
}

/// 100 g from 10 on, 300 g from 20 on, 200 g from 30 to 40.
fn three() -> IntensitySeries {
    series(&[(10, 100.0), (20, 300.0), (30, 200.0)], 40)
}

#[test]
fn a_value_holds_from_its_time_to_the_next_ones() {
    for (from, to, stretch) in [
        (10, 20, ([100.0; 3], [100.0; 2], 0)),
        (12, 13, ([100.0; 3], [100.0; 2], 0)),
        (20, 20, ([300.0; 3], [300.0; 2], 0)),
        (30, 40, ([200.0; 3], [200.0; 2], 0)),
        (15, 25, ([100.0, 200.0, 300.0], [100.0, 300.0], 0)),
        (19, 23, ([100.0, 250.0, 300.0], [100.0, 300.0], 0)),
        (10, 40, ([100.0, 200.0, 300.0], [100.0, 300.0], 0)),
        (25, 35, ([200.0, 250.0, 300.0], [200.0, 300.0], 0)),
    ] {
        let found = told(three().between(from, to, &Outside::Nearest));
        assert_eq!(found, stretch, "{from} to {to}");
    }
}

#[test]
fn beyond_its_ends_the_nearest_value_has_a_wide_range() {
    for (from, to, stretch) in [
        // All before: the first value, from half of it to the highest of all.
        (0, 10, ([50.0, 100.0, 300.0], [100.0; 2], 10)),
        (3, 3, ([50.0, 100.0, 300.0], [100.0; 2], 0)),
        (5, 15, ([50.0, 100.0, 300.0], [100.0; 2], 5)),
        // All after: the last value, from the lowest of all to one and a half of it or the highest.
        (40, 50, ([100.0, 200.0, 300.0], [200.0; 2], 10)),
        (40, 40, ([100.0, 200.0, 300.0], [200.0; 2], 0)),
        (35, 45, ([100.0, 200.0, 300.0], [200.0; 2], 5)),
        (0, 50, ([50.0, 180.0, 300.0], [100.0, 300.0], 20)),
    ] {
        let found = told(three().between(from, to, &Outside::Nearest));
        assert_eq!(found, stretch, "{from} to {to}");
    }
    let alone = series(&[(10, 100.0)], 20);
    assert_eq!(
        told(alone.between(30, 40, &Outside::Nearest)),
        ([50.0, 100.0, 150.0], [100.0; 2], 10)
    );
}

#[test]
fn beyond_its_ends_a_place_that_was_named_has_its_average() {
    let outside = Outside::Place(Ranged {
        low: grams(30.0),
        value: grams(40.0),
        high: grams(70.0),
    });
    for (from, to, stretch) in [
        (0, 10, ([30.0, 40.0, 70.0], [40.0; 2], 10)),
        (30, 40, ([200.0; 3], [200.0; 2], 0)),
        (30, 50, ([30.0, 120.0, 200.0], [40.0, 200.0], 10)),
    ] {
        let found = told(three().between(from, to, &outside));
        assert_eq!(found, stretch, "{from} to {to}");
    }
}

#[test]
fn moments_are_covered_from_the_first_to_the_end_of_the_last() {
    let covered = [9, 10, 39, 40].map(|at| three().covers(at));
    assert_eq!(covered, [false, true, true, false]);
}

#[test]
fn the_ends_of_time_are_no_trouble() {
    let whole = series(&[(i64::MIN, 1.0), (0, 3.0)], i64::MAX);
    let (means, _, uncovered) = told(whole.between(i64::MIN, i64::MAX, &Outside::Nearest));
    assert_eq!((means, uncovered), ([1.0, 2.0, 3.0], 0));
    let (means, ..) = told(three().between(i64::MIN, i64::MAX, &Outside::Nearest));
    assert!((100.0..=200.0).contains(&means[1]), "{means:?}");
    assert_eq!(
        told(three().between(25, 15, &Outside::Nearest)),
        ([300.0; 3], [300.0; 2], 0)
    );
}

/// Steps at any times, with any values, and when the last one ends.
fn any_series() -> impl Strategy<Value = IntensitySeries> {
    let step = (1_i64..1_000_000_000, 0.0..1500.0_f64);
    (prop::collection::vec(step, 1..30), 1_i64..1_000_000_000).prop_map(|(spaces, last)| {
        let mut at = 1_700_000_000_000_000_000;
        let steps: Vec<(i64, f64)> = spaces
            .iter()
            .map(|(space, value)| {
                at += space;
                (at, *value)
            })
            .collect();
        series(&steps, at + last)
    })
}

/// A stretch around a series, in thousandths of what it covers, from before its begin to after its end.
fn stretch_of(series: &IntensitySeries, from: i64, for_: i64) -> (i64, i64) {
    let first = series.steps()[0].from_unix_ns;
    let unit = (series.facts().until_unix_ns - first) / 1000 + 1;
    let from = first + (from - 300) * unit;
    (from, from + for_ * unit)
}

proptest! {
    #[test]
    fn a_mean_lies_between_the_lowest_and_the_highest(
        series in any_series(), from in 0_i64..1500, for_ in 0_i64..1500,
    ) {
        let (from, to) = stretch_of(&series, from, for_);
        let Stretch { intensity, values, uncovered_ns } = series.between(from, to, &Outside::Nearest);
        prop_assert!(values.0 <= intensity.value && intensity.value <= values.1);
        prop_assert!(intensity.low <= values.0 && values.1 <= intensity.high);
        prop_assert!(series.facts().lowest_g_per_kwh <= values.0);
        prop_assert!(values.1 <= series.facts().highest_g_per_kwh);
        prop_assert!(uncovered_ns <= (to - from) as u64);
    }

    #[test]
    fn a_stretch_is_the_sum_of_its_parts(
        series in any_series(), from in 0_i64..1500, for_ in 2_i64..1500, cut in 0.0..1.0_f64,
    ) {
        let (from, to) = stretch_of(&series, from, for_);
        let middle = from + ((to - from) as f64 * cut) as i64;
        let part = |from: i64, to: i64| {
            let stretch = series.between(from, to, &Outside::Nearest);
            (stretch.intensity.value.get() * (to - from) as f64, stretch.uncovered_ns)
        };
        let ((whole, uncovered), (one, before), (other, after)) =
            (part(from, to), part(from, middle), part(middle, to));
        prop_assert!((one + other - whole).abs() <= 1e-9 * whole.max(1.0), "{one} + {other}, not {whole}");
        prop_assert_eq!(before + after, uncovered);
    }

    #[test]
    fn a_series_that_never_changes_is_one_number(
        value in 0.0..1500.0_f64, count in 1_usize..20, from in 0_i64..2000, for_ in 0_i64..2000,
    ) {
        let steps: Vec<_> = (0..count).map(|at| (500 + 77 * at as i64, value)).collect();
        let series = series(&steps, 10_000);
        let stretch = series.between(500 + from, 500 + from + for_, &Outside::Nearest);
        prop_assert_eq!(stretch.intensity.value, grams(value));
        prop_assert_eq!(stretch.values, (grams(value), grams(value)));
    }

    #[test]
    fn what_came_before_the_start_changes_nothing_after_it(
        series in any_series(), start in 0_i64..1500, from in 0_i64..1500, for_ in 0_i64..1500,
    ) {
        let (start, _) = stretch_of(&series, start, 0);
        let (from, to) = stretch_of(&series, from, for_);
        let (from, to) = (from.max(start), to.max(start));
        let kept = series.clone().since(start);
        prop_assert_eq!(
            kept.between(from, to, &Outside::Nearest),
            series.between(from, to, &Outside::Nearest)
        );
    }
}
