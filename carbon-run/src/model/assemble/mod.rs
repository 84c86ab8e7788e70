//! From a recording to a report. All arithmetic on a run happens below here.
//!
//! [`Assembler`] takes the recording piece by piece, so that a run of a month needs no more memory than one of a second;
//! [`assemble`] feeds it a whole one.

mod beyond;
mod carbon;
mod cpu_model;
mod domain;
mod evidence;
pub mod gauge;
mod gpu;
mod gpu_idle;
pub mod hypothetical;
mod idle;
mod phases;
mod quality;
mod ram;
mod regression;
mod supply;
mod totals;
mod uncertainty;

pub use gpu_idle::{GpuIdle, gpu_idle_before};

use super::recording::{Backend, BusyTime, CpuUsage, Gpu, Head, Note, Observation, Recording, Tail};
use super::report::{GpuReport, IdlePower, Intensity, RunReport, TimeTaken};
use super::units::{CpuTime, Moment};
use super::usage::{Weights, WindowUsage};
use domain::{DomainBooks, Look};
use phases::{Ending, PhaseBooks};
use ram::{MemoryBooks, Times};
use std::time::Duration;
use supply::Supply;

/// A recorded run's report. `intensity` is the electricity's, looked up for the recording's place
/// ([`super::recording::Choices::place`]); where the recording has a time series of it, that goes first.
#[must_use]
pub fn assemble(recording: &Recording, intensity: Intensity) -> RunReport {
    let mut assembler = Assembler::open(recording.head.clone(), intensity);
    for observation in &recording.observations {
        assembler.observe(observation);
    }
    assembler.close(recording.tail.as_ref())
}

/// The idle power that a run with this head starts with, by domain; models have their own, and a GPU's is that with a
/// context on it.
#[must_use]
pub fn idle_before(head: &Head) -> Vec<IdlePower> {
    let gpu_of = |at: usize| {
        let mut devices = head.gpus.iter().flat_map(|gpus| &gpus.devices);
        devices.find(|gpu| gpu.domain == Some(at))
    };
    head.domains
        .iter()
        .enumerate()
        .map(|(at, domain)| match gpu_of(at) {
            Some(gpu) => gpu_idle_before(gpu, head).resident,
            None => idle::prior(domain, head),
        })
        .collect()
}

/// Keeps the books while a run goes on.
#[derive(Debug, Clone)]
pub struct Assembler {
    head: Head,
    supply: Supply,
    domains: Vec<DomainBooks>,
    memory: MemoryBooks,
    phases: PhaseBooks,
    first: Option<Observation>,
    last: Option<Observation>,
    /// Number of observations.
    looks: u64,
    slept: Duration,
}

impl Assembler {
    /// Opens the books.
    #[must_use]
    pub fn open(mut head: Head, intensity: Intensity) -> Self {
        let domains = DomainBooks::open_all(&head);
        let supply = Supply::open(&mut head, intensity);
        Self {
            head,
            supply,
            domains,
            memory: MemoryBooks::default(),
            phases: PhaseBooks::default(),
            first: None,
            last: None,
            looks: 0,
            slept: Duration::ZERO,
        }
    }

