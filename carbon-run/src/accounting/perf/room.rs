//! Room for one descriptor per CPU where few are allowed, without the job noticing.
//!
//! The limit counts only when a descriptor is made (getrlimit(2)): it is raised while the events are opened, which
//! needs no right up to the hard limit, and is the old one again before anything is started. The events are moved above
//! the old limit, so that what it allows is left to carbon-run's other files.

use super::event::Event;
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use std::io;

/// Descriptors that are left to everything else.
const SPARE: u64 = 128;

/// The limit on open files, raised until dropped.
pub(super) struct Room {
    before: (rlim_t, rlim_t),
    /// The lowest number for an event; `None` where nothing had to be raised.
    lowest: Option<i32>,
}

impl Room {
    /// Makes room for so many events.
    pub(super) fn make(events: usize) -> io::Result<Self> {
        let before = getrlimit(Resource::RLIMIT_NOFILE)?;
        let (soft, hard) = before;
        let wanted = soft.saturating_add(events as u64);
        if soft >= SPARE.saturating_add(events as u64) {
            return Ok(Self { before, lowest: None });
        }
        if wanted > hard {
            return Err(io::Error::other(format!(
                "needs {events} more open files than the limit of {soft}, and at most {hard} are allowed"
            )));
        }
        let lowest = i32::try_from(soft).map_err(io::Error::other)?;
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard)?;
        Ok(Self {
            before,
            lowest: Some(lowest),
        })
    }

    /// Opens an event and puts it out of the way.
    pub(super) fn open(&self, cpu: u32) -> io::Result<Event> {
        let event = Event::open(Some(cpu))?;
        match self.lowest {
            Some(lowest) => event.lifted(lowest),
            None => Ok(event),
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let (soft, hard) = self.before;
        if self.lowest.is_some()
            && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, soft, hard)
        {
            // Lowering a limit needs no right.
            tracing::warn!(%error, "the limit on open files stays raised");
        }
    }
}
