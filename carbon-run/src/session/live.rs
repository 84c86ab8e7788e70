//! Carbon intensity while the run goes on: a thread asks, the books take what comes.
//!
//! The command never waits. Until the first answer is there, or its time is up, samples wait instead: at most a few seconds of them. After that a
//! value counts from the last sample that is already in the books, so that a replay, which has the values with the samples they came
//! with, gives the same figures.

mod asking;
mod cache;

use crate::grid::{Question, TIMEOUT};
use crate::launch::sheltered;
use crate::model::recording::{LiveIntensity, LiveProvider as Provider, LiveStep, Note, Observation, Place};
use crate::model::tables::Tables;
use crate::model::units::Moment;
use crate::settings::{Key, Secret, Settings};
use asking::{Heard, ask_for_ever};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::Duration;

/// After the command's end an answer that is still awaited may take this long, and no longer.
const LINGER: Duration = Duration::from_secs(1);

/// What a run is to ask, and where answers are kept for the next one.
pub(super) struct Plan {
    question: Question,
    cache: Option<PathBuf>,
}

/// What `--live` comes to at a place. An intensity, a mix or a file of intensities goes before it.
///
/// # Errors
/// A note, where nobody can be asked.
pub(super) fn plan(settings: &Settings, place: &Place, tables: &Tables) -> Result<Option<Plan>, Note> {
    let fixed = matches!(place, Place::Given(_) | Place::Mix(_)) || settings.place.intensity_file.is_some();
    let Some(provider) = settings.live.provider.filter(|_| !fixed) else {
        return Ok(None);
    };
    let by_place = match provider {
        Provider::ElectricityMaps | Provider::Generic => tables.electricity_maps_zone(place),
        Provider::Uk | Provider::WattTime => None,
    };
    let zone = settings.live.zone.clone().or(by_place).unwrap_or_default();
    let secrets = &settings.publishing.secrets;
    let token = secrets
        .get(&Secret::LiveToken)
        .map(|token| token.reveal().to_owned());
    let unusable = |what: &str, hint: &str| {
        Err(Note {
            code: "live-unusable".to_owned(),
            message: format!("{} cannot be asked: {what}", provider.title()),
            hint: Some(hint.to_owned()),
            degrades: true,
        })
    };
    if cfg!(not(feature = "http")) {
        return unusable(
            "this carbon-run was built without `http`",
            "build it with its default features",
        );
    }
    if provider.needs_token() && token.is_none() {
        return unusable(
            "there is no token",
            "give it in `CARBON_RUN_LIVE_TOKEN`, or as `live-token` in a config file that only you can read",
        );
    }
    if provider.needs_zone() && zone.is_empty() {
        return unusable(
            "no zone is named",
            "name it with `--live-zone`, or the place with `--country`",
        );
    }
    let british = matches!(place, Place::World) || matches!(place, Place::Country(code) if code == "GBR");
    if provider == Provider::Uk && settings.live.zone.is_none() && !british {
        return unusable(
            "it knows Great Britain only",
            "ask another provider, or leave the place out",
        );
    }
    let pointers = (settings.live.value.clone(), settings.live.time.clone());
    let pointers = match (provider, pointers) {
        (Provider::Generic, (None, _)) => {
            return unusable(
                "it is not said where its value is",
                "name the place with `--live-value`",
            );
        }
        (Provider::Generic, _) if settings.live.url.is_none() => {
            return unusable("it has no address", "give it with `--live-url`");
        }
        (_, (value, time)) => (value.unwrap_or_default(), time),
    };
    let question = Question {
        provider,
        zone,
        base: settings.live.url.clone(),
        token,
        pointers,
    };
    let named = settings.origin(Key::StateDir) != &crate::settings::Origin::Default;
    let keeps = named || settings.sysroot == std::path::Path::new("/");
    let cache = settings
        .state_dirs
        .first()
        .filter(|_| keeps)
        .map(|directory| directory.join(cache::name(&question)));
    Ok(Some(Plan { question, cache }))
}

impl Plan {
    /// For people, as `Electricity Maps, zone FR`.
    pub(super) fn said(&self) -> String {
        let facts = self.question.facts();
        format!("{}, zone {}", facts.provider, facts.zone)
    }

    /// What is known of now already, wall clock in nanoseconds since 1970-01-01T00:00:00Z.
    pub(super) fn known(&self, now: i64) -> LiveIntensity {
        let mut known = LiveIntensity {
            facts: self.question.facts(),
            steps: Vec::new(),
        };
        let kept = self.cache.as_deref().and_then(cache::read);
        for step in kept.into_iter().flatten().filter(|step| step.until_unix_ns > now) {
            known.add(step);
        }
        known
    }
}

