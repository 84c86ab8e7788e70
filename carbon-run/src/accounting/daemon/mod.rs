//! The daemon rung: the daemon's eBPF program and meters, over its socket. Full quality without any right.

mod link;
pub mod privileged_child;

use super::{Accounting, AccountingError, Closing, Sample, now, proc_files};
use crate::model::recording::{Backend, Note, Reading, UsageAfter, Whose};
use crate::model::units::Moment;
use crate::wire::{Machine, Observed, Reply, Request};
use link::Link;
use std::cell::RefCell;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// After a daemon that has gone, another try comes no sooner.
const RETRY: Duration = Duration::from_millis(200);

/// Nor after one that is there and does not answer: each try takes seconds, in which no signal is passed on.
const RETRY_STUCK: Duration = Duration::from_secs(20);

/// A daemon that has been away for so long has forgotten the job.
const GIVEN_UP: Duration = Duration::from_secs(60);

/// Why the daemon does not count.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Nobody is there.
    #[error("no daemon answers at `{socket}`: {source}")]
    Connect {
        /// Where.
        socket: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It went away, or does not answer in time.
    #[error("the daemon does not answer: {0}")]
    Gone(#[source] io::Error),
    /// It answered something else.
    #[error("the daemon's answer makes no sense")]
    Answer,
    /// It went away in the middle of a job.
    #[error("the daemon went away while the job ran")]
    Away,
    /// Another has come, which does not know the job.
    #[error("the daemon was started anew and has not kept the counts: the figures end where it went away")]
    Lost,
    /// It said no.
    #[error("the daemon refuses: {0}")]
    Refused(String),
}

impl DaemonError {
    /// What to do about it, where something can be done.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Connect { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => Some(
                "the socket is not for this user; see `SocketMode` and `SocketGroup` of carbon-run.socket",
            ),
            Self::Connect { .. } => Some("ask for `carbon-run daemon` to be run on this machine"),
            Self::Answer => Some("the daemon is of another version: restart it after an update"),
            Self::Lost => {
                Some("with a BPF file system the daemon keeps them: `mount -t bpf bpf /sys/fs/bpf`")
            }
            Self::Gone(_) | Self::Away | Self::Refused(_) => None,
        }
    }
}

/// What the daemon's meters said in the last look, until the session fetches it.
#[derive(Debug, Default)]
pub struct Delivery {
    /// One for each of the daemon's domains.
    pub readings: Vec<Reading>,
    /// What the meters have shown to be other than it was taken for.
    pub notes: Vec<Note>,
}

/// A daemon that went away.
#[derive(Debug, Clone, Copy)]
struct Away {
    since: Moment,
    /// When another was last looked for.
    tried: Option<Moment>,
    /// Whether it was there and did not answer in time.
    stuck: bool,
}

/// Whether a failure is one of somebody who is there.
fn is_stuck(error: &DaemonError) -> bool {
    match error {
        DaemonError::Gone(error) => {
            matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
        }
        DaemonError::Connect { .. }
        | DaemonError::Answer
        | DaemonError::Away
        | DaemonError::Lost
        | DaemonError::Refused(_) => false,
    }
}

/// A job of the daemon's.
pub struct Daemon {
    /// The daemon's program, or the run's own, by a helper.
    backend: Backend,
    link: Option<Link>,
    socket: PathBuf,
    machine: Machine,
    job: String,
    /// Our clock less the daemon's, which is in the initial time namespace.
    ahead_ns: i64,
    delivery: Rc<RefCell<Delivery>>,
    after: Option<UsageAfter>,
    /// The first sample, and the last one, are to be of their moment.
    first: bool,
    last: bool,
    /// Tasks that lived when the daemon last said so.
    living: u64,
    away: Option<Away>,
    notes: Vec<Note>,
}

impl Daemon {
    /// A job of the daemon that listens at `socket`.
    ///
    /// # Errors
    /// When there is none, or it refuses.
    pub fn connect(socket: &Path) -> Result<Self, DaemonError> {
        Self::with(Link::open(socket)?)
    }

    /// A job of a helper at the other end of `stream`, which serves this process alone.
    ///
    /// # Errors
    /// When it refuses.
    pub(super) fn at_hand(stream: UnixStream) -> Result<Self, DaemonError> {
        let helper = Self::with(Link::over(stream, Path::new(""))?)?;
        Ok(Self {
            backend: Backend::Ebpf,
            ..helper
        })
    }

    fn with((mut link, machine): (Link, Machine)) -> Result<Self, DaemonError> {
        let Reply::Opened { job } = link.ask(&Request::Open)? else {
            return Err(DaemonError::Answer);
        };
        Ok(Self {
            backend: Backend::Daemon,
            socket: link.socket().to_owned(),
            link: Some(link),
            machine,
            job,
            ahead_ns: proc_files::monotonic_ahead_ns(Path::new("/")),
            delivery: Rc::default(),
            after: None,
            first: true,
            last: false,
            living: 0,
            away: None,
            notes: Vec::new(),
        })
    }

    /// The machine as the daemon measures it.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Where each sample leaves what the daemon's meters said.
    #[must_use]
    pub fn delivery(&self) -> Rc<RefCell<Delivery>> {
        Rc::clone(&self.delivery)
    }

