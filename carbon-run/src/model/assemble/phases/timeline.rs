//! Which phase of a job was on when.
//!
//! Phases are known by their path: a phase that starts while another is open lies inside of the one that was innermost then.
//! One whose name is open already is entered once more. At each moment the innermost phase, the one that started last and is
//! open, *owns* what the job uses. As long as phases nest, a phase's own and its children's are all of it. Where they overlap,
//! two more accounts put that right: what was used beside its descendants while it was open, and what those used after its end.

use super::accounts::{OUTSIDE, Parts, Slot, after, beside, own};
use crate::model::recording::{PhaseMark, PhaseStep};
use crate::model::units::Moment;
use std::collections::VecDeque;
use std::time::Duration;

/// The most paths; what starts beyond is part of the phase around it.
pub(in crate::model::assemble) const MOST_PATHS: usize = 256;

/// The most phases that are open at once.
pub(in crate::model::assemble) const MOST_OPEN: usize = 256;

/// Stretches that are remembered one by one. Older ones are put together two by two, again and again: no meter looks that far back
/// unless it failed for long.
const REMEMBERED: usize = 256;

/// A phase, by its path.
#[derive(Debug, Clone)]
pub(in crate::model::assemble) struct Node {
    pub(in crate::model::assemble) name: String,
    pub(in crate::model::assemble) parent: Option<usize>,
    /// How often it was entered.
    pub(in crate::model::assemble) times: u64,
    /// How often it came to own what was used.
    pub(in crate::model::assemble) turns: u64,
    /// Starts that have not been stopped.
    open: usize,
    opened_at: Moment,
    open_ns: u64,
}

#[derive(Debug, Clone)]
struct Entry {
    name: String,
    /// `None` for a path beyond [`MOST_PATHS`].
    node: Option<usize>,
}

/// A stretch of time and how long each slot had of it.
#[derive(Debug, Clone)]
struct Stretch {
    from: Moment,
    to: Moment,
    slots: Vec<(Slot, u64)>,
}

/// What was odd.
#[derive(Debug, Clone, Default)]
pub(in crate::model::assemble) struct Oddities {
    /// Stops of what was not open, and the first of them; empty for one without a name.
    pub(in crate::model::assemble) strays: u64,
    pub(in crate::model::assemble) first_stray: String,
    /// Starts of paths beyond [`MOST_PATHS`], or beyond [`MOST_OPEN`] at once.
    pub(in crate::model::assemble) unlisted: u64,
}

/// The phases so far.
#[derive(Debug, Clone)]
pub(in crate::model::assemble) struct Timeline {
    nodes: Vec<Node>,
    /// In order of their start.
    open: Vec<Entry>,
    /// Starts beyond [`MOST_OPEN`] that have not been stopped.
    beyond: u64,
    past: VecDeque<Stretch>,
    /// Since when it is as it is now, and what that is.
    since: Moment,
    now: Vec<Slot>,
    owned_ns: Vec<u64>,
    /// Up to here windows have been given out.
    settled: Moment,
    /// Whether phases ever overlapped without one lying in the other.
    overlapped: bool,
    oddities: Oddities,
}

impl Default for Timeline {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            open: Vec::new(),
            beyond: 0,
            past: VecDeque::new(),
            since: Moment(0),
            now: vec![OUTSIDE],
            owned_ns: vec![0],
            settled: Moment(0),
            overlapped: false,
            oddities: Oddities::default(),
        }
    }
}

impl Timeline {
    /// Enters a mark. One that comes late begins where the last look ended: what was before is entered.
    pub(in crate::model::assemble) fn mark(&mut self, mark: &PhaseMark) {
        let at = mark.at.max(self.settled).max(self.since);
        let changed = match &mark.mark {
            PhaseStep::Start(name) => self.start(name, at),
            PhaseStep::Stop(name) => self.stop(name.as_deref(), at),
        };
        if changed {
            self.turn(at);
        }
    }

