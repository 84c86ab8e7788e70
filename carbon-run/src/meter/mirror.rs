//! Telling one counter that is listed several times from several counters.
//!
//! Where the kernel takes a register for one per die that the processor has once per package (AMD before Linux 6.12, see
//! `rapl_msrs_are_pkg_scope` in drivers/powercap/intel_rapl_common.c), every die's zone shows the same energy, and
//! adding them up counts it twice. Equal names or equal loads prove nothing; equal movement does: RAPL steps about every
//! 1 ms by thousands of its units, so that two counters which keep their distance over a few steps are one. Zones of
//! different packages are never compared.

/// Steps that are seen before two counters are called different.
const ENOUGH: usize = 6;
/// Steps after which the distance must be the same one, to call them one counter; and more than half of those seen.
const SAME: usize = 4;
/// The driver cuts nanojoules to microjoules, so that copies with unequal starting points may differ by one.
const ROUNDING: u64 = 1;

/// What two counters are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    /// One counter, listed twice.
    Same,
    /// Two counters.
    Different,
    /// They did not move while they were looked at, or never held still for a look.
    Unknown,
}

/// What became of each counter of a package: the counter that it is a copy of, if any.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sorted {
    /// By position: `Some(i)` for a copy of counter `i`, which comes earlier and is no copy.
    pub(super) copy_of: Vec<Option<usize>>,
    /// Pairs of which it could not be told. They are treated as different.
    pub(super) unknown: Vec<(usize, usize)>,
}

/// Looks at `count` counters until all is told, or `wait`, which is called between two looks, returns `false`.
/// `read` gives a counter's value, or `None` where it cannot be read.
pub(super) fn sort(
    count: usize,
    read: &mut dyn FnMut(usize) -> Option<u64>,
    wait: &mut dyn FnMut() -> bool,
) -> Sorted {
    let mut looks: Vec<Vec<Option<u64>>> = Vec::new();
    loop {
        looks.push(look(count, read));
        let sorted = compare(count, &looks, false);
        if sorted.unknown.is_empty() {
            return sorted;
        }
        if !wait() {
            return compare(count, &looks, true);
        }
    }
}

/// Every counter's value at one moment. All are read twice, and only values that stood still in between count: those
/// were all held at the turn from the first round to the second.
fn look(count: usize, read: &mut dyn FnMut(usize) -> Option<u64>) -> Vec<Option<u64>> {
    let first: Vec<Option<u64>> = (0..count).map(&mut *read).collect();
    first
        .into_iter()
        .enumerate()
        .map(|(counter, before)| before.filter(|_| read(counter) == before))
        .collect()
}

fn compare(count: usize, looks: &[Vec<Option<u64>>], last_chance: bool) -> Sorted {
    let mut copy_of: Vec<Option<usize>> = Vec::with_capacity(count);
    let mut unknown = Vec::new();
    for counter in 0..count {
        let mut original = None;
        let mut doubts = Vec::new();
        for (earlier, of) in copy_of.iter().enumerate() {
            if of.is_some() {
                continue;
            }
            let held = looks
                .iter()
                .filter_map(|look| Some(((*look.get(earlier)?)?, (*look.get(counter)?)?)))
                .collect::<Vec<_>>();
            match relation(&held, last_chance) {
                Relation::Same => {
                    original = Some(earlier);
                    break;
                }
                Relation::Different => {}
                Relation::Unknown => doubts.push((earlier, counter)),
            }
        }
        if original.is_none() {
            unknown.append(&mut doubts);
        }
        copy_of.push(original);
    }
    Sorted { copy_of, unknown }
}

/// The relation of two counters from pairs of values that they held at the same time.
fn relation(held: &[(u64, u64)], last_chance: bool) -> Relation {
    let distances = distances(held);
    let seen = distances.len();
    let alike = distances
        .iter()
        .map(|&one| {
            distances
                .iter()
                .filter(|&&other| one.abs_diff(other) <= ROUNDING.into())
                .count()
        })
        .max()
        .unwrap_or(0);
    if alike >= SAME && alike * 2 > seen {
        return Relation::Same;
    }
    if seen >= ENOUGH {
        return Relation::Different;
    }
    if !last_chance || seen == 0 {
        return Relation::Unknown;
    }
    // Counters that hardly moved: the same energy since the machine started is no accident either. Of two that have counted
    // nothing (memory channels without modules), nothing can be counted twice.
    if held.iter().all(|&pair| pair == (0, 0)) {
        Relation::Different
    } else if held.iter().all(|&(one, other)| one == other) {
        Relation::Same
    } else if seen > 1 && alike == 1 {
        Relation::Different
    } else {
        Relation::Unknown
    }
}

