//! Who gets which microjoules of a domain in a window of time.
//!
//! ```text
//! B = min(dE, P_idle * dt)      baseline          D = dE - B      dynamic
//! D_x = D * w_x / sum(w)        floor, then the largest remainders, so that the sum is exact
//! B_job by idle policy; the rest of B is idle
//! dE = job + job_idle + others + kernel + own + idle      exactly
//! ```

use super::recording::IdlePolicy;
use super::report::Ledger;
use super::units::{MicroJoules, Share, Watts};
use super::usage::WindowUsage;
use std::time::Duration;

/// What is taken for the baseline power in a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Baseline {
    /// A power that is known.
    Power(Watts),
    /// Unknown: half of the energy, the middle of all that is possible (METHOD.md, "Unknown idle power").
    Half,
}

/// A window's books: the ledger under one policy, and the job's part of the baseline under each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Books {
    /// Under the policy in force.
    pub ledger: Ledger,
    /// In [`IdlePolicy::ALL`]'s order.
    pub job_idle_by_policy: [MicroJoules; 5],
}

impl Books {
    /// Adds another window's books.
    pub fn add(&mut self, other: &Self) {
        let (sum, more) = (&mut self.ledger, &other.ledger);
        sum.measured += more.measured;
        sum.job += more.job;
        sum.job_idle += more.job_idle;
        sum.others += more.others;
        sum.unattributed += more.unattributed;
        sum.own += more.own;
        sum.idle += more.idle;
        if let Some(kernel) = more.kernel {
            *sum.kernel.get_or_insert_default() += kernel;
        }
        for (sum, more) in self.job_idle_by_policy.iter_mut().zip(other.job_idle_by_policy) {
            *sum += more;
        }
    }
}

/// Splits the energy of a window.
#[must_use]
pub fn apportion(
    energy: MicroJoules,
    elapsed: Duration,
    baseline: Baseline,
    usage: &WindowUsage,
    policy: IdlePolicy,
    allocated: Share,
) -> Books {
    let base = match baseline {
        Baseline::Power(power) => part_of(energy, power, elapsed),
        Baseline::Half => MicroJoules(energy.0 / 2),
    };
    let dynamic = MicroJoules(energy.0 - base.0);
    let mut ledger = Ledger {
        measured: energy,
        ..Ledger::default()
    };

    let weights = [usage.job, usage.others, usage.own, usage.kernel.unwrap_or(0)];
    let unclaimed = match split(dynamic.0, weights) {
        Some([job, others, own, kernel]) => {
            ledger.job = MicroJoules(job);
            ledger.others = MicroJoules(others);
            ledger.own = MicroJoules(own);
            ledger.kernel = usage.kernel.map(|_| MicroJoules(kernel));
            MicroJoules::ZERO
        }
        // Nobody ran: what was drawn above the baseline is the machine's own affair.
        None => {
            ledger.kernel = usage.kernel.map(|_| MicroJoules::ZERO);
            dynamic
        }
    };

    let job_idle_by_policy = IdlePolicy::ALL.map(|policy| job_part(base, policy, usage, allocated));
    ledger.job_idle = job_part(base, policy, usage, allocated);
    ledger.idle = MicroJoules(base.0 - ledger.job_idle.0) + unclaimed;
    Books {
        ledger,
        job_idle_by_policy,
    }
}

/// `min(energy, power * elapsed)`.
fn part_of(energy: MicroJoules, power: Watts, elapsed: Duration) -> MicroJoules {
    let base = u128::from(power.microwatts()) * elapsed.as_nanos() / 1_000_000_000;
    MicroJoules(u64::try_from(base).unwrap_or(u64::MAX).min(energy.0))
}

/// The job's part of the baseline under a policy. Never more than the baseline.
fn job_part(base: MicroJoules, policy: IdlePolicy, usage: &WindowUsage, allocated: Share) -> MicroJoules {
    /// Parts in which a share is counted; finer than any machine has CPU-milliseconds.
    const PARTS: f64 = 1e12;
    match policy {
        IdlePolicy::None => MicroJoules::ZERO,
        IdlePolicy::Capacity => fraction(base, u128::from(usage.job_ns), u128::from(usage.all_ns)),
        IdlePolicy::Allocated => fraction(base, (allocated.get() * PARTS).round() as u128, PARTS as u128),
        IdlePolicy::Busy => fraction(base, usage.job, usage.busy()),
        IdlePolicy::All => base,
    }
}

