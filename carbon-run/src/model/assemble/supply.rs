//! The electricity of a run whose carbon intensity changes while it runs.
//!
//! A series is in wall time, and what was observed is in monotonic time. Both are tied together once, at the start, where the
//! wall clock was read; from then on wall time goes by as the monotonic clock does, and as long as the machine sleeps. Steps
//! of the wall clock during the run move nothing.

use super::carbon::Blend;
use super::note;
use crate::model::intensity_series::{Outside, Stretch, greater, lesser};
use crate::model::recording::{
    Head, IntensitySeries, LiveFacts, LiveIntensity, Note, Observation, Place, Ranged,
};
use crate::model::report::{Intensity, IntensityOverTime, LiveReport};
use crate::model::units::{GramsPerKwh, Moment, Share};
use jiff::Timestamp;

/// The electricity, as time goes by.
#[derive(Debug, Clone)]
pub(super) struct Supply {
    /// What was looked up for the place.
    average: Intensity,
    series: Option<Series>,
}

#[derive(Debug, Clone)]
struct Series {
    steps: Steps,
    outside: Outside,
    /// Of the place, or of the world.
    average: Ranged<GramsPerKwh>,
    started_at_unix_ns: i64,
    /// The first observation's moment, and how long the machine had slept before.
    first: Option<(Moment, u64)>,
    /// How long the machine has slept since.
    slept_ns: u64,
    /// The last observation's moment.
    last: Moment,
    /// Over time, whatever the energy.
    blend: Blend,
    values: Option<(GramsPerKwh, GramsPerKwh)>,
    known_ns: u64,
    uncovered_ns: u64,
}

/// What changes with time.
#[derive(Debug, Clone)]
enum Steps {
    /// A file, known from the start.
    File(IntensitySeries),
    /// A provider, of whom more may come.
    Live(LiveIntensity),
}

impl Supply {
    /// Of a run with that head. `average` is what was looked up for its place.
    pub(super) fn open(head: &mut Head, average: Intensity) -> Self {
        let given = matches!(head.choices.place, Place::Given(_) | Place::Mix(_));
        let file = head.choices.intensity_series.take().map(Steps::File);
        let live = head.choices.live.take().map(Steps::Live);
        let series = file.or(live).filter(|_| !given);
        let outside = if average.assumed {
            Outside::Nearest
        } else {
            Outside::Place(average.value)
        };
        let value = average.value;
        Self {
            average,
            series: series.map(|steps| Series {
                steps,
                outside,
                average: value,
                started_at_unix_ns: head.started_at_unix_ns,
                first: None,
                slept_ns: 0,
                last: Moment(0),
                blend: Blend::default(),
                values: None,
                known_ns: 0,
                uncovered_ns: 0,
            }),
        }
    }

    /// Time has come to an observation. Time that the machine slept is nobody's.
    pub(super) fn reach(&mut self, observation: &Observation, slept: bool) {
        if let Some(series) = &mut self.series {
            series.reach(observation, slept);
        }
    }

    /// The intensity from one moment to another; `None` where it does not change with time.
    pub(super) fn between(&self, from: Moment, to: Moment) -> Option<Ranged<GramsPerKwh>> {
        Some(self.series.as_ref()?.between(from, to).intensity)
    }

    /// What is worth telling.
    pub(super) fn notes(&self) -> Option<Note> {
        self.series.as_ref()?.note(&self.average)
    }

    /// The electricity of the whole run: the intensity `by_energy` of what the job used, where that is known.
    pub(super) fn close(self, by_energy: Option<Ranged<GramsPerKwh>>) -> Intensity {
        match self.series {
            None => self.average,
            Some(series) => series.close(self.average, by_energy),
        }
    }
}

impl Series {
    fn reach(&mut self, observation: &Observation, slept: bool) {
        if let Steps::Live(live) = &mut self.steps {
            for step in &observation.live {
                live.add(*step);
            }
        }
        let (_, slept_before) = *self.first.get_or_insert_with(|| {
            self.last = observation.at;
            (observation.at, observation.slept_ns)
        });
        self.slept_ns = observation.slept_ns.saturating_sub(slept_before);
        let stretch = self.between(self.last, observation.at);
        let ns = observation.at.0.saturating_sub(self.last.0);
        self.last = observation.at;
        if slept {
            return;
        }
        self.blend.add(ns as f64, stretch.intensity);
        self.known_ns += ns;
        self.uncovered_ns += stretch.uncovered_ns;
        let (least, most) = stretch.values;
        let (lowest, highest) = self.values.unwrap_or(stretch.values);
        self.values = Some((lesser(lowest, least), greater(highest, most)));
    }

    fn between(&self, from: Moment, to: Moment) -> Stretch {
        let (from, to) = (self.wall(from), self.wall(to));
        match &self.steps {
            Steps::File(series) => series.between(from, to, &self.outside),
            // Nobody said anything yet, and no place was named: the world's.
            Steps::Live(live) => live
                .between(from, to, &self.outside)
                .or_else(|| live.between(from, to, &Outside::Place(self.average)))
                .unwrap_or(Stretch {
                    intensity: self.average,
                    values: (self.average.value, self.average.value),
                    uncovered_ns: u64::try_from(to.saturating_sub(from)).unwrap_or(0),
                }),
        }
    }

