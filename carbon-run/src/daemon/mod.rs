//! The privileged service: one eBPF program and one sampler for all jobs of all users of a machine, over a Unix socket
//! ([`crate::wire`]). SECURITY.md says what it defends against, and how.

mod budget;
mod connection;
mod jobs;
mod kept;
mod listen;
mod look;
mod opened;
mod peer;
mod rights;
mod service;

use crate::accounting::ebpf::{EbpfError, unpin};
use crate::accounting::now;
use crate::host::HostError;
use budget::Budget;
use connection::Shared;
pub use listen::ListenError;
use listen::Listener;
use opened::{Opened, open};
use peer::Peer;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

/// How often ended processes are taken in and numbers given back: the ring has room for 18,000 of them.
const TICK: Duration = Duration::from_millis(250);

/// Living processes of all jobs together that are told of one by one.
const PROCESSES: u32 = 65_536;

/// Connections beyond those of jobs: `doctor`, `status`, who has just come.
const SPARE: usize = 64;

/// How the daemon is to be run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens, unless its starter hands it a socket (sd_listen_fds(3)).
    pub socket: PathBuf,
    /// Where, in a BPF file system, the program is kept over a restart; `None`: nowhere.
    pub pins: Option<PathBuf>,
    /// Hardware files are read from `sys` and `proc` in here.
    pub sysroot: PathBuf,
    /// Jobs at a time.
    pub jobs: u32,
    /// Jobs of one user at a time, other than root's.
    pub jobs_per_user: u32,
}

/// Why the daemon is not running.
#[derive(Debug, thiserror::Error)]
pub enum DaemonFailure {
    /// No socket.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// No accounting.
    #[error(transparent)]
    Ebpf(#[from] EbpfError),
    /// No CPUs.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The kernel side speaks the initial PID namespace's numbers, which are others' here.
    #[error("the daemon cannot tell processes from here: it is in a PID namespace of its own")]
    Namespace,
    /// Anything else.
    #[error("{what}: {source}")]
    System {
        /// What failed.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl DaemonFailure {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Listen(error) => error.hint().map(str::to_owned),
            Self::Ebpf(EbpfError::Denied) => {
                Some("the daemon needs root, or CAP_BPF and CAP_PERFMON".to_owned())
            }
            Self::Ebpf(error) => error.remedy().map(str::to_owned),
            Self::Namespace => Some(
                "run it on the host, or in a container with the host's processes (`--pid=host`)".to_owned(),
            ),
            Self::Host(_) | Self::System { .. } => None,
        }
    }

    fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}

/// Serves until it is told to stop. `ready` is called once, when clients may come.
///
/// # Errors
/// When it cannot begin to serve.
pub fn serve(options: &Options, ready: impl FnOnce()) -> Result<(), DaemonFailure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(DaemonFailure::system("cannot wait for clients"))?;
    let _inside = runtime.enter();
    let listener = Listener::open(&options.socket)?;
    let opened = open(options, listener.directory())?;
    rights::drop_all_but_maps().map_err(DaemonFailure::system("cannot give up rights"))?;
    let Opened { service, alone } = opened;
    let shared = Rc::new(Shared {
        service: RefCell::new(service),
        work: RefCell::new(Budget::new(connection::WORK)),
        clock: now,
    });
    ready();
    let limit = Limit {
        all: usize::try_from(options.jobs)
            .unwrap_or(usize::MAX)
            .saturating_add(SPARE),
        per_user: usize::try_from(options.jobs_per_user)
            .unwrap_or(usize::MAX)
            .saturating_add(SPARE),
    };
    LocalSet::new().block_on(&runtime, attend(&shared, &listener, limit))?;
    listener.close();
    if let Some(pins) = &options.pins
        && alone.is_some()
        && !shared.service.borrow().has_jobs()
    {
        unpin(pins);
    }
    Ok(())
}

/// Serves whoever is at the other end of standard input, which is a socket, until it goes: the helper of one run. Nothing of the
/// environment or the command line counts, for it may be started by anybody with any.
///
/// # Errors
/// When it cannot begin to serve.
pub fn serve_stdin() -> Result<(), DaemonFailure> {
    let failed = || DaemonFailure::system("standard input is no socket");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(DaemonFailure::system("cannot wait for requests"))?;
    let _inside = runtime.enter();
    let stdin = io::stdin().as_fd().try_clone_to_owned().map_err(failed())?;
    let stream = std::os::unix::net::UnixStream::from(stdin);
    let peer = Peer::of(&stream).map_err(failed())?;
    stream.set_nonblocking(true).map_err(failed())?;
    let stream = tokio::net::UnixStream::from_std(stream).map_err(failed())?;
    let options = Options {
        socket: PathBuf::new(),
        pins: None,
        sysroot: PathBuf::from("/"),
        jobs: 1,
        jobs_per_user: 1,
    };
    let opened = open(&options, None)?;
    rights::drop_all_but_maps().map_err(DaemonFailure::system("cannot give up rights"))?;
    let shared = Rc::new(Shared {
        service: RefCell::new(opened.service),
        work: RefCell::new(Budget::new(connection::WORK)),
        clock: now,
    });
    LocalSet::new().block_on(&runtime, async {
        let mut tick = tokio::time::interval(TICK);
        let served = connection::serve(Rc::clone(&shared), stream, peer);
        tokio::pin!(served);
        loop {
            tokio::select! {
                () = &mut served => return,
                _ = tick.tick() => shared.service.borrow_mut().tick(now()),
            }
        }
    });
    Ok(())
}

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
struct Limit {
    all: usize,
    per_user: usize,
}

async fn attend(shared: &Rc<Shared>, listener: &Listener, limit: Limit) -> Result<(), DaemonFailure> {
    let failed = || DaemonFailure::system("cannot wait for signals");
    let mut terminate = signal(SignalKind::terminate()).map_err(failed())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed())?;
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // By user: how many connections.
    let connected: Rc<RefCell<BTreeMap<u32, usize>>> = Rc::default();
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = tick.tick() => shared.service.borrow_mut().tick((shared.clock)()),
            accepted = listener.accept() => {
                let stream = match accepted {
                    Ok(stream) => stream,
                    Err(error) => {
                        // Out of descriptors, most likely: those who are here go on.
                        tracing::warn!(%error, "a client could not be let in");
                        tokio::time::sleep(TICK).await;
                        continue;
                    }
                };
                let peer = match Peer::of(&stream) {
                    Ok(peer) => peer,
                    Err(error) => {
                        tracing::debug!(%error, "a client that cannot be told was sent away");
                        continue;
                    }
                };
                let uid = peer.uid;
                let all: usize = connected.borrow().values().sum();
                let theirs = connected.borrow().get(&uid).copied().unwrap_or(0);
                if all >= limit.all || (uid != 0 && theirs >= limit.per_user) {
                    tracing::warn!(uid, "a client too many was sent away");
                    continue;
                }
                *connected.borrow_mut().entry(uid).or_default() += 1;
                let (shared, connected) = (Rc::clone(shared), Rc::clone(&connected));
                tokio::task::spawn_local(async move {
                    connection::serve(shared, stream, peer).await;
                    if let Some(count) = connected.borrow_mut().get_mut(&uid) {
                        *count = count.saturating_sub(1);
                    }
                    connected.borrow_mut().retain(|_, count| *count > 0);
                });
            }
        }
    }
}
