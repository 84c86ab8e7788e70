//! The power of an idle machine from a run in which it never was: a line through power over load, where it meets no load.
//!
//! Theil-Sen (Sen, Estimates of the Regression Coefficient Based on Kendall's Tau, JASA 1968): the weighted median of the
//! slopes of all pairs. Up to 29 % of the time may be spent on whatever work, it has no scale to be tuned or to be
//! iterated for as Huber's has, and over a few dozen bins of load all pairs are cheap. A package's power is concave in its
//! load, and a line through the upper part of that meets no load far too high: hence the criterion.

use crate::model::units::Watts;

/// Bins of load. A bin is a mean over time, so that memory does not grow with the run.
const BINS: usize = 32;
/// Seconds that a bin has to rest on.
const LEAST_SECONDS: f64 = 0.5;
const LEAST_POINTS: usize = 5;
/// Load that the points have to span, and how far below them the answer may lie, in spans.
const LEAST_SPAN: f64 = 0.2;
const FARTHEST: f64 = 0.5;
/// Distance from the line, relative to the power: of the median, and of the farthest point that is not an outlier.
const MEDIAN_RESIDUAL: f64 = 0.02;
const FARTHEST_RESIDUAL: f64 = 0.05;
/// Part of the time that outliers may have.
const OUTLIERS: f64 = 0.1;

/// Power by load.
#[derive(Debug, Clone, Default)]
pub(super) struct Bins([Bin; BINS]);

#[derive(Debug, Clone, Copy, Default)]
struct Bin {
    seconds: f64,
    joules: f64,
    /// Load times seconds.
    loaded: f64,
}

/// A load between 0 and 1, the mean power under it, and what that rests on.
#[derive(Debug, Clone, Copy)]
struct Point {
    load: f64,
    power: f64,
    seconds: f64,
}

/// Where the line meets no load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Intercept {
    pub(super) power: Watts,
    /// Half-width within which the truth is believed to lie.
    pub(super) spread: Watts,
}

impl Bins {
    /// A window's load (0 to 1) and energy.
    pub(super) fn enter(&mut self, load: f64, joules: f64, seconds: f64) {
        let at = ((load * BINS as f64) as usize).min(BINS - 1);
        if let Some(bin) = self.0.get_mut(at) {
            bin.seconds += seconds;
            bin.joules += joules;
            bin.loaded += load * seconds;
        }
    }

    /// The line's end at no load, when the points lie well enough on a line that begins near there.
    pub(super) fn intercept(&self) -> Option<Intercept> {
        let points: Vec<Point> = self
            .0
            .iter()
            .filter(|bin| bin.seconds >= LEAST_SECONDS)
            .map(|bin| Point {
                load: bin.loaded / bin.seconds,
                power: bin.joules / bin.seconds,
                seconds: bin.seconds,
            })
            .collect();
        let (first, last) = (points.first()?, points.last()?);
        let span = last.load - first.load;
        if points.len() < LEAST_POINTS || span < LEAST_SPAN || first.load > span * FARTHEST {
            return None;
        }
        let slopes = slopes(&points);
        let slope = quantile(&slopes, 0.5)?;
        let ends: Vec<(f64, f64)> = points
            .iter()
            .map(|point| (point.power - slope * point.load, point.seconds))
            .collect();
        let end = quantile(&ends, 0.5)?;
        let off: Vec<(f64, f64)> = points
            .iter()
            .map(|point| {
                let distance = (point.power - slope * point.load - end).abs();
                (distance / point.power.max(f64::MIN_POSITIVE), point.seconds)
            })
            .collect();
        let fits =
            quantile(&off, 0.5)? <= MEDIAN_RESIDUAL && quantile(&off, 1.0 - OUTLIERS)? <= FARTHEST_RESIDUAL;
        if !fits || slope < 0.0 || end <= 0.0 {
            return None;
        }
        // How far the line's end moves with the slope, and how far the points are from the line.
        let turn = (quantile(&slopes, 0.75)? - quantile(&slopes, 0.25)?) * first.load;
        let scatter = quantile(&off, 0.75)? * end;
        Some(Intercept {
            power: Watts::clamped(end),
            spread: Watts::clamped(turn + scatter + SURE_TO * end),
        })
    }
}

/// No intercept is surer than this: what passes for a line may still bend below its lowest point.
const SURE_TO: f64 = 0.25;

/// Of all pairs, weighted by time and by distance: a slope between neighbours is mostly noise.
fn slopes(points: &[Point]) -> Vec<(f64, f64)> {
    let mut slopes = Vec::new();
    for (number, one) in points.iter().enumerate() {
        for other in points.iter().skip(number + 1) {
            let run = other.load - one.load;
            if run > 0.0 {
                let weight = (one.seconds * other.seconds).sqrt() * run;
                slopes.push(((other.power - one.power) / run, weight));
            }
        }
    }
    slopes
}

/// The value below which `part` of the weight lies.
fn quantile(weighted: &[(f64, f64)], part: f64) -> Option<f64> {
    let mut sorted = weighted.to_vec();
    sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
    let wanted = sorted.iter().map(|(_, weight)| weight).sum::<f64>() * part;
    let mut so_far = 0.0;
    for (value, weight) in &sorted {
        so_far += weight;
        if so_far >= wanted {
            return Some(*value);
        }
    }
    sorted.last().map(|(value, _)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(power: impl Fn(f64) -> f64, loads: impl Iterator<Item = f64>) -> Option<Intercept> {
        let mut bins = Bins::default();
        for load in loads {
            bins.enter(load, power(load), 1.0);
        }
        bins.intercept()
    }

    fn from(first: u32) -> impl Iterator<Item = f64> {
        (first..=20).map(|step| f64::from(step) / 20.0)
    }

    #[test]
    fn a_straight_line_ends_where_it_ends() {
        let end = line(|load| 20.0 + 100.0 * load, from(2)).unwrap();
        assert!((end.power.get() - 20.0).abs() < 1e-6, "{end:?}");
    }

    #[test]
    fn a_window_in_ten_of_other_work_moves_it_by_little() {
        let end = line(
            |load| {
                if (0.5..0.6).contains(&load) {
                    200.0
                } else {
                    20.0 + 100.0 * load
                }
            },
            from(1),
        );
        let end = end.unwrap();
        assert!((end.power.get() - 20.0).abs() < 2.0, "{end:?}");
    }

    #[test]
    fn what_is_no_line_or_too_far_from_no_load_or_too_short_ends_nowhere() {
        let concave = |load: f64| 20.0 + 100.0 * load.powf(0.6);
        let straight = |load: f64| 20.0 + 100.0 * load;
        assert_eq!(line(concave, from(1)), None);
        assert_eq!(line(straight, from(12)), None, "far from no load");
        assert_eq!(
            line(straight, from(1).filter(|load| *load < 0.2)),
            None,
            "one place"
        );
        assert_eq!(
            line(|load| 100.0 - 90.0 * load, from(1)),
            None,
            "less power for more load"
        );
        assert_eq!(line(|load| 100.0 * load - 5.0, from(2)), None, "below nothing");
        let mut bins = Bins::default();
        for load in from(1) {
            bins.enter(load, straight(load) * 0.1, 0.1);
        }
        assert_eq!(bins.intercept(), None);
    }
}
