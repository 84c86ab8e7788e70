//! The eBPF rung: exact, per CPU, every descendant, and everybody else from the same hook and the same clock.

mod bpf;
mod breakdown;
mod btf_file;
mod clock;
mod failure;
mod gone;
mod kernel_btf;
mod load;
mod mapped;
mod numbers;
mod online;
mod pidfd;

use super::{Accounting, AccountingError, Closing, Sample};
use crate::accounting::proc_files;
use crate::model::recording::{Backend, CpuGroup, CpuUsage, ProcessUse, Survivor, Unlisted, Whose};
use crate::model::units::{CpuTime, Moment};
use breakdown::Breakdown;
use carbon_common::{Census, NO_SIBLING, Slot, TaskState, map, owner, program};
use clock::{Clocks, monotonic_ns};
pub use failure::EbpfError;
use load::{Loaded, Sizes};
use mapped::Mapped;
use numbers::Numbers;
use online::Online;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Attached in this order: membership before the switch.
const TRACEPOINTS: [&str; 5] = [
    program::NEWTASK,
    program::EXEC,
    program::EXIT,
    program::FREE,
    program::SWITCH,
];

/// Members of the kernel's structs whose offsets the kernel side wants.
const MEMBERS: [(&str, &str); 6] = [
    ("task_struct", "flags"),
    ("task_struct", "pid"),
    ("task_struct", "tgid"),
    ("task_struct", "se"),
    ("sched_entity", "sum_exec_runtime"),
    ("sched_entity", "prev_sum_exec_runtime"),
];

/// Members that say how much of a CPU's time was stolen or went to interrupts. Some kernels lack some of them.
const OPTIONAL_MEMBERS: [(&str, &str); 4] = [
    ("sched_entity", "cfs_rq"),
    ("cfs_rq", "rq"),
    ("rq", "prev_steal_time_rq"),
    ("rq", "prev_irq_time"),
];

/// Rows of a CPU: idle, others, kernel, own, the job; eight of 32 bytes fill four cache lines of its own.
const OWNERS: u32 = 8;

/// The CPUs of one sample should be looked at within so many nanoseconds, and so many more for each CPU. Who is taken off
/// the CPU in the middle needs milliseconds, and would report those of some CPUs only.
const CLOSE_TOGETHER: u64 = 20_000;
const CLOSE_TOGETHER_PER_CPU: u64 = 5_000;

/// Tries at that; on a machine too busy for it the best one is taken.
const LOOKS: u32 = 16;

/// The one job of a launcher.
const JOB: u32 = owner::FIRST_JOB;

/// The eBPF program on the scheduler, attached.
pub struct Ebpf {
    loaded: Loaded,
    clocks: Clocks,
    census: Mapped<Census>,
    breakdown: Breakdown,
    online: Online,
    /// Whether time in interrupts is told apart.
    interrupts: bool,
    own: OwnedFd,
    numbers: Numbers,
}

impl Ebpf {
    /// Loads and attaches the program, and enters who is on each CPU.
    ///
    /// # Errors
    /// When a right is missing, or the kernel is too old or has no BTF.
    pub fn open(groups: &[CpuGroup], siblings: &[Option<u32>]) -> Result<Self, EbpfError> {
        Self::load(groups, siblings).map_err(EbpfError::plain)
    }