/// `floor(energy * part / whole)`, at most `energy`; nothing of an empty whole.
fn fraction(energy: MicroJoules, part: u128, whole: u128) -> MicroJoules {
    if whole == 0 {
        return MicroJoules::ZERO;
    }
    let part = multiply_divide(energy.0, part.min(whole), whole);
    MicroJoules(part.min(energy.0))
}

/// `floor(amount * part / whole)` for `part <= whole`, exact as long as the product fits, else to 64 bits of the ratio.
fn multiply_divide(amount: u64, part: u128, whole: u128) -> u64 {
    // A weight is at most thousandths of nanoseconds of all CPUs: 2^64 of them are 213 CPU-days in one window.
    let shift = 128 - whole.leading_zeros().min(127);
    let (part, whole) = if shift > 64 {
        (part >> (shift - 64), whole >> (shift - 64))
    } else {
        (part, whole)
    };
    u64::try_from(u128::from(amount) * part / whole.max(1))
        .unwrap_or(u64::MAX)
        .min(amount)
}

/// Splits `amount` by weights so that the parts add up exactly: floors first, then one to each of the largest
/// remainders (Hamilton's method). `None` when all weights are 0.
pub(super) fn split<const N: usize>(amount: u64, weights: [u128; N]) -> Option<[u64; N]> {
    split_all(amount, &weights)?.try_into().ok()
}

