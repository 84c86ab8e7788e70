//! Who is told of a run, once everything else is done: the exit status is known, the results are written, and the books are closed. A
//! receiver that fails costs a note and some seconds, and what it was to get is kept.

use super::unsent;
use crate::host;
use crate::model::recording::Note;
use crate::model::report::RunReport;
use crate::output;
use crate::publish::{Content, Credentials, Parcel, SCHEMA, Sent, send_all};
use crate::settings::{Publishing, Secret, Settings, WebhookFormat, bare};
use crate::sink::{Rescue, Screen, deliver_file, probe_writable, rescue_directories};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The Pushgateway's job, where there is no better name.
const JOB: &str = "carbon-run";

fn note(code: &str, message: String, hint: Option<String>) -> Note {
    Note {
        code: code.to_owned(),
        message,
        hint,
        degrades: true,
    }
}

/// What is wrong with the receivers' settings: told before the start, while it can still be put right.
pub(super) fn troubles(settings: &Settings) -> Vec<Note> {
    let publishing = &settings.publishing;
    let mut troubles = Vec::new();
    if publishing.codecarbon_api.is_some() {
        if settings.experiment_id.is_none() {
            troubles.push(note(
                "publish",
                "CodeCarbon's server will not be told: no experiment is named".to_owned(),
                Some("name it with `--experiment-id`".to_owned()),
            ));
        }
        if !publishing.secrets.contains_key(&Secret::CodecarbonToken) {
            troubles.push(note(
                "publish",
                "CodeCarbon's server will be told without a token".to_owned(),
                Some("put the project's token into `CARBON_RUN_CODECARBON_TOKEN`, or `codecarbon-token` into a config file".to_owned()),
            ));
        }
    }
    let asked = [
        &publishing.codecarbon_api,
        &publishing.webhook,
        &publishing.prometheus_push,
    ];
    if cfg!(not(feature = "http")) && asked.iter().any(|url| url.is_some()) {
        troubles.push(note(
            "publish",
            "nobody will be told of the run: this carbon-run was built without `http`".to_owned(),
            Some("build it with the feature `http`".to_owned()),
        ));
    }
    let unwritable = publishing
        .prometheus_file
        .as_ref()
        .and_then(|path| probe_writable(path).err());
    troubles.extend(unwritable.map(|error| note("publish", error.to_string(), error.hint())));
    troubles
}

/// Tells everybody who is to be told, within the time that the settings give; whether all of them have it. What
/// `give_up` breaks off is kept like what failed.
pub fn publish(
    settings: &Settings,
    report: &RunReport,
    screen: &mut Screen,
    give_up: &dyn Fn() -> bool,
) -> bool {
    let mut all = true;
    let publishing = &settings.publishing;
    if let Some(path) = &publishing.prometheus_file {
        let rescue = Rescue {
            run_id: &report.run_id,
            extension: "prom",
            directories: &rescue_directories(),
        };
        let delivered = deliver_file(path, output::prometheus(report).as_bytes(), &rescue);
        all &= delivered.notes.is_empty();
        delivered.notes.iter().for_each(|note| screen.tell(note));
    }
    let (parcels, untold) = parcels(publishing, report);
    untold.iter().for_each(|note| screen.tell(note));
    all &= untold.is_empty();
    let state = settings.state_dirs.first().map(PathBuf::as_path);
    // Before it is sent: a carbon-run that is killed meanwhile has lost nothing.
    let kept: Vec<_> = parcels
        .iter()
        .map(|parcel| state.and_then(|state| unsent::keep(state, parcel).ok()))
        .collect();
    let sent = send_all(parcels, &credentials(publishing), publishing.timeout, give_up);
    for (sent, file) in sent.iter().zip(kept) {
        if let Some(note) = settled(sent, state, file.as_deref()) {
            all = false;
            screen.tell(&note);
        }
    }
    all
}

/// Sends what is kept, some at a time; each of them has the time of the settings. The notes are those of parcels that stay.
#[must_use]
pub fn send_kept(settings: &Settings) -> (usize, Vec<Note>) {
    const AT_ONCE: usize = 8;
    let publishing = &settings.publishing;
    let state = settings.state_dirs.first().map(PathBuf::as_path);
    let kept = state.map(unsent::kept).unwrap_or_default();
    let mut notes = Vec::new();
    let mut count = 0;
    for some in kept.chunks(AT_ONCE) {
        let parcels = some.iter().map(|(_, parcel)| parcel.clone()).collect();
        let sent = send_all(parcels, &credentials(publishing), publishing.timeout, &|| false);
        for (sent, (file, _)) in sent.iter().zip(some) {
            match settled(sent, state, Some(file)) {
                Some(note) => notes.push(note),
                None => count += 1,
            }
        }
    }
    (count, notes)
}

