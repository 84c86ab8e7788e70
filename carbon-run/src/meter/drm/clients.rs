//! From what drivers say of clients to what each process has used.
//!
//! A client counts once, however many descriptors and processes lead to it: for the process that was first seen with it
//! (of several at once, the one with the lowest number), and when that one has let go of it, for the next.

use super::card::Driver;
use super::fdinfo::{Busy, Client, Engine};
use crate::model::recording::{GpuUser, Whose};
use crate::model::units::Moment;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// So many clients are remembered before those that are out of sight are forgotten.
const MOST: usize = 4096;

/// A client behind a descriptor of a process.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) pid: u32,
    /// Which card it is a client of.
    pub(super) card: usize,
    pub(super) client: Client,
    /// When its file was read.
    pub(super) at: Moment,
    /// Whether it came after we began to look, so that all it has used was used since.
    pub(super) fresh: bool,
    /// Whether the process has queues of its own there that the driver counts nothing of (KFD, which ROCm computes by).
    pub(super) queues: bool,
}

/// Everybody's use since we began to look.
#[derive(Debug, Default)]
pub(super) struct Clients {
    known: HashMap<(usize, u64), Known>,
    used_ns: HashMap<(usize, u32), u64>,
    /// Where each card's clock stood, and when.
    clocks: HashMap<usize, (u64, Moment)>,
}

#[derive(Debug)]
struct Known {
    owner: u32,
    /// The most that each engine was seen at. A value may fall back for a while and "userspace is expected to stay with
    /// that larger previous value" (drm-usage-stats.rst).
    engines: BTreeMap<String, u64>,
}

/// How many nanoseconds a cycle of a card's clock takes, as a fraction.
#[derive(Debug, Clone, Copy)]
struct Rate {
    ns: u64,
    cycles: u64,
}

impl Clients {
    /// Takes everything that one look has seen, and gives the users of each of `cards`.
    pub(super) fn take(&mut self, seen: &[Seen], cards: &[Driver]) -> Vec<Vec<GpuUser>> {
        let rates = self.rates(seen);
        let mut once: BTreeMap<(usize, u64), Vec<&Seen>> = BTreeMap::new();
        for one in seen {
            if let Some(id) = one.client.id {
                once.entry((one.card, id)).or_default().push(one);
            }
        }
        // Numbers of clients are never used again, so that one that was out of sight for a while is known when it is back.
        if self.known.len() > MOST {
            self.known.retain(|key, _| once.contains_key(key));
        }
        for (key, holders) in &once {
            self.count(*key, holders, rates.get(&key.0).copied());
        }
        let holders: BTreeSet<(usize, u32)> = seen.iter().map(|one| (one.card, one.pid)).collect();
        // Whoever holds nothing any more begins anew: the number may be another process's next time.
        self.used_ns.retain(|key, _| holders.contains(key));
        let users = |card: usize| self.users(card, seen, cards.get(card).copied());
        (0..cards.len()).map(users).collect()
    }

    /// By the first clock of each card in this look and the one in the last.
    fn rates(&mut self, seen: &[Seen]) -> HashMap<usize, Rate> {
        let mut now: HashMap<usize, (u64, Moment)> = HashMap::new();
        for one in seen {
            let clock = one.client.engines.values().find_map(|engine| match engine.busy {
                Busy::Cycles { of, .. } => Some(of),
                Busy::Time(_) => None,
            });
            if let Some(clock) = clock {
                now.entry(one.card).or_insert((clock, one.at));
            }
        }
        let mut rates = HashMap::new();
        for (card, (clock, at)) in now {
            if let Some((before, then)) = self.clocks.insert(card, (clock, at)) {
                let ns = u64::try_from(at.since(then).as_nanos()).unwrap_or(u64::MAX);
                // A clock that went back was reset, and says nothing this time.
                if let Some(cycles) = clock.checked_sub(before).filter(|&cycles| cycles > 0) {
                    rates.insert(card, Rate { ns, cycles });
                }
            }
        }
        rates
    }

