//! The maps, and the numbers that the loader fills in. Sizes given as 1 are set by the loader.

use aya_ebpf::btf_maps::{Array, HashMap, RingBuf};
use aya_ebpf::macros::btf_map;
use carbon_common::{Census, DEPARTED_BYTES, MAX_PROCESSES, OnCpu, Process, Slot, TaskState};

use crate::task_storage::TaskStorage;

/// `BPF_F_MMAPABLE` (include/uapi/linux/bpf.h, Linux 5.5): the reader needs no system call per sample.
const MMAPABLE: usize = 1 << 10;

#[btf_map]
pub static TASKS: TaskStorage<TaskState> = TaskStorage::new();

#[btf_map]
pub static SLOTS: Array<Slot, 1, MMAPABLE> = Array::new();

#[btf_map]
pub static TIMES: Array<OnCpu, 1, MMAPABLE> = Array::new();

#[btf_map]
pub static CENSUS: Array<Census, 1, MMAPABLE> = Array::new();

// Preallocated: an allocation inside a scheduler tracepoint could fail, and before Linux 6.1 could deadlock.
#[btf_map]
pub static PROCESSES: HashMap<u64, Process, { MAX_PROCESSES as usize }> = HashMap::new();

#[btf_map]
pub static DEPARTED: RingBuf<Process, { DEPARTED_BYTES as usize }> = RingBuf::new();

macro_rules! filled_in_by_the_loader {
    ($(#[$doc:meta])* $name:ident, $getter:ident) => {
        $(#[$doc])*
        #[unsafe(no_mangle)]
        static $name: u32 = 0;

        $(#[$doc])*
        #[inline(always)]
        pub fn $getter() -> u32 {
            // SAFETY: a volatile read of our own static; it keeps the compiler from folding the 0 above, while the
            // verifier folds the frozen value.
            unsafe { core::ptr::read_volatile(&raw const $name) }
        }
    };
}

filled_in_by_the_loader!(
    /// Rows of a CPU in TIMES.
    OWNERS, owners
);
filled_in_by_the_loader!(
    /// Offset of `flags` in this kernel's `task_struct`.
    TASK_FLAGS, task_flags_offset
);
filled_in_by_the_loader!(
    /// Offset of `pid` in this kernel's `task_struct`.
    TASK_PID, task_pid_offset
);
filled_in_by_the_loader!(
    /// Offset of `tgid` in this kernel's `task_struct`.
    TASK_TGID, task_tgid_offset
);
filled_in_by_the_loader!(
    /// Offset of `se.sum_exec_runtime` in this kernel's `task_struct`.
    TASK_RAN, task_ran_offset
);
filled_in_by_the_loader!(
    /// Offset of `se.prev_sum_exec_runtime` in this kernel's `task_struct`.
    TASK_RAN_BEFORE, task_ran_before_offset
);
filled_in_by_the_loader!(
    /// Offset of `se.cfs_rq` in this kernel's `task_struct`, or NOT_THERE; so the three below.
    TASK_CFS_RQ, task_cfs_rq_offset
);
filled_in_by_the_loader!(
    /// Offset of `rq` in this kernel's `cfs_rq`.
    CFS_RQ_RQ, cfs_rq_rq_offset
);
filled_in_by_the_loader!(
    /// Offset of `prev_steal_time_rq` in this kernel's `rq`.
    RQ_STEAL, rq_steal_offset
);
filled_in_by_the_loader!(
    /// Offset of `prev_irq_time` in this kernel's `rq`.
    RQ_IRQ, rq_irq_offset
);
