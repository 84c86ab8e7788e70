//! Turning a CPU over from one owner to the next.

use aya_ebpf::bindings::task_struct;
use aya_ebpf::helpers::generated::{bpf_get_current_task_btf, bpf_get_smp_processor_id, bpf_ktime_get_ns};
use carbon_common::{NO_SIBLING, NOT_THERE, Slot, owner};

use crate::maps::{CENSUS, PROCESSES, SLOTS, TIMES, owners, rq_irq_offset};
use crate::meanwhile::{Clocks, Meanwhile, without};
use crate::{atomic, task};

/// Tries at a consistent look at the sibling. It writes for some tens of nanoseconds at a time, longer while it is being
/// looked at, and both CPUs often switch at once: ticks come to all CPUs at the same time.
const SIBLING_TRIES: u32 = 12;

#[inline(always)]
pub fn this_cpu() -> u32 {
    // SAFETY: a helper without arguments.
    unsafe { bpf_get_smp_processor_id() }
}

#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: a helper without arguments; CLOCK_MONOTONIC, usable in any context.
    unsafe { bpf_ktime_get_ns() }
}

/// Gives the time since the last turn to who was on, and enters `next`, who is on from now. Tracepoints are called with
/// preemption off, so no switch happens meanwhile and this CPU is the slot's only writer.
///
/// `prev` leaves the CPU. Where it is not who was entered last, a switch was not seen: on a 6.18 virtual machine neither
/// this program nor the kernel's own trace saw some of the switches that the tasks' own counts of switches have. Then the
/// scheduler's clock of each task tells how long it ran: a member is given what its clock has gained since it was last
/// seen, and what was given to nobody in particular meanwhile is taken back.
#[inline(always)]
pub fn turn(prev: Option<*mut task_struct>, next: *mut task_struct) {
    let next_task = task::pid(next);
    let (next_owner, next_process) = task::owner_of(next, next_task);
    let cpu = this_cpu();
    let Some(slot) = SLOTS.get_ptr_mut(cpu) else {
        return;
    };
    let clocks = Clocks::of(next);
    let now = now();
    // SAFETY: `slot` is a live map value; only this CPU writes it, and interrupts are off.
    let slot = unsafe { &mut *slot };
    let sibling_busy = busy_of_sibling(slot, now);
    let seen = slot.owner != owner::UNSEEN;
    let meanwhile = Meanwhile::since(
        slot,
        if seen { now } else { slot.since_ns },
        &clocks,
        sibling_busy,
    );
    let Split {
        last,
        before,
        unseen,
        lead,
    } = split(slot, prev, &meanwhile);
    let unseen = uninterrupted(cpu, last.owner, unseen);

    // The sibling cannot read this slot between here and the end, and both CPUs get their ticks at the same time: only
    // what belongs together is in between.
    let sequence = slot.sequence;
    // SAFETY: a field of a live map value.
    unsafe { atomic::publish(&raw mut slot.sequence, sequence.wrapping_add(1)) };
    credit(
        cpu,
        &last,
        meanwhile.interrupts,
        meanwhile.shared_of(meanwhile.interrupts),
    );
    credit(cpu, &before, 0, 0);
    take_back(cpu, &last, unseen);
    slot.busy_ns += meanwhile.elapsed - lead - idle(&last, &before, &meanwhile);
    slot.stolen_ns += meanwhile.stolen;
    slot.steal_clock_ns = clocks.steal;
    slot.irq_clock_ns = clocks.irq;
    slot.interrupts_ns = 0;
    slot.interrupts_long_ns = 0;
    slot.softirq_since_ns = 0;
    slot.since_ns = now - lead;
    slot.sibling_busy_ns = sibling_busy - meanwhile.shared_of(lead);
    slot.process = next_process;
    slot.owner = next_owner;
    slot.task = next_task;
    // SAFETY: a field of a live map value.
    unsafe { atomic::publish(&raw mut slot.sequence, sequence.wrapping_add(2)) };

    credit_process(&Part {
        time: last.time + unseen,
        ..last
    });
    credit_process(&before);
}

