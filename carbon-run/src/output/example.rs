//! Reports of the kinds that outputs must get right, for their tests.

mod phases;
mod values;

use crate::model::recording::{
    AccountingFacts, Arg, Backend, Declined, DomainKind, Exit, FigureFrom, Host, IdlePolicy, Note, Origin,
    ProcessUse, Ranged, Source, Survivor, Unlisted,
};
use crate::model::report::{
    BeyondElectricity, DomainReport, Figure, IdlePower, Intensity, JobEnergy, Ledger, Phases, Quality,
    RunReport, TimeTaken, Uncertainty,
};
use crate::model::units::{CpuTime, MicroJoules, Share, Watts};
use std::time::Duration;
use values::{grams, grams_per_kwh, known, ranged, watts};

/// Root on a server with RAPL, a place given, a neighbour at work.
pub(super) fn measured() -> RunReport {
    let powercap = Origin::Measured(Source::Powercap);
    let ram_model = Origin::Estimated("ram-model".to_owned());
    RunReport {
        carbon_run_version: "0.1.0".to_owned(),
        data_version: "2026-11-27+0123456789ab".to_owned(),
        run_id: "0b0e4f1c-8f0e-4a55-9a2e-6a5a3f6c1d11".to_owned(),
        inside: None,
        project: Some("digits".to_owned()),
        experiment_id: Some("5b0fa12a-3dd7-45bb-9766-cc326314d9f1".to_owned()),
        command: ["python", "train.py", "--epochs", "3"]
            .map(|arg| Arg::Text(arg.to_owned()))
            .to_vec(),
        started_at_unix_ns: 1_760_000_000_250_000_000,
        utc_offset_s: 7200,
        duration: Duration::from_millis(72_300),
        exit: Some(Exit::Code(0)),
        cpu_time: Some(CpuTime(144_200_000_000)),
        others_cpu_time: Some(CpuTime(235_300_000_000)),
        taken: TimeTaken {
            interrupts: Some(CpuTime(1_250_000_000)),
            interrupts_in_job: Some(CpuTime(500_000_000)),
            stolen: Some(CpuTime::ZERO),
        },
        process_count: Some(14),
        accounting: AccountingFacts {
            backend: Backend::Ebpf,
            declined: Vec::new(),
        },
        energy: JobEnergy {
            total: known(1_010.0, 1_232.0, 1_454.0, Origin::Estimated("sum".to_owned())),
            cpu: known(910.0, 1_034.0, 1_158.0, powercap.clone()),
            ram: known(99.0, 198.0, 297.0, ram_model.clone()),
            gpu: Figure::Absent("no GPU was found".to_owned()),
        },
        idle_policy: IdlePolicy::Capacity,
        domains: vec![
            DomainReport {
                name: "package-0".to_owned(),
                kind: DomainKind::Package,
                origin: powercap,
                basis: None,
                summed: true,
                ledger: Ledger {
                    measured: MicroJoules(5_100_000_007),
                    job: MicroJoules(934_000_000),
                    job_idle: MicroJoules(100_000_000),
                    others: MicroJoules(1_500_000_000),
                    unattributed: MicroJoules::ZERO,
                    kernel: Some(MicroJoules(60_000_000)),
                    own: MicroJoules(6_000_007),
                    idle: MicroJoules(2_500_000_000),
                },
                job_idle_by_policy: [0, 100_000_000, 650_000_000, 990_000_000, 2_600_000_000]
                    .map(MicroJoules),
                job_range: ranged(910.0, 1_034.0, 1_158.0),
                idle_power: IdlePower::Given(watts(36.0)),
                lowest_quiet: None,
                coverage: Share::ALL,
            },
            DomainReport {
                name: "ram-model".to_owned(),
                kind: DomainKind::Dram,
                origin: ram_model,
                basis: Some("0.375 W/GiB".to_owned()),
                summed: true,
                ledger: Ledger {
                    measured: MicroJoules(198_000_000),
                    job: MicroJoules(198_000_000),
                    kernel: Some(MicroJoules::ZERO),
                    ..Ledger::default()
                },
                job_idle_by_policy: [MicroJoules::ZERO; 5],
                job_range: ranged(99.0, 198.0, 297.0),
                idle_power: IdlePower::Model(Watts::ZERO),
                lowest_quiet: None,
                coverage: Share::ALL,
            },
        ],
        phases: Phases::default(),
        gpus: Vec::new(),
        intensity: Intensity {
            value: Ranged {
                low: grams_per_kwh(38.1),
                value: grams_per_kwh(42.3),
                high: grams_per_kwh(46.5),
            },
            place: "FRA".to_owned(),
            name: "France".to_owned(),
            source: "Ember, Yearly Electricity Data (2026 release)".to_owned(),
            year: Some(2025),
            boundary: "lifecycle".to_owned(),
            flow: "production".to_owned(),
            method: "location-average".to_owned(),
            licence: Some("CC-BY-4.0".to_owned()),
            assumed: false,
            cloud: None,
            mix: Vec::new(),
            live: None,
            over_time: None,
        },
        pue: 1.2,
        pue_from: Some(FigureFrom::User),
        beyond: BeyondElectricity::default(),
        emissions: Figure::Known {
            ranged: Ranged {
                low: grams(0.0137),
                value: grams(0.017_37),
                high: grams(0.021),
            },
            origin: Origin::Estimated("sum".to_owned()),
        },
        host: Host {
            hostname: Some("node7".to_owned()),
            os: Some("Linux 6.12.0".to_owned()),
            architecture: Some("x86_64".to_owned()),
            cpu_model: Some("AMD EPYC 7763 64-Core Processor".to_owned()),
            cpus: Some(8),
            packages: Some(1),
            memory_bytes: Some(64 << 30),
            ..Host::default()
        },
        quality: Quality {
            lost: 0,
            coverage: Share::ALL,
            wraps: 1,
            resets: 0,
            slept: Duration::ZERO,
            notes: Vec::new(),
            uncertainty: Uncertainty {
                meter: 0.05,
                timing: 0.0001,
                idle: 0.1,
                attribution: 0.14,
            },
        },
        processes: vec![ProcessUse {
            pid: 4242,
            parent: 4200,
            comm: "python".to_owned(),
            on_cpu: CpuTime(140_000_000_000),
        }],
        unlisted: Unlisted {
            processes: 13,
            on_cpu: CpuTime(4_200_000_000),
        },
        survivors: Vec::new(),
        mean_memory_bytes: Some(7_840_000_000),
    }
}

