//! The kernel side of carbon-run: who is on which CPU, since when, and whose time that is.
//!
//! Per CPU there is one [`Slot`](carbon_common::Slot). At every context switch the time since the last one goes to the
//! owner of the task that was on, and the slot is turned over to the owner of the task that comes on. Membership of a
//! job is task storage: inherited when a task is made, gone when the task is freed. Everything else (classes, shares,
//! energy) is derived in user space.
//!
//! One scheduler hook per file; each says which kernel function it relies on.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod atomic;
mod exec;
mod exit;
mod free;
mod hardirq;
mod maps;
mod meanwhile;
mod newtask;
mod seed;
mod slot;
mod softirq;
mod switch;
mod task;
mod task_storage;

/// The verifier proves that nothing here panics; the linker still wants to be told what would happen.
#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// `bpf_task_storage_get` is offered to GPL-compatible programs only (kernel/bpf/bpf_task_storage.c, `gpl_only`).
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