/// Enters who is on this CPU, where it was not seen to come on; from an interrupt, at every tick. A task that nothing preempts
/// would stay unseen for seconds, and the energy of those be somebody else's. Its clock was last brought up to date by the
/// tick; what it has not gained yet it claims when it leaves. While what the interrupt came in the middle of is writing,
/// nothing: then at the next tick.
#[inline(always)]
pub fn correct() {
    let Some(slot) = SLOTS.get_ptr_mut(this_cpu()) else {
        return;
    };
    // SAFETY: a live map value of this CPU.
    let slot = unsafe { &*slot };
    if slot.owner == owner::UNSEEN || slot.softirq_since_ns != 0 || slot.sequence & 1 != 0 {
        return;
    }
    // SAFETY: a helper without arguments (Linux 5.11).
    let current = unsafe { bpf_get_current_task_btf() };
    if slot.task != task::pid(current) {
        turn(Some(current), current);
    }
}

/// Gives a member that will never run again what its own clock has beyond what was seen.
#[inline(always)]
pub fn settle(owner: u32, process: u64, unseen: u64) {
    let cpu = this_cpu();
    let Some(slot) = SLOTS.get_ptr_mut(cpu) else {
        return;
    };
    // SAFETY: a live map value; no switch happens on this CPU meanwhile, for RCU callbacks run with softirqs off.
    let slot = unsafe { &mut *slot };
    let unseen = uninterrupted(cpu, owner, unseen);
    let part = Part {
        owner,
        process,
        time: 0,
        shared: 0,
    };
    let sequence = slot.sequence;
    // SAFETY: a field of a live map value.
    unsafe { atomic::publish(&raw mut slot.sequence, sequence.wrapping_add(1)) };
    take_back(cpu, &part, unseen);
    // SAFETY: a field of a live map value.
    unsafe { atomic::publish(&raw mut slot.sequence, sequence.wrapping_add(2)) };
    credit_process(&Part { time: unseen, ..part });
}

/// Somebody's part of the time since the last turn.
struct Part {
    owner: u32,
    process: u64,
    time: u64,
    /// That of it which was beside a busy sibling.
    shared: u64,
}

/// The time since the last turn, split between who leaves and who was entered before.
struct Split {
    last: Part,
    before: Part,
    /// What who leaves has run beyond that, by its own clock.
    unseen: u64,
    /// The end of it that is whose comes on now.
    lead: u64,
}

/// Whose the time since the last turn is: all of it who was entered then, unless `prev` is somebody else or was away.
#[inline(always)]
fn split(slot: &Slot, prev: Option<*mut task_struct>, meanwhile: &Meanwhile) -> Split {
    let part = |owner, process, time, shared| Part {
        owner,
        process,
        time,
        shared,
    };
    let nobody = || part(owner::IDLE, 0, 0, 0);
    if slot.owner == owner::UNSEEN {
        return Split {
            last: nobody(),
            before: nobody(),
            unseen: 0,
            lead: 0,
        };
    }
    let ran = meanwhile.ran();
    let shared = meanwhile.shared_of(ran);
    let Some(prev) = prev else {
        return Split {
            last: part(slot.owner, slot.process, ran, shared),
            before: nobody(),
            unseen: 0,
            lead: 0,
        };
    };
    let pid = task::pid(prev);
    // A thread that has become its process's leader (exec) has another id than before, and the same owner.
    let expected = pid == slot.task;
    let (owner, process) = if expected {
        (slot.owner, slot.process)
    } else {
        task::owner_of(prev, pid)
    };
    let left = task::leaving(prev, owner, meanwhile, expected);
    let shared = shared - meanwhile.shared_of(left.lead).min(shared);
    let its_shared = shared.min(left.time);
    // A member that was entered and was not seen to leave will claim its time by its own clock. Where the CPU was idle
    // at last, who was entered before is taken to have slept.
    let rest = if slot.owner >= owner::FIRST_JOB || owner == owner::IDLE {
        owner::IDLE
    } else {
        slot.owner
    };
    Split {
        unseen: left.unseen,
        last: part(owner, process, left.time, its_shared),
        before: part(rest, 0, ran - left.lead - left.time, shared - its_shared),
        lead: left.lead,
    }
}

/// What of the time since the last turn the sibling need not mind. Time that is stolen from who is on is somebody's on
/// the hardware; time stolen from the idle task is not.
#[inline(always)]
fn idle(last: &Part, before: &Part, meanwhile: &Meanwhile) -> u64 {
    let mut idle = 0;
    if last.owner == owner::IDLE {
        idle += last.time + meanwhile.stolen;
    }
    if before.owner == owner::IDLE {
        idle += before.time;
    }
    idle
}