    /// Enters the next observation.
    pub fn observe(&mut self, observation: &Observation) {
        let slept_ns = self
            .last
            .as_ref()
            .map_or(0, |last| observation.slept_ns.saturating_sub(last.slept_ns));
        // NTP slews both clocks alike; anything below a millisecond is the time between reading the two.
        let slept = Duration::from_nanos(slept_ns) > Duration::from_millis(1);
        if slept {
            self.slept += Duration::from_nanos(slept_ns);
        }
        let since_last = self
            .last
            .as_ref()
            .map_or(Duration::ZERO, |last| observation.at.since(last.at));
        self.supply.reach(observation, slept);
        self.phases.mark(observation);
        if let (Some(last), true) = (&self.last, self.phases.any()) {
            let window = WindowUsage::between(&last.usage, &observation.usage, &[], &weights(&self.head));
            self.phases.cpu_time(last.at, observation.at, window.job_ns);
        }
        let devices = self.head.gpus.iter().flat_map(|gpus| &gpus.devices);
        let looks: Vec<_> = devices.map(|gpu| gpu.domain).zip(&observation.gpus).collect();
        for (at, (books, reading)) in self.domains.iter_mut().zip(&observation.readings).enumerate() {
            let of_this = looks.iter().find(|(domain, _)| *domain == Some(at));
            let look = Look {
                observation,
                slept,
                since_last,
                gpu: of_this.map(|(_, look)| *look),
                supply: &self.supply,
                phases: &self.phases,
            };
            books.observe(reading, &look, &self.head.choices);
        }
        let times = Times {
            supply: &self.supply,
            phases: &self.phases,
        };
        for glance in &observation.memory_before {
            self.memory.observe(Some(*glance), times);
        }
        self.memory.observe(observation.memory, times);
        self.phases.settle(observation);
        if self.first.is_none() {
            self.first = Some(observation.clone());
        }
        self.last = Some(observation.clone());
        self.looks += 1;
    }

    /// Closes the books. Without a tail (the launcher was killed) the run ends with the last observation.
    #[must_use]
    pub fn close(mut self, tail: Option<&Tail>) -> RunReport {
        let (started, ended) = self.span(tail);
        let duration = ended.since(started);
        let times = Times {
            supply: &self.supply,
            phases: &self.phases,
        };
        self.memory.close(started, ended, tail, times);
        for books in &mut self.domains {
            books.close(&self.memory, duration, &self.head, &self.phases);
        }
        let window = self.window();
        let reports: Vec<_> = self.domains.iter().map(|books| books.report(duration)).collect();
        let totals = totals::total(&self.domains, &reports, self.head.gpus.as_ref());
        // One look at the clocks of the CPUs is no time.
        let counted = self.looks > 1;
        let taken = self.taken();
        let quality = self.quality(tail, &totals, duration);
        let gpus = self.gpus();
        let cpu_time = counted.then_some(CpuTime(window.job_ns));
        let intensity = self.supply.close(totals.intensity);
        let emissions = totals::emissions(&totals.energy.total, self.head.choices.pue, &intensity);
        let beyond = beyond::Known {
            choices: &self.head.choices,
            host: &self.head.host,
            duration,
            cpu_time,
            energy: &totals.energy.total,
            emissions: &emissions,
            gpus: &gpus,
            domains: &reports,
        }
        .beyond();
        let phases = self.phases.close(&Ending {
            started,
            ended,
            domains: &self.domains,
            totals: &totals,
            cpu_time,
            intensity: &intensity,
            pue: self.head.choices.pue,
        });
        let Head {
            choices,
            host,
            accounting,
            ..
        } = self.head;
        RunReport {
            carbon_run_version: self.head.carbon_run_version,
            data_version: super::tables::Tables::version().to_owned(),
            run_id: self.head.run_id,
            inside: self.head.inside,
            project: self.head.project,
            experiment_id: self.head.experiment_id,
            command: self.head.command,
            started_at_unix_ns: self.head.started_at_unix_ns,
            utc_offset_s: self.head.utc_offset_s,
            duration,
            exit: tail.map(|tail| tail.exit),
            cpu_time,
            others_cpu_time: counted.then(|| others_cpu_time(self.first.as_ref(), self.last.as_ref())),
            taken,
            process_count: tail.and_then(|tail| tail.process_count),
            accounting,
            energy: totals.energy,
            idle_policy: choices.idle_policy,
            domains: reports,
            gpus,
            phases,
            intensity,
            pue: choices.pue,
            pue_from: choices.pue_from,
            emissions,
            beyond,
            host,
            quality,
            processes: tail.map(|tail| tail.processes.clone()).unwrap_or_default(),
            unlisted: tail.map(|tail| tail.unlisted).unwrap_or_default(),
            survivors: tail.map(|tail| tail.survivors.clone()).unwrap_or_default(),
            mean_memory_bytes: self.memory.mean_bytes(duration),
        }
    }

