//! Carbon intensity that changes while a run goes on.

mod gpus;
mod laws;

use super::*;
use crate::model::recording::{IntensitySeries, IntensityStep, SeriesFacts};
use crate::model::report::Figure;
use crate::model::units::{Grams, Joules};

const S: i64 = 1_000_000_000;
/// The start of every run here, on the wall clock.
const START: i64 = 1_795_700_000 * S;

fn grams(value: f64) -> GramsPerKwh {
    GramsPerKwh::new(value).unwrap()
}

/// Steps at seconds after the start, and until when the last one holds.
fn series(steps: &[(f64, f64)], until: f64) -> IntensitySeries {
    let at = |seconds: f64| START + (seconds * 1e9) as i64;
    let values = || steps.iter().map(|(_, value)| *value);
    let facts = SeriesFacts {
        source: "grid.csv".to_owned(),
        boundary: "lifecycle".to_owned(),
        lowest_g_per_kwh: grams(values().fold(f64::INFINITY, f64::min)),
        highest_g_per_kwh: grams(values().fold(0.0, f64::max)),
        until_unix_ns: at(until),
    };
    let steps = steps.iter().map(|(seconds, value)| IntensityStep {
        from_unix_ns: at(*seconds),
        g_per_kwh: grams(*value),
    });
    IntensitySeries::new(facts, steps.collect()).unwrap()
}

fn nowhere() -> Intensity {
    Intensity {
        place: "WORLD".to_owned(),
        name: "world average".to_owned(),
        assumed: true,
        ..intensity()
    }
}

fn under(machine: &mut Machine, series: IntensitySeries, average: Intensity) -> RunReport {
    machine.head().started_at_unix_ns = START;
    machine.choices().intensity_series = Some(series);
    assemble(&machine.end(), average)
}

fn means(report: &RunReport) -> [f64; 3] {
    let Ranged { low, value, high } = report.intensity.value;
    [low, value, high].map(GramsPerKwh::get)
}

#[track_caller]
fn near(found: [f64; 3], wanted: [f64; 3]) {
    let near = found
        .iter()
        .zip(wanted)
        .all(|(found, wanted)| (found - wanted).abs() < 1e-6);
    assert!(near, "{found:?}, not {wanted:?}");
}

/// All the baseline is the job's, so that a second has the energy that it draws: 20 W, and 5 W for each busy CPU.
fn owner() -> Machine {
    let mut machine = Machine::knowing(&[SMALL]);
    machine.choices().idle_policy = IdlePolicy::All;
    machine
}

#[test]
fn each_interval_has_the_intensity_of_its_time() {
    let mut machine = owner();
    for load in [0, 4000, 4000, 0] {
        machine.step(1000, &[job(load)]);
    }
    // 20 J at 100, 40 J at 400, 40 J at 100, 20 J at 0.
    let steps = [(-5.0, 100.0), (1.0, 400.0), (2.0, 100.0), (3.0, 0.0)];
    let report = under(&mut machine, series(&steps, 9.0), nowhere());
    let mean = (20.0 * 100.0 + 40.0 * 400.0 + 40.0 * 100.0) / 120.0;
    near(means(&report), [mean; 3]);
    let mass = report.emissions.value().unwrap().get();
    assert_near(mass, 120.0 / 3.6e6 * mean, 1e-12);
    let over_time = report.intensity.over_time.unwrap();
    assert_eq!(
        (over_time.lowest, over_time.highest),
        (GramsPerKwh::ZERO, grams(400.0))
    );
    assert_eq!(over_time.covered, Share::ALL);
    assert!(!codes(&report).contains(&"intensity-not-covered"));
}

#[test]
fn an_interval_across_a_step_is_split_by_time_and_its_range_has_both_sides() {
    let mut machine = owner();
    machine.step(4000, &[job(4000)]);
    let report = under(
        &mut machine,
        series(&[(0.0, 100.0), (3.0, 500.0)], 9.0),
        nowhere(),
    );
    near(means(&report), [100.0, 200.0, 500.0]);
}

