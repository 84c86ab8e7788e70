//! The daemon's jobs: whose each is, and for how long it is kept.

use super::kept::{Kept, Record};
use super::peer::Peer;
use crate::accounting::ebpf::{EbpfError, Jobs, KeptJob, checked_group};
use crate::model::units::Moment;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// For so long after its launcher has gone without a word a job can be resumed. A daemon's restart takes seconds.
const RESUMABLE: Duration = Duration::from_secs(60);

/// A list of living processes will do for whoever else asks within so long.
const LIST_LASTS: Duration = Duration::from_millis(5);

/// Why a job is not to be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unopened {
    #[error("there is room for no more jobs")]
    Full,
    #[error("you have as many jobs as one user may have")]
    YoursAreMany,
    #[error("there is no such job of yours")]
    NotYours,
    #[error(transparent)]
    Ebpf(#[from] EbpfError),
    #[error("the control group `{0}` cannot be used: {1}")]
    Cgroup(PathBuf, String),
}

/// Whose a job is.
#[derive(Debug, Clone)]
struct Owner {
    uid: u32,
    secret: String,
    /// Connections for it: two, while one that was given up has not been seen to end yet.
    connected: u32,
    /// Since when there is none.
    away: Option<Moment>,
    released: bool,
}

impl Owner {
    fn new(uid: u32, secret: String) -> Self {
        Self {
            uid,
            secret,
            connected: 1,
            away: None,
            released: false,
        }
    }

    fn come(&mut self) {
        self.connected += 1;
        self.away = None;
    }

    fn gone(&mut self, now: Moment) {
        self.connected = self.connected.saturating_sub(1);
        if self.connected == 0 {
            self.away = Some(now);
        }
    }

    fn is_late(&self, now: Moment) -> bool {
        !self.released && self.away.is_some_and(|since| now.since(since) > RESUMABLE)
    }
}

/// All of them.
pub(super) struct Book {
    pub(super) jobs: Jobs,
    owners: BTreeMap<u32, Owner>,
    kept: Option<Kept>,
    /// Jobs of one user at a time, other than root's.
    per_user: usize,
}

impl Book {
    /// With no job yet. `kept` is where what a successor has to know is kept, where there can be one.
    pub(super) fn new(mut jobs: Jobs, kept: Option<Kept>, per_user: usize) -> Self {
        jobs.share_lists(LIST_LASTS);
        Self {
            jobs,
            owners: BTreeMap::new(),
            kept,
            per_user,
        }
    }

    /// Goes on with a predecessor's jobs.
    pub(super) fn go_on(&mut self, now: Moment) {
        for (number, record) in self.kept.as_ref().map(Kept::all).unwrap_or_default() {
            self.jobs.resume(number, record.kept);
            let mut owner = Owner::new(record.uid, record.secret);
            owner.gone(now);
            self.owners.insert(number, owner);
        }
        // Of whose record nothing is left, until their last task ends: nobody else must have their numbers.
        for number in self.jobs.unknown() {
            self.jobs.resume(number, KeptJob::default());
            self.jobs.release(number);
        }
    }

    /// A new job.
    pub(super) fn open(&mut self, peer: &Peer) -> Result<(u32, String), Unopened> {
        let theirs = self
            .owners
            .values()
            .filter(|owner| owner.uid == peer.uid && !owner.released);
        if peer.uid != 0 && theirs.count() >= self.per_user {
            return Err(Unopened::YoursAreMany);
        }
        // Who is over makes room.
        self.tidy();
        let number = self.jobs.open(peer.process())?.ok_or(Unopened::Full)?;
        let secret = uuid::Uuid::new_v4().simple().to_string();
        self.owners.insert(number, Owner::new(peer.uid, secret.clone()));
        self.keep(number);
        Ok((number, secret))
    }

    /// A job whose launcher had gone, or whose daemon.
    pub(super) fn resume(&mut self, peer: &Peer, secret: &str) -> Result<u32, Unopened> {
        let found = self
            .owners
            .iter_mut()
            .find(|(_, owner)| owner.uid == peer.uid && owner.secret == secret && !owner.released);
        let (number, owner) = found.ok_or(Unopened::NotYours)?;
        owner.come();
        self.jobs.reclaim(*number, peer.process())?;
        Ok(*number)
    }

    pub(super) fn arm(&mut self, number: u32, peer: &Peer) -> Result<(), EbpfError> {
        self.jobs.arm(number, peer.process())
    }

    pub(super) fn disarm(&mut self, number: u32, peer: &Peer) -> Result<(), EbpfError> {
        self.jobs.disarm(number, peer.process())
    }

    /// What runs in a control group is the job's, if it is the client's to give.
    pub(super) fn adopt(&mut self, number: u32, peer: &Peer, group: &str) -> Result<(), Unopened> {
        let path = checked_group(Path::new(group), peer.uid)
            .map_err(|reason| Unopened::Cgroup(PathBuf::from(group), reason))?;
        Ok(self.jobs.adopt_group(number, &path)?)
    }

    /// Nobody wants to know of the job any more.
    pub(super) fn release(&mut self, number: u32) {
        if let Some(owner) = self.owners.get_mut(&number) {
            owner.released = true;
        }
        self.jobs.release(number);
    }

    /// A connection for it has ended without a word.
    pub(super) fn left(&mut self, number: u32, now: Moment) {
        if let Some(owner) = self.owners.get_mut(&number) {
            owner.gone(now);
        }
    }

    /// Releases who was away for too long, and gives back the numbers of who is over.
    pub(super) fn tick(&mut self, now: Moment) {
        let late: Vec<u32> = self
            .owners
            .iter()
            .filter(|(_, owner)| owner.is_late(now))
            .map(|(number, _)| *number)
            .collect();
        late.into_iter().for_each(|number| self.release(number));
        self.tidy();
    }

    fn tidy(&mut self) {
        let tidied = self.jobs.tidy();
        for number in tidied.over {
            self.owners.remove(&number);
            if let Some(kept) = &self.kept {
                kept.remove(number);
            }
        }
        // What ran inside another job was added to that one.
        tidied.changed.into_iter().for_each(|number| self.keep(number));
    }

    fn keep(&self, number: u32) {
        let (Some(kept), Some(owner), Some(job)) =
            (&self.kept, self.owners.get(&number), self.jobs.kept(number))
        else {
            return;
        };
        let record = Record {
            uid: owner.uid,
            secret: owner.secret.clone(),
            kept: job.clone(),
        };
        if let Err(error) = kept.put(number, &record) {
            tracing::warn!(%error, "a job could not be kept for the next daemon");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_away_when_its_last_connection_is_and_not_when_one_that_was_given_up_ends_late() {
        let at = |s: u64| Moment(s * 1_000_000_000);
        let mut owner = Owner::new(1000, String::new());
        // The daemon was stuck: the launcher has come again before it saw the first connection end.
        owner.come();
        owner.gone(at(1));
        assert!(!owner.is_late(at(3600)));
        owner.gone(at(3600));
        assert!(!owner.is_late(at(3660)) && owner.is_late(at(3661)));
        owner.come();
        assert!(!owner.is_late(at(9999)));
    }
}
