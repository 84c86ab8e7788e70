//! The matrix: machines, jobs, and who else is there.

use powercap_stand_in::{PackageSpec, SmtSpec, Spec};
use std::time::Duration;

/// Some second of one CPU of a busy virtual machine, less elsewhere.
const WORK: &str = "i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done; ";
const STORM: &str = "i=0; while [ $i -lt 2000 ]; do /bin/true; i=$((i+1)); done";
const SHORT_WORKERS: &str = "i=0; while [ $i -lt 600 ]; do \
    sh -c 'j=0; while [ $j -lt 1500 ]; do j=$((j+1)); done'; i=$((i+1)); done";
/// A quarter of a second of work and 150 ms of sleep.
const PULSES: &str = "i=0; while [ $i -lt 12 ]; do \
    timeout 0.25 sh -c 'while :; do :; done'; sleep 0.15; i=$((i+1)); done; true";
/// The same in another rhythm, for ever.
const OTHER_PULSES: &str = "while :; do timeout 0.17 sh -c 'while :; do :; done'; sleep 0.23; done";
const FOR_EVER: &str = "while :; do :; done";

/// Stands for the command that measures the inner job of a nested run.
pub(super) const INNER: &str = "{inner}";

/// RAPL's own pace (about 1 ms; Intel SDM vol. 3, 16.10.3). Counters do not wait for a CPU.
const PACE: Duration = Duration::from_millis(1);

/// A job and what goes on around it.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) spec: Spec,
    /// Whether carbon-run is told the idle power.
    pub(super) idle_told: bool,
    /// One, or several at once.
    pub(super) jobs: Vec<Job>,
    /// Loops of strangers, each on a CPU or on any.
    pub(super) neighbours: Vec<(Option<u32>, &'static str)>,
    /// Whether its cost per CPU-second compares with that of the first case.
    pub(super) compares: bool,
}

/// A shell script.
pub(super) struct Job {
    /// Which of the case's jobs; empty for the only one.
    pub(super) name: &'static str,
    pub(super) script: String,
    /// The CPU that launcher and job stay on.
    pub(super) cpu: Option<u32>,
    /// What runs in place of [`INNER`], measured on its own as well.
    pub(super) inner: Option<String>,
}

fn job(script: impl Into<String>) -> Job {
    Job {
        name: "",
        script: script.into(),
        cpu: None,
        inner: None,
    }
}

/// All CPUs in one package of 20 W and 30 W for each busy CPU.
fn one_package(cpus: &[u32]) -> Spec {
    spec(vec![PackageSpec::new(cpus, 20.0, 30.0)])
}

/// The first half of the CPUs and the second, of different powers.
fn two_packages(cpus: &[u32]) -> Spec {
    let (one, other) = cpus.split_at(cpus.len() / 2);
    let mut second = PackageSpec::new(other, 7.0, 25.0);
    second.start_uj = 7_000_000_000;
    spec(vec![PackageSpec::new(one, 20.0, 40.0), second])
}

fn spec(packages: Vec<PackageSpec>) -> Spec {
    Spec {
        update_every: PACE,
        ..Spec::new(packages)
    }
}

/// Everything that this machine has CPUs for, the plainest first.
pub(super) fn all(cpus: &[u32]) -> Vec<Case> {
    let loops = format!("({WORK}{WORK}) & {WORK}{WORK} wait");
    let everywhere = |script| cpus.iter().map(|_| (None, script)).collect::<Vec<_>>();
    let case = |name, jobs| Case {
        name,
        spec: one_package(cpus),
        idle_told: true,
        jobs,
        neighbours: Vec::new(),
        compares: true,
    };
    let mut near_the_end = one_package(cpus);
    for package in &mut near_the_end.packages {
        package.start_uj = package.range_uj.unwrap_or_default().saturating_sub(60_000_000);
    }
    let mut cases = vec![
        case("alone", vec![job(&loops)]),
        Case {
            neighbours: everywhere(FOR_EVER),
            ..case("with a busy neighbour on each CPU", vec![job(&loops)])
        },
        case(
            "fork storm",
            vec![Job {
                cpu: cpus.first().copied(),
                ..job(STORM)
            }],
        ),
        Case {
            neighbours: everywhere(FOR_EVER),
            ..case("short processes among busy neighbours", vec![job(SHORT_WORKERS)])
        },
        case(
            "two jobs at once",
            vec![
                Job {
                    name: "one",
                    ..job(format!("{WORK}{WORK}{WORK}"))
                },
                Job {
                    name: "the other",
                    ..job(&loops)
                },
            ],
        ),
        case(
            "nested",
            vec![Job {
                inner: Some(format!("{WORK}{WORK}")),
                ..job(format!("{WORK}{INNER}"))
            }],
        ),
        Case {
            neighbours: everywhere(OTHER_PULSES),
            ..case("pulses against pulsing neighbours", vec![job(PULSES)])
        },
        Case {
            spec: near_the_end,
            ..case("counter goes round during the run", vec![job(&loops)])
        },
    ];
    if let [one, .., last] = *cpus {
        let on_both =
            format!("taskset -c {one} sh -c '{WORK}' & taskset -c {last} sh -c '{WORK}{WORK}'; wait");
        let two = |name, jobs| Case {
            spec: two_packages(cpus),
            compares: false,
            ..case(name, jobs)
        };
        cases.push(two("two packages, work on both", vec![job(on_both)]));
        cases.push(Case {
            neighbours: vec![(Some(one), FOR_EVER)],
            ..two(
                "two packages, a neighbour on the other",
                vec![Job {
                    cpu: Some(last),
                    ..job(format!("{WORK}{WORK}"))
                }],
            )
        });
        let mut threads = one_package(cpus);
        for package in &mut threads.packages {
            package.smt = Some(SmtSpec {
                cores: cpus
                    .chunks_exact(2)
                    .filter_map(|pair| pair.try_into().ok())
                    .collect(),
                both_busy_permille: 1150,
            });
        }
        let beside = |name, script| Case {
            spec: threads.clone(),
            compares: false,
            neighbours: vec![(cpus.get(1).copied(), script)],
            ..case(
                name,
                vec![Job {
                    cpu: Some(one),
                    ..job(format!("{WORK}{WORK}"))
                }],
            )
        };
        cases.push(beside("SMT, beside a busy sibling", FOR_EVER));
        cases.push(beside("SMT, beside a pulsing sibling", OTHER_PULSES));
    }
    let untold = |case: Case| Case {
        idle_told: false,
        compares: false,
        ..case
    };
    cases.push(untold(case("alone, idle power not told", vec![job(&loops)])));
    cases.push(untold(Case {
        neighbours: everywhere(FOR_EVER),
        ..case("with a busy neighbour, idle power not told", vec![job(&loops)])
    }));
    cases
}