#[test]
fn a_series_is_told_as_one_with_its_file() {
    let mut machine = owner();
    machine.step(1000, &[job(4000)]);
    let unplaced = under(&mut machine, series(&[(0.0, 100.0)], 9.0), nowhere()).intensity;
    assert_eq!(
        (unplaced.source.as_str(), unplaced.method.as_str()),
        ("grid.csv", "time-series")
    );
    assert_eq!((unplaced.place.as_str(), unplaced.assumed), ("user", false));
    assert_eq!((unplaced.boundary.as_str(), unplaced.year), ("lifecycle", None));
    let placed = under(&mut machine, series(&[(0.0, 100.0)], 9.0), intensity()).intensity;
    assert_eq!((placed.place.as_str(), placed.name.as_str()), ("FRA", "France"));
    near(
        [placed.value.low, placed.value.value, placed.value.high].map(GramsPerKwh::get),
        [100.0; 3],
    );
}

#[test]
fn time_that_is_not_covered_has_the_nearest_value_and_a_wide_range_and_says_so() {
    let mut machine = owner();
    machine.step(1000, &[job(4000)]).step(1000, &[job(4000)]);
    let early = under(
        &mut machine,
        series(&[(1.0, 100.0), (2.0, 120.0)], 3.0),
        nowhere(),
    );
    near(means(&early), [75.0, 100.0, 125.0]);
    assert_eq!(early.intensity.over_time.unwrap().covered, Share::of(1, 2));
    let late = under(&mut machine, series(&[(-1.0, 80.0)], 1.0), nowhere());
    near(means(&late), [60.0, 80.0, 100.0]);
    for (report, told) in [
        (&early, "it begins at 2026-11-26T"),
        (&late, "it ends at 2026-11-26T"),
    ] {
        let notes = &report.quality.notes;
        let note = notes
            .iter()
            .find(|note| note.code == "intensity-not-covered")
            .unwrap();
        assert!(note.degrades);
        assert!(
            note.message
                .starts_with("`grid.csv` says nothing of 1.0 s of the run: "),
            "{}",
            note.message
        );
        assert!(note.message.contains(told), "{}", note.message);
    }
}

#[test]
fn time_that_is_not_covered_has_the_average_of_a_place_that_was_named() {
    let mut machine = owner();
    machine.step(1000, &[job(4000)]).step(1000, &[job(4000)]);
    let report = under(&mut machine, series(&[(-1.0, 300.0)], 1.0), intensity());
    // France here is 80 to 150 around 100.
    near(means(&report), [190.0, 200.0, 225.0]);
    let note = report
        .quality
        .notes
        .iter()
        .find(|note| note.code == "intensity-not-covered");
    let told = &note.unwrap().message;
    assert!(
        told.contains("the average of France (100.0 g/kWh, lifecycle)"),
        "{told}"
    );
}

#[test]
fn a_stated_intensity_goes_before_a_series_that_a_recording_has_beside_it() {
    let mut machine = owner();
    machine.step(1000, &[job(4000)]);
    machine.choices().place = Place::Given(7.0);
    let report = under(&mut machine, series(&[(0.0, 300.0)], 9.0), intensity());
    assert_eq!(report.intensity, intensity());
}

#[test]
fn time_that_the_machine_slept_goes_by_on_the_wall_and_has_no_energy() {
    let mut machine = owner();
    machine.step(1000, &[job(4000)]);
    // An hour of sleep, which the monotonic clock does not show.
    machine.slept_ns += 3600 * S as u64;
    machine.step(1000, &[job(4000)]).step(1000, &[job(4000)]);
    let steps = [(0.0, 100.0), (2.0, 9000.0), (3600.0, 300.0)];
    let report = under(&mut machine, series(&steps, 7200.0), nowhere());
    near(means(&report), [200.0; 3]);
    let over_time = report.intensity.over_time.unwrap();
    assert_eq!(over_time.highest, grams(300.0));
}

#[test]
fn a_run_that_draws_nothing_has_the_mean_over_its_time() {
    let mut machine = Machine::knowing(&[SMALL]);
    machine.choices().idle_policy = IdlePolicy::None;
    machine.step(1000, &[job(0)]).step(3000, &[job(0)]);
    let report = under(
        &mut machine,
        series(&[(0.0, 100.0), (1.0, 500.0)], 9.0),
        nowhere(),
    );
    assert_eq!(report.energy.total.value().map(Joules::get), Some(0.0));
    near(means(&report), [400.0; 3]);
    assert_eq!(report.emissions.value().map(Grams::get), Some(0.0));
}

