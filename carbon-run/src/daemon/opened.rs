//! Everything that takes a right: the program, the counters, and what a predecessor has left.

use super::jobs::Book;
use super::kept::Kept;
use super::look::Looks;
use super::service::Service;
use super::{DaemonFailure, Options, PROCESSES};
use crate::accounting::ebpf::{Continued, EbpfError, Jobs, Room, pidfd};
use crate::accounting::{in_initial_pid_namespace, now};
use crate::host;
use crate::meter::{self, Meters};
use crate::model::recording::CpuGroup;
use crate::wire::{Machine, VERSION};
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// What was opened while there was a right to.
pub(super) struct Opened {
    pub(super) service: Service,
    /// Held while we count there.
    pub(super) alone: Option<Flock<File>>,
}

pub(super) fn open(options: &Options, directory: Option<PathBuf>) -> Result<Opened, DaemonFailure> {
    if !in_initial_pid_namespace() {
        return Err(DaemonFailure::Namespace);
    }
    let topology = host::topology(&options.sysroot)?;
    let meters = meter::open(&options.sysroot, &topology.groups);
    let own = pidfd::own().map_err(DaemonFailure::system("cannot find myself"))?;
    let room = Room {
        jobs: options.jobs,
        processes: PROCESSES,
    };
    let kept = match (&options.pins, &directory) {
        (Some(_), Some(directory)) => {
            Some(Kept::open(directory).map_err(DaemonFailure::system("cannot keep jobs beside the socket"))?)
        }
        _ => None,
    };
    let alone = options.pins.as_deref().and_then(alone_in);
    let places = options
        .pins
        .as_deref()
        .zip(kept.as_ref())
        .filter(|_| alone.is_some());
    let pinned = match places {
        Some((pins, _)) => {
            match Jobs::start_pinned(&topology.groups, &topology.siblings, room, own.as_fd(), pins) {
                Ok(started) => Some(started),
                Err(error @ EbpfError::Pin { .. }) => {
                    tracing::warn!(%error, hint = error.remedy(), "counting ends with this daemon");
                    None
                }
                Err(error) => return Err(error.plain().into()),
            }
        }
        None => None,
    };
    let survives_restart = pinned.is_some();
    let (jobs, continued) = match pinned {
        Some(started) => started,
        None => {
            let jobs = Jobs::start(&topology.groups, &topology.siblings, room, own.as_fd())
                .map_err(EbpfError::plain)?;
            (jobs, Continued::No)
        }
    };
    let kept = kept.filter(|_| survives_restart);
    if let (Some(kept), Continued::No) = (&kept, continued) {
        kept.clear();
    }
    let mut book = Book::new(
        jobs,
        kept,
        usize::try_from(options.jobs_per_user).unwrap_or(usize::MAX),
    );
    if continued == Continued::Yes {
        book.go_on(now());
    }
    let machine = machine(&meters, topology.groups, survives_restart);
    Ok(Opened {
        service: Service::new(machine, Looks::new(meters, now), book),
        alone: alone.filter(|_| survives_restart),
    })
}

/// A directory that two daemons must not count in; `None`, and said why, where another does, or where there can be none. A lock on the
/// directory itself, for a BPF file system has no files that could hold one.
fn alone_in(pins: &Path) -> Option<Flock<File>> {
    let opened = std::fs::create_dir_all(pins).and_then(|()| File::open(pins));
    let directory = match opened {
        Ok(directory) => directory,
        Err(source) => {
            let error = EbpfError::Pin {
                path: pins.to_owned(),
                source,
            };
            tracing::warn!(%error, hint = error.remedy(), "counting ends with this daemon");
            return None;
        }
    };
    match Flock::lock(directory, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Some(lock),
        Err(_) => {
            tracing::warn!(
                "another daemon keeps its counts in `{}`: counting ends with this daemon",
                pins.display()
            );
            None
        }
    }
}

fn machine(meters: &Meters, groups: Vec<CpuGroup>, survives_restart: bool) -> Machine {
    Machine {
        version: VERSION,
        carbon_run_version: env!("CARGO_PKG_VERSION").to_owned(),
        groups,
        domains: meters.domains(),
        notes: meters.notes.clone(),
        memory_inside: meters.memory_inside,
        shortest_wrap_ns: meters
            .shortest_wrap()
            .and_then(|wrap| u64::try_from(wrap.as_nanos()).ok()),
        coarse_uj: None,
        survives_restart,
    }
}