    fn start(&mut self, name: &str, at: Moment) -> bool {
        if self.open.len() >= MOST_OPEN {
            self.beyond += 1;
            self.oddities.unlisted += 1;
            return false;
        }
        let again = self.open.iter().find(|entry| entry.name == name);
        let node = match again {
            Some(entry) => entry.node,
            None => self.child(name),
        };
        if let Some(node) = node.and_then(|node| self.nodes.get_mut(node)) {
            node.times += 1;
            if node.open == 0 {
                node.opened_at = at;
            }
            node.open += 1;
        } else {
            self.oddities.unlisted += 1;
        }
        self.open.push(Entry {
            name: name.to_owned(),
            node,
        });
        true
    }

    /// The phase of that name inside of the innermost one.
    fn child(&mut self, name: &str) -> Option<usize> {
        let parent = self.innermost();
        let known = self
            .nodes
            .iter()
            .position(|node| node.parent == parent && node.name == name);
        if known.is_some() || self.nodes.len() >= MOST_PATHS {
            return known;
        }
        self.nodes.push(Node {
            name: name.to_owned(),
            parent,
            times: 0,
            turns: 0,
            open: 0,
            opened_at: Moment(0),
            open_ns: 0,
        });
        Some(self.nodes.len() - 1)
    }

    fn stop(&mut self, name: Option<&str>, at: Moment) -> bool {
        let found = match name {
            // The innermost is one of those that were too many.
            None if self.beyond > 0 => None,
            None => self.open.len().checked_sub(1),
            Some(name) => self.open.iter().rposition(|entry| entry.name == name),
        };
        let Some(found) = found else {
            if self.beyond > 0 {
                self.beyond -= 1;
            } else {
                if self.oddities.strays == 0 {
                    self.oddities.first_stray = name.unwrap_or_default().to_owned();
                }
                self.oddities.strays += 1;
            }
            return false;
        };
        let entry = self.open.remove(found);
        if let Some(node) = entry.node.and_then(|node| self.nodes.get_mut(node)) {
            node.open -= 1;
            if node.open == 0 {
                node.open_ns += at.0.saturating_sub(node.opened_at.0);
            }
        }
        true
    }

    fn innermost(&self) -> Option<usize> {
        self.open.iter().rev().find_map(|entry| entry.node)
    }

    /// A stretch is over.
    fn turn(&mut self, at: Moment) {
        let slots = self.slots();
        if slots == self.now {
            return;
        }
        let ns = at.0.saturating_sub(self.since.0);
        let was = std::mem::replace(&mut self.now, slots);
        if let Some(owned) = was.first().and_then(|slot| self.owned_ns.get_mut(*slot)) {
            *owned += ns;
        }
        self.owned_ns.resize(3 * self.nodes.len() + 1, 0);
        if ns > 0 {
            self.past.push_back(Stretch {
                from: self.since,
                to: at,
                slots: was.iter().map(|slot| (*slot, ns)).collect(),
            });
            self.since = at;
            if self.past.len() > REMEMBERED {
                self.condense();
            }
        }
        if let Some(node) = self.innermost().and_then(|node| self.nodes.get_mut(node))
            && was.first() != self.now.first()
        {
            node.turns += 1;
        }
    }

    /// The older half, two by two.
    fn condense(&mut self) {
        let older: Vec<Stretch> = self.past.drain(..REMEMBERED / 2).collect();
        let pairs = older.chunks(2).rev().filter_map(|pair| {
            let (first, rest) = pair.split_first()?;
            let mut sum = Parts {
                slots: first.slots.clone(),
            };
            for stretch in rest {
                stretch.slots.iter().for_each(|(slot, ns)| sum.add(*slot, *ns));
            }
            Some(Stretch {
                from: first.from,
                to: pair.last()?.to,
                slots: sum.slots,
            })
        });
        for stretch in pairs {
            self.past.push_front(stretch);
        }
    }

    /// Of this moment; the owner first.
    fn slots(&mut self) -> Vec<Slot> {
        let Some(innermost) = self.innermost() else {
            return vec![OUTSIDE];
        };
        let lineage = self.lineage(innermost);
        let mut slots = vec![own(innermost)];
        for (number, node) in self.nodes.iter().enumerate() {
            let inside = lineage.contains(&number);
            if node.open > 0 && !inside {
                slots.push(beside(number));
            } else if node.open == 0 && inside {
                slots.push(after(number));
            }
        }
        self.overlapped |= slots.len() > 1;
        slots
    }

