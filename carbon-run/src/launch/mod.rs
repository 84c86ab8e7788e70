//! Starting the command and ending as it ended: nothing of it changed on the way.
//!
//! A [`Launch`] is prepared, [`Launch::spawn`] makes it [`Running`], and [`Running::next_event`] tells when it is
//! [`Ended`]; [`end_as`] then ends this process in the same way. From the spawn to the end every catchable signal
//! is blocked and read from a signalfd: the launcher outlives whatever is sent to it, and [`policy`] decides, without
//! touching anything, which signals the command still has to be told of.
//!
//! What the shell handed over and Rust's runtime changes before `main` is in `inherited`; the command gets it back.

mod before;
mod child;
mod failure;
mod inherited;
mod interruptions;
mod mask;
pub mod policy;
mod running;
mod shelter;
mod signals;
mod spawn;
mod status;
mod timers;

pub use failure::{SpawnError, WaitError};
pub use interruptions::Interruptions;
pub use running::{Ended, Event, Running};
pub use shelter::sheltered;
pub use spawn::Launch;
pub use status::end_as;
