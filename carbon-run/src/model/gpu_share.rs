//! Who gets which microjoules of a GPU in a window of time (METHOD.md, "GPUs").
//!
//! ```text
//! D_x = D * w_x / sum(w)     w: samples of use, or engine time; without any, who holds contexts
//! w of those whose engine time is not counted = time in which the device worked - engine time of all who are counted
//! ```
//!
//! What several processes share without anybody knowing how is nobody's for certain: it stands among the others and is
//! named as unattributed, and the job's range reaches up to it.

use super::attribution::{Books, split};
use super::recording::{Gpu, GpuLook, GpuUser, IdlePolicy, Whose};
use super::report::Ledger;
use super::units::{MicroJoules, Moment, Share};
use std::collections::HashMap;
use std::time::Duration;

/// The percentage of time in which a device worked is that of its last sample period, up to a second long (NVML API,
/// `nvmlUtilization_t`). Until then it may tell of somebody who left before the run.
const LATEST_NEWS: Duration = Duration::from_secs(1);

/// Use of a device, by whose it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Use {
    /// The job's.
    pub job: u128,
    /// Certainly not the job's.
    pub others: u128,
    /// Anybody's.
    pub unknown: u128,
}

impl Use {
    /// Everybody's.
    #[must_use]
    pub fn sum(self) -> u128 {
        self.job + self.others + self.unknown
    }

    fn add(&mut self, whose: Whose, weight: u128) {
        match whose {
            Whose::Job => self.job += weight,
            Whose::Others => self.others += weight,
            Whose::Unknown => self.unknown += weight,
        }
    }

    /// The job's part, of what is certain.
    #[must_use]
    pub fn job_share(self) -> Share {
        let scale = (128 - self.sum().leading_zeros()).saturating_sub(64);
        let part = |weight: u128| u64::try_from(weight >> scale).unwrap_or(u64::MAX);
        Share::of(part(self.job), part(self.sum()))
    }
}

/// Whether the job, others, or somebody unknown was there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Present {
    job: bool,
    others: bool,
    unknown: bool,
}

impl Present {
    fn add(&mut self, whose: Whose) {
        match whose {
            Whose::Job => self.job = true,
            Whose::Others => self.others = true,
            Whose::Unknown => self.unknown = true,
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            job: self.job || other.job,
            others: self.others || other.others,
            unknown: self.unknown || other.unknown,
        }
    }

    fn anybody(self) -> bool {
        self.job || self.others || self.unknown
    }

    /// Whose the use of what they hold is; `None`: nobody is there.
    fn whose(self) -> Option<Whose> {
        match (self.job, self.others, self.unknown) {
            (false, false, false) => None,
            (true, false, false) => Some(Whose::Job),
            (false, true, false) => Some(Whose::Others),
            _ => Some(Whose::Unknown),
        }
    }
}

/// Gathers looks at a device until there is enough to split energy by.
#[derive(Debug, Clone, Default)]
pub struct Window {
    sampled: Use,
    /// Who holds contexts: by partition, and under `None` on the whole device.
    holders: HashMap<Option<usize>, Present>,
    /// The holders of the latest look, who are there when the next window begins.
    latest: HashMap<Option<usize>, Present>,
    /// Sum and number of what the device says of its time.
    busy: (u64, u64),
    /// Engine time at the latest look.
    engines: HashMap<(u32, Option<usize>), u64>,
    engines_seen: bool,
    /// When the first look was, and the latest.
    began: Option<Moment>,
    looked: Option<Moment>,
    /// Whether the driver counts engine time, so that who has gained none has not worked.
    counted: bool,
    /// Whether its users could not be listed.
    blind: bool,
}

