//! The command runs: its changes are waited for, signals are passed on, and stops of job control are mirrored.

use super::before;
use super::child::{self, Change, Whom};
use super::failure::WaitError;
use super::inherited;
use super::mask::Mask;
use super::policy::{self, Decision, Received, Sender, Situation};
use super::signals::{self, Signals};
use crate::model::recording::Exit;
use crate::model::units::CpuTime;
use nix::unistd;
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::time::{Duration, Instant};
use tokio::io::unix::AsyncFd;

/// Programs that tidy up before they stop take a moment for it; a SIGSTOP later than this is somebody else's.
const TIDYING: Duration = Duration::from_secs(5);

/// What happened to the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The command ended. Told once; orphans may be reaped after it.
    Exited(Ended),
    /// An orphan of the job ended and was reaped by us. Told only where orphans become ours
    /// ([`super::Launch::adopting_orphans`], or as the first process of a PID namespace).
    Reaped {
        /// Its process id, in our PID namespace.
        pid: u32,
        /// Its CPU time with that of the descendants that it waited for.
        cpu: CpuTime,
    },
}

/// The command after its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// How it ended; [`super::end_as`] does the same.
    pub exit: Exit,
    /// Its CPU time with that of the descendants that it waited for, from wait4(2), in whole microseconds.
    pub cpu: CpuTime,
    /// The most resident memory that it or one of those had at a time, in bytes, from wait4(2). What carbon-run itself had
    /// when it made the process is in it: the kernel keeps the mark of the memory that exec throws away.
    pub peak_rss_bytes: u64,
}

/// A command that was started.
#[derive(Debug)]
pub struct Running {
    pid: i32,
    session_leader: bool,
    signals: AsyncFd<Signals>,
    children: Children,
    state: State,
    events: VecDeque<Event>,
}

/// What was last seen of the command.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    ended: bool,
    /// By this signal; `None` while it runs.
    stopped: Option<i32>,
    /// We have stopped with it.
    mirrored: bool,
    /// Its stop was not known when the signal in hand was read.
    just_stopped: bool,
    /// Somebody else continued it.
    resumed: bool,
    /// We have continued it, and not yet seen that.
    resuming: bool,
    /// When a stop was last asked for.
    asked: Option<Instant>,
}

impl Running {
    /// Takes over a command that was just forked off.
    pub(super) fn new(pid: u32, signals: AsyncFd<Signals>, children: Children) -> Self {
        Self {
            pid: pid.cast_signed(),
            session_leader: unistd::getsid(None) == Ok(unistd::getpid()),
            signals,
            children,
            state: State::default(),
            events: VecDeque::new(),
        }
    }

