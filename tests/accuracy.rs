//! Whether the figures are true: the finished binary on counters that follow a known power model, driven by what this
//! machine's CPUs really do (`tests/support/powercap_stand_in`), against the kernel's own books of the job's CPU time.
//!
//! Needs root and the cpuacct controller of cgroup version 1. Ratios only: a busy machine makes these tests slow, not wrong.

#[path = "accuracy/bracket.rs"]
mod bracket;
#[path = "accuracy/by_daemon.rs"]
mod by_daemon;
#[path = "support/charged.rs"]
mod charged;
#[path = "support/deadline.rs"]
mod deadline;
#[path = "accuracy/entangled.rs"]
mod entangled;
#[path = "accuracy/exact.rs"]
mod exact;
#[path = "accuracy/faults.rs"]
mod faults;
#[path = "accuracy/idle.rs"]
mod idle;
#[path = "accuracy/measured.rs"]
mod measured;
#[path = "accuracy/phases.rs"]
mod phases;
#[path = "accuracy/shares.rs"]
mod shares;
#[path = "accuracy/stage.rs"]
mod stage;
