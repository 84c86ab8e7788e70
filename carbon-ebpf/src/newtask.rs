//! A task is made: membership is inherited.
//!
//! Kernel contract: `kernel/fork.c: copy_process()` calls `trace_task_newtask(struct task_struct *task, u64
//! clone_flags)` (`unsigned long` before 6.17) as its last act, in the parent's context, before `wake_up_new_task`. It
//! fires for fork, vfork, clone and threads, and for io_uring and vhost workers, which `sched_process_fork` misses
//! because `create_io_thread` calls copy_process directly (seen on 6.18).

use aya_ebpf::bindings::{BPF_NOEXIST, task_struct};
use aya_ebpf::helpers::bpf_get_current_comm;
use aya_ebpf::helpers::generated::bpf_get_current_task_btf;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use carbon_common::{Process, TaskState, owner};

use crate::maps::{CENSUS, PROCESSES, SLOTS, TASKS};
use crate::{atomic, slot, task};

/// `CLONE_THREAD` (include/uapi/linux/sched.h).
const CLONE_THREAD: u64 = 0x0001_0000;

#[btf_tracepoint(function = "task_newtask")]
pub fn task_newtask(ctx: BtfTracePointContext) -> i32 {
    let child: *mut task_struct = ctx.arg(0);
    let clone_flags: u64 = ctx.arg(1);
    // SAFETY: a helper without arguments (Linux 5.11).
    let parent = unsafe { bpf_get_current_task_btf() };
    let Some(state) = TASKS.get(parent) else { return 0 };
    // SAFETY: a live map value.
    let TaskState {
        owner: parent_owner,
        heirs,
        process,
        ..
    } = unsafe { *state };
    if heirs < owner::OWN {
        return 0;
    }

    let is_thread = clone_flags & CLONE_THREAD != 0;
    let is_job = heirs >= owner::FIRST_JOB;
    // A thread shares its maker's entry, unless the maker is a launcher whose heirs are somebody else's.
    let process = match (is_job, is_thread && parent_owner == heirs) {
        (false, _) => 0,
        (true, true) => process,
        (true, false) => enter_process(child, parent, heirs),
    };

    let mut state = TaskState {
        owner: heirs,
        heirs,
        process,
        // A new task's clock stands at 0 (kernel/sched/core.c, __sched_fork).
        ran_ns: 0,
    };
    if TASKS.put(child, &mut state).is_none() {
        if let Some(census) = CENSUS.get_ptr_mut(heirs) {
            // SAFETY: a live map value.
            unsafe { atomic::add(&raw mut (*census).lost, 1) };
        }
        return 0;
    }
    if is_job && let Some(census) = CENSUS.get_ptr_mut(heirs) {
        // SAFETY: a live map value.
        unsafe { atomic::add(&raw mut (*census).tasks, 1) };
    }
    0
}

/// Gives a new process its entry in the breakdown. Returns its serial number, 0 when there is no room: totals do not
/// depend on it.
#[inline(always)]
fn enter_process(child: *const task_struct, parent: *const task_struct, job: u32) -> u64 {
    let Some(census) = CENSUS.get_ptr_mut(job) else {
        return 0;
    };
    // SAFETY: a live map value.
    unsafe { atomic::add(&raw mut (*census).processes, 1) };
    let cpu = slot::this_cpu();
    let Some(slot) = SLOTS.get_ptr_mut(cpu) else {
        return 0;
    };
    // SAFETY: a live map value. Atomically, because copy_process can be preempted between here and the next line.
    let born = unsafe { atomic::fetch_add(&raw mut (*slot).born, 1) };
    // Unique: the CPU in the low bits (CONFIG_NR_CPUS is at most 8192 on any architecture), its own count above.
    let serial = ((born + 1) << 16) | u64::from(cpu);
    let entry = Process {
        on_cpu_ns: 0,
        pid: task::tgid(child),
        parent: task::tgid(parent),
        owner: job,
        reserved: 0,
        comm: bpf_get_current_comm().unwrap_or([0; 16]),
    };
    if PROCESSES.insert(&serial, &entry, u64::from(BPF_NOEXIST)).is_err() {
        // SAFETY: a live map value.
        unsafe { atomic::add(&raw mut (*census).unlisted_processes, 1) };
        return 0;
    }
    serial
}
