//! Quantities for people: three significant digits, a fitting unit, and a range that is never finer than two digits.

use crate::model::recording::Ranged;
use crate::model::units::{Grams, Joules, Litres};
use std::time::Duration;

/// No range is said to be narrower than this part of its value.
const FINEST_RANGE: f64 = 0.001;

/// A unit, and from which amount on it is used. Both are in the quantity's base unit (joules or grams).
#[derive(Debug, Clone, Copy)]
struct Unit {
    from: f64,
    factor: f64,
    name: &'static str,
}

/// Joules up to a tenth of a kilowatt-hour, then what the electricity bill says.
const ENERGY: [Unit; 6] = [
    Unit {
        from: 0.0,
        factor: 1e-3,
        name: "mJ",
    },
    Unit {
        from: 1.0,
        factor: 1.0,
        name: "J",
    },
    Unit {
        from: 1e3,
        factor: 1e3,
        name: "kJ",
    },
    Unit {
        from: 3.6e5,
        factor: 3.6e6,
        name: "kWh",
    },
    Unit {
        from: 3.6e9,
        factor: 3.6e9,
        name: "MWh",
    },
    Unit {
        from: 3.6e12,
        factor: 3.6e12,
        name: "GWh",
    },
];

const MASS: [Unit; 4] = [
    Unit {
        from: 0.0,
        factor: 1e-3,
        name: "mg",
    },
    Unit {
        from: 1.0,
        factor: 1.0,
        name: "g",
    },
    Unit {
        from: 1e3,
        factor: 1e3,
        name: "kg",
    },
    Unit {
        from: 1e6,
        factor: 1e6,
        name: "t",
    },
];

const VOLUME: [Unit; 3] = [
    Unit {
        from: 0.0,
        factor: 1e-3,
        name: "ml",
    },
    Unit {
        from: 1.0,
        factor: 1.0,
        name: "l",
    },
    Unit {
        from: 1e3,
        factor: 1e3,
        name: "m3",
    },
];

/// A figure in words: the value with its unit, and its range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spelled {
    /// `12.3 kJ`.
    pub(super) value: String,
    /// `+- 18 %`; `0 to 1.2 J` where the range is wider than the value; empty where there is no range to speak of.
    pub(super) range: String,
}

pub(super) fn energy(figure: Ranged<Joules>) -> Spelled {
    spell(figure.low.get(), figure.value.get(), figure.high.get(), &ENERGY)
}

pub(super) fn mass(figure: Ranged<Grams>) -> Spelled {
    spell(figure.low.get(), figure.value.get(), figure.high.get(), &MASS)
}

pub(super) fn volume(figure: Ranged<Litres>) -> Spelled {
    spell(figure.low.get(), figure.value.get(), figure.high.get(), &VOLUME)
}

/// The greater of the distances from the value to the ends of its range.
pub(super) fn half_width(low: f64, value: f64, high: f64) -> f64 {
    (value - low).max(high - value).max(0.0)
}

fn spell(low: f64, value: f64, high: f64, units: &[Unit]) -> Spelled {
    let half = half_width(low, value, high);
    if half > value {
        let unit = unit_for(high, units);
        let bounds = format!(
            "{} to {} {}",
            digits(low / unit.factor, 2),
            digits(high / unit.factor, 2),
            unit.name
        );
        return Spelled {
            value: with_unit(value, unit_for(value, units)),
            range: bounds,
        };
    }
    let range = if half > 0.0 {
        format!("+- {}", percent((half / value).max(FINEST_RANGE)))
    } else {
        String::new()
    };
    Spelled {
        value: with_unit(value, unit_for(value, units)),
        range,
    }
}

fn with_unit(value: f64, unit: Unit) -> String {
    let scaled = value / unit.factor;
    // Only the smallest unit meets amounts this far below itself.
    if scaled > 0.0 && scaled < 1e-3 {
        return format!("< 0.001 {}", unit.name);
    }
    format!("{} {}", digits(scaled, 3), unit.name)
}

/// The unit for an amount as it will be printed: 999.9 J are 1.00 kJ, and nothing is 0 J.
fn unit_for(amount: f64, units: &[Unit]) -> Unit {
    let printed = if amount > 0.0 { round_to(amount, 3) } else { 1.0 };
    let fitting = units.iter().rev().find(|unit| printed >= unit.from);
    fitting.copied().unwrap_or(Unit {
        from: 0.0,
        factor: 1.0,
        name: "",
    })
}

/// A fraction as per cent with at most two significant digits: `18 %`, `5.4 %`, `< 0.1 %`.
pub(super) fn percent(fraction: f64) -> String {
    let percent = fraction * 100.0;
    if percent > 0.0 && percent < 0.1 {
        return "< 0.1 %".to_owned();
    }
    let text = digits(percent, 2);
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    format!("{text} %")
}

/// A number in plain decimal with this many significant digits. Nothing is `0`, without digits that were not counted.
pub(super) fn digits(number: f64, significant: usize) -> String {
    let rounded = round_to(number, significant);
    if rounded.abs() < f64::MIN_POSITIVE {
        return "0".to_owned();
    }
    let magnitude = rounded.abs().log10().floor() as i64;
    let decimals = usize::try_from(significant as i64 - 1 - magnitude).unwrap_or(0);
    format!("{rounded:.decimals$}")
}

