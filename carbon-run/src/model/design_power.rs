//! Thermal design power of a package: of the very model, or of its nearest relatives in the list.

use super::cpu_key::cpu_key;
use super::recording::Ranged;
use super::tables;

/// Client brands. A series of them differs little in power; one of server parts reaches from 8 cores to 128.
const CLIENT: [&str; 6] = ["core", "ryzen", "pentium", "celeron", "athlon", "atom"];
const SERVER: [&str; 1] = ["threadripper"];

/// Watts of the listed model of that name; `None` for a name that no list has.
pub(super) fn listed(model: &str) -> Option<f64> {
    tables::tdp(&cpu_key(model)?).filter(|watts| *watts > 0.0)
}

/// Watts of the listed client parts that differ in the last digits only: same brand, generation and suffix, which is what
/// the makers sell a power class by (`U` 15 W, `H` 45 W, `K` 125 W). Lowest, middle and highest.
pub(super) fn of_series(model: &str) -> Option<Ranged<f64>> {
    let key = cpu_key(model)?;
    let mut words = key.split(' ');
    let client = words.next().is_some_and(|brand| CLIENT.contains(&brand));
    if !client || words.any(|word| SERVER.contains(&word)) {
        return None;
    }
    let (head, number, suffix) = numbered(&key)?;
    let generation = number.get(..number.len().checked_sub(3)?.max(1))?;
    let mut watts: Vec<f64> = tables::tdps()
        .filter(|(other, _)| {
            numbered(other).is_some_and(|(other_head, other_number, other_suffix)| {
                other_head == head
                    && other_suffix == suffix
                    && other_number.len() == number.len()
                    && other_number.starts_with(generation)
            })
        })
        .map(|(_, watts)| watts)
        .collect();
    watts.sort_by(f64::total_cmp);
    Some(Ranged {
        low: *watts.first()?,
        value: *watts.get(watts.len() / 2)?,
        high: *watts.last()?,
    })
}

/// `core i7-13705h` as `core i7-`, `13705`, `h`.
fn numbered(key: &str) -> Option<(&str, &str, &str)> {
    let last = key.len() - key.rsplit([' ', '-']).next()?.len();
    let (head, tail) = key.split_at(last);
    let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
    let (number, suffix) = tail.split_at(digits);
    (digits >= 3).then_some((head, number, suffix))
}

/// Hardware threads of a package of that name, where AMD writes its cores into it: `AMD EPYC 7763 64-Core Processor`.
/// Every EPYC and every Threadripper has two to a core.
pub(super) fn threads_by_name(model: &str) -> Option<u32> {
    let name = model.to_lowercase();
    if !name.contains("epyc") && !name.contains("threadripper") {
        return None;
    }
    let cores = name
        .split_whitespace()
        .find_map(|word| word.strip_suffix("-core").or_else(|| word.strip_suffix("-cores")))?;
    cores
        .parse::<u32>()
        .ok()
        .filter(|cores| (1..=1024).contains(cores))
        .map(|cores| cores * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unlisted_client_part_has_the_power_of_its_series() {
        let class = |name| of_series(name).map(|watts| (watts.low, watts.value, watts.high));
        assert_eq!(
            class("13th Gen Intel(R) Core(TM) i7-13705H"),
            Some((45.0, 45.0, 45.0))
        );
        assert_eq!(
            class("12th Gen Intel(R) Core(TM) i7-1266U"),
            Some((15.0, 15.0, 15.0))
        );
        let desktop = class("Intel(R) Core(TM) i9-13999K").unwrap();
        assert!(desktop.0 >= 125.0 && desktop.2 <= 150.0, "{desktop:?}");
    }

    #[test]
    fn a_server_part_has_no_series_for_its_core_count_decides() {
        for name in [
            "AMD EPYC 9R14",
            "Intel(R) Xeon(R) Platinum 8488C",
            "AMD Ryzen Threadripper PRO 7999WX 64-Cores",
            "Intel(R) Core(TM) i99-123456QQ",
            "QEMU Virtual CPU version 2.5+",
            "",
        ] {
            assert_eq!(of_series(name), None, "{name}");
        }
    }

    #[test]
    fn amd_writes_the_cores_into_the_name() {
        assert_eq!(threads_by_name("AMD EPYC 7763 64-Core Processor"), Some(128));
        assert_eq!(threads_by_name("AMD EPYC 9V74 80-Core Processor"), Some(160));
        assert_eq!(threads_by_name("AMD EPYC 7B13"), None);
        assert_eq!(threads_by_name("AMD Ryzen 3 3200G 4-Core Processor"), None);
        assert_eq!(threads_by_name("AMD EPYC 0000 99999-Core Processor"), None);
    }
}