/// The distance of the two after each step of the one that stepped more often. A copy may follow a little later, so that
/// the last of the pairs between two steps tells.
fn distances(held: &[(u64, u64)]) -> Vec<i128> {
    let after_steps = |key: fn(&(u64, u64)) -> u64| -> Vec<i128> {
        held.chunk_by(|one, next| key(one) == key(next))
            .filter_map(|still| still.last())
            .map(|&(one, other)| i128::from(other) - i128::from(one))
            .collect()
    };
    let (by_one, by_other) = (after_steps(|pair| pair.0), after_steps(|pair| pair.1));
    if by_one.len() >= by_other.len() {
        by_one
    } else {
        by_other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counters that are a function of the number of readings taken so far, of which 16 make one step of RAPL.
    fn sorted(counters: &[&dyn Fn(u64) -> u64], reads: u64) -> Sorted {
        let clock = std::cell::Cell::new(0);
        sort(
            counters.len(),
            &mut |counter| {
                clock.set(clock.get() + 1);
                Some(counters[counter](clock.get()))
            },
            &mut || {
                clock.set(clock.get() + 1);
                clock.get() < reads
            },
        )
    }

    /// An uneven load: step number to microjoules.
    fn load(step: u64, seed: u64) -> u64 {
        (1..=step)
            .map(|step| 40_000 + (step * 7_919 + seed * 104_729) % 1_021)
            .sum()
    }

    #[test]
    fn copies_of_one_counter_are_found_out_also_when_they_lag_or_started_elsewhere() {
        let original = |clock: u64| 5_000_000 + load(clock / 16, 1);
        let copy = |clock: u64| 5_000_000 + load(clock / 16, 1);
        let lagging = |clock: u64| 5_000_000 + load((clock - 1) / 16, 1);
        let shifted = |clock: u64| 77 + load(clock / 16, 1) + clock / 16 % 2;
        let sorted = sorted(&[&original, &copy, &lagging, &shifted], 2_000);
        assert_eq!(sorted.copy_of, [None, Some(0), Some(0), Some(0)]);
        assert_eq!(sorted.unknown, []);
    }

    #[test]
    fn two_dies_under_like_load_are_two_counters() {
        let one = |clock: u64| 5_000_000 + load(clock / 16, 1);
        let other = |clock: u64| 5_000_000 + load(clock / 16, 2);
        let out_of_step = |clock: u64| 5_000_000 + load((clock + 8) / 16, 3);
        let sorted = sorted(&[&one, &other, &out_of_step], 2_000);
        assert_eq!(sorted.copy_of, [None, None, None]);
        assert_eq!(sorted.unknown, []);
    }

    #[test]
    fn two_pairs_of_copies_in_one_package_are_two_counters() {
        let one = |clock: u64| load(clock / 16, 1);
        let other = |clock: u64| load(clock / 16, 9);
        let sorted = sorted(&[&one, &other, &one, &other], 2_000);
        assert_eq!(sorted.copy_of, [None, None, Some(0), Some(1)]);
    }

    #[test]
    fn a_die_that_stands_still_beside_one_that_moves_is_its_own() {
        let still = |_: u64| 5_000_000;
        let moving = |clock: u64| 5_000_000 + load(clock / 16, 1);
        assert_eq!(sorted(&[&still, &moving], 2_000).copy_of, [None, None]);
        assert_eq!(sorted(&[&moving, &still], 2_000).copy_of, [None, None]);
    }

    #[test]
    fn counters_that_step_faster_than_they_can_be_looked_at_are_a_doubt_and_no_difference() {
        let one = |clock: u64| load(clock / 2, 1);
        let doubt = sorted(&[&one, &one], 500);
        assert_eq!((doubt.copy_of, doubt.unknown), (vec![None, None], vec![(0, 1)]));
    }

    #[test]
    fn counters_that_stand_still_are_one_if_equal_a_doubt_if_not_and_no_matter_at_zero() {
        let one = |_: u64| 5_000_000;
        let other = |_: u64| 6_000_000;
        let zero = |_: u64| 0;
        assert_eq!(sorted(&[&one, &one], 50).copy_of, [None, Some(0)]);
        let doubt = sorted(&[&one, &other], 50);
        assert_eq!((doubt.copy_of, doubt.unknown), (vec![None, None], vec![(0, 1)]));
        let unused = sorted(&[&zero, &zero], 50);
        assert_eq!((unused.copy_of, unused.unknown), (vec![None, None], vec![]));
    }
}
