//! The job's processes one by one: those that have ended come through a ring buffer, the living are in a hash. Bounded
//! in memory; the job's totals never depend on it.

use super::EbpfError;
use super::gone::Gone;
use crate::model::recording::{ProcessUse, Unlisted, Whose};
use crate::model::units::CpuTime;
use aya::maps::{HashMap as BpfHashMap, Map, MapData, RingBuf};
use carbon_common::{Process, map};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// How many of the ended processes are kept: the busiest.
const KEPT: usize = 256;

/// Kernel layout of [`Process`] as words, which aya reads as plain data.
type RawProcess = [u64; size_of::<Process>() / 8];

/// The job's processes.
pub(super) struct Breakdown {
    departed: RingBuf<MapData>,
    living: BpfHashMap<MapData, u64, RawProcess>,
    /// The busiest that have ended; the least busy on top, to be thrown out first.
    kept: BinaryHeap<Reverse<(u64, u32, u32, String)>>,
    dropped: Unlisted,
    gone: Gone,
}

impl Breakdown {
    pub(super) fn new(departed: MapData, living: MapData) -> Result<Self, EbpfError> {
        let bad = |name| {
            move |error: aya::maps::MapError| EbpfError::Map {
                name,
                reason: error.to_string(),
            }
        };
        Ok(Self {
            departed: RingBuf::try_from(Map::RingBuf(departed)).map_err(bad(map::DEPARTED))?,
            living: BpfHashMap::try_from(Map::HashMap(living)).map_err(bad(map::PROCESSES))?,
            kept: BinaryHeap::new(),
            dropped: Unlisted::default(),
            gone: Gone::default(),
        })
    }

    /// Takes in who has ended since the last look, so that the ring does not fill. Returns how many that were.
    pub(super) fn drain(&mut self) -> usize {
        let mut taken = 0;
        while let Some(record) = self.departed.next() {
            if let Some(process) = decode_bytes(&record) {
                self.gone.add(process.pid);
                keep(&mut self.kept, &mut self.dropped, process);
            }
            taken += 1;
        }
        taken
    }

    /// The living, by serial number, as they were while nobody ended: who ends goes into the ring first and leaves the
    /// hash then, and would be found in both, twice in the hash, or in neither.
    fn settled(&mut self) -> Vec<(u64, Process)> {
        /// A process ends about every half millisecond in a storm, and a look takes a few of those.
        const TRIES: u32 = 100;
        let mut living = Vec::new();
        for _ in 0..TRIES {
            self.drain();
            living = self
                .living
                .iter()
                .filter_map(Result::ok)
                .map(|(serial, raw)| (serial, decode(raw)))
                .collect();
            if self.drain() == 0 {
                break;
            }
        }
        living
    }

    /// The living.
    pub(super) fn living(&self) -> Vec<ProcessUse> {
        self.living
            .iter()
            .filter_map(Result::ok)
            .map(|(_, raw)| describe(&decode(raw)))
            .collect()
    }

    /// Process ids of the living, in the initial PID namespace.
    pub(super) fn living_pids(&self) -> Vec<u32> {
        self.living
            .iter()
            .filter_map(Result::ok)
            .map(|(_, raw)| decode(raw).pid)
            .collect()
    }

    /// Whose these are. Drivers tell the initial namespace's ids, which the kernel side knows; some translate them to those
    /// of a namespace, where `here` are the members.
    pub(super) fn whose(&mut self, pids: &[u32], here: &[u32]) -> Vec<Whose> {
        let living = self.living_pids();
        // Who has ended since is not in the hash any more, but in the ring.
        self.drain();
        let is_job = |pid: &u32| living.contains(pid) || here.contains(pid) || self.gone.contains(*pid);
        let whose = |pid| if is_job(pid) { Whose::Job } else { Whose::Others };
        pids.iter().map(whose).collect()
    }

