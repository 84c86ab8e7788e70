//! How often to look (METHOD.md, "Sampling").

use crate::model::units::Moment;
use std::time::Duration;

/// A run is young for so long.
const YOUNG: Duration = Duration::from_secs(10);
const WHILE_YOUNG: Duration = Duration::from_millis(100);
const USUAL: Duration = Duration::from_secs(1);
/// A young run is not looked at so often that the looks take more than one part in so many of a CPU: reading a GPU takes its
/// driver milliseconds.
const AT_MOST_ONE_IN: u32 = 50;
/// At the boundary of a phase there is a look at once, but not sooner after another one than this: many counters step every
/// millisecond.
const BETWEEN_BOUNDARIES: Duration = Duration::from_millis(10);

/// A sample by the daemon may be as old as this.
const OLDEST: Duration = Duration::from_millis(50);

/// When to take the next sample: at a moment and not after a pause, so that nothing that happens in between puts it off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cadence {
    stated: Option<Duration>,
    /// At most this long, or a counter could wrap unseen, or a power change.
    at_most: Duration,
    started: Moment,
    due: Moment,
    /// A boundary is to be looked at then.
    boundary: Option<Moment>,
    /// When the last sample ended.
    last: Moment,
    /// CPU time of the last sample.
    cost: Duration,
}

impl Cadence {
    /// For a run that starts now. With `stated` instead of the usual rhythm, but always more often than half of the
    /// shortest wrap time; and than `longest_pause`, unless the person wants it otherwise.
    pub(super) fn new(
        stated: Option<Duration>,
        shortest_wrap: Option<Duration>,
        longest_pause: Option<Duration>,
        started: Moment,
    ) -> Self {
        let wrap = shortest_wrap.map_or(Duration::MAX, |wrap| wrap * 2 / 5);
        let pause = longest_pause
            .filter(|_| stated.is_none())
            .unwrap_or(Duration::MAX);
        let mut cadence = Self {
            stated,
            at_most: wrap.min(pause),
            started,
            due: started,
            boundary: None,
            last: Moment(0),
            cost: Duration::ZERO,
        };
        cadence.sampled(started, Duration::ZERO);
        cadence.last = Moment(0);
        cadence
    }

    /// From now to the next sample; nothing if it is late.
    pub(super) fn left(&self, now: Moment) -> Duration {
        let boundary = self.boundary.unwrap_or(self.due);
        self.due.min(boundary).since(now)
    }

    /// A phase began or ended: a sample is due at once, or as soon as may be.
    pub(super) fn boundary(&mut self, now: Moment) {
        let pause = BETWEEN_BOUNDARIES.max(self.cost * AT_MOST_ONE_IN);
        let soonest = now.max(after(self.last, pause));
        self.boundary.get_or_insert(soonest);
    }

    /// The sample at a boundary was from before it, and shows nothing of it: the next one is due when it cannot be.
    pub(super) fn look_again(&mut self, now: Moment) {
        self.boundary.get_or_insert(after(now, OLDEST));
    }

    /// A sample was taken, which ended now and took so much CPU time. The rhythm is kept, but what was missed is not caught up
    /// with.
    pub(super) fn sampled(&mut self, now: Moment, cost: Duration) {
        (self.cost, self.last, self.boundary) = (cost, now, None);
        if now < self.due {
            return;
        }
        let step = self.step(now);
        let next = after(self.due, step);
        self.due = if next > now { next } else { after(now, step) };
    }

    fn step(&self, now: Moment) -> Duration {
        let usual = if now.since(self.started) < YOUNG {
            (self.cost * AT_MOST_ONE_IN).clamp(WHILE_YOUNG, USUAL)
        } else {
            USUAL
        };
        self.stated.unwrap_or(usual).min(self.at_most)
    }
}

