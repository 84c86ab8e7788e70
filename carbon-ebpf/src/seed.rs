//! Enters who is on a CPU at the start, so that a task which does not switch for a long time has its time from the
//! first moment on.
//!
//! Kernel contract: `BPF_PROG_TEST_RUN` of a raw-tracepoint program with `BPF_F_TEST_RUN_ON_CPU` (Linux 5.10,
//! net/bpf/test_run.c: `bpf_prog_test_run_raw_tp`) runs it on the named CPU in an inter-processor interrupt, where
//! "current" is the task that was interrupted there.

use aya_ebpf::helpers::generated::bpf_get_current_task_btf;
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;
use carbon_common::owner;

use crate::maps::SLOTS;
use crate::slot;

#[raw_tracepoint(tracepoint = "sched_switch")]
pub fn seed(_ctx: RawTracePointContext) -> i32 {
    let Some(slot) = SLOTS.get_ptr_mut(slot::this_cpu()) else {
        return 0;
    };
    // SAFETY: a live map value of this CPU.
    if unsafe { (*slot).owner } == owner::UNSEEN {
        // SAFETY: a helper without arguments (Linux 5.11).
        slot::turn(None, unsafe { bpf_get_current_task_btf() });
    }
    0
}