/// The asking, and what waits for it.
pub(super) struct Live {
    /// Until the command has started.
    unasked: Option<(Plan, Sender<Heard>)>,
    heard: Receiver<Heard>,
    provider: &'static str,
    /// Wall clock at the start, and the first sample's moment and sleep.
    started_at_unix_ns: i64,
    first: Option<(Moment, u64)>,
    /// Until when samples wait; `None`: no longer.
    waits_until: Option<Moment>,
    waiting: Vec<Observation>,
    /// Wall clock of the last sample that is in the books.
    booked_until: Option<i64>,
    news: Vec<LiveStep>,
    /// Until when the newest value holds.
    covered_until: i64,
    /// Whether something is in the books that no value covers.
    gap: bool,
    trouble: Option<Note>,
}

impl Live {
    /// What is to be asked. Where something is `known` of now, nothing waits.
    pub(super) fn new(plan: Plan, started_at_unix_ns: i64, known: &LiveIntensity, now: Moment) -> Self {
        let (sender, heard) = channel();
        let answered = known.covers(started_at_unix_ns);
        let patience = u64::try_from(TIMEOUT.as_nanos()).unwrap_or(u64::MAX);
        Self {
            provider: plan.question.provider.title(),
            unasked: Some((plan, sender)),
            heard,
            started_at_unix_ns,
            first: None,
            waits_until: (!answered).then(|| Moment(now.0.saturating_add(patience))),
            waiting: Vec::new(),
            booked_until: None,
            news: Vec::new(),
            covered_until: known.steps.last().map_or(i64::MIN, |step| step.until_unix_ns),
            gap: false,
            trouble: None,
        }
    }

    /// Starts to ask. After the command has started: what this costs is then carbon-run's own, and nothing is asked for a command that
    /// cannot be executed.
    pub(super) fn ask(&mut self) {
        let Some((plan, sender)) = self.unasked.take() else {
            return;
        };
        // What is meant for the command must not end this thread, and the process with it.
        let spawned = sheltered(|| {
            std::thread::Builder::new()
                .name("live".to_owned())
                .spawn(move || ask_for_ever(&plan.question, plan.cache.as_deref(), &sender))
        });
        if let Err(error) = spawned {
            self.waits_until = None;
            self.trouble = Some(Note {
                code: "live-failed".to_owned(),
                message: format!("{} was not asked: no thread: {error}", self.provider),
                hint: None,
                degrades: true,
            });
        }
    }

