//! The assembler against machines whose truth is known: additive power, so that who was on the CPU for how long says who
//! used which energy, whatever the others did.

mod coverage;
mod electricity;
mod gaps;
mod gpu_powers;
mod idle_power;
mod models;
mod phases;
mod precedence;
mod shares;
mod sums;
mod time;
mod truth;
mod whole;

use super::*;
use crate::model::recording::{
    AccountingFacts, Backend, BusyTime, Choices, CpuGroup, CpuUsage, Domain, DomainKind, DomainSource, Exit,
    Host, IdlePolicy, KnownPower, Origin, PhaseMark, Place, Ranged, Reading, SCHEMA, Source, TickSize,
    Unlisted,
};
use crate::model::report::{DomainReport, Ledger};
use crate::model::units::{GramsPerKwh, MicroJoules, Share, Watts};

/// Where counters start again at 0, less a little: some runs wrap.
const RANGE: u64 = 262_143_328_850;
const MS: u64 = 1_000_000;

/// A CPU package: power is `idle_w + busy_w * busy CPUs`.
#[derive(Debug, Clone, Copy)]
struct Package {
    cpus: u32,
    idle_w: u64,
    busy_w: u64,
}

/// Who is on the CPUs of a package, in thousandths of a CPU.
#[derive(Debug, Clone, Copy, Default)]
struct Load {
    job: u64,
    others: u64,
    kernel: u64,
    own: u64,
}

/// A machine with a counter per package, and the recording of a run on it.
#[derive(Debug, Clone)]
struct Machine {
    packages: Vec<Package>,
    recording: Recording,
    now_ns: u64,
    slept_ns: u64,
    ticks: Vec<u64>,
    /// Marks since the last look.
    pending: Vec<PhaseMark>,
    usage: Vec<CpuUsage>,
}

const SMALL: Package = Package {
    cpus: 4,
    idle_w: 20,
    busy_w: 5,
};
const LARGE: Package = Package {
    cpus: 8,
    idle_w: 36,
    busy_w: 9,
};

fn job(thousandths: u64) -> Load {
    Load {
        job: thousandths,
        ..Load::default()
    }
}

fn watts(value: f64) -> Watts {
    Watts::new(value).unwrap()
}

impl Machine {
    fn of(packages: &[Package]) -> Self {
        let groups = (0_u32..).zip(packages).map(|(package, it)| CpuGroup {
            package,
            die: 0,
            cpus: (package * 100..package * 100 + it.cpus).collect(),
            capacity_permille: None,
        });
        let domains = (0..packages.len()).map(|group| counter(&format!("package-{group}"), group));
        let mut machine = Self {
            packages: packages.to_vec(),
            recording: Recording {
                head: head(groups.collect(), domains.collect()),
                observations: Vec::new(),
                tail: None,
            },
            now_ns: 5_000_000_000,
            slept_ns: 77,
            pending: Vec::new(),
            ticks: vec![1_000_000; packages.len()],
            usage: packages
                .iter()
                .map(|package| CpuUsage {
                    online: package.cpus,
                    kernel: Some(BusyTime::default()),
                    ..CpuUsage::default()
                })
                .collect(),
        };
        machine.look();
        machine
    }

    /// With every package's idle power stated as it is.
    fn knowing(packages: &[Package]) -> Self {
        let mut machine = Self::of(packages);
        machine.choices().idle_power = packages.iter().map(|p| watts(p.idle_w as f64)).collect();
        machine
    }

    fn head(&mut self) -> &mut Head {
        &mut self.recording.head
    }

    fn choices(&mut self) -> &mut Choices {
        &mut self.recording.head.choices
    }

    /// Time goes by, with a load per package.
    fn pass(&mut self, ms: u64, loads: &[Load]) -> &mut Self {
        self.now_ns += ms * MS;
        let rows = self.usage.iter_mut().zip(&mut self.ticks);
        for ((package, load), (usage, ticks)) in self.packages.iter().zip(loads).zip(rows) {
            let time = |thousandths: u64| CpuTime(ms * MS / 1000 * thousandths);
            let busy = time(load.job) + time(load.others) + time(load.kernel) + time(load.own);
            usage.job.alone += time(load.job);
            usage.others.alone += time(load.others);
            usage.own.alone += time(load.own);
            usage.kernel.get_or_insert_default().alone += time(load.kernel);
            usage.idle += CpuTime(ms * MS * u64::from(package.cpus)).since(busy);
            *ticks = (*ticks + package.idle_w * ms * 1000 + package.busy_w * busy.0 / 1000) % RANGE;
        }
        self
    }

