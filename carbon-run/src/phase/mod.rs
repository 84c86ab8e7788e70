//! The socket by which a job tells carbon-run of its phases, both ends of it.
//!
//! One datagram is one mark ([`PhaseStep::parse`]). The socket is a Unix datagram socket in a directory that is only its user's;
//! nobody waits for anybody: the reader takes what is there, and a sender whose datagram finds no room is told so by the kernel.

mod place;
mod send;
mod socket;

pub use place::NoPlace;
pub use send::{NotSent, send};
pub use socket::{Clocks, NoSocket, PhaseSocket, Refused};

#[cfg(doc)]
use crate::model::recording::PhaseStep;

/// The variable by which a job knows the socket of the run that it is in.
pub const VARIABLE: &str = "CARBON_RUN_PHASE_SOCKET";
