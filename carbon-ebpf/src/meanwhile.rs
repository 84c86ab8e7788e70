//! What happened on a CPU since the last turn that is nobody's who was on: interrupts, and time that a hypervisor kept.
//!
//! Kernel contract: `kernel/sched/core.c: update_rq_clock_task()`, called by `__schedule` before our tracepoint, keeps in the
//! run queue how much of the clock was stolen (`prev_steal_time_rq`, CONFIG_PARAVIRT_TIME_ACCOUNTING) and how much was spent in
//! interrupts (`prev_irq_time`, CONFIG_IRQ_TIME_ACCOUNTING, ksoftirqd's left out), and gives tasks only the rest. A task
//! leads to its run queue by `se.cfs_rq->rq` (CONFIG_FAIR_GROUP_SCHED), whatever its class: `set_task_rq()` sets it with the
//! task's CPU. Where the kernel counts no interrupts, their tracepoints do (`hardirq`, `softirq`), and then a task's own
//! clock has them in it.

use aya_ebpf::bindings::task_struct;
use carbon_common::{NOT_THERE, Slot, USUAL_INTERRUPT_NS, interrupts_less_stolen};

use crate::maps::{cfs_rq_rq_offset, rq_irq_offset, rq_steal_offset, task_cfs_rq_offset};
use crate::task::{pointer_field, wide_field};

/// The run queue's own counts, in nanoseconds since boot.
pub struct Clocks {
    pub steal: u64,
    pub irq: u64,
}

impl Clocks {
    /// Those of the CPU that `task` is on, or is coming on. 0 where the kernel keeps none.
    #[inline(always)]
    pub fn of(task: *const task_struct) -> Self {
        if task_cfs_rq_offset() == NOT_THERE || cfs_rq_rq_offset() == NOT_THERE {
            return Self { steal: 0, irq: 0 };
        }
        let rq = pointer_field(
            pointer_field(task.cast(), task_cfs_rq_offset()),
            cfs_rq_rq_offset(),
        );
        let count = |offset| {
            if offset == NOT_THERE {
                0
            } else {
                wide_field(rq, offset)
            }
        };
        Self {
            steal: count(rq_steal_offset()),
            irq: count(rq_irq_offset()),
        }
    }
}

/// What is left of `gained` without as large a part of it as `hit` is of `all`, to one part in 4096. No product overflows
/// before 52 days of it.
#[inline(always)]
pub fn without(gained: u64, hit: u64, all: u64) -> u64 {
    let part = (hit << 12) / (all | 1);
    gained - ((gained * part) >> 12).min(gained)
}

/// Adds a stretch in an interrupt that has ended.
#[inline(always)]
pub fn served(slot: &mut Slot, began: u64, now: u64) {
    let took = now.saturating_sub(began);
    slot.interrupts_ns += took;
    let long = u64::from(slot.interrupts_long_ns) + took.saturating_sub(USUAL_INTERRUPT_NS);
    slot.interrupts_long_ns = long.min(u64::from(u32::MAX)) as u32;
}

/// The time since the last turn, in nanoseconds.
pub struct Meanwhile {
    pub elapsed: u64,
    pub stolen: u64,
    pub interrupts: u64,
    /// What the clock of a task that was on all the time has gained.
    pub clocked: u64,
    /// How much of `elapsed` the sibling was busy.
    pub shared: u64,
}

impl Meanwhile {
    #[inline(always)]
    pub fn since(slot: &Slot, now: u64, clocks: &Clocks, sibling_busy: u64) -> Self {
        let elapsed = now.saturating_sub(slot.since_ns);
        // The run queue's clock is a little behind ours: what does not fit belonged to the slice before.
        let stolen = clocks.steal.saturating_sub(slot.steal_clock_ns).min(elapsed);
        let counted = clocks.irq.saturating_sub(slot.irq_clock_ns).min(elapsed - stolen);
        let clocked = elapsed - stolen - counted;
        let long = u64::from(slot.interrupts_long_ns);
        let timed = interrupts_less_stolen(slot.interrupts_ns, long, stolen);
        Self {
            elapsed,
            stolen,
            interrupts: counted + timed.min(clocked),
            clocked,
            shared: sibling_busy.saturating_sub(slot.sibling_busy_ns).min(elapsed),
        }
    }

    /// What is left for who was on.
    #[inline(always)]
    pub fn ran(&self) -> u64 {
        self.elapsed - self.stolen - self.interrupts
    }

    /// What is left of what a task's clock has gained when this stretch's interrupts, which hit it as often as whoever else
    /// was on, are taken off.
    #[inline(always)]
    pub fn ran_of(&self, gained: u64) -> u64 {
        without(gained, self.clocked - self.ran(), self.clocked)
    }

    /// How much of a part of `elapsed` was beside a busy sibling, if it was as much as of all.
    #[inline(always)]
    pub fn shared_of(&self, part: u64) -> u64 {
        if part == self.elapsed || self.shared == 0 {
            return self.shared;
        }
        // The product fits into 64 bits up to slices of 4 s; longer ones go by microseconds.
        let fine = self.elapsed >> 32 == 0;
        let shift = if fine { 0 } else { 10 };
        ((self.shared >> shift) * (part >> shift) / ((self.elapsed >> shift) | 1)) << shift
    }
}