impl Window {
    /// Takes the next look.
    pub fn take(&mut self, look: &GpuLook) {
        if look.failed.is_some() {
            self.blind = true;
            return;
        }
        self.latest.clear();
        let mut gained = 0;
        let clients = clients(&look.users);
        for user in &look.users {
            // A server works for its clients, unless it is itself of the job: then so is all that it does.
            let whose = match clients {
                Some(clients) if user.serves && user.whose != Whose::Job => clients,
                _ => user.whose,
            };
            let work: u64 = user.samples.iter().map(|sample| u64::from(sample.percent)).sum();
            self.sampled.add(whose, u128::from(work) * 1_000_000);
            if let Some(now) = user.engine_ns {
                let before = self.engines.insert((user.pid, user.slice), now);
                // Who was not there at the look before began at 0; at the first look nobody's past is known.
                let before = before.or_else(|| self.engines_seen.then_some(0)).unwrap_or(now);
                self.sampled.add(whose, u128::from(now.saturating_sub(before)));
                gained += now.saturating_sub(before);
            }
            if user.holds {
                self.latest.entry(user.slice).or_default().add(whose);
            }
        }
        if look.users.iter().any(|user| user.engine_ns.is_some()) {
            self.engines_seen = true;
            let there: Vec<_> = look.users.iter().map(|user| (user.pid, user.slice)).collect();
            self.engines.retain(|key, _| there.contains(key));
        } else {
            self.engines_seen |= look.users.is_empty();
        }
        for (slice, present) in &self.latest {
            let so_far = self.holders.entry(*slice).or_default();
            *so_far = so_far.or(*present);
        }
        let mut busy = look.busy_percent.map(|percent| percent.min(100));
        let began = *self.began.get_or_insert(look.at);
        if look.users.is_empty() && look.at.since(began) < LATEST_NEWS {
            busy = None;
        }
        if look.users.iter().any(|user| user.engine_ns.is_some()) || look.unseen {
            busy = self.take_rest(look, gained).or(busy);
        }
        self.looked = Some(look.at);
        if let Some(percent) = busy {
            self.busy.0 += u64::from(percent);
            self.busy.1 += 1;
        }
    }

    /// Where engine time is counted: the time in which the device worked and none of what is counted did belongs to those
    /// whose work is not. Gives the percentage of time in which it worked, as far as is known.
    fn take_rest(&mut self, look: &GpuLook, gained: u64) -> Option<u32> {
        self.counted = true;
        let elapsed = u64::try_from(look.at.since(self.looked?).as_nanos()).unwrap_or(u64::MAX);
        let mut uncounted = Present::default();
        for user in look
            .users
            .iter()
            .filter(|user| user.holds && user.engine_ns.is_none())
        {
            uncounted.add(user.whose);
        }
        uncounted.unknown |= look.unseen;
        let stated = look.busy_percent.map(|percent| percent.min(100));
        let Some(whose) = uncounted.whose() else {
            // All engines together may work for longer than the time that passes.
            let share = (u128::from(gained) * 100 + u128::from(elapsed / 2)) / u128::from(elapsed.max(1));
            return stated.or(Some(u32::try_from(share.min(100)).unwrap_or(100)));
        };
        let worked = u128::from(elapsed) * u128::from(stated.unwrap_or(100)) / 100;
        self.sampled.add(whose, worked.saturating_sub(gained.into()));
        stated
    }

    /// Whether anybody's use has been seen.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.sampled.sum() > 0
    }

    /// Whether anybody holds or used it, as far as is known.
    #[must_use]
    pub fn anybody(&self) -> bool {
        self.is_blind() || self.is_sampled() || self.is_held()
    }

    /// Whether anybody held a context at any time in the window.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.holders.values().any(|present| present.anybody())
    }

    /// Whether anybody held one at the latest look.
    #[must_use]
    pub fn is_held_still(&self) -> bool {
        self.latest.values().any(|present| present.anybody())
    }

    /// Whether its users are not to be seen: the driver did not list them, or listed none of a device that worked, as it
    /// does in containers whose process ids it cannot translate. Who was seen earlier in the window was there.
    #[must_use]
    pub fn is_blind(&self) -> bool {
        (self.blind || self.busy.0 > 0) && !self.is_sampled() && !self.is_held()
    }

    /// The weights to split by, and the part of the time in which the device worked for the job.
    #[must_use]
    pub fn weights(&self, gpu: &Gpu) -> (Use, Share) {
        let weights = if self.is_sampled() {
            self.sampled
        } else {
            self.held(gpu)
        };
        let busy = match self.busy {
            (sum, looks) if looks > 0 && self.is_sampled() => Share::of(sum, looks * 100),
            _ => Share::ALL,
        };
        let capacity = Share::new(busy.get() * weights.job_share().get()).unwrap_or(Share::NONE);
        (weights, capacity)
    }

    /// By who holds contexts: on a partitioned device by the size of the partitions that anybody holds.
    fn held(&self, gpu: &Gpu) -> Use {
        let mut weights = Use::default();
        if self.is_blind() {
            weights.unknown = 1;
            return weights;
        }
        if self.counted {
            return weights;
        }
        for (slice, present) in &self.holders {
            let size = slice
                .and_then(|slice| gpu.slices.get(slice))
                .map_or(1, |slice| slice.slices);
            if let Some(whose) = present.whose() {
                weights.add(whose, u128::from(size.max(1)));
            }
        }
        // Unpartitioned holders stand under one key, so that the job and others there are unknown already.
        weights
    }

    /// The next window begins.
    pub fn turn(&mut self) {
        self.sampled = Use::default();
        self.holders = self.latest.clone();
        self.busy = (0, 0);
        self.counted = false;
        self.blind = false;
    }
}