    fn load(groups: &[CpuGroup], siblings: &[Option<u32>]) -> Result<Self, EbpfError> {
        let cpus = proc_files::possible_cpus(Path::new("/"));
        let mut loaded = Loaded::load(Sizes { cpus, owners: OWNERS })?;
        let mapping = |name| {
            move |error: io::Error| EbpfError::Map {
                name,
                reason: error.to_string(),
            }
        };
        let slots: Mapped<Slot> = Mapped::map(loaded.map(map::SLOTS)?, cpus).map_err(mapping(map::SLOTS))?;
        let times = Mapped::map(loaded.map(map::TIMES)?, cpus * OWNERS).map_err(mapping(map::TIMES))?;
        let census = Mapped::map(loaded.map(map::CENSUS)?, OWNERS).map_err(mapping(map::CENSUS))?;
        for cpu in 0..slots.len() {
            let sibling = siblings
                .get(cpu as usize)
                .copied()
                .flatten()
                .filter(|other| *other < cpus);
            slots.set(
                cpu,
                Slot {
                    owner: owner::UNSEEN,
                    sibling: sibling.unwrap_or(NO_SIBLING),
                    ..Slot::default()
                },
            );
        }
        let breakdown = Breakdown::new(loaded.take_map(map::DEPARTED)?, loaded.take_map(map::PROCESSES)?)?;

        let own = pidfd::own().map_err(EbpfError::Arm)?;
        let clocks = Clocks {
            slots,
            times,
            owners: OWNERS,
            ahead_ns: proc_files::monotonic_ahead_ns(Path::new("/")),
        };
        let mut ebpf = Self {
            loaded,
            clocks,
            census,
            breakdown,
            online: Online::new(PathBuf::from("/"), groups),
            interrupts: false,
            own,
            numbers: Numbers::here(),
        };
        ebpf.enter_own(owner::OWN)?;
        ebpf.loaded.attach()?;
        for cpu in 0..cpus {
            ebpf.loaded.seed(cpu)?;
        }
        // Where the kernel counts interrupts (CONFIG_IRQ_TIME_ACCOUNTING, and not turned off at boot), its clock of them
        // has long moved.
        ebpf.interrupts = if ebpf.sum_of_slots(|slot| slot.irq_clock_ns) > 0 {
            true
        } else {
            ebpf.loaded.attach_interrupts()?
        };
        Ok(ebpf)
    }

    /// Says whose carbon-run's children are from now on. carbon-run is found by pidfd, so that it does not matter which
    /// PID it has in which namespace. The calling thread must be the main thread: a pidfd stands for that one.
    fn enter_own(&self, heirs: u32) -> Result<(), EbpfError> {
        let key = self.own.as_raw_fd().to_ne_bytes();
        let state = TaskState {
            owner: owner::OWN,
            heirs,
            process: 0,
            ran_ns: 0,
        };
        let mut value = Vec::with_capacity(size_of::<TaskState>());
        value.extend(state.owner.to_ne_bytes());
        value.extend(state.heirs.to_ne_bytes());
        value.extend(state.process.to_ne_bytes());
        value.extend(state.ran_ns.to_ne_bytes());
        bpf::update(self.loaded.map(map::TASKS)?, &key, &value).map_err(EbpfError::Arm)
    }

    /// Looks at all CPUs, one after the other; also says how many nanoseconds that took.
    fn look_at_all(&self) -> (u64, Sample) {
        let begin = monotonic_ns();
        let mut usage = vec![
            CpuUsage {
                kernel: Some(Default::default()),
                interrupts: self.interrupts.then(Default::default),
                stolen: self.loaded.sees_stolen().then_some(CpuTime::ZERO),
                ..CpuUsage::default()
            };
            self.online.groups().len()
        ];
        for (row, group) in usage.iter_mut().zip(self.online.groups()) {
            for &cpu in &group.cpus {
                if let Some(look) = self.clocks.look(cpu) {
                    let (idle, there) = self.online.idle(cpu, look.idle_ns());
                    clock::add_to(row, &look, JOB);
                    row.idle += CpuTime(idle);
                    row.online += u32::from(there);
                }
            }
        }
        let at = monotonic_ns();
        (
            at.saturating_sub(begin),
            Sample {
                at: Moment(at),
                usage,
            },
        )
    }

    fn lost(&self) -> u64 {
        self.sum_of_slots(|slot| slot.lost)
    }

    fn sum_of_slots(&self, field: impl Fn(&Slot) -> u64) -> u64 {
        (0..self.clocks.slots.len())
            .filter_map(|cpu| self.clocks.slots.get(cpu))
            .map(|slot| field(&slot))
            .sum()
    }