/// [`split`] by any number of weights.
pub(super) fn split_all(amount: u64, weights: &[u128]) -> Option<Vec<u64>> {
    let sum: u128 = weights.iter().fold(0, |sum, weight| sum.saturating_add(*weight));
    if sum == 0 {
        return None;
    }
    let shift = (128 - sum.leading_zeros()).saturating_sub(64);
    let scaled = weights.iter().map(|weight| weight >> shift);
    let sum: u128 = scaled.clone().sum::<u128>().max(1);
    let products: Vec<u128> = scaled.map(|weight| u128::from(amount) * weight).collect();
    let floor = |product: &u128| u64::try_from(product / sum).unwrap_or(u64::MAX);
    let mut parts: Vec<u64> = products.iter().map(floor).collect();
    let mut left = amount - parts.iter().sum::<u64>().min(amount);

    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(products.get(*index).map_or(0, |product| product % sum)));
    // Fewer than there are parts are left over; only those with a weight can have a remainder unless scaling dropped bits.
    for index in order {
        if left == 0 {
            break;
        }
        if let Some(part) = parts.get_mut(index) {
            *part += 1;
            left -= 1;
        }
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn usage(job: u64, others: u64, kernel: Option<u64>, own: u64, idle: u64) -> WindowUsage {
        let weight = |time: u64| u128::from(time) * 1000;
        WindowUsage {
            all_ns: job + others + kernel.unwrap_or(0) + own + idle,
            job_ns: job,
            job: weight(job),
            others: weight(others),
            kernel: kernel.map(weight),
            own: weight(own),
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    fn watts(value: f64) -> Baseline {
        Baseline::Power(Watts::new(value).unwrap())
    }

    #[test]
    fn a_job_on_a_quarter_of_the_capacity_and_half_of_the_load() {
        let usage = usage(1_000_000_000, 1_000_000_000, Some(0), 0, 2_000_000_000);
        let books = apportion(
            MicroJoules(50_000_000),
            SECOND,
            watts(20.0),
            &usage,
            IdlePolicy::Capacity,
            Share::ALL,
        );
        assert_eq!(books.ledger.job, MicroJoules(15_000_000));
        assert_eq!(books.ledger.others, MicroJoules(15_000_000));
        assert_eq!(books.ledger.job_idle, MicroJoules(5_000_000));
        assert_eq!(books.ledger.idle, MicroJoules(15_000_000));
        let by_policy = [0, 5_000_000, 20_000_000, 10_000_000, 20_000_000].map(MicroJoules);
        assert_eq!(books.job_idle_by_policy, by_policy);
    }

    #[test]
    fn with_additive_power_the_neighbour_does_not_move_the_job() {
        for others in [0, 500_000_000, 3_000_000_000_u64] {
            let busy = 1_000_000_000 + others;
            let energy = 10_000_000 + busy / 1_000 * 5;
            let usage = usage(1_000_000_000, others, Some(0), 0, 4_000_000_000 - busy);
            let books = apportion(
                MicroJoules(energy),
                SECOND,
                watts(10.0),
                &usage,
                IdlePolicy::Capacity,
                Share::ALL,
            );
            assert_eq!(books.ledger.job, MicroJoules(5_000_000));
            assert_eq!(books.ledger.job_idle, MicroJoules(2_500_000));
        }
    }

    #[test]
    fn energy_drawn_while_nobody_ran_is_nobodys() {
        let books = apportion(
            MicroJoules(1_000),
            SECOND,
            Baseline::Power(Watts::ZERO),
            &usage(0, 0, Some(0), 0, 0),
            IdlePolicy::Busy,
            Share::ALL,
        );
        assert_eq!(books.ledger.idle, MicroJoules(1_000));
        assert_eq!(books.ledger.sum(), MicroJoules(1_000));
    }

    #[test]
    fn the_last_microjoule_goes_to_the_largest_remainder() {
        assert_eq!(split(10, [1, 1, 1]), Some([4, 3, 3]));
        assert_eq!(split(11, [2, 5, 0]), Some([3, 8, 0]));
        assert_eq!(split(5, [0, 0]), None);
    }

    fn policies() -> impl Strategy<Value = IdlePolicy> {
        (0..5_usize).prop_map(|index| IdlePolicy::ALL[index])
    }

    proptest! {
        #[test]
        fn the_six_lines_add_up_to_the_microjoule_under_every_policy(
            energy in 0..=u64::MAX / 4,
            elapsed_ns in 0..=u64::MAX / 4,
            times in prop::array::uniform5(0..=1_u64 << 60),
            kernel_known: bool,
            idle_w in 0.0..5_000.0_f64,
            unknown: bool,
            allocated in 0.0..=1.0_f64,
            policy in policies(),
        ) {
            let [job, others, kernel, own, idle] = times;
            let usage = usage(job, others, kernel_known.then_some(kernel), own, idle);
            let baseline = if unknown { Baseline::Half } else { watts(idle_w) };
            let elapsed = Duration::from_nanos(elapsed_ns);
            let allocated = Share::new(allocated).unwrap();
            let books = apportion(MicroJoules(energy), elapsed, baseline, &usage, policy, allocated);
            prop_assert_eq!(books.ledger.sum(), MicroJoules(energy));
            prop_assert_eq!(books.ledger.kernel.is_some(), kernel_known);
            prop_assert_eq!(books.ledger.job_idle, books.job_idle_by_policy[policy as usize]);
            prop_assert!(books.ledger.job_total() <= MicroJoules(energy));
        }

        #[test]
        fn who_did_not_run_gets_no_dynamic_energy(energy in 0..1_u64 << 50, others in 1..1_u64 << 50) {
            let usage = usage(0, others, Some(0), 0, others);
            let books = apportion(MicroJoules(energy), SECOND, watts(0.0), &usage, IdlePolicy::None, Share::ALL);
            prop_assert_eq!(books.ledger.job, MicroJoules::ZERO);
            prop_assert_eq!(books.ledger.others, MicroJoules(energy));
        }

        #[test]
        fn splitting_a_window_keeps_the_jobs_energy(energy in 1_000..1_u64 << 40, job in 1..1_u64 << 40, rest in 1..1_u64 << 40) {
            let whole = apportion(MicroJoules(2 * energy), 2 * SECOND, watts(3.0), &usage(2 * job, 2 * rest, None, 0, 0), IdlePolicy::Capacity, Share::ALL);
            let half = apportion(MicroJoules(energy), SECOND, watts(3.0), &usage(job, rest, None, 0, 0), IdlePolicy::Capacity, Share::ALL);
            let twice = 2 * half.ledger.job_total().0;
            prop_assert!(whole.ledger.job_total().0.abs_diff(twice) <= 4);
        }
    }
}