/// What is kept, a line each.
#[must_use]
pub fn list_kept(settings: &Settings) -> String {
    let kept = settings.state_dirs.first().map(|state| unsent::kept(state));
    let lines = kept.unwrap_or_default().into_iter().map(|(file, parcel)| {
        format!(
            "{}  {} at {}  {}\n",
            parcel.run_id,
            parcel.content.receiver(),
            bare(&parcel.url),
            file.display()
        )
    });
    lines.collect()
}

/// Puts the kept file right: away, where the receiver has it. The note says what is to be done where it has not.
fn settled(sent: &Sent, state: Option<&Path>, file: Option<&Path>) -> Option<Note> {
    let Sent { parcel, outcome } = sent;
    let error = match outcome {
        Ok(()) => {
            if let Some(file) = file {
                // Sent a second time it would be there twice; whoever cannot remove it is told by `--list`.
                std::fs::remove_file(file).unwrap_or_default();
            }
            return None;
        }
        Err(error) => error,
    };
    // A part of it may have arrived.
    let file = state
        .and_then(|state| unsent::keep(state, parcel).ok())
        .or(file.map(Path::to_owned));
    let secret = match parcel.content {
        Content::CodeCarbon { .. } => Secret::CodecarbonToken,
        Content::Webhook { .. } => Secret::WebhookToken,
        Content::Prometheus { .. } => Secret::PrometheusPassword,
    };
    let url = bare(&parcel.url);
    // An address of a chat service is a secret itself.
    let why = error
        .to_string()
        .replace(&crate::http::tellable(&parcel.url), &url);
    let kept = match file {
        Some(file) => format!("kept as `{}`", file.display()),
        None => "and could not be kept".to_owned(),
    };
    Some(note(
        "publish",
        format!(
            "{} at `{url}` was not told: {why}; {kept}",
            parcel.content.receiver()
        ),
        Some(error.hint(secret.name())),
    ))
}

fn credentials(publishing: &Publishing) -> Credentials {
    let secret = |secret| {
        publishing
            .secrets
            .get(&secret)
            .map(|hidden| hidden.reveal().to_owned())
    };
    Credentials {
        codecarbon_token: secret(Secret::CodecarbonToken),
        webhook_token: secret(Secret::WebhookToken),
        prometheus: publishing
            .prometheus_user
            .clone()
            .zip(secret(Secret::PrometheusPassword).or(Some(String::new()))),
    }
}

/// What each receiver is to get, and why one gets nothing.
fn parcels(publishing: &Publishing, report: &RunReport) -> (Vec<Parcel>, Vec<Note>) {
    let mut parcels = Vec::new();
    let mut notes = Vec::new();
    let mut parcel = |url: &String, content| {
        parcels.push(Parcel {
            schema: SCHEMA.to_owned(),
            run_id: report.run_id.clone(),
            url: url.clone(),
            content,
        });
    };
    let mut untold = |receiver: &str, why: String| {
        notes.push(note("publish", format!("{receiver} was not told: {why}"), None));
    };
    if let Some(url) = publishing
        .codecarbon_api
        .as_ref()
        .filter(|_| report.experiment_id.is_some())
    {
        match output::codecarbon_run(report) {
            Ok(output::CodeCarbonRun { run, emission }) => parcel(
                url,
                Content::CodeCarbon {
                    run,
                    emission,
                    registered: None,
                },
            ),
            Err(why) => untold("CodeCarbon's server", why.to_string()),
        }
    }
    if let Some(url) = &publishing.webhook {
        let body = match publishing.webhook_format {
            WebhookFormat::Report => output::json(report)
                .map(|json| String::from_utf8_lossy(&json).into_owned())
                .map_err(|error| error.to_string()),
            WebhookFormat::CodeCarbon => output::codecarbon_row(report, host::user_name().as_deref())
                .map(|row| row.to_string())
                .ok_or_else(|| "the job's energy is not known".to_owned()),
        };
        match body {
            Ok(body) => parcel(url, Content::Webhook { body }),
            Err(why) => untold("the webhook", why),
        }
    }
    if let Some(url) = &publishing.prometheus_push {
        let instance = report.host.hostname.clone().unwrap_or_default();
        let grouping = [
            ("job", Some(JOB.to_owned())),
            ("instance", Some(instance)),
            ("project", report.project.clone()),
        ];
        parcel(
            url,
            Content::Prometheus {
                body: output::prometheus(report),
                content_type: output::PROMETHEUS_TYPE.to_owned(),
                grouping: grouping
                    .into_iter()
                    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                    .filter(|(_, value)| !value.is_empty())
                    .collect(),
            },
        );
    }
    (parcels, notes)
}

/// How long a run stays after its command at most, for what is sent: nothing where nobody is to be told.
#[must_use]
pub fn lingers(publishing: &Publishing) -> Duration {
    let asked = [
        &publishing.codecarbon_api,
        &publishing.webhook,
        &publishing.prometheus_push,
    ];
    if asked.iter().any(|url| url.is_some()) {
        publishing.timeout
    } else {
        Duration::ZERO
    }
}
