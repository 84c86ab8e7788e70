//! To the microjoule: what is called measured is what the counter gained, however often it went round.

use crate::measured::{WORK, start};
use crate::stage::{Neighbours, Outcome, Stage, one_package, shown, wait_until};
use carbon_run::model::recording::{DomainSource, Reading};
use powercap_stand_in::{DramSpec, Fault};
use std::fs;

const ZONES: [(&str, &str); 2] = [("package-0", "intel-rapl:0"), ("dram-0", "intel-rapl:0:0")];

/// Goes round after 30 J, several times a second at worst.
const RANGE_UJ: u64 = 29_999_999;

/// The counters are held still at both ends, so that it is known what carbon-run's first and last readings were.
#[test]
fn measured_is_the_counters_own_gain_to_the_microjoule_across_many_wraps() -> Outcome {
    let Some(stage) = Stage::open(|cpus| {
        let mut spec = one_package(cpus)?;
        let package = spec.packages.first_mut()?;
        package.range_uj = Some(RANGE_UJ);
        package.start_uj = 29_000_000;
        package.max_power_w = Some(20.0 + 30.0 * cpus.len() as f64);
        package.dram = Some(DramSpec {
            idle_w: 8.0,
            watts_per_busy_cpu: 5.0,
        });
        Some(spec)
    })?
    else {
        return Ok(());
    };
    for (_, zone) in ZONES {
        stage.stand_in.fault(zone, Fault::Freeze)?;
    }
    let first = ZONES.map(|(_, zone)| shown(&stage.sysroot(), zone));
    let begun = stage.stand_in.truth()?;
    let script = format!("touch begun; {WORK}{WORK} touch worked; until [ -e end ]; do sleep 0.02; done");
    let running = start(&stage, None, &[], &script)?;
    let [begin, worked, end] = ["begun", "worked", "end"].map(|name| running.file(name));
    wait_until("the job begins", || Ok(begin.exists()))?;
    for (_, zone) in ZONES {
        stage.stand_in.heal(zone)?;
    }
    wait_until("the job has worked", || Ok(worked.exists()))?;
    for (_, zone) in ZONES {
        stage.stand_in.fault(zone, Fault::Freeze)?;
    }
    let ended = stage.stand_in.truth()?;
    let last = ZONES.map(|(_, zone)| shown(&stage.sysroot(), zone));
    fs::write(end, "")?;
    let job = running.finish()?;

    job.assert_ledgers()?;
    let gained = [
        ended.energy_uj.first().zip(begun.energy_uj.first()),
        ended
            .dram_uj
            .first()
            .and_then(Option::as_ref)
            .zip(begun.dram_uj.first().and_then(Option::as_ref)),
    ];
    let mut all_turns = 0;
    for (((name, _), (first, last)), gained) in ZONES.into_iter().zip(first.into_iter().zip(last)).zip(gained)
    {
        let measured = job.domain(name)?["measured_uj"]
            .as_u64()
            .ok_or("no `measured_uj`")?;
        // The stand-in's own books are taken beside the counter's, a little before or after: they tell how many turns.
        let (first, last) = (first?, last?);
        let (ended, begun) = gained.ok_or("no truth")?;
        let turn = RANGE_UJ + 1;
        let apart = (last + turn - first) % turn;
        let turns = ((ended - begun).saturating_sub(apart) + turn / 2) / turn;
        assert_eq!(measured, apart + turns * turn, "{name}: {turns} turns");
        println!("{name}: {measured} µJ, {turns} turns");
        all_turns += turns;
    }
    assert!(all_turns >= 4, "{all_turns}");
    assert_eq!(job.report["quality"]["resets"], 0);
    assert!(job.report["quality"]["wraps"].as_u64() >= Some(all_turns));
    Ok(())
}

#[test]
fn what_is_recorded_adds_up_to_what_is_reported_and_lies_within_what_was_drawn() -> Outcome {
    let Some(stage) = Stage::open(one_package)? else {
        return Ok(());
    };
    let _neighbours = Neighbours::everywhere()?;
    let before = stage.stand_in.truth()?;
    let job = crate::measured::run(&stage, &["--idle-power", "20"], WORK)?;
    let after = stage.stand_in.truth()?;
    job.assert_ledgers()?;
    let recording = job.recorded()?;
    let at = recording
        .head
        .domains
        .iter()
        .position(|domain| matches!(domain.source, DomainSource::Counter { .. }))
        .ok_or("no counter")?;
    let ticks: Vec<u64> = recording
        .observations
        .iter()
        .filter_map(|look| match look.readings.get(at) {
            Some(Reading::Ticks { ticks, .. }) => Some(*ticks),
            Some(Reading::Power { .. } | Reading::Failed(_) | Reading::Modelled) | None => None,
        })
        .collect();
    let gained = ticks.last().zip(ticks.first()).map(|(last, first)| last - first);
    assert_eq!(job.domain("package-0")?["measured_uj"].as_u64(), gained);
    let drawn = after.energy_uj.first().zip(before.energy_uj.first());
    let drawn = drawn.map(|(after, before)| after - before);
    assert!(gained <= drawn, "{gained:?} {drawn:?}");
    Ok(())
}
