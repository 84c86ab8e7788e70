//! Which phase was on when: the marks alone, without any energy.

use super::accounts::{OUTSIDE, after, beside, own};
use super::timeline::{MOST_OPEN, MOST_PATHS, Timeline};
use crate::model::recording::{PhaseMark, PhaseStep};
use crate::model::units::Moment;
use std::time::Duration;

fn start(at: u64, name: &str) -> PhaseMark {
    PhaseMark {
        at: Moment(at),
        mark: PhaseStep::Start(name.to_owned()),
    }
}

fn stop(at: u64, name: &str) -> PhaseMark {
    PhaseMark {
        at: Moment(at),
        mark: PhaseStep::Stop((!name.is_empty()).then(|| name.to_owned())),
    }
}

fn told(marks: &[PhaseMark]) -> Timeline {
    let mut timeline = Timeline::default();
    marks.iter().for_each(|mark| timeline.mark(mark));
    timeline
}

fn paths(timeline: &Timeline) -> Vec<String> {
    let name = |node: &usize| timeline.nodes()[*node].name.clone();
    (0..timeline.nodes().len())
        .map(|node| {
            let mut names: Vec<String> = timeline.lineage(node).iter().map(name).collect();
            names.reverse();
            names.join("/")
        })
        .collect()
}

/// How long each phase was open, in nanoseconds, of a run from 0 to `end`.
fn open(timeline: &Timeline, end: u64) -> Vec<u64> {
    let durations = timeline.durations(Moment(0), Moment(end));
    durations.open.iter().map(|time| time.as_nanos() as u64).collect()
}

#[test]
fn a_phase_that_starts_inside_of_another_is_its_child() {
    let timeline = told(&[
        start(10, "epoch"),
        start(20, "load"),
        stop(30, "load"),
        start(40, "fit"),
        stop(70, ""),
        stop(80, "epoch"),
        start(90, "load"),
    ]);
    assert_eq!(paths(&timeline), ["epoch", "epoch/load", "epoch/fit", "load"]);
    assert_eq!(open(&timeline, 100), [70, 10, 30, 10]);
    let slots = timeline.between(Moment(0), Moment(100)).slots;
    let held = |slot| slots.iter().find(|(one, _)| *one == slot).map(|(_, ns)| *ns);
    assert_eq!(held(OUTSIDE), Some(10 + 10));
    assert_eq!(held(own(0)), Some(30));
    assert_eq!(held(own(2)), Some(30));
    assert!(!timeline.overlapped());
    assert!(timeline.nodes()[3].is_open() && !timeline.nodes()[0].is_open());
    let owned = timeline.durations(Moment(0), Moment(100)).owned;
    assert_eq!(owned.iter().sum::<Duration>(), Duration::from_nanos(100));
}

#[test]
fn times_of_one_phase_add_up_and_a_second_start_enters_it_once_more() {
    let timeline = told(&[
        start(10, "a"),
        stop(20, "a"),
        start(30, "a"),
        start(35, "a"),
        stop(40, "a"),
        stop(50, "a"),
    ]);
    assert_eq!(paths(&timeline), ["a"]);
    assert_eq!(timeline.nodes()[0].times, 3);
    assert_eq!(open(&timeline, 60), [10 + 20]);
}

#[test]
fn what_overlaps_keeps_its_own_interval() {
    let timeline = told(&[start(10, "a"), start(20, "b"), stop(40, "a"), stop(70, "b")]);
    assert_eq!(paths(&timeline), ["a", "a/b"]);
    assert_eq!(open(&timeline, 100), [30, 50]);
    assert!(timeline.overlapped());
    let tail = timeline.between(Moment(40), Moment(70));
    assert_eq!(tail.slots, [(own(1), 30), (after(0), 30)]);
    // Half of this window is before the end of `a`, and `b` is open in all of it.
    let window = timeline.between(Moment(30), Moment(50));
    assert_eq!(timeline.partly_open(&window), [(0, 0.5)]);
}

