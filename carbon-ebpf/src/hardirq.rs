//! A CPU serves a hard interrupt: that time is nobody's who happened to be on. For kernels that keep no account of it
//! themselves (see `meanwhile`).
//!
//! Kernel contract: `kernel/irq/handle.c: __handle_irq_event_percpu()` calls `trace_irq_handler_entry` and
//! `trace_irq_handler_exit` around each handler, and so does `kernel/irq/chip.c: handle_percpu_devid_irq()`, Arm's timer
//! among them; on x86 the local timer has a vector of its own, with `trace_local_timer_entry` and `trace_local_timer_exit`
//! (arch/x86/kernel/apic/apic.c). All with interrupts off. Hard interrupts do not nest; they do come in the middle of soft
//! ones, which count as a whole.

use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;

use crate::maps::SLOTS;
use crate::meanwhile::served;
use crate::slot;

#[raw_tracepoint(tracepoint = "irq_handler_entry")]
pub fn interrupt_begins(_ctx: RawTracePointContext) -> i32 {
    if let Some(slot) = SLOTS.get_ptr_mut(slot::this_cpu()) {
        // SAFETY: a live map value; only this CPU writes the field, with interrupts off.
        unsafe { (*slot).hardirq_since_ns = slot::now() };
    }
    0
}

#[raw_tracepoint(tracepoint = "irq_handler_exit")]
pub fn interrupt_ends(_ctx: RawTracePointContext) -> i32 {
    let Some(slot) = SLOTS.get_ptr_mut(slot::this_cpu()) else {
        return 0;
    };
    // SAFETY: a live map value; only this CPU writes these fields, with interrupts off.
    let slot = unsafe { &mut *slot };
    let began = slot.hardirq_since_ns;
    slot.hardirq_since_ns = 0;
    if began != 0 && slot.softirq_since_ns == 0 {
        served(slot, began, slot::now());
    }
    slot::correct();
    0
}
