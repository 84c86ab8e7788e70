//! A task begins to exit. It still runs after this, so its membership stays until it is freed.
//!
//! Kernel contract: `kernel/exit.c: do_exit()` calls `trace_sched_process_exit(struct task_struct *p)` (a second
//! argument since 6.17) in the context of the exiting task, once per task.

use aya_ebpf::helpers::bpf_get_current_comm;
use aya_ebpf::helpers::generated::bpf_get_current_task_btf;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use carbon_common::{TaskState, owner};

use crate::maps::{CENSUS, PROCESSES, TASKS};
use crate::{atomic, task};

#[btf_tracepoint(function = "sched_process_exit")]
pub fn sched_process_exit(_ctx: BtfTracePointContext) -> i32 {
    let Some(TaskState { owner: job, .. }) = take_name() else {
        return 0;
    };
    if job < owner::FIRST_JOB {
        return 0;
    }
    if let Some(census) = CENSUS.get_ptr_mut(job) {
        // SAFETY: a live map value.
        unsafe { atomic::add(&raw mut (*census).exited, 1) };
    }
    0
}

/// Copies the current task's name into its process's entry, where it speaks for the process. `prctl(PR_SET_NAME)` may
/// have changed it since the last exec.
#[inline(always)]
pub fn take_name() -> Option<TaskState> {
    // SAFETY: a helper without arguments (Linux 5.11).
    let current = unsafe { bpf_get_current_task_btf() };
    let state = TASKS.get(current)?;
    // SAFETY: a live map value.
    let state = unsafe { *state };
    if state.process != 0
        && task::pid(current) == task::tgid(current)
        && let Some(entry) = PROCESSES.get_ptr_mut(&state.process)
        && let Ok(comm) = bpf_get_current_comm()
    {
        // SAFETY: a live map value; a reader that catches half a name shows half a name.
        unsafe { (*entry).comm = comm };
    }
    Some(state)
}