#[test]
fn a_run_whose_energy_is_unknown_has_a_mean_and_no_grams() {
    let mut machine = owner();
    machine.step(1000, &[job(4000)]);
    for observation in &mut machine.recording.observations {
        observation.readings = vec![Reading::Failed("gone".to_owned())];
    }
    let report = under(
        &mut machine,
        series(&[(0.0, 100.0), (0.5, 300.0)], 9.0),
        nowhere(),
    );
    assert!(matches!(report.emissions, Figure::Absent(_)));
    near(means(&report), [100.0, 200.0, 300.0]);
}

#[test]
fn a_recording_of_one_look_has_the_intensity_of_its_start() {
    let mut machine = owner();
    let report = under(
        &mut machine,
        series(&[(-1.0, 100.0), (1.0, 300.0)], 9.0),
        nowhere(),
    );
    near(means(&report), [100.0; 3]);
    assert_eq!(report.intensity.over_time.unwrap().covered, Share::ALL);
}

#[test]
fn a_killed_run_has_the_intensity_of_what_was_seen_of_it() {
    let mut machine = owner();
    machine.step(1000, &[job(4000)]).step(1000, &[job(4000)]);
    let steps = series(&[(0.0, 100.0), (1.0, 300.0)], 9.0);
    let whole = under(&mut machine, steps.clone(), nowhere());
    machine.recording.tail = None;
    let killed = assemble(&machine.recording, nowhere());
    assert_eq!(killed.intensity, whole.intensity);
}

#[test]
fn books_that_are_made_again_under_another_baseline_have_the_mean_of_their_own_energy() {
    // A stated idle power of 60 W, which the first second disproves: 20 W.
    let run = |stated: f64| {
        let mut machine = Machine::of(&[SMALL]);
        machine.choices().idle_power = vec![watts(stated)];
        machine.choices().idle_policy = IdlePolicy::Capacity;
        machine.step(1000, &[job(0)]).step(1000, &[job(4000)]);
        machine.step(1000, &[job(1000)]);
        under(
            &mut machine,
            series(&[(0.0, 900.0), (1.0, 100.0), (2.0, 500.0)], 9.0),
            nowhere(),
        )
    };
    let (lowered, right) = (run(60.0), run(20.0));
    let [domain] = lowered.domains.as_slice() else {
        panic!()
    };
    assert!(matches!(domain.idle_power, IdlePower::Lowered { .. }));
    // 20 J dynamic and 20 J of baseline at 100, 5 J and 5 J at 500.
    let mean = (40.0 * 100.0 + 10.0 * 500.0) / 50.0;
    near(means(&right), [mean; 3]);
    // The proof leaves out the counter's steps, so that the power that was found is a little above 20 W.
    assert_near(means(&lowered)[1], mean, 1.0);
}

#[test]
fn memory_and_package_have_the_intensity_of_their_own_energy() {
    let gib = 1 << 30;
    let mut machine = owner();
    machine.head().domains.push(Domain {
        name: "ram-model".to_owned(),
        kind: DomainKind::Dram,
        origin: Origin::Estimated("ram-model".to_owned()),
        groups: Vec::new(),
        summed: true,
        source: DomainSource::RamModel(crate::model::recording::RamPowerModel {
            per_module: None,
            basis: "test".to_owned(),
            per_gib: Ranged {
                low: watts(1.0),
                value: watts(1.0),
                high: watts(1.0),
            },
        }),
    });
    let look = |machine: &mut Machine, gibs: u64| {
        let latest = machine.latest();
        latest.readings.push(Reading::Modelled);
        latest.memory = Some(crate::model::recording::MemoryUse {
            at: latest.at,
            pss_bytes: gibs * gib,
            range: None,
            resident_bytes: None,
            unreadable: 0,
        });
    };
    look(&mut machine, 0);
    machine.step(1000, &[job(0)]);
    look(&mut machine, 80);
    machine.step(1000, &[job(0)]);
    look(&mut machine, 80);
    let report = under(
        &mut machine,
        series(&[(0.0, 100.0), (0.5, 400.0)], 9.0),
        nowhere(),
    );
    // The package draws 20 J in each second; memory is 40 J in the first second and 80 J in the second.
    assert_near(report.energy.ram.value().unwrap().get(), 120.0, 1e-6);
    let mean = |first: f64| (60.0 * first + 100.0 * 400.0) / 160.0;
    near(means(&report), [mean(100.0), mean(250.0), mean(400.0)]);
}