    /// Every GPU, also one without a meter.
    fn gpus(&self) -> Vec<GpuReport> {
        let wanted = self.head.choices.idle_policy;
        let Some(gpus) = &self.head.gpus else {
            return Vec::new();
        };
        let report = |gpu: &Gpu| {
            let books = gpu.domain.and_then(|domain| self.domains.get(domain));
            books
                .and_then(|books| books.gpu(wanted))
                .unwrap_or_else(|| GpuReport {
                    gpu: gpu.clone(),
                    allocated_by: gpus.allocated_by.clone(),
                    idle_policy: wanted,
                    deep_idle: gpu.idle.deep,
                    deep_found: None,
                })
        };
        gpus.devices.iter().map(report).collect()
    }

    fn span(&self, tail: Option<&Tail>) -> (Moment, Moment) {
        let first = self.first.as_ref().map_or(Moment(0), |first| first.at);
        let last = self.last.as_ref().map_or(first, |last| last.at);
        tail.map_or((first, last), |tail| (tail.started, tail.ended))
    }

    /// The whole machine over the whole run.
    fn window(&self) -> WindowUsage {
        match (&self.first, &self.last) {
            (Some(first), Some(last)) => {
                WindowUsage::between(&first.usage, &last.usage, &[], &weights(&self.head))
            }
            _ => WindowUsage::default(),
        }
    }

    /// What interrupts and a hypervisor took of the whole machine over the whole run.
    fn taken(&self) -> TimeTaken {
        let (Some(first), Some(last)) = (&self.first, &self.last) else {
            return TimeTaken::default();
        };
        let delta = |time: fn(&CpuUsage) -> Option<CpuTime>| -> Option<CpuTime> {
            let sum = |at: &Observation| at.usage.iter().map(time).sum::<Option<CpuTime>>();
            (self.looks > 1).then_some(())?;
            Some(sum(last)?.since(sum(first)?))
        };
        TimeTaken {
            interrupts: delta(|usage| usage.interrupts.map(BusyTime::total)),
            interrupts_in_job: delta(|usage| usage.interrupts.map(|_| usage.interrupts_in_job)),
            stolen: delta(|usage| usage.stolen),
        }
    }
}

/// What a second weighs. A core that can do less draws less; the kernel says how much less it can do, and nobody how much less
/// it draws.
fn weights(head: &Head) -> Weights {
    let capacity = head
        .groups
        .iter()
        .map(|group| group.capacity_permille.unwrap_or(1000));
    Weights {
        shared_permille: shared_permille(head),
        capacity_permille: capacity.collect(),
    }
}

/// What a thread-second beside a busy sibling weighs, in thousandths of one alone. Where nobody can have a sibling, or
/// nobody knows when it was busy (only eBPF tells), a second is a second.
fn shared_permille(head: &Head) -> u32 {
    match (head.accounting.backend, head.host.threads_per_core) {
        (Backend::Daemon | Backend::Ebpf, Some(2..)) => head.choices.smt_weight_permille,
        (Backend::Daemon | Backend::Ebpf | Backend::Perf | Backend::Cgroup | Backend::Procfs, _) => 1000,
    }
}

fn others_cpu_time(first: Option<&Observation>, last: Option<&Observation>) -> CpuTime {
    let busy = |observation: &Observation| -> CpuTime {
        let row = |usage: &CpuUsage| {
            let interrupts = usage.interrupts.unwrap_or_default().total();
            usage.others.total() + usage.kernel.unwrap_or_default().total() + interrupts
        };
        observation.usage.iter().map(row).sum()
    };
    match (first, last) {
        (Some(first), Some(last)) => busy(last).since(busy(first)),
        _ => CpuTime::ZERO,
    }
}

fn note(code: &str, message: String, hint: Option<String>) -> Note {
    Note {
        code: code.to_owned(),
        message,
        hint,
        degrades: true,
    }
}

#[cfg(test)]
mod tests;