    /// The command's process id, in our PID namespace.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.cast_unsigned()
    }

    /// The next thing that happens. Signals are passed on only while this is awaited: keep awaiting it, also after
    /// [`Event::Exited`] where orphans are of interest. It may be dropped at any time, as `select!` does, and loses
    /// nothing by that.
    ///
    /// While the shell has stopped the job, the whole process stands still in here.
    ///
    /// # Errors
    /// When the kernel refuses what it never should: reading signals, or waiting for the command.
    pub async fn next_event(&mut self) -> Result<Event, WaitError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            let mut ready = self.signals.readable().await.map_err(WaitError::Signals)?;
            // No await below: what was read is dealt with before this can be dropped.
            let read = ready.try_io(|signals| signals.get_ref().read());
            match read {
                Ok(Ok(received)) => {
                    // The command's state first, for what to do with a signal depends on it. Only then stop with it: a
                    // signal in hand would be old news after that.
                    self.state.just_stopped = false;
                    self.learn()?;
                    self.take(&received);
                    self.look()?;
                }
                Ok(Err(error)) => return Err(WaitError::Signals(error)),
                Err(_would_block) => {}
            }
        }
    }

    /// Passes a signal on, or does not.
    fn take(&mut self, received: &Received) {
        if self.state.ended {
            return;
        }
        if received.signal == libc::SIGTSTP {
            self.state.asked = Some(Instant::now());
        }
        let situation = Situation {
            session_leader: self.session_leader,
            stopped: self.state.stopped.is_some(),
            just_stopped: self.state.just_stopped,
            resumed: self.state.resumed,
            sender: self.sender(received),
        };
        if received.signal == libc::SIGCONT {
            self.state.resumed = false;
        }
        let sent = match policy::decide(received, &situation) {
            Decision::Forward => signals::send(self.pid, received.signal),
            Decision::Queue => signals::queue(self.pid, received.signal, received.value),
            Decision::Drop => return,
        };
        if sent.is_ok() && received.signal == libc::SIGCONT && situation.stopped {
            self.state.resuming = true;
        }
        if let Err(error) = sent {
            // It is not reaped, so it exists. It may have become another user (a setuid program).
            tracing::warn!(signal = received.signal, %error, "cannot forward a signal");
        }
    }

    fn sender(&self, received: &Received) -> Sender {
        if received.sender == std::process::id() {
            Sender::Ourselves
        } else if received.sender != 0 && before::descends(received.sender, self.pid()) {
            Sender::Job
        } else {
            Sender::Outsider
        }
    }

    /// Learns what has changed, and stops with the command if it was stopped by job control.
    fn look(&mut self) -> Result<(), WaitError> {
        loop {
            self.learn()?;
            // The request may be read later than the stop that it led to: signals are read in the order of their numbers.
            let asked = self.state.asked.is_some_and(|asked| asked.elapsed() < TIDYING);
            let stopped = self.state.stopped.filter(|_| !self.state.mirrored);
            let Some(signal) = stopped.and_then(|by| policy::mirrored(by, asked)) else {
                return Ok(());
            };
            self.state.mirrored = true;
            self.state.asked = None;
            // When this comes back somebody has continued us; the command may have changed too.
            stop(signal).map_err(WaitError::Signals)?;
        }
    }

    /// Asks until nothing new is told.
    fn learn(&mut self) -> Result<(), WaitError> {
        while !self.state.ended {
            match child::changed(Whom::One(self.pid)).map_err(WaitError::Wait)? {
                None => break,
                Some((_, change)) => self.note(change),
            }
        }
        if self.children.adopted {
            while let Some((pid, change)) = child::changed(Whom::Any).map_err(WaitError::Wait)? {
                if pid == self.pid {
                    self.note(change);
                } else if let (Change::Ended { cpu, .. }, false) = (change, self.children.before.remove(&pid))
                {
                    self.events.push_back(Event::Reaped {
                        pid: pid.cast_unsigned(),
                        cpu,
                    });
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, change: Change) {
        match change {
            Change::Ended {
                exit,
                cpu,
                peak_rss_bytes,
            } => {
                self.state = State {
                    ended: true,
                    ..State::default()
                };
                self.events.push_back(Event::Exited(Ended {
                    exit,
                    cpu,
                    peak_rss_bytes,
                }));
            }
            Change::Stopped(by) => {
                self.state.stopped = Some(by);
                self.state.mirrored = false;
                self.state.just_stopped = true;
                self.state.resuming = false;
            }
            Change::Continued => {
                self.state.stopped = None;
                self.state.just_stopped = false;
                self.state.resumed = !std::mem::take(&mut self.state.resuming);
            }
        }
    }
}

/// Stops this process by a signal, as its shell expects of a job; comes back when it is continued, or at once where the
/// kernel does not let an orphaned process group stop (`get_signal`, kernel/signal.c).
fn stop(signal: i32) -> io::Result<()> {
    let ignored = inherited::is_ignored(signal);
    inherited::set_ignored(signal, false)?;
    signals::send(unistd::getpid().as_raw(), signal)?;
    let stopped = Mask::only(signal).unblock();
    Mask::only(signal).block()?;
    inherited::set_ignored(signal, ignored)?;
    stopped
}

/// The children that are not the command.
#[derive(Debug)]
pub(super) struct Children {
    /// Orphans of the job become ours.
    adopted: bool,
    /// We have made it so.
    by_us: bool,
    /// Those from before the launch, which are no part of the job.
    before: BTreeSet<i32>,
}

impl Children {
    /// Notes who is there, and asks for orphans if they are wanted.
    pub(super) fn found(adopting: bool) -> io::Result<Self> {
        let already = unistd::getpid().as_raw() == 1 || nix::sys::prctl::get_child_subreaper()?;
        if adopting && !already {
            nix::sys::prctl::set_child_subreaper(true)?;
        }
        let adopted = adopting || already;
        Ok(Self {
            adopted,
            by_us: adopting && !already,
            before: if adopted {
                before::children()
            } else {
                BTreeSet::new()
            },
        })
    }

    /// Asks for orphans no more.
    pub(super) fn forget(self) -> io::Result<()> {
        if self.by_us {
            nix::sys::prctl::set_child_subreaper(false)?;
        }
        Ok(())
    }
}
