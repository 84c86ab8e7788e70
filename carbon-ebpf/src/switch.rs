//! A CPU changes hands.
//!
//! Kernel contract: `kernel/sched/core.c: __schedule()` calls
//! `trace_sched_switch(bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int prev_state)` with
//! interrupts off and the run queue locked, before `context_switch`. `prev` and `next` are arguments 1 and 2 since Linux
//! 3.x; `prev_state` was appended in 5.18. Every switch counts, whatever the state of `prev`: a slice that ends in sleep
//! was run, too.

use aya_ebpf::bindings::task_struct;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;

use crate::slot;

#[btf_tracepoint(function = "sched_switch")]
pub fn sched_switch(ctx: BtfTracePointContext) -> i32 {
    let prev: *mut task_struct = ctx.arg(1);
    let next: *mut task_struct = ctx.arg(2);
    slot::turn(Some(prev), next);
    0
}
