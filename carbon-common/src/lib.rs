//! What the kernel side and the user side of carbon-run agree on: map names, keys, values, layouts.
//!
//! Every type is `repr(C)` of whole `u64`s and `u32` pairs, so that no padding exists for the verifier to refuse or for
//! a reader to misread; the assertions at the end hold the layouts.
#![no_std]

/// Names of the maps in the object.
pub mod map {
    /// Task storage: [`TaskState`](crate::TaskState) of every member of a job and of carbon-run itself.
    pub const TASKS: &str = "TASKS";
    /// Array by CPU, mappable: [`Slot`](crate::Slot).
    pub const SLOTS: &str = "SLOTS";
    /// Array by `cpu * owners + owner`, mappable: [`OnCpu`](crate::OnCpu).
    pub const TIMES: &str = "TIMES";
    /// Array by owner, mappable: [`Census`](crate::Census).
    pub const CENSUS: &str = "CENSUS";
    /// Hash by serial number: [`Process`](crate::Process) of every living process of a job.
    pub const PROCESSES: &str = "PROCESSES";
    /// Ring buffer of [`Process`](crate::Process): those that have ended.
    pub const DEPARTED: &str = "DEPARTED";
}

/// Names of the programs in the object.
pub mod program {
    /// BTF tracepoint `sched_switch`.
    pub const SWITCH: &str = "sched_switch";
    /// BTF tracepoint `task_newtask`.
    pub const NEWTASK: &str = "task_newtask";
    /// BTF tracepoint `sched_process_exec`.
    pub const EXEC: &str = "sched_process_exec";
    /// BTF tracepoint `sched_process_exit`.
    pub const EXIT: &str = "sched_process_exit";
    /// BTF tracepoint `sched_process_free`.
    pub const FREE: &str = "sched_process_free";
    /// Raw tracepoint program, never attached: run once on each CPU, it enters who is on.
    pub const SEED: &str = "seed";
    /// Raw tracepoint program: a CPU begins to serve a hard interrupt.
    pub const INTERRUPT_BEGINS: &str = "interrupt_begins";
    /// Raw tracepoint program: it has served it.
    pub const INTERRUPT_ENDS: &str = "interrupt_ends";
    /// Raw tracepoint program: a CPU begins to serve a soft interrupt.
    pub const SOFTIRQ_BEGINS: &str = "softirq_begins";
    /// Raw tracepoint program: it has served it.
    pub const SOFTIRQ_ENDS: &str = "softirq_ends";
}

/// Names of the read-only globals that the loader fills in.
pub mod global {
    /// `u32`: rows of a CPU in TIMES.
    pub const OWNERS: &str = "OWNERS";
    /// `u32`: offset of `flags` in this kernel's `struct task_struct`.
    pub const TASK_FLAGS: &str = "TASK_FLAGS";
    /// `u32`: offset of `pid` in this kernel's `struct task_struct`.
    pub const TASK_PID: &str = "TASK_PID";
    /// `u32`: offset of `tgid` in this kernel's `struct task_struct`.
    pub const TASK_TGID: &str = "TASK_TGID";
    /// `u32`: offset of `se.sum_exec_runtime` in this kernel's `struct task_struct`.
    pub const TASK_RAN: &str = "TASK_RAN";
    /// `u32`: offset of `se.prev_sum_exec_runtime` in this kernel's `struct task_struct`.
    pub const TASK_RAN_BEFORE: &str = "TASK_RAN_BEFORE";
    /// `u32`: offset of `se.cfs_rq` in this kernel's `struct task_struct`, or [`NOT_THERE`](super::NOT_THERE), as below.
    pub const TASK_CFS_RQ: &str = "TASK_CFS_RQ";
    /// `u32`: offset of `rq` in this kernel's `struct cfs_rq`.
    pub const CFS_RQ_RQ: &str = "CFS_RQ_RQ";
    /// `u32`: offset of `prev_steal_time_rq` in this kernel's `struct rq`.
    pub const RQ_STEAL: &str = "RQ_STEAL";
    /// `u32`: offset of `prev_irq_time` in this kernel's `struct rq`.
    pub const RQ_IRQ: &str = "RQ_IRQ";
}

