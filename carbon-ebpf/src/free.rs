//! A task is freed: nothing of it can run any more, so a process's entry is final.
//!
//! Kernel contract: `kernel/exit.c: delayed_put_task_struct()`, an RCU callback, calls
//! `trace_sched_process_free(struct task_struct *p)` before the last reference is dropped; task storage goes with that
//! (`kernel/fork.c: __put_task_struct -> bpf_task_storage_free`). A thread-group leader is released after all its
//! threads. When another thread execs, `de_thread` has swapped the PIDs (`kernel/pid.c: exchange_tids`), so the old
//! leader is no leader here and the entry lives on.

use aya_ebpf::bindings::{BPF_RB_NO_WAKEUP, task_struct};
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use carbon_common::{Process, owner};

use crate::maps::{CENSUS, DEPARTED, PROCESSES, TASKS};
use crate::{atomic, slot, task};

#[btf_tracepoint(function = "sched_process_free")]
pub fn sched_process_free(ctx: BtfTracePointContext) -> i32 {
    let dead: *mut task_struct = ctx.arg(0);
    let Some(state) = TASKS.get(dead) else {
        return 0;
    };
    // SAFETY: a live map value of a task that nobody runs any more.
    let state = unsafe { &mut *state };
    let (owner, serial) = (state.owner, state.process);
    if owner < owner::FIRST_JOB {
        return 0;
    }
    // Its last switch may not have been seen.
    let unseen = task::unclaimed(dead, state);
    if unseen > 0 {
        slot::settle(owner, serial, unseen);
    }
    if let Some(census) = CENSUS.get_ptr_mut(owner) {
        // SAFETY: a live map value.
        unsafe { atomic::add(&raw mut (*census).freed, 1) };
    }
    if serial == 0 || task::pid(dead) != task::tgid(dead) {
        return 0;
    }
    let Some(entry) = PROCESSES.get_ptr_mut(&serial) else {
        return 0;
    };
    // SAFETY: a live map value; nobody adds to it any more.
    let record: Process = unsafe { *entry };
    // The reader looks at every tick; waking it for each process would cost more than the process.
    if DEPARTED.output(&record, u64::from(BPF_RB_NO_WAKEUP)).is_err() {
        keep_in_the_lump(&record);
    }
    let _ = PROCESSES.remove(&serial);
    0
}

/// The ring is full: the record is lost, its time is not.
#[inline(always)]
fn keep_in_the_lump(record: &Process) {
    if let Some(census) = CENSUS.get_ptr_mut(record.owner) {
        // SAFETY: a live map value.
        unsafe { atomic::add(&raw mut (*census).unlisted_ns, record.on_cpu_ns) };
        // SAFETY: as above.
        unsafe { atomic::add(&raw mut (*census).unlisted_processes, 1) };
    }
}
