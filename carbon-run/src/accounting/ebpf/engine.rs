//! The program on the scheduler, attached, and what it counts.

use super::clock::{Clocks, CpuNow, monotonic_ns};
use super::load::{Loaded, Sizes};
use super::mapped::Mapped;
use super::online::Online;
use super::records::Records;
use super::snapshot::{GroupTime, Snapshot, Tells};
use super::{EbpfError, bpf};
use crate::accounting::proc_files;
use crate::model::recording::{CpuGroup, Note};
use crate::model::units::Moment;
use carbon_common::{Census, NO_SIBLING, Slot, TaskState, map, owner};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// The CPUs of one sample should be looked at within so many nanoseconds, and so many more for each CPU. Who is taken off
/// the CPU in the middle needs milliseconds, and would report those of some CPUs only.
const CLOSE_TOGETHER: u64 = 20_000;
const CLOSE_TOGETHER_PER_CPU: u64 = 5_000;

/// Tries at that; on a machine too busy for it the best one is taken.
const LOOKS: u32 = 16;

/// For how many jobs and processes there is to be room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Jobs at a time.
    pub jobs: u32,
    /// Living processes of all jobs together that are told of one by one.
    pub processes: u32,
}

/// The program, and its maps.
pub(super) struct Engine {
    pub(super) loaded: Loaded,
    clocks: Clocks,
    census: Mapped<Census>,
    pub(super) records: Records,
    online: Online,
    /// Whether time in interrupts is told apart.
    interrupts: bool,
    owners: u32,
}

impl Engine {
    /// Loads the program and makes its maps. Nothing is attached yet.
    ///
    /// # Errors
    /// When a right is missing, or the kernel is too old or has no BTF.
    pub(super) fn load(groups: &[CpuGroup], siblings: &[Option<u32>], room: Room) -> Result<Self, EbpfError> {
        let cpus = proc_files::possible_cpus(Path::new("/"));
        let owners = owners(room);
        let loaded = Loaded::load(Sizes {
            cpus,
            owners,
            processes: room.processes,
        })?;
        let engine = Self::over(loaded, groups, cpus, owners)?;
        for cpu in 0..cpus {
            let sibling = siblings
                .get(cpu as usize)
                .copied()
                .flatten()
                .filter(|other| *other < cpus);
            engine.clocks.slots.set(
                cpu,
                Slot {
                    owner: owner::UNSEEN,
                    sibling: sibling.unwrap_or(NO_SIBLING),
                    ..Slot::default()
                },
            );
        }
        Ok(engine)
    }

    /// What was pinned at `place` for so many jobs, attached and counting; `None` where there is nothing.
    ///
    /// # Errors
    /// When it is there and cannot be used.
    pub(super) fn pinned(groups: &[CpuGroup], room: Room, place: &Path) -> Result<Option<Self>, EbpfError> {
        let Some(loaded) = Loaded::pinned(place)? else {
            return Ok(None);
        };
        let cpus = proc_files::possible_cpus(Path::new("/"));
        let mut engine = Self::over(loaded, groups, cpus, owners(room))?;
        engine.interrupts = engine.loaded.times_interrupts() || engine.counts_interrupts_itself();
        Ok(Some(engine))
    }