    /// Everything is looked at.
    fn look(&mut self) -> &mut Self {
        let at = Moment(self.now_ns);
        let readings = self
            .ticks
            .iter()
            .map(|ticks| Reading::Ticks { ticks: *ticks, at });
        self.recording.observations.push(Observation {
            at,
            slept_ns: self.slept_ns,
            readings: readings.collect(),
            usage: self.usage.clone(),
            usage_after: None,
            memory: None,
            gpus: Vec::new(),
            memory_before: Vec::new(),
            live: Vec::new(),
            marks: std::mem::take(&mut self.pending),
        });
        self
    }

    /// [`Self::pass`] and [`Self::look`].
    fn step(&mut self, ms: u64, loads: &[Load]) -> &mut Self {
        self.pass(ms, loads).look()
    }

    fn latest(&mut self) -> &mut Observation {
        self.recording.observations.last_mut().unwrap()
    }

    /// The recording, with a tail.
    fn end(&mut self) -> Recording {
        let observations = &self.recording.observations;
        let (first, last) = (observations.first().unwrap(), observations.last().unwrap());
        self.recording.tail = Some(tail(first.at, last.at));
        self.recording.clone()
    }

    fn report(&mut self) -> RunReport {
        assemble(&self.end(), intensity())
    }
}

fn head(groups: Vec<CpuGroup>, domains: Vec<Domain>) -> Head {
    Head {
        schema: SCHEMA.to_owned(),
        carbon_run_version: "0.1.0".to_owned(),
        run_id: "7f0a".to_owned(),
        inside: None,
        project: None,
        experiment_id: None,
        command: Vec::new(),
        started_at_unix_ns: 0,
        utc_offset_s: 0,
        host: Host {
            threads_per_core: Some(1),
            ..Host::default()
        },
        accounting: AccountingFacts {
            backend: Backend::Ebpf,
            declined: Vec::new(),
        },
        groups,
        domains,
        gpus: None,
        choices: Choices {
            idle_policy: IdlePolicy::Capacity,
            idle_power: Vec::new(),
            smt_weight_permille: 575,
            pue: 1.0,
            pue_from: None,
            beyond: crate::model::recording::Beyond::default(),
            place: Place::World,
            intensity_series: None,
            live: None,
            allocated: None,
            allocated_cpus: None,
            allocated_among: None,
        },
        notes: Vec::new(),
        power: KnownPower::default(),
    }
}

fn counter(name: &str, group: usize) -> Domain {
    Domain {
        name: name.to_owned(),
        kind: DomainKind::Package,
        origin: Origin::Measured(Source::Powercap),
        groups: vec![group],
        summed: true,
        source: DomainSource::Counter {
            tick: TickSize::MICROJOULE,
            wraps_at: Some(RANGE),
            max_power: None,
        },
    }
}

fn tail(started: Moment, ended: Moment) -> Tail {
    Tail {
        started,
        ended,
        exit: Exit::Code(0),
        process_count: Some(1),
        rusage_cpu: None,
        peak_rss_bytes: None,
        processes: Vec::new(),
        unlisted: Unlisted::default(),
        survivors: Vec::new(),
        lost: 0,
        notes: Vec::new(),
    }
}

fn intensity() -> Intensity {
    let grams = |value| GramsPerKwh::new(value).unwrap();
    Intensity {
        value: Ranged {
            low: grams(80.0),
            value: grams(100.0),
            high: grams(150.0),
        },
        place: "FRA".to_owned(),
        name: "France".to_owned(),
        source: "test".to_owned(),
        year: Some(2025),
        boundary: "lifecycle".to_owned(),
        flow: "production".to_owned(),
        method: "location-average".to_owned(),
        licence: None,
        assumed: false,
        cloud: None,
        mix: Vec::new(),
        live: None,
        over_time: None,
    }
}

fn domain<'a>(report: &'a RunReport, name: &str) -> &'a DomainReport {
    report.domains.iter().find(|domain| domain.name == name).unwrap()
}

fn codes(report: &RunReport) -> Vec<&str> {
    report
        .quality
        .notes
        .iter()
        .map(|note| note.code.as_str())
        .collect()
}

#[track_caller]
fn assert_near(found: f64, wanted: f64, tolerance: f64) {
    assert!((found - wanted).abs() <= tolerance, "{found}, not {wanted}");
}

/// In the ledger's order, the job's part of the baseline second.
fn lines(ledger: &Ledger) -> [u64; 6] {
    let kernel = ledger.kernel.unwrap_or_default();
    [
        ledger.job,
        ledger.job_idle,
        ledger.others,
        kernel,
        ledger.own,
        ledger.idle,
    ]
    .map(|MicroJoules(line)| line)
}