/// A normal user on a virtual machine, no place given: everything is a model, and something is missing.
pub(super) fn estimated() -> RunReport {
    let measured = measured();
    let cpu_model = Origin::Estimated("cpu-model".to_owned());
    let [package, ram] = <[DomainReport; 2]>::try_from(measured.domains).unwrap();
    RunReport {
        project: None,
        experiment_id: None,
        process_count: None,
        accounting: AccountingFacts {
            backend: Backend::Procfs,
            declined: vec![Declined {
                backend: Backend::Ebpf,
                reason: "loading BPF programs needs `CAP_BPF` and `CAP_PERFMON`".to_owned(),
                remedy: Some("run as root, or see `carbon-run doctor`".to_owned()),
            }],
        },
        energy: JobEnergy {
            cpu: known(517.0, 1_034.0, 1_551.0, cpu_model.clone()),
            total: known(616.0, 1_232.0, 1_848.0, cpu_model.clone()),
            ..measured.energy
        },
        domains: vec![
            DomainReport {
                name: "cpu-model".to_owned(),
                origin: cpu_model,
                basis: Some("AMD EPYC 7763, TDP 280 W".to_owned()),
                ledger: Ledger {
                    kernel: None,
                    others: package.ledger.others + MicroJoules(60_000_000),
                    ..package.ledger
                },
                job_range: ranged(517.0, 1_034.0, 1_551.0),
                idle_power: IdlePower::Model(watts(36.0)),
                lowest_quiet: None,
                ..package
            },
            ram,
        ],
        intensity: Intensity {
            value: Ranged {
                low: grams_per_kwh(412.0),
                value: grams_per_kwh(458.49),
                high: grams_per_kwh(504.0),
            },
            place: "WORLD".to_owned(),
            name: "world average".to_owned(),
            assumed: true,
            ..measured.intensity
        },
        pue: 1.0,
        pue_from: None,
        beyond: BeyondElectricity::default(),
        emissions: Figure::Known {
            ranged: Ranged {
                low: grams(0.07),
                value: grams(0.1569),
                high: grams(0.25),
            },
            origin: Origin::Estimated("cpu-model".to_owned()),
        },
        quality: Quality {
            notes: vec![
                Note {
                    code: "no-energy-meter".to_owned(),
                    message: "no energy meter can be read, so the CPU's energy comes from a model".to_owned(),
                    hint: Some("`carbon-run doctor` says how to get a meter".to_owned()),
                    degrades: true,
                },
                Note {
                    code: "smt-unknown".to_owned(),
                    message: "the CPU's siblings are not known".to_owned(),
                    hint: None,
                    degrades: false,
                },
            ],
            ..measured.quality
        },
        ..measured
    }
}