    fn living_tasks(&self) -> u64 {
        self.census
            .get(JOB)
            .map_or(0, |census| census.tasks.saturating_sub(census.exited))
    }

    /// Members that are in /proc under these numbers.
    fn members_here(&self) -> Vec<u32> {
        match self.numbers {
            Numbers::Shared => self.breakdown.living_pids(),
            Numbers::Translated => self
                .loaded
                .map(map::TASKS)
                .map_or_else(|_| Vec::new(), |tasks| numbers::translated(tasks, JOB)),
            Numbers::Unknown => Vec::new(),
        }
    }

    /// Members that still run. Where /proc cannot be asked, they are named as the kernel side knows them.
    fn survivors(&self, child: u32) -> Vec<Survivor> {
        if self.living_tasks() == 0 {
            return Vec::new();
        }
        if self.numbers == Numbers::Unknown {
            let living = self.breakdown.living().into_iter();
            return living
                .map(|ProcessUse { pid, comm, .. }| Survivor { pid, comm })
                .collect();
        }
        self.members_here()
            .into_iter()
            .filter(|pid| *pid != child)
            .filter_map(|pid| {
                Some(Survivor {
                    pid,
                    comm: proc_files::living_name(Path::new("/"), pid)?,
                })
            })
            .collect()
    }
}

impl Accounting for Ebpf {
    fn backend(&self) -> Backend {
        Backend::Ebpf
    }

    fn arm(&mut self) -> Result<(), AccountingError> {
        Ok(self.enter_own(JOB)?)
    }

    fn disarm(&mut self, _child: u32) -> Result<(), AccountingError> {
        Ok(self.enter_own(owner::OWN)?)
    }

    fn sample(&mut self) -> Result<Sample, AccountingError> {
        self.breakdown.drain();
        let clocks = &self.clocks;
        self.online.look(|cpu| {
            let now = clocks.look(cpu)?;
            let in_flight = if now.slot.owner == owner::IDLE {
                now.in_flight
            } else {
                0
            };
            Some((now.idle_ns() - in_flight, now.idle_ns()))
        });
        let at_most = CLOSE_TOGETHER + CLOSE_TOGETHER_PER_CPU * u64::from(self.clocks.slots.len());
        let mut best = self.look_at_all();
        for _ in 1..LOOKS {
            if best.0 <= at_most {
                break;
            }
            let again = self.look_at_all();
            if again.0 < best.0 {
                best = again;
            }
        }
        Ok(best.1)
    }

    fn members(&mut self) -> Vec<u32> {
        self.members_here()
    }

    fn whose(&mut self, pids: &[u32]) -> Vec<Whose> {
        let translated = self.numbers != Numbers::Shared;
        let here = if translated {
            self.members_here()
        } else {
            Vec::new()
        };
        self.breakdown.whose(pids, &here)
    }

    fn living(&mut self) -> u64 {
        self.living_tasks()
    }

    fn close(&mut self, child: u32) -> Closing {
        let survivors = self.survivors(child);
        let in_flight: Vec<(u64, u64)> = (0..self.clocks.slots.len())
            .filter_map(|cpu| self.clocks.look(cpu))
            .filter(|now| now.slot.process != 0)
            .map(|now| (now.slot.process, now.in_flight))
            .collect();
        let (processes, mut unlisted) = self.breakdown.close(&in_flight);
        let census = self.census.get(JOB).unwrap_or_default();
        unlisted = Unlisted {
            processes: unlisted.processes + self.sum_of_slots(|slot| slot.unlisted_processes),
            on_cpu: unlisted.on_cpu + CpuTime(census.unlisted_ns),
        };
        Closing {
            process_count: Some(census.processes),
            processes,
            unlisted,
            survivors,
            lost: self.lost(),
            notes: self.online.notes(),
        }
    }
}