    /// Everybody, busiest first, and what that leaves out. `in_flight` is (process, time) of those that are on a CPU now.
    pub(super) fn close(&mut self, in_flight: &[(u64, u64)]) -> (Vec<ProcessUse>, Unlisted) {
        for (serial, mut process) in self.settled() {
            process.on_cpu_ns += in_flight
                .iter()
                .filter(|(on, _)| *on == serial)
                .map(|(_, ns)| ns)
                .sum::<u64>();
            keep(&mut self.kept, &mut self.dropped, describe(&process));
        }
        let mut processes: Vec<ProcessUse> = std::mem::take(&mut self.kept)
            .into_iter()
            .map(|Reverse((ns, pid, parent, comm))| ProcessUse {
                pid,
                parent,
                comm,
                on_cpu: CpuTime(ns),
            })
            .collect();
        processes.sort_by(|a, b| b.on_cpu.cmp(&a.on_cpu).then(a.pid.cmp(&b.pid)));
        (processes, self.dropped)
    }
}

fn keep(
    kept: &mut BinaryHeap<Reverse<(u64, u32, u32, String)>>,
    dropped: &mut Unlisted,
    process: ProcessUse,
) {
    kept.push(Reverse((
        process.on_cpu.0,
        process.pid,
        process.parent,
        process.comm,
    )));
    if kept.len() > KEPT
        && let Some(Reverse((ns, ..))) = kept.pop()
    {
        dropped.processes += 1;
        dropped.on_cpu += CpuTime(ns);
    }
}

fn decode_bytes(bytes: &[u8]) -> Option<ProcessUse> {
    let mut raw = RawProcess::default();
    for (word, chunk) in raw.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = u64::from_ne_bytes(chunk.try_into().ok()?);
    }
    (bytes.len() >= size_of::<Process>()).then(|| describe(&decode(raw)))
}

/// From words to fields, in [`Process`]'s order.
fn decode([on_cpu_ns, pids, owner, comm_low, comm_high]: RawProcess) -> Process {
    let halves = |word: u64| {
        let [a, b, c, d, e, f, g, h] = word.to_ne_bytes();
        (u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h]))
    };
    let (pid, parent) = halves(pids);
    let (owner, reserved) = halves(owner);
    let mut comm = [0; 16];
    for (to, from) in comm
        .iter_mut()
        .zip(comm_low.to_ne_bytes().into_iter().chain(comm_high.to_ne_bytes()))
    {
        *to = from;
    }
    Process {
        on_cpu_ns,
        pid,
        parent,
        owner,
        reserved,
        comm,
    }
}

fn describe(process: &Process) -> ProcessUse {
    let end = process
        .comm
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(process.comm.len());
    ProcessUse {
        pid: process.pid,
        parent: process.parent,
        comm: String::from_utf8_lossy(process.comm.get(..end).unwrap_or_default()).into_owned(),
        on_cpu: CpuTime(process.on_cpu_ns),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_the_kernel_side_wrote_it() {
        let mut bytes = 7_000_u64.to_ne_bytes().to_vec();
        for word in [41_u32, 40, 4, 0] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(b"python3\0\0\0\0\0\0\0\0\0");
        let expected = ProcessUse {
            pid: 41,
            parent: 40,
            comm: "python3".to_owned(),
            on_cpu: CpuTime(7_000),
        };
        assert_eq!(decode_bytes(&bytes), Some(expected));
        assert_eq!(decode_bytes(&bytes[..39]), None);
    }

    #[test]
    fn a_fork_storm_keeps_the_busiest_and_lumps_the_rest_together() {
        let mut kept = BinaryHeap::new();
        let mut dropped = Unlisted::default();
        for pid in 1..=1_000 {
            let on_cpu = CpuTime(u64::from(pid));
            keep(
                &mut kept,
                &mut dropped,
                ProcessUse {
                    pid,
                    parent: 0,
                    comm: String::new(),
                    on_cpu,
                },
            );
        }
        assert_eq!(kept.len(), KEPT);
        let listed: u64 = kept.iter().map(|Reverse((ns, ..))| ns).sum();
        assert_eq!(dropped.processes, 744);
        assert_eq!(listed + dropped.on_cpu.0, 500_500);
    }
}
