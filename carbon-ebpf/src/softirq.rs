//! A CPU serves a soft interrupt: packets, timers, finished block I/O, whoever it happens to hit. For kernels that keep no
//! account of it themselves (see `meanwhile`).
//!
//! Kernel contract: `kernel/softirq.c: handle_softirqs()` (`__do_softirq` before 6.10) calls `trace_softirq_entry` and
//! `trace_softirq_exit` around each vector's action, with bottom halves off, so that none nests and no switch happens in
//! between; on PREEMPT_RT one can, and ends the stretch (`slot::turn`).

use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;

use crate::maps::SLOTS;
use crate::meanwhile::served;
use crate::slot;

#[raw_tracepoint(tracepoint = "softirq_entry")]
pub fn softirq_begins(_ctx: RawTracePointContext) -> i32 {
    if let Some(slot) = SLOTS.get_ptr_mut(slot::this_cpu()) {
        // SAFETY: a live map value; only this CPU writes the field.
        unsafe { (*slot).softirq_since_ns = slot::now() };
    }
    0
}

#[raw_tracepoint(tracepoint = "softirq_exit")]
pub fn softirq_ends(_ctx: RawTracePointContext) -> i32 {
    let Some(slot) = SLOTS.get_ptr_mut(slot::this_cpu()) else {
        return 0;
    };
    // SAFETY: a live map value; only this CPU writes these fields. A hard interrupt between these lines sees that a soft
    // one is being served, and adds nothing.
    let slot = unsafe { &mut *slot };
    let began = slot.softirq_since_ns;
    if began != 0 {
        served(slot, began, slot::now());
        slot.softirq_since_ns = 0;
    }
    0
}