#[test]
fn a_function_that_calls_itself_through_another_is_one_phase() {
    let timeline = told(&[
        start(0, "a"),
        start(10, "b"),
        start(20, "a"),
        stop(30, ""),
        stop(40, ""),
        stop(50, ""),
    ]);
    assert_eq!(paths(&timeline), ["a", "a/b"]);
    assert_eq!(open(&timeline, 60), [50, 30]);
    let inner = timeline.between(Moment(20), Moment(30));
    assert_eq!(inner.slots, [(own(0), 10), (beside(1), 10)]);
}

#[test]
fn a_stop_of_what_is_not_open_changes_nothing_and_is_counted() {
    let timeline = told(&[
        stop(5, ""),
        start(10, "a"),
        stop(20, "b"),
        stop(30, "a"),
        stop(40, "a"),
    ]);
    assert_eq!(open(&timeline, 50), [20]);
    assert_eq!(timeline.oddities().strays, 3);
    assert_eq!(timeline.oddities().first_stray, "");
}

#[test]
fn a_mark_that_comes_late_begins_where_the_last_look_ended() {
    let mut timeline = told(&[start(10, "a")]);
    timeline.settle(Moment(100));
    timeline.mark(&stop(60, "a"));
    assert_eq!(open(&timeline, 200), [90]);
    let before = timeline.between(Moment(50), Moment(100));
    assert_eq!(before.slots, [(own(0), 50)]);
}

#[test]
fn names_without_end_are_part_of_what_is_around_them_and_stop_what_they_started() {
    let mut timeline = Timeline::default();
    timeline.mark(&start(0, "all"));
    let more = 3 * MOST_PATHS as u64;
    for number in 1..=more {
        timeline.mark(&start(10 * number, &format!("n{number}")));
        timeline.mark(&stop(10 * number + 5, ""));
    }
    timeline.mark(&stop(10 * more + 10, ""));
    assert_eq!(timeline.nodes().len(), MOST_PATHS);
    assert_eq!(timeline.oddities().unlisted, more + 1 - MOST_PATHS as u64);
    assert_eq!(timeline.oddities().strays, 0);
    assert_eq!(open(&timeline, 10 * more + 20)[0], 10 * more + 10);
}

#[test]
fn phases_that_are_never_stopped_are_as_many_as_may_be_and_their_stops_are_awaited() {
    let mut timeline = Timeline::default();
    for number in 0..MOST_OPEN as u64 + 10 {
        timeline.mark(&start(number, "deeper"));
    }
    for number in 0..MOST_OPEN as u64 + 10 {
        timeline.mark(&stop(1000 + number, ""));
    }
    assert_eq!(timeline.oddities().strays, 0);
    assert!(!timeline.nodes()[0].is_open());
    assert_eq!(timeline.oddities().unlisted, 10);
    timeline.mark(&stop(5000, ""));
    assert_eq!(timeline.oddities().strays, 1);
}

#[test]
fn a_long_run_takes_no_more_memory_and_what_is_near_is_still_told_apart() {
    let mut timeline = Timeline::default();
    for number in 0..100_000_u64 {
        timeline.mark(&start(1000 * number, ["a", "b"][number as usize % 2]));
        timeline.mark(&stop(1000 * number + 600, ""));
    }
    let end = 100_000_000;
    assert!(timeline.remembered() <= 256, "{}", timeline.remembered());
    let near = timeline.between(Moment(end - 2000), Moment(end));
    assert_eq!(near.slots, [(own(1), 600), (OUTSIDE, 800), (own(0), 600)]);
    let all = timeline.between(Moment(0), Moment(end));
    let held = |slot| all.slots.iter().find(|(one, _)| *one == slot).unwrap().1;
    assert_eq!(
        (held(own(0)), held(own(1)), held(OUTSIDE)),
        (30_000_000, 30_000_000, 40_000_000)
    );
}
