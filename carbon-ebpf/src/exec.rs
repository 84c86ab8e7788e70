//! A process becomes another program: its entry in the breakdown takes the new name. Membership is untouched.
//!
//! Kernel contract: `fs/exec.c: exec_binprm()` calls `trace_sched_process_exec` in the context of the task that has
//! just taken the new program's name (`begin_new_exec` calls `__set_task_comm` before).

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;

use crate::exit::take_name;

#[btf_tracepoint(function = "sched_process_exec")]
pub fn sched_process_exec(_ctx: BtfTracePointContext) -> i32 {
    take_name();
    0
}
