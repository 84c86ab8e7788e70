//! What one tick of a PMU's count is worth, exactly: perf states it as a decimal number.

use crate::model::recording::TickSize;

/// Powers of ten from joules to microjoules.
const MICRO: i32 = 6;

/// The worth of a tick, of so many joules in decimal (`2.3283064365386962890625e-10` is 2^-32, to the last digit), as a
/// fraction in lowest terms. `None` for what is no positive number, or has no such fraction in 64 bits.
pub(super) fn tick(joules: &str) -> Option<TickSize> {
    let (mantissa, exponent) = joules.split_once(['e', 'E']).unwrap_or((joules, "0"));
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let decimals = decimals.trim_end_matches('0');
    let digits = format!("{whole}{decimals}");
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u128 = digits.parse().ok().filter(|&number| number > 0)?;
    let exponent: i32 = exponent.parse().ok()?;
    let power = exponent
        .checked_sub(i32::try_from(decimals.len()).ok()?)?
        .checked_add(MICRO)?;
    let tens = 10_u128.checked_pow(power.unsigned_abs())?;
    let (microjoules, ticks) = if power < 0 {
        (number, tens)
    } else {
        (number.checked_mul(tens)?, 1)
    };
    let common = greatest_common_divisor(microjoules, ticks);
    Some(TickSize {
        microjoules: u64::try_from(microjoules / common).ok()?,
        ticks: u64::try_from(ticks / common).ok()?,
    })
}

fn greatest_common_divisor(mut one: u128, mut other: u128) -> u128 {
    while other > 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_unit_is_two_to_the_minus_32_joules_exactly() {
        let unit = tick("2.3283064365386962890625e-10").unwrap();
        assert_eq!((unit.microjoules, unit.ticks), (15_625, 67_108_864));
        // 2^32 ticks are one joule, and not one microjoule less.
        assert_eq!(unit.microjoules(1 << 32), 1_000_000);
    }

    #[test]
    fn other_ways_to_write_a_number_are_read() {
        for (text, microjoules, ticks) in [
            ("1", 1_000_000, 1),
            ("1.0e-9", 1, 1_000),
            ("0.25", 250_000, 1),
            ("6.103515625E-05", 15_625, 256),
            ("2e+3", 2_000_000_000, 1),
        ] {
            assert_eq!(tick(text), Some(TickSize { microjoules, ticks }), "{text}");
        }
    }

    #[test]
    fn what_is_no_positive_number_has_no_worth() {
        for text in [
            "", "0", "0.000", "-1", "nan", "inf", "1e", "e5", "1.2.3", "1e400", "1e-400", "0x10", ".", " 1",
        ] {
            assert_eq!(tick(text), None, "{text:?}");
        }
    }
}
