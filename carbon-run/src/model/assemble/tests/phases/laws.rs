//! What phases used adds up to what the job used, whatever the marks and whatever the end says of the baseline.

use super::*;
use crate::model::journal;
use proptest::prelude::*;

/// What happens next.
#[derive(Debug, Clone)]
enum Happens {
    Start(usize),
    Stop(Option<usize>),
    Pass { ms: u64, job: u64, others: u64 },
    Look,
}

fn names(number: usize) -> String {
    ["load", "fit", "save", "a/b"][number].to_owned()
}

fn happenings() -> impl Strategy<Value = Vec<Happens>> {
    let one = prop_oneof![
        (0..4_usize).prop_map(Happens::Start),
        prop::option::of(0..4_usize).prop_map(Happens::Stop),
        (1..400_u64, 0..3000_u64, 0..2000_u64).prop_map(|(ms, job, others)| Happens::Pass {
            ms,
            job,
            others
        }),
        Just(Happens::Look),
    ];
    prop::collection::vec(one, 1..80)
}

/// Nothing is stopped but the innermost, and nothing is started that is open.
fn nested(happens: Vec<Happens>) -> Vec<Happens> {
    let mut open = Vec::new();
    happens
        .into_iter()
        .filter_map(|one| match one {
            Happens::Start(name) if open.contains(&name) => None,
            Happens::Start(name) => {
                open.push(name);
                Some(one)
            }
            Happens::Stop(_) => open.pop().map(|name| Happens::Stop(Some(name))),
            Happens::Pass { .. } | Happens::Look => Some(one),
        })
        .collect()
}

fn played(happens: &[Happens], idle: &Option<f64>, policy: IdlePolicy, series: bool) -> Machine {
    let mut machine = Machine::of(&[SMALL, LARGE]);
    machine.choices().idle_policy = policy;
    if let Some(idle) = idle {
        machine.choices().idle_power = vec![watts(*idle), watts(*idle * 2.0)];
    }
    if series {
        machine.choices().intensity_series = Some(steps(&[(0, 100.0), (2, 300.0), (5, 20.0)]));
    }
    for one in happens {
        match one {
            Happens::Start(name) => machine.start(&names(*name)),
            Happens::Stop(name) => machine.mark(PhaseStep::Stop(name.map(names)), 0),
            Happens::Pass { ms, job, others } => {
                let load = Load {
                    job: *job,
                    others: *others,
                    ..Load::default()
                };
                machine.pass(*ms, &[load, Load { job: job / 2, ..load }])
            }
            Happens::Look => machine.look(),
        };
    }
    machine.step(10, &[job(500), job(500)]);
    machine
}

fn policies() -> impl Strategy<Value = IdlePolicy> {
    prop::sample::select(IdlePolicy::ALL.to_vec())
}

proptest! {
    #[test]
    fn what_phases_own_and_what_is_outside_is_the_job_to_the_microjoule(
        happens in happenings(), idle in prop::option::of(0.0..60.0_f64), policy in policies(), series: bool,
    ) {
        let report = played(&happens, &idle, policy, series).report();
        prop_assume!(!report.phases.list.is_empty());
        let outside = report.phases.outside.as_ref().unwrap();
        let all = || report.phases.list.iter().map(|phase| &phase.own).chain([outside]);
        prop_assert_eq!(all().map(microjoules).sum::<u64>(), job_microjoules(&report));
        prop_assert_eq!(all().filter_map(|one| one.cpu_time).sum::<CpuTime>(), report.cpu_time.unwrap());
        prop_assert_eq!(all().map(|one| one.duration).sum::<Duration>(), report.duration);
        let grams: f64 = all().map(|one| one.emissions.value().unwrap().get()).sum();
        let whole = report.emissions.value().unwrap().get();
        prop_assert!((grams - whole).abs() <= whole * 1e-6 + 1e-12, "{grams} {whole}");
        for phase in &report.phases.list {
            for figures in [&phase.whole, &phase.own] {
                let ranged = figures.energy.total.ranged().unwrap();
                prop_assert!(ranged.low <= ranged.value && ranged.value <= ranged.high);
                prop_assert!(figures.duration <= report.duration);
            }
            prop_assert!(microjoules(&phase.whole) <= job_microjoules(&report) + 2);
        }
    }

    #[test]
    fn phases_that_nest_hold_exactly_their_own_and_their_childrens(
        happens in happenings().prop_map(nested), idle in prop::option::of(0.0..60.0_f64), policy in policies(),
    ) {
        let report = played(&happens, &idle, policy, false).report();
        prop_assume!(!report.phases.list.is_empty());
        prop_assert!(!report.phases.overlapped);
        let children = |parent: Option<usize>| {
            let list = report.phases.list.iter();
            list.filter(move |phase| phase.parent == parent).map(|phase| microjoules(&phase.whole)).sum::<u64>()
        };
        for (number, phase) in report.phases.list.iter().enumerate() {
            prop_assert_eq!(microjoules(&phase.whole), microjoules(&phase.own) + children(Some(number)));
        }
        let outside = report.phases.outside.as_ref().unwrap();
        prop_assert_eq!(children(None) + microjoules(outside), job_microjoules(&report));
    }

    #[test]
    fn a_replay_has_the_same_phases(happens in happenings(), idle in prop::option::of(0.0..60.0_f64)) {
        let recording = played(&happens, &idle, IdlePolicy::Capacity, true).end();
        let again = journal::parse(&journal::to_lines(&recording).unwrap()).unwrap();
        prop_assert_eq!(assemble(&again, intensity()).phases, assemble(&recording, intensity()).phases);
    }
}