    /// The wall clock, nanoseconds since 1970-01-01T00:00:00Z.
    fn wall(&self, moment: Moment) -> i64 {
        let start = self.first.map_or(moment, |(at, _)| at);
        let since = i128::from(moment.0) - i128::from(start.0) + i128::from(self.slept_ns);
        let wall = i128::from(self.started_at_unix_ns) + since;
        i64::try_from(wall).unwrap_or(if wall < 0 { i64::MIN } else { i64::MAX })
    }

    fn note(&self, average: &Intensity) -> Option<Note> {
        if self.uncovered_ns == 0 {
            return None;
        }
        let seconds = self.uncovered_ns as f64 / 1e9;
        let taken = match self.outside {
            Outside::Place(_) => format!(
                "the average of {} ({:.1} g/kWh, {}) stands in for it",
                average.name,
                average.value.value.get(),
                average.boundary
            ),
            Outside::Nearest => "the nearest value stands in for it, with a wide range".to_owned(),
        };
        match &self.steps {
            Steps::File(series) => {
                let facts = series.facts();
                let first = series.steps().first().map(|step| step.from_unix_ns);
                let early = first.filter(|first| *first > self.started_at_unix_ns);
                let (reaches, at) = match early {
                    Some(first) => ("begins", first),
                    None => ("ends", facts.until_unix_ns),
                };
                Some(note(
                    "intensity-not-covered",
                    format!(
                        "`{}` says nothing of {seconds:.1} s of the run: it {reaches} at {}; {taken}",
                        facts.source,
                        utc(at)
                    ),
                    Some(
                        "give a file that covers the run; of a recording, `carbon-run replay --intensity-file FILE`"
                            .to_owned(),
                    ),
                ))
            }
            Steps::Live(live) => {
                let taken = if live.steps.is_empty() && average.assumed {
                    "the world's average stands in for it".to_owned()
                } else {
                    taken
                };
                Some(note(
                    "live-not-covered",
                    format!(
                        "{} said nothing of {seconds:.1} s of the run; {taken}",
                        live.facts.provider
                    ),
                    None,
                ))
            }
        }
    }

    fn close(self, average: Intensity, by_energy: Option<Ranged<GramsPerKwh>>) -> Intensity {
        let at_start = self.between(self.last, self.last).intensity;
        let value = by_energy.or_else(|| self.blend.mean()).unwrap_or(at_start);
        let (lowest, highest) = self.values.unwrap_or((value.value, value.value));
        let covered_ns = self.known_ns.saturating_sub(self.uncovered_ns);
        let at_all = match &self.steps {
            Steps::File(series) => series.covers(self.started_at_unix_ns),
            Steps::Live(live) => live.covers(self.started_at_unix_ns),
        };
        let covered = match (self.known_ns, at_all) {
            (1.., _) => Share::of(covered_ns, self.known_ns),
            (0, true) => Share::ALL,
            (0, false) => Share::NONE,
        };
        let over_time = Some(IntensityOverTime {
            lowest,
            highest,
            covered,
        });
        match self.steps {
            Steps::File(series) => {
                let facts = series.facts().clone();
                let (place, name) = if average.assumed {
                    ("user".to_owned(), "given by the user".to_owned())
                } else {
                    (average.place, average.name)
                };
                Intensity {
                    value,
                    place,
                    name,
                    source: facts.source,
                    year: None,
                    boundary: facts.boundary,
                    flow: "unstated".to_owned(),
                    method: "time-series".to_owned(),
                    licence: None,
                    assumed: false,
                    cloud: average.cloud,
                    mix: Vec::new(),
                    live: None,
                    over_time,
                }
            }
            // Nothing of it was heard: the place's average is all there is.
            Steps::Live(_) if covered == Share::NONE => Intensity { value, ..average },
            Steps::Live(live) => told(live, average, value, over_time),
        }
    }
}

/// By a provider, with the place's average where it said nothing.
fn told(
    LiveIntensity { facts, steps }: LiveIntensity,
    average: Intensity,
    value: Ranged<GramsPerKwh>,
    over_time: Option<IntensityOverTime>,
) -> Intensity {
    let LiveFacts {
        provider,
        zone,
        boundary,
        flow,
        marginal,
    } = facts;
    // A zone is a place, where none was named besides.
    let (place, name) = if average.assumed {
        (zone.clone(), zone.clone())
    } else {
        (average.place, average.name)
    };
    Intensity {
        value,
        place,
        name,
        source: format!("{provider}, live, zone {zone}"),
        year: None,
        boundary,
        flow,
        method: if marginal { "live-marginal" } else { "live-average" }.to_owned(),
        licence: None,
        assumed: false,
        cloud: average.cloud,
        mix: Vec::new(),
        live: Some(LiveReport {
            provider,
            zone,
            estimated: steps.iter().any(|step| step.estimated),
        }),
        over_time,
    }
}

/// `2026-11-26T14:00:00Z`.
fn utc(unix_ns: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(unix_ns)).unwrap_or(Timestamp::MIN)
}
