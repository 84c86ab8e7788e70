//! A job that marked phases.

use super::{grams, known, measured};
use crate::model::recording::{Origin, Ranged, Source};
use crate::model::report::{Figure, JobEnergy, Phase, PhaseFigures, Phases, RunReport};
use crate::model::units::{CpuTime, Share};
use std::time::Duration;

/// Two that nest, one of them left open, and one that no meter saw.
pub(in crate::output) fn with_phases() -> RunReport {
    let measured = measured();
    let powercap = || Origin::Measured(Source::Powercap);
    let figures = |seconds: u64, joules: f64| PhaseFigures {
        duration: Duration::from_secs(seconds),
        cpu_time: Some(CpuTime(seconds * 900_000_000)),
        energy: JobEnergy {
            total: known(joules * 0.9, joules, joules * 1.1, powercap()),
            cpu: known(joules * 0.75, joules * 0.84, joules * 0.93, powercap()),
            ram: known(
                joules * 0.08,
                joules * 0.16,
                joules * 0.24,
                Origin::Estimated("ram-model".to_owned()),
            ),
            ..measured.energy.clone()
        },
        emissions: Figure::Known {
            ranged: Ranged {
                low: grams(joules * 1e-5),
                value: grams(joules * 1.2e-5),
                high: grams(joules * 1.5e-5),
            },
            origin: powercap(),
        },
        coverage: Share::ALL,
    };
    let unread = || Figure::Absent("no meter was read while it was open".to_owned());
    let unseen = PhaseFigures {
        duration: Duration::from_millis(2),
        energy: JobEnergy {
            total: unread(),
            cpu: unread(),
            ..measured.energy.clone()
        },
        emissions: Figure::Absent("no meter was read while it was open".to_owned()),
        coverage: Share::NONE,
        ..figures(0, 0.0)
    };
    let phase = |path: &[&str], parent, times, whole: PhaseFigures, own: PhaseFigures| Phase {
        path: path.iter().map(|&name| name.to_owned()).collect(),
        parent,
        times,
        open_at_end: parent.is_none(),
        whole,
        own,
    };
    let list = vec![
        phase(
            &["train \u{1b}[31m"],
            None,
            1,
            figures(100, 3000.0),
            figures(10, 200.0),
        ),
        phase(
            &["train \u{1b}[31m", "epoch"],
            Some(0),
            30,
            figures(90, 2800.0),
            figures(90, 2800.0),
        ),
        phase(&["train \u{1b}[31m", "flush"], Some(0), 1, unseen.clone(), unseen),
    ];
    RunReport {
        phases: Phases {
            list,
            outside: Some(figures(12, 230.0)),
            overlapped: false,
        },
        ..measured
    }
}
