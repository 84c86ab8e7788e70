//! carbon-run changes nothing: every test runs real processes, and where it can, the same command without carbon-run
//! for comparison.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

#[path = "support/deadline.rs"]
mod deadline;
#[path = "launch/inheritance.rs"]
mod inheritance;
#[path = "launch/jobs.rs"]
mod jobs;
#[path = "launch/lifetime.rs"]
mod lifetime;
#[path = "support/probe.rs"]
mod probe;
#[path = "support/rights.rs"]
mod rights;
#[path = "launch/signals.rs"]
mod signals;
#[path = "launch/status.rs"]
mod status;
#[path = "support/terminal.rs"]
mod terminal;
