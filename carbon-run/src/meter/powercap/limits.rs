//! What else a zone says about its counter: where it wraps, and how much power the zone can draw.

use crate::meter::sysfs::{self, ReadError};
use crate::model::recording::Note;
use crate::model::units::Watts;
use std::path::Path;

/// Energy counters have 32 bits whatever the register (`ENERGY_STATUS_MASK`, intel_rapl_common.c).
const COUNTER_STATES: u128 = 1 << 32;

/// The driver holds the unit of energy as a whole number of nanojoules and cuts its products to microjoules
/// (`rapl_unit_xlate`, `ENERGY_UNIT_SCALE`; same file).
const NANOJOULES_PER_MICROJOULE: u128 = 1_000;

/// `MAX_CONSTRAINTS_PER_ZONE` of drivers/powercap/powercap_sys.c.
const MAX_CONSTRAINTS: usize = 10;

/// A power limit above this is a firmware's way of saying "none" (desktop boards set 4095 W); in microwatts.
const LIMIT_MEANS_NONE_UW: u64 = 600_000_000;

/// The number of microjoules after which `energy_uj` starts again at 0.
///
/// # Errors
/// When `max_energy_range_uj` cannot be read, or holds no number above 0.
pub(super) fn wraps_at(zone: &Path) -> Result<u64, ReadError> {
    let path = zone.join("max_energy_range_uj");
    match sysfs::number(&path)? {
        0 => Err(ReadError::Garbage {
            path,
            text: "0".to_owned(),
            wanted: "a range",
        }),
        largest => Ok(modulus(largest)),
    }
}

/// `max_energy_range_uj` is the largest value of the counter, so that the modulus is one unit of the hardware more: with
/// `u` nanojoules a unit, the largest is `(2^32 - 1) * u / 1000` rounded down, and the modulus `2^32 * u / 1000`.
/// `u` follows from the largest value. Where it does not (a range that no 32-bit counter has), the unit is taken for one
/// microjoule.
fn modulus(largest: u64) -> u64 {
    let unit = (u128::from(largest) * NANOJOULES_PER_MICROJOULE).div_ceil(COUNTER_STATES - 1);
    let exact = (COUNTER_STATES - 1) * unit / NANOJOULES_PER_MICROJOULE == u128::from(largest);
    let modulus = COUNTER_STATES * unit / NANOJOULES_PER_MICROJOULE;
    match u64::try_from(modulus) {
        Ok(modulus) if exact => modulus,
        _ => largest.saturating_add(1),
    }
}

/// The most that the zone can draw, by what it says of its constraints: the largest of their `max_power_uw` and, since
/// client processors state their base power there and are allowed more than twice of it for half a minute, of the
/// limits in force (`power_limit_uw`). `None` where none is stated.
pub(super) fn max_power(zone: &Path) -> Option<Watts> {
    let stated = |number: usize, what: &str| {
        sysfs::number(&zone.join(format!("constraint_{number}_{what}_uw")))
            .ok()
            .filter(|&microwatts| microwatts > 0)
    };
    (0..MAX_CONSTRAINTS)
        .flat_map(|number| {
            let limit = stated(number, "power_limit").filter(|&microwatts| microwatts <= LIMIT_MEANS_NONE_UW);
            [stated(number, "max_power"), limit]
        })
        .flatten()
        .max()
        .map(|microwatts| Watts::clamped(microwatts as f64 / 1e6))
}

/// What it means that [`wraps_at`] failed.
pub(super) fn range_unknown(domain: &str, error: &ReadError) -> Note {
    Note {
        code: "powercap-range-unknown".to_owned(),
        message: format!(
            "where the counter of `{domain}` wraps is not known ({error}): an interval in which it does is left out"
        ),
        hint: None,
        degrades: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_modulus_is_one_unit_of_the_hardware_above_the_largest_value() {
        // Units of 2^-14 J and 2^-16 J as the driver cuts them, and the fixed 15.3 µJ of server DRAM.
        for (unit_nj, largest, modulus_uj) in [
            (61_035_u128, 262_143_328_850, 262_143_328_911),
            (15_258, 65_532_610_987, 65_532_611_002),
            (15_300, 65_712_999_613, 65_712_999_628),
        ] {
            assert_eq!(
                (COUNTER_STATES - 1) * unit_nj / 1_000,
                largest,
                "the driver's arithmetic"
            );
            assert_eq!(
                modulus(u64::try_from(largest).unwrap()),
                modulus_uj,
                "{unit_nj} nJ"
            );
        }
    }

    #[test]
    fn a_range_that_no_32_bit_counter_has_is_extended_by_one_microjoule() {
        assert_eq!(modulus(999_999), 1_000_000);
        assert_eq!(modulus(u64::MAX), u64::MAX);
    }
}
