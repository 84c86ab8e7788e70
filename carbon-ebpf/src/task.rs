//! What is read of a `task_struct`, by offsets that the loader took from this kernel's BTF.

use aya_ebpf::bindings::task_struct;
use carbon_common::{TaskState, owner};

use crate::maps::{
    TASKS, task_flags_offset, task_pid_offset, task_ran_before_offset, task_ran_offset, task_tgid_offset,
};
use crate::meanwhile::Meanwhile;

/// `PF_KTHREAD` (include/linux/sched.h): a kernel thread. io_uring and vhost workers are not: they belong to their user.
const PF_KTHREAD: u32 = 0x0020_0000;

/// Reads a `u32` field. The verifier checks the offset against the kernel's own type.
#[inline(always)]
fn field(task: *const task_struct, offset: u32) -> u32 {
    // SAFETY: `task` is a trusted BTF pointer; the load is checked by the verifier, and faults read as 0.
    unsafe { core::ptr::read_volatile(task.cast::<u8>().add(offset as usize).cast::<u32>()) }
}

/// Reads a `u64` field of a kernel struct.
#[inline(always)]
pub fn wide_field<T>(of: *const T, offset: u32) -> u64 {
    // SAFETY: as in `field`.
    unsafe { core::ptr::read_volatile(of.cast::<u8>().add(offset as usize).cast::<u64>()) }
}

/// Reads a field that points to another kernel struct. The verifier follows the kernel's own types.
#[inline(always)]
pub fn pointer_field(of: *const u8, offset: u32) -> *const u8 {
    // SAFETY: as in `field`.
    unsafe { core::ptr::read_volatile(of.add(offset as usize).cast::<*const u8>()) }
}

#[inline(always)]
pub fn pid(task: *const task_struct) -> u32 {
    field(task, task_pid_offset())
}

#[inline(always)]
pub fn tgid(task: *const task_struct) -> u32 {
    field(task, task_tgid_offset())
}

/// How long the task that leaves the CPU has been on, by the scheduler's own clock: `put_prev_task` has just brought
/// `se.sum_exec_runtime` up to date, and `se.prev_sum_exec_runtime` is what it was when the task came on
/// (kernel/sched/fair.c, `set_next_entity`; for a real-time task it is older, and the slice seems longer).
#[inline(always)]
pub fn slice(task: *const task_struct) -> u64 {
    wide_field(task, task_ran_offset()).saturating_sub(wide_field(task, task_ran_before_offset()))
}

/// Whose time the time of this task, with this id, is, and the serial number of its process in the breakdown (0: none).
#[inline(always)]
pub fn owner_of(task: *mut task_struct, pid: u32) -> (u32, u64) {
    // Every CPU's idle task has PID 0 (init/init_task.c, kernel/fork.c fork_idle).
    if pid == 0 {
        return (owner::IDLE, 0);
    }
    if field(task, task_flags_offset()) & PF_KTHREAD != 0 {
        return (owner::KERNEL, 0);
    }
    match TASKS.get(task) {
        // SAFETY: a non-null map value, alive for the run of this program.
        Some(state) => unsafe { ((*state).owner, (*state).process) },
        None => (owner::OTHERS, 0),
    }
}

/// How much earlier than our switch the clock of who comes on can have begun. A wake-up that is to take the CPU brings the run
/// queue's clock up to date, and `__schedule` then goes by that (kernel/sched/core.c, `wakeup_preempt`:
/// `rq_clock_skip_update`): the clock of who leaves ends there, and the next one's begins, while the interrupt goes on. On virtual
/// machines that is 7 to 31 us as a mean, and 94 us were seen. Whose clock is shorter than that by more was away.
const LEAD_NS: u64 = 250_000;

/// What a member's clock has to gain unseen to be worth a claim.
const SLACK_NS: u64 = 1_000;

/// A task that leaves a CPU.
pub struct Leaving {
    /// Its part of the time since the last turn, in nanoseconds.
    pub time: u64,
    /// What it ran beyond that, by its own clock, since it was last seen: a member may have come and gone unseen.
    pub unseen: u64,
    /// How long before now its clock has ended, and the next one's begun.
    pub lead: u64,
}

/// How long a task of that owner, which leaves, ran by its own clock, which `put_prev_task` has just brought up to date. What was left to
/// run since the last turn is all this task's where it was `expected`, less the lead of who comes. The idle task has no clock.
#[inline(always)]
pub fn leaving(task: *mut task_struct, owner: u32, meanwhile: &Meanwhile, expected: bool) -> Leaving {
    let ran = meanwhile.ran();
    let mut leaving = Leaving {
        time: ran,
        unseen: 0,
        lead: 0,
    };
    match owner {
        owner::IDLE if expected => {}
        owner::IDLE => leaving.time = 0,
        owner::KERNEL | owner::OTHERS | owner::OWN => {
            let clock = slice(task);
            if expected {
                leaving.lead = lead(clock, meanwhile);
                leaving.time = ran - leaving.lead;
            } else {
                leaving.time = clock.min(ran);
            }
        }
        _ => {
            let Some(state) = TASKS.get(task) else {
                return leaving;
            };
            // SAFETY: a live map value; only who takes this task off a CPU writes these fields.
            let state = unsafe { &mut *state };
            let gained = gain(task, state);
            // Interrupts that the kernel does not count are in the clock of whom they hit.
            let own = meanwhile.ran_of(gained).min(ran);
            if !expected {
                leaving.time = own;
            } else if meanwhile.clocked.saturating_sub(gained) <= LEAD_NS {
                leaving.lead = lead(gained, meanwhile);
                leaving.time = ran - leaving.lead;
            } else {
                // It left and came back unseen.
                leaving.time = own;
            }
            let expectable = leaving.time + (meanwhile.clocked - ran);
            leaving.unseen = beyond_slack(gained.saturating_sub(expectable));
        }
    }
    leaving
}

/// How long before now this clock has ended, of a task that was on since the last turn.
#[inline(always)]
fn lead(clock: u64, meanwhile: &Meanwhile) -> u64 {
    let lead = meanwhile.clocked.saturating_sub(clock);
    if lead > LEAD_NS {
        0
    } else {
        lead.min(meanwhile.ran())
    }
}

/// What a member that will never run again has run unseen.
#[inline(always)]
pub fn unclaimed(task: *mut task_struct, state: &mut TaskState) -> u64 {
    beyond_slack(gain(task, state))
}

#[inline(always)]
fn beyond_slack(unseen: u64) -> u64 {
    if unseen > SLACK_NS { unseen } else { 0 }
}

/// What a member's own clock has gained since the last time this was asked.
#[inline(always)]
fn gain(task: *mut task_struct, state: &mut TaskState) -> u64 {
    let ran = wide_field(task, task_ran_offset());
    let gained = ran.saturating_sub(state.ran_ns);
    state.ran_ns = ran;
    gained
}
