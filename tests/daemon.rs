//! The daemon and its clients, for real: the finished binary as root and as a user without rights, the kernel's own accounts of
//! the jobs' CPU time, and clients that mean no good.
//!
//! Needs root, for the daemon loads eBPF, and setpriv(1), unshare(1) and bash.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[path = "daemon/activation.rs"]
mod activation;
#[path = "support/deadline.rs"]
mod deadline;
#[path = "daemon/file_capabilities.rs"]
mod file_capabilities;
#[path = "daemon/fuzz.rs"]
mod fuzz;
#[path = "daemon/groups.rs"]
mod groups;
#[path = "daemon/hostile.rs"]
mod hostile;
#[path = "daemon/mpi.rs"]
mod mpi;
#[path = "daemon/raw.rs"]
mod raw;
#[path = "daemon/restart.rs"]
mod restart;
#[path = "support/rights.rs"]
mod rights;
#[path = "daemon/service.rs"]
mod service;
#[path = "daemon/users.rs"]
mod users;
