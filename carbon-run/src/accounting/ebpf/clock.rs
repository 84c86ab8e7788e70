//! A consistent look at a CPU's time, with the time in flight credited to who is on.

use super::mapped::Mapped;
use carbon_common::{NO_SIBLING, OnCpu, Slot, owner};

/// Tries at a consistent look at a CPU. It writes for some tens of nanoseconds per switch, so the second look succeeds
/// nearly always; after this many the CPU is switching faster than we can read, and the last look is off by one slice.
const TRIES: u32 = 1000;

/// The time counters of all CPUs.
pub(super) struct Clocks {
    pub(super) slots: Mapped<Slot>,
    pub(super) times: Mapped<OnCpu>,
    /// Rows of a CPU in `times`.
    pub(super) owners: u32,
    /// By how much our clock is ahead of the kernel side's: not 0 in a time namespace of its own (time_namespaces(7)).
    pub(super) ahead_ns: i64,
}

/// A CPU at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CpuNow {
    /// When, nanoseconds of the initial time namespace's `CLOCK_MONOTONIC`.
    pub(super) at: u64,
    /// The slot as it was.
    pub(super) slot: Slot,
    /// The owners' times, the one in flight included.
    pub(super) times: Vec<OnCpu>,
    /// How much of that was in flight.
    pub(super) in_flight: u64,
}

impl Clocks {
    /// Now by the clock of `bpf_ktime_get_ns`, which knows no namespaces.
    fn kernels_ns(&self) -> u64 {
        monotonic_ns().saturating_add_signed(-self.ahead_ns)
    }

    /// Looks at `cpu`, at its first `rows` owners; `None` when it has never been seen (offline), or does not exist.
    pub(super) fn look(&self, cpu: u32, rows: u32) -> Option<CpuNow> {
        let mut last = None;
        for _ in 0..TRIES {
            let slot = self.slots.get(cpu)?;
            if slot.owner == owner::UNSEEN {
                return None;
            }
            let times: Vec<OnCpu> = (0..rows.min(self.owners))
                .filter_map(|row| self.times.get(cpu * self.owners + row))
                .collect();
            let sibling_busy = self.busy_of_sibling(&slot);
            let at = self.kernels_ns();
            let now = in_flight(slot, times, sibling_busy, at);
            // `at` was read while the slot did not change: whoever is in it was on at that moment.
            if slot.sequence & 1 == 0 && self.slots.word(cpu, 0) == Some(slot.sequence) {
                return Some(now);
            }
            last = Some(now);
        }
        last
    }

    /// The sibling's busy time up to now, as the kernel side counts it.
    fn busy_of_sibling(&self, slot: &Slot) -> u64 {
        if slot.sibling == NO_SIBLING {
            return slot.sibling_busy_ns;
        }
        for _ in 0..TRIES {
            let Some(sibling) = self.slots.get(slot.sibling) else {
                break;
            };
            let at = self.kernels_ns();
            if sibling.sequence & 1 == 0 && self.slots.word(slot.sibling, 0) == Some(sibling.sequence) {
                let busy = sibling.owner != owner::IDLE && sibling.owner != owner::UNSEEN;
                return sibling.busy_ns
                    + if busy {
                        at.saturating_sub(sibling.since_ns)
                    } else {
                        0
                    };
            }
        }
        slot.sibling_busy_ns
    }
}

/// Credits the time since the last switch to who is on, as the kernel side will do at the next switch. Only what was stolen
/// meanwhile, or spent in interrupts where the kernel counts them itself, is not known before that.
fn in_flight(slot: Slot, mut times: Vec<OnCpu>, sibling_busy: u64, at: u64) -> CpuNow {
    let elapsed = at.saturating_sub(slot.since_ns);
    let interrupts = slot.interrupts_ns.min(elapsed);
    let ran = elapsed - interrupts;
    let shared = sibling_busy.saturating_sub(slot.sibling_busy_ns).min(elapsed);
    let shared_ran = match elapsed {
        0 => 0,
        _ => u64::try_from(u128::from(shared) * u128::from(ran) / u128::from(elapsed)).unwrap_or(ran),
    };
    if let Some(row) = times.get_mut(slot.owner as usize) {
        row.alone_ns += ran - shared_ran;
        row.shared_ns += shared_ran;
        row.interrupted_alone_ns += interrupts - (shared - shared_ran);
        row.interrupted_shared_ns += shared - shared_ran;
    }
    CpuNow {
        at,
        slot,
        times,
        in_flight: ran,
    }
}

impl CpuNow {
    /// The idle task's time.
    pub(super) fn idle_ns(&self) -> u64 {
        let idle = self.times.get(owner::IDLE as usize).copied().unwrap_or_default();
        idle.alone_ns + idle.shared_ns
    }
}

/// `CLOCK_MONOTONIC` in nanoseconds, as this process sees it.
pub(super) fn monotonic_ns() -> u64 {
    crate::accounting::now().0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_in_flight_goes_to_who_is_on_and_splits_by_the_siblings_busy_time() {
        let slot = Slot {
            since_ns: 1_000,
            sibling_busy_ns: 50,
            owner: 4,
            sibling: 1,
            ..Slot::default()
        };
        let now = in_flight(slot, vec![OnCpu::default(); 5], 350, 2_000);
        assert_eq!(
            now.times[4],
            OnCpu {
                alone_ns: 700,
                shared_ns: 300,
                ..OnCpu::default()
            }
        );
        assert_eq!(now.in_flight, 1_000);
    }

    #[test]
    fn interrupts_in_flight_are_nobodys_who_is_on_and_split_like_the_rest() {
        let slot = Slot {
            since_ns: 1_000,
            interrupts_ns: 200,
            owner: 4,
            sibling: 1,
            ..Slot::default()
        };
        let now = in_flight(slot, vec![OnCpu::default(); 5], 500, 2_000);
        assert_eq!(
            now.times[4],
            OnCpu {
                alone_ns: 400,
                shared_ns: 400,
                interrupted_alone_ns: 100,
                interrupted_shared_ns: 100,
            }
        );
    }

    #[test]
    fn a_clock_that_seems_to_run_backwards_between_cpus_gives_no_time() {
        let slot = Slot {
            since_ns: 2_000,
            owner: 0,
            sibling: NO_SIBLING,
            ..Slot::default()
        };
        let now = in_flight(slot, vec![OnCpu::default(); 5], 0, 1_999);
        assert_eq!(now.times[0], OnCpu::default());
    }
}
