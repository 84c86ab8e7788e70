//! carbon-run under a real Slurm (`tests/support/local-slurm`): two nodes on this machine, jobs of a user without rights, with the
//! daemon on the node as a site would have it, and both ways in which Slurm tracks processes.
//!
//! Needs root, and Slurm's packages.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[path = "slurm/cluster.rs"]
mod cluster;
#[path = "support/deadline.rs"]
mod deadline;
#[path = "slurm/jobs.rs"]
mod jobs;
#[path = "slurm/results.rs"]
mod results;
#[path = "support/rights.rs"]
mod rights;
#[path = "slurm/signals.rs"]
mod signals;
#[path = "slurm/spank.rs"]
mod spank;
