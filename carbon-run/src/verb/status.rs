//! `carbon-run status`: what running jobs have used so far.

use super::{Failure, Outcome, print};
use crate::cli::Status;
use crate::model::checkpoint::{Checkpoint, Fate};
use crate::session::RUN_ID;
use crate::session::kept_runs::kept_runs;
use crate::settings::{self, Surroundings};
use serde::Serialize;
use serde_json::value::RawValue;

/// A running job, as JSON tells of it.
#[derive(Serialize)]
struct Running<'a> {
    run_id: &'a str,
    as_of_unix_ns: i64,
    report: &'a RawValue,
}

/// Tells, on stdout.
///
/// # Errors
/// When a run that was named has no figures yet.
pub fn status(flags: &Status) -> Result<Outcome, Failure> {
    let settings = settings::load(Vec::new(), flags.layer(), &Surroundings::here())
        .map_err(|error| Failure::own(&error, Some(error.hint())))?;
    let wanted: Vec<String> = flags
        .run
        .clone()
        .or_else(|| std::env::var(RUN_ID).ok())
        .into_iter()
        .collect();
    let runs = kept_runs(&settings.state_dirs, &wanted);
    let living: Vec<&Checkpoint> = runs
        .iter()
        .filter(|run| run.fate == Fate::Lives)
        .map(|run| &run.checkpoint)
        .collect();
    if let (true, Some(id)) = (living.is_empty(), wanted.first()) {
        return Err(Failure::own(
            format!("the run `{id}` has no figures yet, or has ended"),
            Some("the first are there after `--checkpoint-interval`, 30 s unless it is said".to_owned()),
        ));
    }
    if flags.json {
        let all: Vec<Running<'_>> = living
            .iter()
            .map(|run| Running {
                run_id: &run.run_id,
                as_of_unix_ns: run.at_unix_ns,
                report: &run.report,
            })
            .collect();
        let mut bytes = serde_json::to_vec_pretty(&all).map_err(|error| Failure::own(error, None))?;
        bytes.push(b'\n');
        return print(&bytes);
    }
    if living.is_empty() {
        return print(
            b"no running job of yours has figures yet: the first come after `--checkpoint-interval`\n",
        );
    }
    let texts: Vec<String> = living
        .iter()
        .map(|run| {
            format!(
                "{}, as of {}\n{}",
                run.run_id,
                clock(run.at_unix_ns),
                figures(&run.summary)
            )
        })
        .collect();
    print(texts.concat().as_bytes())
}

fn clock(unix_ns: i64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(unix_ns))
        .map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default()
}

/// Without the remarks, which are for the end.
fn figures(summary: &str) -> String {
    let figures = summary
        .lines()
        .take_while(|line| line.starts_with("carbon-run: ") || line.starts_with("  "));
    figures
        .map(|line| {
            format!(
                "{}\n",
                line.trim_end_matches(" (carbon-run did not live to see it end)")
            )
        })
        .collect()
}