    fn over(loaded: Loaded, groups: &[CpuGroup], cpus: u32, owners: u32) -> Result<Self, EbpfError> {
        let mapping = |name| {
            move |error: io::Error| EbpfError::Map {
                name,
                reason: error.to_string(),
            }
        };
        let slots = Mapped::map(loaded.map(map::SLOTS)?, cpus).map_err(mapping(map::SLOTS))?;
        let times = Mapped::map(loaded.map(map::TIMES)?, cpus * owners).map_err(mapping(map::TIMES))?;
        let census = Mapped::map(loaded.map(map::CENSUS)?, owners).map_err(mapping(map::CENSUS))?;
        let own_copy = |name: &'static str| {
            let fd = loaded.map(name)?;
            fd.try_clone_to_owned().map_err(mapping(name))
        };
        let departed =
            aya::maps::MapData::from_fd(own_copy(map::DEPARTED)?).map_err(|error| EbpfError::Map {
                name: map::DEPARTED,
                reason: error.to_string(),
            })?;
        let records = Records::new(departed, own_copy(map::PROCESSES)?)?;
        Ok(Self {
            clocks: Clocks {
                slots,
                times,
                owners,
                ahead_ns: proc_files::monotonic_ahead_ns(Path::new("/")),
            },
            census,
            records,
            online: Online::new(PathBuf::from("/"), groups),
            interrupts: false,
            owners,
            loaded,
        })
    }

    /// Starts accounting, and enters who is on each CPU.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) fn start(&mut self) -> Result<(), EbpfError> {
        self.loaded.attach()?;
        for cpu in 0..self.clocks.slots.len() {
            self.loaded.seed(cpu)?;
        }
        // Where the kernel counts interrupts (CONFIG_IRQ_TIME_ACCOUNTING, and not turned off at boot), its clock of them
        // has long moved.
        self.interrupts = if self.counts_interrupts_itself() {
            true
        } else {
            self.loaded.attach_interrupts()?
        };
        Ok(())
    }

    fn counts_interrupts_itself(&self) -> bool {
        (0..self.clocks.slots.len())
            .filter_map(|cpu| self.clocks.slots.get(cpu))
            .any(|slot| slot.irq_clock_ns > 0)
    }

    /// How many owners there is room for.
    pub(super) fn owners(&self) -> u32 {
        self.owners
    }

    /// The head count of an owner.
    pub(super) fn census(&self, owner: u32) -> Census {
        self.census.get(owner).unwrap_or_default()
    }

    /// Counts a task that joined an owner otherwise than by birth, and its process.
    pub(super) fn count_in(&self, owner: u32, is_process: bool) {
        // In `Census`'s order: processes, tasks.
        self.census.add(owner, 0, u64::from(is_process));
        self.census.add(owner, 1, 1);
    }

    /// Forgets the head count of an owner that has no task any more.
    pub(super) fn forget_census(&self, owner: u32) {
        self.census.set(owner, Census::default());
    }

    /// Says whose a process is from now on, and whose its children are. It is found by pidfd, so that it does not matter
    /// which number it has in which namespace; that stands for its main thread.
    ///
    /// # Errors
    /// When the kernel refuses, or the process has ended.
    pub(super) fn enter(&self, process: BorrowedFd<'_>, state: &TaskState) -> Result<(), EbpfError> {
        let mut value = Vec::with_capacity(size_of::<TaskState>());
        value.extend(state.owner.to_ne_bytes());
        value.extend(state.heirs.to_ne_bytes());
        value.extend(state.process.to_ne_bytes());
        value.extend(state.ran_ns.to_ne_bytes());
        let key = process.as_raw_fd().to_ne_bytes();
        bpf::update(self.loaded.map(map::TASKS)?, &key, &value).map_err(EbpfError::Arm)
    }

    /// What is known of a process's main thread; `None`: nothing, it is nobody's.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub(super) fn state_of(&self, process: BorrowedFd<'_>) -> Result<Option<TaskState>, EbpfError> {
        let mut raw = [0; size_of::<TaskState>()];
        let key = process.as_raw_fd().to_ne_bytes();
        match bpf::look_up(self.loaded.map(map::TASKS)?, &key, &mut raw) {
            Ok(()) => Ok(Some(state_from(&raw))),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
            Err(error) => Err(EbpfError::Arm(error)),
        }
    }

    /// Everybody's time now, that of the first `rows` owners one by one.
    pub(super) fn snapshot(&mut self, rows: u32) -> Snapshot {
        let clocks = &self.clocks;
        self.online.look(|cpu| {
            let now = clocks.look(cpu, 1)?;
            let in_flight = if now.slot.owner == owner::IDLE {
                now.in_flight
            } else {
                0
            };
            Some((now.idle_ns() - in_flight, now.idle_ns()))
        });
        let at_most = CLOSE_TOGETHER + CLOSE_TOGETHER_PER_CPU * u64::from(self.clocks.slots.len());
        let mut best = self.look_at_all(rows);
        for _ in 1..LOOKS {
            if best.0 <= at_most {
                break;
            }
            let again = self.look_at_all(rows);
            if again.0 < best.0 {
                best = again;
            }
        }
        best.1
    }

    /// Looks at all CPUs, one after the other; also says how many nanoseconds that took.
    fn look_at_all(&self, rows: u32) -> (u64, Snapshot) {
        let begin = monotonic_ns();
        let groups = self.online.groups().iter().map(|group| {
            let mut time = GroupTime::default();
            for &cpu in &group.cpus {
                if let Some(look) = self.clocks.look(cpu, rows) {
                    time.add(&look, self.online.idle(cpu, look.idle_ns()));
                }
            }
            time
        });
        let groups = groups.collect();
        let at = monotonic_ns();
        let snapshot = Snapshot {
            at: Moment(at),
            groups,
            tells: Tells {
                interrupts: self.interrupts,
                stolen: self.loaded.sees_stolen(),
            },
        };
        (at.saturating_sub(begin), snapshot)
    }

    /// Which processes of the breakdown are on a CPU now, and for how many nanoseconds that is not in their records yet.
    pub(super) fn in_flight(&self) -> Vec<(u64, u64)> {
        (0..self.clocks.slots.len())
            .filter_map(|cpu| self.clocks.look(cpu, 1))
            .filter(|CpuNow { slot, .. }| slot.process != 0)
            .map(|now| (now.slot.process, now.in_flight))
            .collect()
    }

    /// What the reader should know.
    pub(super) fn notes(&self) -> Vec<Note> {
        self.online.notes()
    }
}

/// Rows of 32 bytes: a CPU's fill whole cache lines of its own.
fn owners(room: Room) -> u32 {
    (owner::FIRST_JOB + room.jobs).next_multiple_of(4)
}

/// In [`TaskState`]'s order.
fn state_from(raw: &[u8; size_of::<TaskState>()]) -> TaskState {
    let mut words = [0_u64; size_of::<TaskState>() / 8];
    for (word, bytes) in words.iter_mut().zip(raw.as_chunks::<8>().0) {
        *word = u64::from_ne_bytes(*bytes);
    }
    let [owners, process, ran_ns] = words;
    let [a, b, c, d, e, f, g, h] = owners.to_ne_bytes();
    TaskState {
        owner: u32::from_ne_bytes([a, b, c, d]),
        heirs: u32::from_ne_bytes([e, f, g, h]),
        process,
        ran_ns,
    }
}