/// For whom a server computes: all its clients of one side, or unknown; `None` without clients.
fn clients(users: &[GpuUser]) -> Option<Whose> {
    let mut present = Present::default();
    for client in users.iter().filter(|user| user.client) {
        present.add(client.whose);
    }
    present.whose()
}

/// What is known of a device for its idle part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ownership {
    /// The part that is the job's by allocation; `None`: nothing says.
    pub allocated: Option<Share>,
    /// Whether anything says which devices are the job's.
    pub stated: bool,
}

impl Ownership {
    /// The policy in force for the device: what is allocated to the job is the job's while it idles, too.
    #[must_use]
    pub fn policy(self, wanted: IdlePolicy) -> IdlePolicy {
        let mine = self.allocated.is_some_and(|share| share > Share::NONE);
        match wanted {
            IdlePolicy::Capacity | IdlePolicy::Allocated if mine => IdlePolicy::All,
            IdlePolicy::None
            | IdlePolicy::Capacity
            | IdlePolicy::Allocated
            | IdlePolicy::Busy
            | IdlePolicy::All => wanted,
        }
    }
}

/// Splits the energy of a window of which `base` is baseline.
#[must_use]
pub fn apportion(
    energy: MicroJoules,
    base: MicroJoules,
    weights: Use,
    capacity: Share,
    wanted: IdlePolicy,
    ownership: Ownership,
) -> Books {
    let base = base.min(energy);
    let dynamic = MicroJoules(energy.0 - base.0);
    let parts = split(dynamic.0, [weights.job, weights.others, weights.unknown]);
    let [job, others, unknown] = parts.unwrap_or_default().map(MicroJoules);
    let unclaimed = if parts.is_some() {
        MicroJoules::ZERO
    } else {
        dynamic
    };

    let part = |share: Share| {
        let part = (base.0 as f64 * share.get()).round();
        MicroJoules(part as u64).min(base)
    };
    let allocated = ownership.allocated.unwrap_or(Share::NONE);
    let by = |policy| match policy {
        IdlePolicy::None => MicroJoules::ZERO,
        IdlePolicy::Capacity => part(capacity),
        IdlePolicy::Allocated if ownership.stated => part(allocated),
        IdlePolicy::Allocated => part(capacity),
        IdlePolicy::Busy => part(weights.job_share()),
        IdlePolicy::All if ownership.stated => part(allocated),
        IdlePolicy::All => base,
    };
    let job_idle = by(ownership.policy(wanted));
    Books {
        ledger: Ledger {
            measured: energy,
            job,
            job_idle,
            others: others + unknown,
            unattributed: unknown,
            kernel: Some(MicroJoules::ZERO),
            own: MicroJoules::ZERO,
            idle: MicroJoules(base.0 - job_idle.0) + unclaimed,
        },
        job_idle_by_policy: IdlePolicy::ALL.map(|policy| by(ownership.policy(policy))),
    }
}

#[cfg(test)]
#[path = "gpu_share_tests.rs"]
mod tests;