fn after(moment: Moment, step: Duration) -> Moment {
    let step = u64::try_from(step.as_nanos()).unwrap_or(u64::MAX);
    Moment(moment.0.saturating_add(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const START: Moment = Moment(5_000_000_000);

    fn at(age: Duration) -> Moment {
        after(START, age)
    }

    /// The pause after a sample at that age.
    fn pause(mut cadence: Cadence, age: Duration) -> Duration {
        cadence.due = at(age);
        cadence.sampled(at(age), Duration::ZERO);
        cadence.left(at(age))
    }

    #[test]
    fn a_young_run_is_looked_at_more_often() {
        let cadence = Cadence::new(None, None, None, START);
        assert_eq!(cadence.left(START), Duration::from_millis(100));
        assert_eq!(pause(cadence, 9 * SECOND), Duration::from_millis(100));
        assert_eq!(pause(cadence, 10 * SECOND), SECOND);
    }

    #[test]
    fn samples_that_cost_much_come_less_often_while_a_run_is_young_but_not_less_than_later() {
        for (cost_us, age, step_ms) in [
            (500, 1, 100),
            (7_000, 1, 350),
            (90_000, 1, 1_000),
            (90_000, 100, 1_000),
        ] {
            let mut cadence = Cadence::new(None, None, None, START);
            cadence.due = at(age * SECOND);
            cadence.sampled(at(age * SECOND), Duration::from_micros(cost_us));
            assert_eq!(
                cadence.left(at(age * SECOND)),
                Duration::from_millis(step_ms),
                "{cost_us}"
            );
        }
        let mut stated = Cadence::new(Some(SECOND / 5), None, None, START);
        stated.due = START;
        stated.sampled(START, SECOND);
        assert_eq!(stated.left(START), SECOND / 5);
    }

    #[test]
    fn a_stated_interval_holds_at_any_age() {
        let cadence = Cadence::new(Some(5 * SECOND), None, None, START);
        assert_eq!(cadence.left(START), 5 * SECOND);
        assert_eq!(pause(cadence, 3600 * SECOND), 5 * SECOND);
    }

    #[test]
    fn a_counter_that_wraps_soon_is_read_at_least_twice_in_between() {
        let cadence = Cadence::new(Some(3600 * SECOND), Some(164 * SECOND), None, START);
        assert!(cadence.left(START) < 82 * SECOND);
        let cadence = Cadence::new(None, Some(SECOND), None, START);
        assert!(pause(cadence, 100 * SECOND) < SECOND / 2);
    }

    #[test]
    fn what_happens_in_between_does_not_put_a_sample_off() {
        let cadence = Cadence::new(Some(SECOND), None, None, START);
        for ms in [0, 300, 999] {
            let age = Duration::from_millis(ms);
            assert_eq!(cadence.left(at(age)), SECOND - age);
        }
        assert_eq!(cadence.left(at(2 * SECOND)), Duration::ZERO);
    }

    #[test]
    fn a_late_sample_does_not_move_the_rhythm_and_missed_ones_are_not_caught_up_with() {
        let mut cadence = Cadence::new(Some(SECOND), None, None, START);
        let late = Duration::from_millis(1_200);
        cadence.sampled(at(late), Duration::ZERO);
        assert_eq!(cadence.left(at(late)), 2 * SECOND - late);
        cadence.sampled(at(60 * SECOND), Duration::ZERO);
        assert_eq!(cadence.left(at(60 * SECOND)), SECOND);
    }

    #[test]
    fn a_boundary_is_looked_at_at_once_but_not_all_of_many() {
        let ms = Duration::from_millis(1);
        let mut cadence = Cadence::new(Some(SECOND), None, None, START);
        cadence.boundary(at(300 * ms));
        assert_eq!(cadence.left(at(300 * ms)), Duration::ZERO);
        cadence.sampled(at(301 * ms), ms / 10);
        assert_eq!(cadence.left(at(301 * ms)), 699 * ms, "the rhythm is kept");
        cadence.boundary(at(303 * ms));
        cadence.boundary(at(304 * ms));
        assert_eq!(cadence.left(at(304 * ms)), 7 * ms);
        cadence.sampled(at(311 * ms), 2 * ms);
        cadence.boundary(at(312 * ms));
        assert_eq!(cadence.left(at(312 * ms)), 99 * ms, "one part in 50 of a CPU");
        cadence.sampled(at(1001 * ms), ms);
        assert_eq!(cadence.left(at(1001 * ms)), 999 * ms);
        cadence.look_again(at(1002 * ms));
        assert_eq!(
            cadence.left(at(1002 * ms)),
            50 * ms,
            "the daemon's look was an old one"
        );
    }

    #[test]
    fn a_power_that_has_to_be_followed_is_read_often_unless_another_interval_is_stated() {
        let often = Some(Duration::from_millis(100));
        assert_eq!(
            pause(Cadence::new(None, None, often, START), 100 * SECOND),
            SECOND / 10
        );
        assert_eq!(Cadence::new(Some(SECOND), None, often, START).left(START), SECOND);
    }
}