    /// Asks, and where the daemon is gone, asks the one that has taken its place.
    fn ask(&mut self, request: &Request) -> Result<Reply, DaemonError> {
        if let Some(link) = &mut self.link {
            match link.ask(request) {
                Err(error @ (DaemonError::Gone(_) | DaemonError::Answer)) => {
                    let stuck = is_stuck(&error);
                    self.link = None;
                    self.away = Some(Away {
                        since: now(),
                        tried: stuck.then(now),
                        stuck,
                    });
                }
                answer => return answer,
            }
        }
        self.reconnect()?.ask(request)
    }

    fn reconnect(&mut self) -> Result<&mut Link, DaemonError> {
        let at = now();
        let away = self.away.get_or_insert(Away {
            since: at,
            tried: None,
            stuck: false,
        });
        let pause = if away.stuck { RETRY_STUCK } else { RETRY };
        if away.tried.is_some_and(|tried| at.since(tried) < pause) {
            return Err(DaemonError::Away);
        }
        away.tried = Some(at);
        let since = away.since;
        let (mut link, machine) = match Link::open(&self.socket) {
            Ok(opened) => opened,
            Err(error) => {
                away.stuck = is_stuck(&error);
                return Err(DaemonError::Away);
            }
        };
        let job = self.job.clone();
        let resumed = link.ask(&Request::Resume { job });
        let same =
            machine.groups.len() == self.machine.groups.len() && machine.domains == self.machine.domains;
        if resumed.is_err() || !same {
            return Err(DaemonError::Lost);
        }
        self.away = None;
        self.notes.push(Note {
            code: "daemon-away".to_owned(),
            message: format!(
                "the daemon was away for {:.1} s and has gone on where it was: that time's energy is shared out as a whole",
                at.since(since).as_secs_f64()
            ),
            hint: None,
            degrades: true,
        });
        Ok(self.link.insert(link))
    }

    /// A moment of the daemon's clock on ours.
    fn here(&self, at: Moment) -> Moment {
        Moment(at.0.saturating_add_signed(self.ahead_ns))
    }

    fn reading(&self, reading: Reading) -> Reading {
        match reading {
            Reading::Ticks { ticks, at } => Reading::Ticks {
                ticks,
                at: self.here(at),
            },
            Reading::Power { microwatts, at } => Reading::Power {
                microwatts,
                at: self.here(at),
            },
            other @ (Reading::Failed(_) | Reading::Modelled) => other,
        }
    }

    fn take(&mut self, observed: Observed) -> Sample {
        let readings = observed.readings.into_iter().map(|reading| self.reading(reading));
        let readings = readings.collect();
        let mut delivery = self.delivery.borrow_mut();
        delivery.readings = readings;
        delivery.notes.extend(observed.notes);
        drop(delivery);
        self.after = observed.after.map(|after| UsageAfter {
            at: self.here(after.at),
            usage: after.usage,
        });
        Sample {
            at: self.here(observed.at),
            usage: observed.usage,
        }
    }
}

impl Accounting for Daemon {
    fn backend(&self) -> Backend {
        self.backend
    }

    fn arm(&mut self) -> Result<(), AccountingError> {
        self.ask(&Request::Arm)?;
        Ok(())
    }

    fn disarm(&mut self, _child: u32) -> Result<(), AccountingError> {
        self.ask(&Request::Disarm)?;
        Ok(())
    }

    fn adopt(&mut self, group: &Path) -> Result<(), AccountingError> {
        let Some(cgroup) = group.to_str().map(str::to_owned) else {
            return Err(AccountingError::Group("its name is not UTF-8".to_owned()));
        };
        self.ask(&Request::Adopt { cgroup })?;
        Ok(())
    }

    fn sample(&mut self) -> Result<Sample, AccountingError> {
        let now = self.first || self.last;
        match self.ask(&Request::Observe { now }) {
            Ok(Reply::Observed(observed)) => {
                self.first = false;
                Ok(self.take(*observed))
            }
            Ok(_) => Err(DaemonError::Answer.into()),
            Err(error) => Err(error.into()),
        }
    }

    fn sample_after(&mut self, _slow: bool) -> Option<Sample> {
        let UsageAfter { at, usage } = self.after.take()?;
        Some(Sample { at, usage })
    }

    fn expect_last(&mut self) {
        self.last = true;
    }

    fn members(&mut self) -> Vec<u32> {
        match self.ask(&Request::Members) {
            Ok(Reply::Members(members)) => members,
            _ => Vec::new(),
        }
    }

    fn whose(&mut self, pids: &[u32]) -> Vec<Whose> {
        let request = Request::Whose { pids: pids.to_vec() };
        match self.ask(&request) {
            Ok(Reply::Whose(whose)) if whose.len() == pids.len() => whose,
            _ => vec![Whose::default(); pids.len()],
        }
    }

    fn living(&mut self) -> u64 {
        match self.ask(&Request::Living) {
            Ok(Reply::Living(living)) => self.living = living,
            // While it may come back, nobody has been seen to end; after that nobody can be waited for.
            _ if self.away.is_some_and(|away| now().since(away.since) < GIVEN_UP) => {}
            _ => self.living = 0,
        }
        self.living
    }

    fn close(&mut self, child: u32) -> Closing {
        // What the daemon does not say is not known; why, the failed look has said.
        let mut closing = match self.ask(&Request::Close { child }) {
            Ok(Reply::Closed(closing)) => *closing,
            _ => Closing::default(),
        };
        closing.notes.append(&mut self.notes);
        closing
    }
}