/// The offset of a member that this kernel's struct does not have.
pub const NOT_THERE: u32 = u32::MAX;

/// Whose time it is. Jobs are numbered from [`owner::FIRST_JOB`].
pub mod owner {
    /// The idle task.
    pub const IDLE: u32 = 0;
    /// A user task that belongs to no job.
    pub const OTHERS: u32 = 1;
    /// A kernel thread.
    pub const KERNEL: u32 = 2;
    /// carbon-run itself.
    pub const OWN: u32 = 3;
    /// The first job; the object has room for `OWNERS - FIRST_JOB` of them.
    pub const FIRST_JOB: u32 = 4;
    /// In a [`Slot`](crate::Slot): this CPU has not been seen yet.
    pub const UNSEEN: u32 = u32::MAX;
}

/// In [`Slot::sibling`]: this CPU shares its core with no other.
pub const NO_SIBLING: u32 = u32::MAX;

/// A CPU, now. Written by that CPU alone; read under the sequence count.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// Odd while the CPU is writing. A reader takes a copy between two equal even values.
    pub sequence: u64,
    /// `CLOCK_MONOTONIC` nanoseconds at the last switch: whoever is on has been on since.
    pub since_ns: u64,
    /// Nanoseconds that this CPU was busy (not idle) up to `since_ns`.
    pub busy_ns: u64,
    /// The sibling's busy time, in-flight part included, as it stood at `since_ns`.
    pub sibling_busy_ns: u64,
    /// Serial number of the process that is on, where it is a job's; else 0.
    pub process: u64,
    /// Who is on: an [`owner`].
    pub owner: u32,
    /// The other hardware thread of this core, or [`NO_SIBLING`]. Filled in by the loader.
    pub sibling: u32,
    /// Processes that were given a serial number here.
    pub born: u64,
    /// Which task is on, by its id in the initial PID namespace: a switch away from another one shows that a switch in
    /// between was not seen.
    pub task: u32,
    /// What of `interrupts_ns` is beyond [`USUAL_INTERRUPT_NS`], stretch by stretch, in nanoseconds up to 4 s.
    pub interrupts_long_ns: u32,
    /// Nanoseconds that a hypervisor kept from this CPU, up to `since_ns`.
    pub stolen_ns: u64,
    /// The kernel's own count of stolen time, as it stood at `since_ns`.
    pub steal_clock_ns: u64,
    /// The kernel's own count of time in interrupts, as it stood at `since_ns`; 0 for ever where it keeps none.
    pub irq_clock_ns: u64,
    /// Nanoseconds in interrupts since `since_ns`, by their tracepoints. Those write it, outside the sequence count.
    pub interrupts_ns: u64,
    /// When the soft interrupt that is being served began; 0 outside one.
    pub softirq_since_ns: u64,
    /// When the hard interrupt that is being served began; 0 outside one.
    pub hardirq_since_ns: u64,
    /// Fills two cache lines.
    pub reserved: [u64; 2],
}

/// What a stretch in an interrupt takes at most, as a rule, in nanoseconds: a timer's tick takes some microseconds, on a virtual
/// machine up to twenty.
pub const USUAL_INTERRUPT_NS: u64 = 100_000;

/// Nanoseconds in interrupts without those that a hypervisor kept meanwhile, which the tracepoints' clock has in it.
///
/// A virtual CPU is taken away where it leaves the guest, and handling an interrupt is when it does: it programs the next one.
/// Where time was `stolen`, what was `long` of the interrupts was therefore stolen, as far as that goes; taken off both
/// times, it would be missing twice from who was on. Where nothing was stolen a long interrupt is one.
#[inline(always)]
#[must_use]
pub const fn interrupts_less_stolen(interrupts: u64, long: u64, stolen: u64) -> u64 {
    interrupts.saturating_sub(if long < stolen { long } else { stolen })
}

