//! Idle policies, and the alternatives that are always in the report.

use super::*;
use crate::model::report::Figure;

/// A run of two windows: the job works in one and sleeps in the other.
fn run(policy: IdlePolicy, allocated: Option<f64>) -> RunReport {
    let mut machine = Machine::knowing(&[SMALL]);
    machine.choices().idle_policy = policy;
    machine.choices().allocated = allocated.map(|share| Share::new(share).unwrap());
    let beside = |mine| Load {
        others: 1000,
        ..job(mine)
    };
    machine
        .step(1000, &[beside(1000)])
        .step(1000, &[beside(0)])
        .report()
}

#[test]
fn every_policy_has_its_share_of_the_baseline_and_names_the_others() {
    // 40 J of baseline: a quarter of one second's by capacity, half of both by allocation, half of one by busy time.
    let wanted = [0, 5_000_000, 20_000_000, 10_000_000, 40_000_000];
    for (policy, wanted_uj) in IdlePolicy::ALL.into_iter().zip(wanted) {
        let report = run(policy, Some(0.5));
        assert_eq!(report.idle_policy, policy);
        let domain = &report.domains[0];
        assert_eq!(domain.job_idle_by_policy, wanted.map(MicroJoules));
        assert_eq!(domain.ledger.job_idle, MicroJoules(wanted_uj), "{policy:?}");
        assert_eq!(
            domain.ledger.job,
            MicroJoules(5_000_000),
            "the dynamic part has no policy"
        );
        assert_eq!(domain.ledger.idle, MicroJoules(40_000_000 - wanted_uj));
        let total = report.energy.total.value().unwrap().get();
        assert_near(total, 5.0 + wanted_uj as f64 / 1e6, 1e-9);
    }
}

#[test]
fn without_an_allocation_all_cpus_are_the_jobs() {
    let report = run(IdlePolicy::Allocated, None);
    assert_eq!(report.domains[0].ledger.job_idle, MicroJoules(40_000_000));
}

#[test]
fn an_idle_power_that_is_known_but_for_a_tenth_counts_by_what_depends_on_it() {
    let idle_part = |policy| run(policy, Some(0.5)).quality.uncertainty.idle;
    assert_near(idle_part(IdlePolicy::Busy), 0.0, 1e-12);
    assert_near(idle_part(IdlePolicy::None), 0.1 * 10.0 / 5.0, 1e-9);
    assert_near(idle_part(IdlePolicy::All), 0.1 * 30.0 / 45.0, 1e-9);
}

#[test]
fn energy_that_nobody_ran_for_is_nobodys() {
    let mut machine = Machine::knowing(&[SMALL]);
    machine.pass(1000, &[Load::default()]);
    machine.ticks[0] += 7_000_000;
    let report = machine.look().report();
    assert_eq!(lines(&report.domains[0].ledger), [0, 0, 0, 0, 0, 27_000_000]);
    let Figure::Known { ranged, .. } = &report.energy.total else {
        panic!("{:?}", report.energy.total);
    };
    assert_near(ranged.value.get(), 0.0, 1e-12);
}