/// Nothing could be known about energy, and next to nothing about the job.
pub(super) fn absent() -> RunReport {
    let estimated = estimated();
    let nothing = |reason: &str| Figure::Absent(reason.to_owned());
    let reason = "`/sys/class/powercap` has no meter, and the CPU model `XYZ` is in no table";
    let [cpu, _] = <[DomainReport; 2]>::try_from(estimated.domains).unwrap();
    RunReport {
        exit: None,
        cpu_time: None,
        others_cpu_time: None,
        taken: TimeTaken::default(),
        energy: JobEnergy {
            total: nothing(reason),
            cpu: nothing(reason),
            ram: nothing("nobody looked at the job's memory"),
            gpu: nothing("no GPU was found"),
        },
        domains: vec![DomainReport {
            origin: Origin::Absent(reason.to_owned()),
            basis: None,
            ledger: Ledger::default(),
            job_idle_by_policy: [MicroJoules::ZERO; 5],
            job_range: ranged(0.0, 0.0, 0.0),
            idle_power: IdlePower::Unknown,
            lowest_quiet: None,
            coverage: Share::NONE,
            ..cpu
        }],
        intensity: Intensity {
            value: Ranged {
                low: grams_per_kwh(50.0),
                value: grams_per_kwh(50.0),
                high: grams_per_kwh(50.0),
            },
            place: "user".to_owned(),
            name: "given by the user".to_owned(),
            source: "`--intensity`".to_owned(),
            year: None,
            boundary: "unstated".to_owned(),
            flow: "unstated".to_owned(),
            method: "user".to_owned(),
            licence: None,
            assumed: false,
            cloud: None,
            mix: Vec::new(),
            live: None,
            over_time: None,
        },
        emissions: Figure::Absent("the job's energy is not known".to_owned()),
        host: Host::default(),
        quality: Quality {
            coverage: Share::NONE,
            notes: Vec::new(),
            ..estimated.quality
        },
        processes: Vec::new(),
        unlisted: Unlisted::default(),
        mean_memory_bytes: None,
        ..estimated
    }
}

/// A command whose arguments are no text, and a terminal's enemy.
pub(super) fn not_utf8() -> RunReport {
    let command = vec![
        Arg::Text("cat".to_owned()),
        Arg::Bytes(b"caf\xe9.txt".to_vec()),
        Arg::Text("\u{1b}]0;owned\u{7}".to_owned()),
    ];
    RunReport {
        command,
        ..measured()
    }
}

/// A run of a few milliseconds that a signal ended, leaving children behind.
pub(super) fn killed_early() -> RunReport {
    let measured = measured();
    let survivor = |pid, comm: &str| Survivor {
        pid,
        comm: comm.to_owned(),
    };
    let powercap = Origin::Measured(Source::Powercap);
    RunReport {
        duration: Duration::from_micros(5_340),
        exit: Some(Exit::Signal(9)),
        cpu_time: Some(CpuTime(4_100_000)),
        others_cpu_time: Some(CpuTime(900_000_000)),
        taken: TimeTaken::default(),
        energy: JobEnergy {
            total: known(0.0, 0.21, 0.66, powercap.clone()),
            cpu: known(0.0, 0.21, 0.66, powercap),
            ram: Figure::Absent("the run ended before its memory was looked at".to_owned()),
            ..measured.energy
        },
        emissions: Figure::Known {
            ranged: Ranged {
                low: grams(0.0),
                value: grams(2.96e-6),
                high: grams(9.3e-6),
            },
            origin: Origin::Measured(Source::Powercap),
        },
        quality: Quality {
            lost: 3,
            coverage: Share::new(0.934).unwrap(),
            uncertainty: Uncertainty {
                meter: 0.05,
                timing: 2.1,
                idle: 0.1,
                attribution: 0.14,
            },
            ..measured.quality
        },
        survivors: vec![
            survivor(4243, "sleep"),
            survivor(4250, "postgres"),
            survivor(4251, "postgres"),
            survivor(4252, "postgres"),
        ],
        ..measured
    }
}

/// With everything that can be wanted beyond the emissions of the electricity.
pub(super) fn beyond() -> RunReport {
    RunReport {
        beyond: values::beyond(),
        ..measured()
    }
}

/// Every example with its name.
pub(super) fn all() -> [(&'static str, RunReport); 7] {
    [
        ("with_phases", phases::with_phases()),
        ("measured", measured()),
        ("estimated", estimated()),
        ("absent", absent()),
        ("not_utf8", not_utf8()),
        ("killed_early", killed_early()),
        ("beyond", beyond()),
    ]
}