/// What a member ran of the time that its clock gained unseen. Where the kernel does not count interrupts, its clock has
/// them in it, and they are the ledger's already: they are taken to be as large a part of this as of the time of its job on this
/// CPU that was seen.
#[inline(always)]
fn uninterrupted(cpu: u32, member: u32, gained: u64) -> u64 {
    if gained == 0 || rq_irq_offset() != NOT_THERE {
        return gained;
    }
    let Some(seen) = TIMES.get_ptr_mut(cpu * owners() + member) else {
        return gained;
    };
    // SAFETY: a live map value in this CPU's row, written by this CPU alone.
    let seen = unsafe { &*seen };
    let hit = seen.interrupted_alone_ns + seen.interrupted_shared_ns;
    without(gained, hit, hit + seen.alone_ns + seen.shared_ns)
}

/// Gives `to` the time that it ran unseen, and takes it from the idle and then from the others of this CPU, who were given
/// it: a CPU's time stays the sum of everybody's.
#[inline(always)]
fn take_back(cpu: u32, to: &Part, unseen: u64) {
    if unseen == 0 {
        return;
    }
    let row = cpu * owners();
    let Some(member) = TIMES.get_ptr_mut(row + to.owner) else {
        return;
    };
    // SAFETY: a live map value in this CPU's row, written by this CPU alone.
    unsafe { (*member).alone_ns += unseen };
    let mut left = unseen;
    for owner in [owner::IDLE, owner::OTHERS] {
        let Some(times) = TIMES.get_ptr_mut(row + owner) else {
            return;
        };
        // SAFETY: as above.
        let times = unsafe { &mut *times };
        let taken = left.min(times.alone_ns);
        times.alone_ns -= taken;
        left -= taken;
    }
}

#[inline(always)]
fn credit(cpu: u32, part: &Part, interrupts: u64, interrupts_shared: u64) {
    if part.time + interrupts == 0 {
        return;
    }
    let Some(times) = TIMES.get_ptr_mut(cpu * owners() + part.owner) else {
        return;
    };
    // SAFETY: a live map value in this CPU's row, written by this CPU alone.
    let times = unsafe { &mut *times };
    times.alone_ns += part.time - part.shared;
    times.shared_ns += part.shared;
    times.interrupted_alone_ns += interrupts - interrupts_shared;
    times.interrupted_shared_ns += interrupts_shared;
}

/// The breakdown by process. Threads of one process run on several CPUs, hence atomically.
#[inline(always)]
fn credit_process(part: &Part) {
    if part.owner < owner::FIRST_JOB || part.time == 0 {
        return;
    }
    if part.process != 0
        && let Some(entry) = PROCESSES.get_ptr_mut(&part.process)
    {
        // SAFETY: a live map value.
        return unsafe { atomic::add(&raw mut (*entry).on_cpu_ns, part.time) };
    }
    if let Some(census) = CENSUS.get_ptr_mut(part.owner) {
        // SAFETY: a live map value.
        unsafe { atomic::add(&raw mut (*census).unlisted_ns, part.time) };
    }
}

/// The sibling's busy time up to `now`. The difference between two of these is how long it was busy in between, so that
/// neither CPU ever writes the other's slot.
#[inline(always)]
fn busy_of_sibling(slot: &Slot, now: u64) -> u64 {
    if slot.sibling == NO_SIBLING {
        return slot.sibling_busy_ns;
    }
    let Some(sibling) = SLOTS.get_ptr_mut(slot.sibling) else {
        return slot.sibling_busy_ns;
    };
    for _ in 0..SIBLING_TRIES {
        // SAFETY: volatile reads of aligned fields of a live map value, which another CPU may be writing; the sequence
        // count tells.
        let (before, busy, since, who, after) = unsafe {
            (
                core::ptr::read_volatile(&raw const (*sibling).sequence),
                core::ptr::read_volatile(&raw const (*sibling).busy_ns),
                core::ptr::read_volatile(&raw const (*sibling).since_ns),
                core::ptr::read_volatile(&raw const (*sibling).owner),
                core::ptr::read_volatile(&raw const (*sibling).sequence),
            )
        };
        if before == after && before & 1 == 0 {
            let in_flight = if who == owner::IDLE || who == owner::UNSEEN {
                0
            } else {
                now.saturating_sub(since)
            };
            return busy + in_flight;
        }
    }
    // The sibling is switching, and a hypervisor may hold it there. Who is coming on or going off it stands for the slice.
    // SAFETY: a volatile read of an aligned field of a live map value.
    let who = unsafe { core::ptr::read_volatile(&raw const (*sibling).owner) };
    let slice = if who == owner::IDLE || who == owner::UNSEEN {
        0
    } else {
        now.saturating_sub(slot.since_ns)
    };
    slot.sibling_busy_ns + slice
}