    /// Enters a client by whichever of its descriptors says the most.
    fn count(&mut self, key: (usize, u64), holders: &[&Seen], rate: Option<Rate>) {
        let fresh = holders.iter().all(|holder| holder.fresh);
        let lowest = holders.iter().map(|holder| holder.pid).min().unwrap_or(0);
        let is_new = !self.known.contains_key(&key);
        let known = self.known.entry(key).or_insert_with(|| Known {
            owner: lowest,
            engines: BTreeMap::new(),
        });
        if holders.iter().all(|holder| holder.pid != known.owner) {
            known.owner = lowest;
        }
        let mut gained = 0_u64;
        for holder in holders {
            for (name, engine) in &holder.client.engines {
                let now = match engine.busy {
                    Busy::Time(ns) => ns,
                    Busy::Cycles { busy, .. } => busy,
                };
                let baseline = if is_new && !fresh { now } else { 0 };
                let most = known.engines.entry(name.clone()).or_insert(baseline);
                if let Some(ns) = nanoseconds(*engine, now.saturating_sub(*most), rate) {
                    gained = gained.saturating_add(ns);
                    *most = now.max(*most);
                }
            }
        }
        let used = self.used_ns.entry((key.0, known.owner)).or_default();
        *used = used.saturating_add(gained);
    }

    fn users(&self, card: usize, seen: &[Seen], driver: Option<Driver>) -> Vec<GpuUser> {
        let mut users: BTreeMap<u32, Vec<&Seen>> = BTreeMap::new();
        for one in seen.iter().filter(|one| one.card == card) {
            users.entry(one.pid).or_default().push(one);
        }
        users
            .into_iter()
            .map(|(pid, clients)| {
                let counted = clients.iter().all(|one| is_counted(one, driver));
                let memory = clients.iter().filter_map(|one| {
                    let id = one.client.id?;
                    let owner = self.known.get(&(card, id))?.owner;
                    Some(((id, owner == pid), one.client.memory_bytes?))
                });
                // Two descriptors of one client show its memory twice.
                let memory: BTreeMap<(u64, bool), u64> = memory.filter(|((_, own), _)| *own).collect();
                GpuUser {
                    pid,
                    whose: Whose::Unknown,
                    slice: None,
                    holds: true,
                    memory_bytes: memory.into_values().reduce(u64::saturating_add),
                    samples: Vec::new(),
                    engine_ns: counted.then(|| self.used_ns.get(&(card, pid)).copied().unwrap_or(0)),
                    serves: false,
                    client: false,
                }
            })
            .collect()
    }
}

/// Whether all that the client does is counted.
fn is_counted(one: &Seen, driver: Option<Driver>) -> bool {
    let listed = match driver {
        // It lists an engine only after the first use of it (amdgpu_fdinfo.c), the others list all that they can count.
        Some(Driver::Amdgpu) => true,
        Some(Driver::I915 | Driver::Xe) | None => !one.client.engines.is_empty(),
    };
    one.client.id.is_some() && listed && !one.queues
}

/// Time of one engine of a kind; `None` while it is not known how long a cycle takes.
fn nanoseconds(engine: Engine, gained: u64, rate: Option<Rate>) -> Option<u64> {
    let ns = match (engine.busy, rate) {
        (Busy::Time(_), _) => gained,
        (Busy::Cycles { .. }, _) if gained == 0 => 0,
        (Busy::Cycles { .. }, None) => return None,
        (Busy::Cycles { .. }, Some(rate)) => {
            let ns = u128::from(gained) * u128::from(rate.ns) / u128::from(rate.cycles);
            u64::try_from(ns).unwrap_or(u64::MAX)
        }
    };
    Some(ns / engine.capacity.max(1))
}

#[cfg(test)]
#[path = "clients_tests.rs"]
mod tests;
