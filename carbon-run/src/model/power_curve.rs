//! A package's power over its load, as `carbon-run calibrate --curve` measured it.

use super::recording::CurvePoint;

/// Power over weighted busy CPUs, piecewise linear and never falling.
#[derive(Debug, Clone, PartialEq)]
pub struct PowerCurve {
    /// Weighted busy CPUs and watts, both ascending.
    points: Vec<(f64, f64)>,
}

/// What a job's dynamic power can be said to be beside neighbours, relative to its proportional part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// What the machine would draw less without the job: `f(U) - f(U - a)`.
    pub marginal: f64,
    /// What the job would draw alone: `f(a) - f(0)`.
    pub standalone: f64,
}

impl PowerCurve {
    /// Through the points, a second beside a busy sibling weighing `shared_permille` thousandths of one alone; `None` with
    /// fewer than three loads. Where a point lies below one of less load, the higher power counts.
    #[must_use]
    pub fn new(points: &[CurvePoint], shared_permille: u32) -> Option<Self> {
        let weight = f64::from(shared_permille) / 1000.0;
        let mut points: Vec<(f64, f64)> = points
            .iter()
            .map(|point| (point.alone + weight * point.shared, point.power.get()))
            .filter(|(load, _)| load.is_finite() && *load >= 0.0)
            .collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        points.dedup_by(|later, earlier| later.0 - earlier.0 < 1e-6);
        let mut highest = 0.0_f64;
        for (_, power) in &mut points {
            highest = highest.max(*power);
            *power = highest;
        }
        (points.len() >= 3).then_some(Self { points })
    }

    /// Watts under that many weighted busy CPUs; beyond the last point, that point's.
    #[must_use]
    pub fn at(&self, load: f64) -> f64 {
        let after = self.points.partition_point(|(known, _)| *known <= load);
        let upper = self.points.get(after);
        let lower = after.checked_sub(1).and_then(|before| self.points.get(before));
        match (lower, upper) {
            (Some((x0, y0)), Some((x1, y1))) => y0 + (y1 - y0) * (load - x0) / (x1 - x0),
            (Some((_, power)), None) | (None, Some((_, power))) => *power,
            (None, None) => 0.0,
        }
    }

    /// For a job of `job` weighted busy CPUs among `all`. 1 and 1 where the curve says nothing of that load.
    #[must_use]
    pub fn bounds(&self, job: f64, all: f64) -> Bounds {
        let (idle, now) = (self.at(0.0), self.at(all));
        let proportional = (now - idle) * job / all;
        if !(proportional.is_finite() && proportional > 0.0) {
            return Bounds {
                marginal: 1.0,
                standalone: 1.0,
            };
        }
        Bounds {
            marginal: (now - self.at(all - job)) / proportional,
            standalone: (self.at(job) - idle) / proportional,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::units::Watts;

    fn curve(points: &[(f64, f64)]) -> Option<PowerCurve> {
        let points: Vec<CurvePoint> = points
            .iter()
            .map(|&(alone, power)| CurvePoint {
                alone,
                shared: 0.0,
                power: Watts::new(power).unwrap(),
            })
            .collect();
        PowerCurve::new(&points, 575)
    }

    #[test]
    fn between_points_power_is_on_the_line_and_beyond_them_it_stays() {
        let curve = curve(&[(4.0, 60.0), (0.0, 20.0), (1.0, 40.0)]).unwrap();
        for (load, power) in [(0.0, 20.0), (0.5, 30.0), (1.0, 40.0), (2.5, 50.0), (9.0, 60.0)] {
            assert!(
                (curve.at(load) - power).abs() < 1e-9,
                "{load}: {}",
                curve.at(load)
            );
        }
    }

    #[test]
    fn on_a_concave_curve_the_proportional_part_lies_between_marginal_and_standalone() {
        let curve = curve(&[(0.0, 20.0), (1.0, 40.0), (2.0, 50.0), (4.0, 60.0)]).unwrap();
        let bounds = curve.bounds(1.0, 4.0);
        // 40 W dynamic, a quarter of it proportional; 5 W marginal, 20 W alone.
        assert!((bounds.marginal - 0.5).abs() < 1e-9 && (bounds.standalone - 2.0).abs() < 1e-9);
        let alone = curve.bounds(2.0, 2.0);
        assert!((alone.marginal - 1.0).abs() < 1e-9 && (alone.standalone - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_curve_of_noise_or_of_nothing_says_nothing() {
        assert_eq!(curve(&[(0.0, 20.0), (1.0, 40.0)]), None);
        let flat = curve(&[(0.0, 20.0), (1.0, 19.0), (2.0, 20.0)]).unwrap();
        assert_eq!(
            flat.bounds(1.0, 2.0),
            Bounds {
                marginal: 1.0,
                standalone: 1.0
            }
        );
        assert!(flat.bounds(0.0, 0.0).marginal.is_finite());
    }

    #[test]
    fn the_weight_of_a_sibling_moves_the_load_and_not_the_power() {
        let points =
            [(0.0, 0.0, 10.0), (2.0, 0.0, 30.0), (0.0, 4.0, 35.0)].map(|(alone, shared, power)| CurvePoint {
                alone,
                shared,
                power: Watts::new(power).unwrap(),
            });
        let curve = PowerCurve::new(&points, 575).unwrap();
        assert!((curve.at(2.3) - 35.0).abs() < 1e-9);
    }
}
