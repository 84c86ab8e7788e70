//! Atomic additions and exchanges. rustc's BPF target offers none (`atomic_cas: false`), the instruction set has them
//! (Documentation/bpf/standardization/instruction-set.rst, "Atomic operations").

use core::arch::asm;

/// Adds to a counter that other CPUs also add to.
///
/// # Safety
/// `counter` points to an aligned `u64` in a live map value.
#[inline(always)]
pub unsafe fn add(counter: *mut u64, amount: u64) {
    // SAFETY: the caller's promise; the verifier checks the access.
    unsafe {
        asm!("lock *(u64 *)({counter} + 0) += {amount}", counter = in(reg) counter, amount = in(reg) amount)
    }
}

/// Adds to a counter and returns what it was. A full barrier (`BPF_FETCH`), since Linux 5.12.
///
/// # Safety
/// As for [`add`].
#[inline(always)]
pub unsafe fn fetch_add(counter: *mut u64, amount: u64) -> u64 {
    let mut amount = amount;
    // SAFETY: the caller's promise; the verifier checks the access.
    unsafe {
        asm!("{amount} = atomic_fetch_add((u64 *)({counter} + 0), {amount})",
             counter = in(reg) counter, amount = inout(reg) amount);
    }
    amount
}

/// Stores a value with everything before it visible before it, and everything after it after (`BPF_FETCH`: a full
/// barrier, which a plain store is not on Arm).
///
/// # Safety
/// As for [`add`].
#[inline(always)]
pub unsafe fn publish(target: *mut u64, value: u64) {
    let mut _value = value;
    // SAFETY: the caller's promise; the verifier checks the access.
    unsafe {
        asm!("{value} = xchg_64({target} + 0, {value})", target = in(reg) target, value = inout(reg) _value);
    }
}