    /// Takes a sample in, and gives out those that can be reckoned with.
    pub(super) fn pass(&mut self, observation: Observation, now: Moment) -> Vec<Observation> {
        self.first.get_or_insert((observation.at, observation.slept_ns));
        self.waiting.push(observation);
        loop {
            match self.heard.try_recv() {
                Ok(heard) => self.take(heard),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.waits_until = None;
                    break;
                }
            }
        }
        if self.waits_until.is_some_and(|until| now < until) {
            return Vec::new();
        }
        self.release()
    }

    /// The run is over: an answer that is still awaited has a moment more.
    pub(super) fn close(&mut self, now: Moment) -> Vec<Observation> {
        if let Some(until) = self.waits_until {
            let patience = until.since(now).min(LINGER);
            match self.heard.recv_timeout(patience) {
                Ok(heard) => self.take(heard),
                Err(RecvTimeoutError::Timeout) => {
                    self.trouble.get_or_insert(Note {
                        code: "live-failed".to_owned(),
                        message: format!("{} had not answered when the run was over", self.provider),
                        hint: None,
                        degrades: true,
                    });
                }
                Err(RecvTimeoutError::Disconnected) => {}
            }
        }
        self.release()
    }

    /// Why there is not a value for all of the time. A question that failed while an older value still held has cost nothing.
    pub(super) fn trouble(&self) -> Option<Note> {
        let short = self.gap || self.booked_until.is_none_or(|booked| booked > self.covered_until);
        self.trouble.clone().filter(|_| short)
    }

    fn take(&mut self, heard: Heard) {
        self.waits_until = None;
        match heard {
            Heard::Value(step) => {
                self.gap |= self
                    .booked_until
                    .is_some_and(|booked| booked > self.covered_until);
                self.covered_until = step.until_unix_ns;
                self.news.push(step);
            }
            Heard::Failed(note) => {
                self.trouble.get_or_insert(note);
            }
        }
    }

    fn release(&mut self) -> Vec<Observation> {
        self.waits_until = None;
        let mut released = std::mem::take(&mut self.waiting);
        if let Some(first) = released.first_mut() {
            let booked = self.booked_until;
            first.live = self
                .news
                .drain(..)
                .map(|step| LiveStep {
                    from_unix_ns: booked.map_or(step.from_unix_ns, |booked| booked.max(step.from_unix_ns)),
                    ..step
                })
                .filter(|step| step.from_unix_ns < step.until_unix_ns)
                .collect();
        }
        if let Some(last) = released.last() {
            self.booked_until = Some(self.wall(last));
        }
        released
    }

    /// As the books reckon it.
    fn wall(&self, observation: &Observation) -> i64 {
        let (start, slept_before) = self.first.unwrap_or((observation.at, observation.slept_ns));
        let since = observation.at.0.saturating_sub(start.0);
        let slept = observation.slept_ns.saturating_sub(slept_before);
        let since = i64::try_from(since.saturating_add(slept)).unwrap_or(i64::MAX);
        self.started_at_unix_ns.saturating_add(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::units::GramsPerKwh;

    const SECOND: u64 = 1_000_000_000;

    fn live(answered: bool) -> (Live, Sender<Heard>) {
        let (sender, heard) = channel();
        let live = Live {
            unasked: None,
            heard,
            provider: "test",
            started_at_unix_ns: 1_000 * SECOND as i64,
            first: None,
            waits_until: (!answered).then_some(Moment(5 * SECOND)),
            waiting: Vec::new(),
            booked_until: None,
            news: Vec::new(),
            covered_until: if answered { i64::MAX } else { i64::MIN },
            gap: false,
            trouble: None,
        };
        (live, sender)
    }

    fn sample(second: u64) -> Observation {
        Observation {
            at: Moment(second * SECOND),
            slept_ns: 0,
            readings: Vec::new(),
            usage: Vec::new(),
            usage_after: None,
            memory: None,
            gpus: Vec::new(),
            memory_before: Vec::new(),
            live: Vec::new(),
            marks: Vec::new(),
        }
    }

    fn value(from: i64) -> Heard {
        Heard::Value(LiveStep {
            from_unix_ns: from * SECOND as i64,
            until_unix_ns: (from + 7200) * SECOND as i64,
            g_per_kwh: GramsPerKwh::clamped(42.0),
            estimated: false,
        })
    }

    #[test]
    fn samples_wait_for_the_first_answer_and_not_for_the_next() {
        let (mut live, sender) = live(false);
        assert!(live.pass(sample(0), Moment(0)).is_empty());
        assert!(live.pass(sample(1), Moment(SECOND)).is_empty());
        sender.send(value(900)).unwrap();
        let released = live.pass(sample(2), Moment(2 * SECOND));
        assert_eq!(released.len(), 3);
        // From before the run: nothing is in the books yet.
        assert_eq!(released[0].live[0].from_unix_ns, 900 * SECOND as i64);
        assert_eq!(live.pass(sample(3), Moment(3 * SECOND)).len(), 1);
    }

    #[test]
    fn after_their_time_samples_wait_no_longer_and_a_late_value_is_of_what_comes_then() {
        let (mut live, sender) = live(false);
        assert!(live.pass(sample(0), Moment(0)).is_empty());
        assert_eq!(live.pass(sample(6), Moment(6 * SECOND)).len(), 2);
        sender.send(value(900)).unwrap();
        let released = live.pass(sample(7), Moment(7 * SECOND));
        assert_eq!(released[0].live[0].from_unix_ns, 1_006 * SECOND as i64);
    }

    fn failed() -> Heard {
        Heard::Failed(Note {
            code: "live-failed".to_owned(),
            message: "refused".to_owned(),
            hint: None,
            degrades: true,
        })
    }

    #[test]
    fn a_question_that_failed_is_told_only_where_a_value_was_missing() {
        // An older value held all the time.
        let (mut held, sender) = live(true);
        sender.send(failed()).unwrap();
        assert_eq!(held.pass(sample(0), Moment(0)).len(), 1);
        assert_eq!(held.trouble(), None);
        // The first samples had none, though one came later.
        let (mut late, sender) = live(false);
        sender.send(failed()).unwrap();
        assert_eq!(late.pass(sample(0), Moment(0)).len(), 1);
        sender.send(value(900)).unwrap();
        assert_eq!(late.pass(sample(1), Moment(SECOND)).len(), 1);
        assert!(late.trouble().is_some());
    }

    #[test]
    fn at_the_end_everything_is_given_out() {
        let (mut live, sender) = live(false);
        assert!(live.pass(sample(0), Moment(0)).is_empty());
        sender.send(value(900)).unwrap();
        let released = live.close(Moment(SECOND));
        assert_eq!((released.len(), released[0].live.len()), (1, 1));
        assert_eq!(live.trouble(), None);
    }
}
