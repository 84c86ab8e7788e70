//! What the daemon does on request. No file, socket or clock of the client's is touched here: a request is plain data, and
//! who asks is the kernel's word.

use super::jobs::{Book, Unopened};
use super::look::Looks;
use super::peer::Peer;
use crate::model::recording::Closing;
use crate::model::units::Moment;
use crate::wire::{Machine, Refusal, Reply, Request, VERSION};
use std::collections::HashSet;

/// A request asks about so many processes at most.
const PIDS: usize = 4096;

/// A connection's state.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) peer: Peer,
    greeted: bool,
    /// Its job, and whether that is closed.
    job: Option<(u32, bool)>,
    /// How many of the meters' notes it has been told.
    told: usize,
}

impl Client {
    pub(super) fn new(peer: Peer) -> Self {
        Self {
            peer,
            greeted: false,
            job: None,
            told: 0,
        }
    }

    /// Whether it has a job, so that it may be silent for as long as it likes.
    pub(super) fn has_job(&self) -> bool {
        self.job.is_some()
    }
}

/// The daemon's state.
pub(super) struct Service {
    machine: Machine,
    looks: Looks,
    book: Book,
}

impl Service {
    pub(super) fn new(machine: Machine, looks: Looks, book: Book) -> Self {
        Self { machine, looks, book }
    }

    /// Answers one request.
    pub(super) fn answer(&mut self, client: &mut Client, request: &Request, now: Moment) -> Reply {
        match self.done(client, request, now) {
            Ok(reply) => reply,
            Err((refusal, message)) => Reply::Refused { refusal, message },
        }
    }

    fn done(
        &mut self,
        client: &mut Client,
        request: &Request,
        now: Moment,
    ) -> Result<Reply, (Refusal, String)> {
        if let Request::Hello { version } = request {
            return self.greet(client, *version);
        }
        if !client.greeted {
            return Err(wrong("the first request is `hello`"));
        }
        if matches!(request, Request::Open | Request::Resume { .. }) && client.job.is_some() {
            return Err(wrong("a connection has one job"));
        }
        let number = match (request, client.job) {
            (Request::Open, _) => {
                let (number, secret) = self.book.open(&client.peer).map_err(refused)?;
                client.job = Some((number, false));
                return Ok(Reply::Opened { job: secret });
            }
            (Request::Resume { job }, _) => {
                let number = self.book.resume(&client.peer, job).map_err(refused)?;
                client.job = Some((number, false));
                return Ok(Reply::Opened { job: job.clone() });
            }
            (_, Some((_, true))) => return Err(wrong("the job is closed")),
            (_, Some((number, false))) => number,
            (_, None) => return Err(wrong("there is no job yet")),
        };
        match request {
            Request::Arm => self
                .book
                .arm(number, &client.peer)
                .map(|()| Reply::Done)
                .map_err(failed),
            Request::Disarm => self
                .book
                .disarm(number, &client.peer)
                .map(|()| Reply::Done)
                .map_err(failed),
            Request::Adopt { cgroup } => self
                .book
                .adopt(number, &client.peer, cgroup)
                .map(|()| Reply::Done)
                .map_err(refused),
            Request::Observe { now: fresh } => {
                let observed = self
                    .looks
                    .observe(&mut self.book, number, &client.peer, *fresh, now);
                Ok(Reply::Observed(Box::new(crate::wire::Observed {
                    notes: self.looks.notes_since(&mut client.told),
                    ..observed
                })))
            }
            Request::Members => Ok(Reply::Members(self.members(client, number))),
            Request::Whose { pids } if pids.len() > PIDS => {
                Err((Refusal::Full, format!("more than {PIDS} processes")))
            }
            Request::Whose { pids } => {
                let here: HashSet<u32> = if client.peer.depth > 1 {
                    self.members(client, number).into_iter().collect()
                } else {
                    HashSet::new()
                };
                Ok(Reply::Whose(self.book.jobs.whose(number, pids, &here)))
            }
            Request::Living => Ok(Reply::Living(self.book.jobs.living(number))),
            Request::Close { child } => {
                client.job = Some((number, true));
                Ok(Reply::Closed(Box::new(self.close(client, number, *child))))
            }
            Request::Hello { .. } | Request::Open | Request::Resume { .. } => {
                Err(wrong("it was said already"))
            }
        }
    }

    fn greet(&self, client: &mut Client, version: u32) -> Result<Reply, (Refusal, String)> {
        if version != VERSION {
            return Err((
                Refusal::Version,
                format!("the daemon speaks version {VERSION}, and the client {version}"),
            ));
        }
        client.greeted = true;
        Ok(Reply::Machine(Box::new(Machine {
            coarse_uj: self.looks.coarse_uj(&client.peer),
            ..self.machine.clone()
        })))
    }

    /// Members as the client sees them.
    fn members(&mut self, client: &Client, number: u32) -> Vec<u32> {
        let living = self.book.jobs.living_processes(number);
        living
            .iter()
            .filter_map(|process| client.peer.sees(process.pid))
            .collect()
    }

    fn close(&mut self, client: &Client, number: u32, child: u32) -> Closing {
        let survivors = self.book.jobs.survivors(number).into_iter();
        let survivors = survivors
            .filter_map(|mut survivor| {
                survivor.pid = client.peer.sees(survivor.pid)?;
                Some(survivor)
            })
            .filter(|survivor| survivor.pid != child)
            .collect();
        Closing {
            survivors,
            ..self.book.jobs.close(number)
        }
    }

    /// A client has gone. A job that it has not closed may be resumed for a while.
    pub(super) fn gone(&mut self, client: &Client, now: Moment) {
        // Nobody is to stay armed for a number that another job will have. A process that has ended is not.
        if let Some((number, _)) = client.job
            && let Err(error) = self.book.disarm(number, &client.peer)
        {
            tracing::debug!(%error, "a launcher has gone");
        }
        match client.job {
            Some((number, true)) => self.book.release(number),
            Some((number, false)) => self.book.left(number, now),
            None => {}
        }
    }

    /// What has to be done once in a while: take in who has ended, give numbers back.
    pub(super) fn tick(&mut self, now: Moment) {
        self.book.tick(now);
    }

    /// Whether any job is being counted.
    pub(super) fn has_jobs(&self) -> bool {
        self.book.jobs.numbers().next().is_some()
    }
}

fn wrong(message: &str) -> (Refusal, String) {
    (Refusal::Wrong, message.to_owned())
}

fn failed(error: impl ToString) -> (Refusal, String) {
    (Refusal::Failed, error.to_string())
}

fn refused(unopened: Unopened) -> (Refusal, String) {
    let refusal = match unopened {
        Unopened::Full | Unopened::YoursAreMany => Refusal::Full,
        Unopened::NotYours => Refusal::NotYours,
        Unopened::Ebpf(_) | Unopened::Cgroup(..) => Refusal::Failed,
    };
    (refusal, unopened.to_string())
}