    /// A phase and those around it, itself first.
    pub(in crate::model::assemble) fn lineage(&self, node: usize) -> Vec<usize> {
        let parent = |node: &usize| self.nodes.get(*node).and_then(|node| node.parent);
        std::iter::successors(Some(node), parent).collect()
    }

    /// Whose the time was from one moment to another. Never empty.
    pub(in crate::model::assemble) fn between(&self, from: Moment, to: Moment) -> Parts {
        let mut parts = Parts { slots: Vec::new() };
        let newest_first = self.past.iter().rev().take_while(|stretch| stretch.to > from);
        for stretch in newest_first {
            let (begin, end) = (from.max(stretch.from), to.min(stretch.to));
            let whole = u128::from(stretch.to.0 - stretch.from.0);
            let ns = u128::from(end.0.saturating_sub(begin.0));
            for (slot, held) in &stretch.slots {
                let part = u128::from(*held) * ns / whole;
                parts.add(*slot, u64::try_from(part).unwrap_or(u64::MAX));
            }
        }
        let rest = to.0.saturating_sub(from.max(self.since).0);
        if rest > 0 || parts.slots.is_empty() {
            for slot in &self.now {
                parts.add(*slot, rest.max(1));
            }
        }
        parts
    }

    /// For which part of a window each phase was open, of those that were for a part of it only.
    pub(in crate::model::assemble) fn partly_open(&self, parts: &Parts) -> Vec<(usize, f64)> {
        if parts.slots.len() < 2 {
            return Vec::new();
        }
        let mut sums = vec![0.0; self.nodes.len()];
        for (slot, weight) in &parts.slots {
            let Some(node) = slot.checked_sub(1).map(|slot| slot / 3) else {
                continue;
            };
            let (nodes, sign) = match slot % 3 {
                1 => (self.lineage(node), 1.0),
                2 => (vec![node], 1.0),
                _ => (vec![node], -1.0),
            };
            for node in nodes {
                if let Some(sum) = sums.get_mut(node) {
                    *sum += *weight as f64 * sign;
                }
            }
        }
        let whole = parts.whole().max(1) as f64;
        let parts = sums.into_iter().map(|sum: f64| sum / whole).enumerate();
        parts.filter(|(_, part)| *part > 0.0 && *part < 1.0).collect()
    }

    /// What was seen up to here is entered.
    pub(in crate::model::assemble) fn settle(&mut self, at: Moment) {
        self.settled = self.settled.max(at);
    }

    /// The run is over; what is open is closed.
    pub(in crate::model::assemble) fn durations(&self, started: Moment, ended: Moment) -> Durations {
        let open = |node: &Node| {
            let more = if node.open > 0 {
                ended.0.saturating_sub(node.opened_at.0)
            } else {
                0
            };
            Duration::from_nanos(node.open_ns + more)
        };
        let mut owned = self.owned_ns.clone();
        owned.resize(3 * self.nodes.len() + 1, 0);
        if let Some(ns) = self.now.first().and_then(|slot| owned.get_mut(*slot)) {
            *ns += ended.0.saturating_sub(self.since.0);
        }
        let mut owned: Vec<Duration> = owned.into_iter().map(Duration::from_nanos).collect();
        let mine: Duration = owned.iter().skip(1).sum();
        if let Some(outside) = owned.first_mut() {
            *outside = ended.since(started).saturating_sub(mine);
        }
        Durations {
            open: self.nodes.iter().map(open).collect(),
            owned,
        }
    }

    pub(in crate::model::assemble) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// How many stretches are kept.
    #[cfg(test)]
    pub(in crate::model::assemble) fn remembered(&self) -> usize {
        self.past.len()
    }

    pub(in crate::model::assemble) fn overlapped(&self) -> bool {
        self.overlapped
    }

    pub(in crate::model::assemble) fn oddities(&self) -> &Oddities {
        &self.oddities
    }
}

/// How long phases were open, by node, and how long each owned what was used, by slot.
#[derive(Debug, Clone)]
pub(in crate::model::assemble) struct Durations {
    pub(in crate::model::assemble) open: Vec<Duration>,
    pub(in crate::model::assemble) owned: Vec<Duration>,
}

impl Node {
    /// Whether a start of it has not been stopped.
    pub(in crate::model::assemble) fn is_open(&self) -> bool {
        self.open > 0
    }
}
