//! The daemon's accounting and the daemon's meters, as one run sees them.

use crate::accounting::AccountingError;
use crate::accounting::daemon::{Daemon, Delivery, privileged_child};
use crate::meter::{Meter, Meters};
use crate::model::recording::{Backend, Declined, Domain, Note, Reading};
use crate::model::units::Moment;
use crate::settings::Settings;
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// The daemon of this machine, or the helper beside this binary, if either is to be used and answers; what is to be said of the daemon
/// otherwise.
///
/// # Errors
/// When it was asked for by name and does not answer.
pub(super) fn find(settings: &Settings) -> Result<Result<Daemon, Option<Declined>>, AccountingError> {
    match settings.accounting {
        Some(Backend::Daemon) => Ok(Ok(Daemon::connect(&settings.daemon_socket)?)),
        // Its meters are this machine's own.
        None if settings.sysroot == Path::new("/") => Ok(at_hand(settings)),
        None | Some(Backend::Ebpf | Backend::Perf | Backend::Cgroup | Backend::Procfs) => Ok(Err(None)),
    }
}

/// The daemon, else a helper with rights of its own.
fn at_hand(settings: &Settings) -> Result<Daemon, Option<Declined>> {
    let error = match Daemon::connect(&settings.daemon_socket) {
        Ok(daemon) => return Ok(daemon),
        Err(error) => error,
    };
    // Who has rights needs no helper.
    if !nix::unistd::geteuid().is_root()
        && let Some(helper) = privileged_child::beside()
        && let Ok(daemon) = privileged_child::start(&helper)
    {
        return Ok(daemon);
    }
    // Most machines have no daemon, and nothing is wrong with that.
    Err(settings.daemon_socket.exists().then(|| Declined {
        backend: Backend::Daemon,
        reason: error.to_string(),
        remedy: error.remedy().map(str::to_owned),
    }))
}

/// The daemon's meters.
pub(super) fn meters(daemon: &Daemon) -> Meters {
    let machine = daemon.machine();
    let meter = Delivered {
        domains: machine.domains.clone(),
        shortest_wrap: machine.shortest_wrap_ns.map(Duration::from_nanos),
        delivery: daemon.delivery(),
    };
    Meters {
        meters: if machine.domains.is_empty() {
            Vec::new()
        } else {
            vec![Box::new(meter)]
        },
        notes: machine.notes.clone(),
        memory_inside: machine.memory_inside,
    }
}

/// Readings that come with the daemon's samples: CPU time and meters are looked at in one place, one right after the other.
struct Delivered {
    domains: Vec<Domain>,
    shortest_wrap: Option<Duration>,
    delivery: Rc<RefCell<Delivery>>,
}

impl Meter for Delivered {
    fn domains(&self) -> &[Domain] {
        &self.domains
    }

    fn read(&mut self, _now: &mut dyn FnMut() -> Moment) -> Vec<Reading> {
        let delivery = self.delivery.borrow();
        let delivered = delivery.readings.iter().cloned();
        let missing = || Reading::Failed("the daemon did not say".to_owned());
        delivered
            .chain(std::iter::repeat_with(missing))
            .take(self.domains.len())
            .collect()
    }

    fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.delivery.borrow_mut().notes)
    }

    fn shortest_wrap(&self) -> Option<Duration> {
        self.shortest_wrap
    }
}