/// An owner's time on a CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnCpu {
    /// Nanoseconds with the sibling idle.
    pub alone_ns: u64,
    /// Nanoseconds with the sibling busy.
    pub shared_ns: u64,
    /// Nanoseconds in interrupts that came while this owner was on, with the sibling idle; in none of the above.
    pub interrupted_alone_ns: u64,
    /// The same with the sibling busy.
    pub interrupted_shared_ns: u64,
}

/// A job's head count, in a cache line of its own. Updated atomically.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Processes that were ever members.
    pub processes: u64,
    /// Tasks (threads included) that were ever members.
    pub tasks: u64,
    /// Tasks that have begun to exit.
    pub exited: u64,
    /// Tasks that were freed, which nobody can run any more. When that is all of [`Self::tasks`], and nobody is armed for the
    /// job, its number may be given to another.
    pub freed: u64,
    /// On-CPU nanoseconds of processes that have no entry in PROCESSES, or whose record DEPARTED had no room for.
    pub unlisted_ns: u64,
    /// Processes without an entry of their own in PROCESSES, or whose record DEPARTED had no room for.
    pub unlisted_processes: u64,
    /// Members that could not be entered: a failed map update here is time misattributed for ever.
    pub lost: u64,
    /// Fills the cache line.
    pub reserved: u64,
}

/// What a task is to us. In task storage, so it goes when the task is freed, and a reused PID inherits nothing.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskState {
    /// Whose time its time is: an [`owner`].
    pub owner: u32,
    /// Whose its children are. Differs from `owner` only while a launcher is armed.
    pub heirs: u32,
    /// Serial number of its process; 0 when there is no entry for it.
    pub process: u64,
    /// Its own clock (`se.sum_exec_runtime`, nanoseconds) when it was last seen to leave a CPU.
    pub ran_ns: u64,
}

/// A process of a job.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// On-CPU nanoseconds, all threads, up to the last switch.
    pub on_cpu_ns: u64,
    /// Process id (thread-group id) in the initial PID namespace.
    pub pid: u32,
    /// Its creator's process id.
    pub parent: u32,
    /// Whose it is: an [`owner`], at least [`owner::FIRST_JOB`].
    pub owner: u32,
    /// Makes the size a multiple of 8.
    pub reserved: u32,
    /// The kernel's name of it, NUL-padded (`TASK_COMM_LEN` is 16).
    pub comm: [u8; 16],
}

/// Room for living processes of all jobs together, unless the loader wants more; beyond it totals stay exact and the
/// breakdown says so.
pub const MAX_PROCESSES: u32 = 8192;

/// Bytes of the ring buffer of ended processes: about 18,000 of them between two readings.
pub const DEPARTED_BYTES: u32 = 1 << 20;

const _: () = {
    assert!(size_of::<Slot>() == 128 && align_of::<Slot>() == 64);
    assert!(size_of::<OnCpu>() == 32);
    assert!(size_of::<Census>() == 64);
    assert!(size_of::<TaskState>() == 24);
    assert!(size_of::<Process>() == 40);
    // A ring buffer needs a power of two of pages.
    assert!(DEPARTED_BYTES.is_power_of_two() && DEPARTED_BYTES >= 4096);
};

#[cfg(test)]
mod tests {
    use super::interrupts_less_stolen;

    #[test]
    fn what_was_stolen_in_the_middle_of_an_interrupt_is_taken_off_once() {
        // Ticks of 10 us each, one of which was held up by 5 ms.
        assert_eq!(interrupts_less_stolen(5_100_000, 4_910_000, 5_000_000), 190_000);
        assert_eq!(interrupts_less_stolen(5_100_000, 4_910_000, 5_000), 5_095_000);
    }

    #[test]
    fn what_was_stolen_from_the_task_leaves_the_interrupts_alone() {
        assert_eq!(interrupts_less_stolen(90_000, 0, 5_000_000), 90_000);
    }

    #[test]
    fn a_long_interrupt_is_one_where_nothing_was_stolen() {
        assert_eq!(interrupts_less_stolen(2_000_000, 1_900_000, 0), 2_000_000);
    }
}
