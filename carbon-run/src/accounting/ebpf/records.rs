//! Processes as the kernel side tells of them: those that have ended come through a ring buffer, the living are in a hash.

use super::{EbpfError, bpf};
use crate::model::recording::ProcessUse;
use crate::model::units::CpuTime;
use aya::maps::{Map, MapData, RingBuf};
use carbon_common::{Process, map};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Kernel layout of [`Process`] as words.
type RawProcess = [u64; size_of::<Process>() / 8];

/// Both.
pub(super) struct Records {
    departed: RingBuf<MapData>,
    living: OwnedFd,
}

impl Records {
    pub(super) fn new(departed: MapData, living: OwnedFd) -> Result<Self, EbpfError> {
        let departed = RingBuf::try_from(Map::RingBuf(departed)).map_err(|error| EbpfError::Map {
            name: map::DEPARTED,
            reason: error.to_string(),
        })?;
        Ok(Self { departed, living })
    }

    /// Hands over who has ended since the last look, so that the ring does not fill. Returns how many that were.
    pub(super) fn drain(&mut self, mut take: impl FnMut(&Process)) -> usize {
        let mut taken = 0;
        while let Some(record) = self.departed.next() {
            if let Some(process) = decode_bytes(&record) {
                take(&process);
            }
            taken += 1;
        }
        taken
    }

    /// The living of all jobs, by serial number.
    ///
    /// # Errors
    /// When the kernel refuses to tell.
    pub(super) fn living(&self) -> io::Result<Vec<(u64, Process)>> {
        let raw = bpf::all_values::<{ size_of::<Process>() / 8 }>(self.living.as_fd())?;
        Ok(raw
            .into_iter()
            .map(|(serial, raw)| (serial, decode(raw)))
            .collect())
    }

    /// The living as they were while nobody ended: who ends goes into the ring first and leaves the hash then, and would
    /// be found in both, twice in the hash, or in neither.
    pub(super) fn settled(&mut self, mut take: impl FnMut(&Process)) -> Vec<(u64, Process)> {
        /// A process ends about every half millisecond in a storm, and a look takes a few of those.
        const TRIES: u32 = 100;
        let mut living = Vec::new();
        for _ in 0..TRIES {
            self.drain(&mut take);
            living = self.living().unwrap_or_default();
            if self.drain(&mut take) == 0 {
                break;
            }
        }
        living
    }
}

fn decode_bytes(bytes: &[u8]) -> Option<Process> {
    let mut raw = RawProcess::default();
    for (word, chunk) in raw.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = u64::from_ne_bytes(chunk.try_into().ok()?);
    }
    (bytes.len() >= size_of::<Process>()).then(|| decode(raw))
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

/// As a recording tells of it.
pub(super) fn describe(process: &Process) -> ProcessUse {
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
        assert_eq!(
            decode_bytes(&bytes).map(|process| describe(&process)),
            Some(expected)
        );
        assert_eq!(decode_bytes(&bytes[..39]), None);
    }
}