/// The number rounded to significant digits, decimally: the formatter's rounding is exact, a power of ten is not.
fn round_to(number: f64, significant: usize) -> f64 {
    if !number.is_finite() {
        return 0.0;
    }
    let precision = significant.saturating_sub(1);
    format!("{number:.precision$e}").parse().unwrap_or(number)
}

/// A length of time: `12.3 ms`, `59.9 s`, `1 min 12 s`, `2 h 03 min`, `3 d 04 h`.
pub(super) fn time(length: Duration) -> String {
    let seconds = length.as_secs_f64();
    if round_to(seconds, 3) < 1.0 {
        return match round_to(seconds * 1e3, 3) {
            ms if ms >= 1e-3 => format!("{} ms", digits(ms, 3)),
            _ if length.is_zero() => "0 s".to_owned(),
            _ => "< 0.001 ms".to_owned(),
        };
    }
    if round_to(seconds, 3) < 60.0 {
        return format!("{} s", digits(seconds, 3));
    }
    let whole = seconds.round() as u64;
    match whole {
        0..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        3600..86_400 => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
        _ => format!("{} d {:02} h", whole / 86_400, whole % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn joules(low: f64, value: f64, high: f64) -> Ranged<Joules> {
        let joules = |value| Joules::new(value).unwrap();
        Ranged {
            low: joules(low),
            value: joules(value),
            high: joules(high),
        }
    }

    fn exactly(value: f64) -> String {
        let spelled = energy(joules(value, value, value));
        assert_eq!(spelled.range, "");
        spelled.value
    }

    #[test]
    fn energy_reads_well_from_a_microjoule_to_a_power_station() {
        let cases = [
            (0.0, "0 J"),
            (1e-9, "< 0.001 mJ"),
            (1e-6, "0.00100 mJ"),
            (0.012_34, "12.3 mJ"),
            (0.999_4, "999 mJ"),
            (0.999_6, "1.00 J"),
            (50.0, "50.0 J"),
            (999.4, "999 J"),
            (999.6, "1.00 kJ"),
            (12_345.0, "12.3 kJ"),
            (359_400.0, "359 kJ"),
            (360_000.0, "0.100 kWh"),
            (1_116_000.0, "0.310 kWh"),
            (3.6e6, "1.00 kWh"),
            (3.6e9, "1.00 MWh"),
            (3.6e10, "10.0 MWh"),
            (3.6e16, "10000 GWh"),
        ];
        for (value, said) in cases {
            assert_eq!(exactly(value), said);
        }
    }

    #[test]
    fn mass_reads_well_from_a_tiny_run_to_a_cluster() {
        let grams = |value| {
            let grams = Grams::new(value).unwrap();
            mass(Ranged {
                low: grams,
                value: grams,
                high: grams,
            })
            .value
        };
        assert_eq!(grams(1.3e-10), "< 0.001 mg");
        assert_eq!(grams(0.006_4), "6.40 mg");
        assert_eq!(grams(1.559), "1.56 g");
        assert_eq!(grams(458.49), "458 g");
        assert_eq!(grams(4584.9), "4.58 kg");
        assert_eq!(grams(4.58e6), "4.58 t");
    }

    #[test]
    fn a_range_is_relative_until_it_exceeds_the_value() {
        let spelled = |low, value, high| {
            let spelled = energy(joules(low, value, high));
            (spelled.value, spelled.range)
        };
        let pair = |value: &str, range: &str| (value.to_owned(), range.to_owned());
        assert_eq!(spelled(10_000.0, 12_200.0, 14_396.0), pair("12.2 kJ", "+- 18 %"));
        assert_eq!(spelled(99.46, 100.0, 100.5), pair("100 J", "+- 0.54 %"));
        assert_eq!(spelled(94.0, 100.0, 106.0), pair("100 J", "+- 6 %"));
        assert_eq!(spelled(99.999_9, 100.0, 100.000_1), pair("100 J", "+- 0.1 %"));
        assert_eq!(spelled(0.0, 100.0, 200.0), pair("100 J", "+- 100 %"));
        assert_eq!(spelled(0.0, 0.3, 1.234), pair("300 mJ", "0 to 1.2 J"));
        assert_eq!(spelled(0.0, 0.0, 1.2), pair("0 J", "0 to 1.2 J"));
    }

    #[test]
    fn time_is_said_as_people_say_it() {
        let cases = [
            (0.0, "0 s"),
            (1e-8, "< 0.001 ms"),
            (0.000_5, "0.500 ms"),
            (0.012_34, "12.3 ms"),
            (0.999_9, "1.00 s"),
            (12.345, "12.3 s"),
            (59.96, "1 min 00 s"),
            (72.3, "1 min 12 s"),
            (3_599.7, "1 h 00 min"),
            (7_400.0, "2 h 03 min"),
            (273_600.0, "3 d 04 h"),
        ];
        for (seconds, said) in cases {
            assert_eq!(time(Duration::from_secs_f64(seconds)), said);
        }
    }

    proptest! {
        #[test]
        fn three_digits_are_within_half_a_percent_and_say_no_nonsense(exponent in -5.0..13.0f64) {
            let value = 10f64.powf(exponent);
            let text = exactly(value);
            let (number, unit) = text.split_once(' ').unwrap();
            let factor = ENERGY.iter().find(|known| known.name == unit).unwrap().factor;
            let printed: f64 = number.parse().unwrap();
            prop_assert!((printed * factor / value - 1.0).abs() <= 0.005_001, "{value} as {text}");
            prop_assert!(!text.contains("-0") && !text.contains("NaN"));
        }
    }
}
