//! What a run leaves of itself from time to time, should its launcher be killed. Written by a thread of its own: a file system that
//! hangs holds up neither signals nor samples.

use super::clocks;
use super::results::Results;
use crate::host;
use crate::model::assemble::Assembler;
use crate::model::checkpoint::{Checkpoint, Launcher, PendingRow, SCHEMA};
use crate::model::recording::Note;
use crate::model::report::RunReport;
use crate::model::units::Moment;
use crate::output::{self, Style};
use crate::settings::{Settings, Target};
use crate::sink::write_file;
use serde_json::value::RawValue;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// At the end, a write under way is waited for so long.
const PATIENCE: Duration = Duration::from_secs(2);

/// The directory of checkpoints, below a state directory.
#[must_use]
pub fn directory(state: &Path) -> PathBuf {
    state.join("runs")
}

/// A run's checkpoints, one file that is replaced.
pub(super) struct Checkpoints {
    every: Option<Duration>,
    last: Option<Moment>,
    file: PathBuf,
    what: What,
    run_id: String,
    launcher: Option<Launcher>,
    csv: Option<PathBuf>,
    json: Option<PathBuf>,
    writer: Option<Writer>,
}

/// What the file has in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// A [`Checkpoint`].
    Checkpoint,
    /// The JSON report in its place, which is this run's alone.
    Report,
}

struct Writer {
    documents: SyncSender<Vec<u8>>,
    troubles: Receiver<String>,
    /// The report is about to be written: nothing of ours is to stay.
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Checkpoints {
    pub(super) fn of(settings: &Settings, results: &Results, run_id: &str) -> Self {
        let here = std::env::current_dir().unwrap_or_default();
        let json = results.json.as_ref().map(|target| match target {
            Target::File(path) => here.join(path),
            Target::Stdout => PathBuf::from("-"),
        });
        let state = settings
            .state_dirs
            .first()
            .map(|state| directory(&here.join(state)));
        let (file, what) = match (&json, state) {
            (Some(report), _) if settings.json_is_own => (Some(report.clone()), What::Report),
            (_, Some(directory)) => (Some(directory.join(format!("{run_id}.json"))), What::Checkpoint),
            (_, None) => (None, What::Checkpoint),
        };
        Self {
            every: settings.checkpoint_interval.filter(|_| file.is_some()),
            last: None,
            file: file.unwrap_or_default(),
            what,
            run_id: run_id.to_owned(),
            launcher: None,
            csv: results.csv.as_ref().map(|path| here.join(path)),
            json,
            writer: None,
        }
    }

    /// A sample was taken. Where a checkpoint is due, the books as they are now are handed to the writer; if it is still busy with
    /// the last one, this one is left out.
    pub(super) fn sampled(&mut self, now: Moment, started: Moment, books: &Assembler) {
        let Some(every) = self.every else { return };
        if now.since(self.last.unwrap_or(started)) < every {
            return;
        }
        self.last = Some(now);
        let report = books.clone().close(None);
        let Some(document) = self.document(&report) else {
            return;
        };
        if self.writer.is_none() {
            self.writer = Writer::start(&self.file, self.what);
        }
        if let Some(writer) = &self.writer {
            // Full: the next one will do.
            writer.documents.try_send(document).unwrap_or_default();
        }
    }

    fn document(&mut self, report: &RunReport) -> Option<Vec<u8>> {
        let json = output::json(report).ok()?;
        if self.what == What::Report {
            return Some(json);
        }
        let csv = self.csv.as_ref().and_then(|path| {
            let row = output::emissions_csv(report)?;
            Some(PendingRow {
                path: path.clone(),
                header: row.header.iter().map(|name| (*name).to_owned()).collect(),
                cells: row.cells,
            })
        });
        let checkpoint = Checkpoint {
            schema: SCHEMA.to_owned(),
            run_id: self.run_id.clone(),
            launcher: self.launcher.get_or_insert_with(host::myself).clone(),
            at_unix_ns: clocks::wall().0,
            csv,
            json: self.json.clone(),
            summary: output::summary(report, Style::PLAIN),
            report: RawValue::from_string(String::from_utf8(json).ok()?).ok()?,
        };
        serde_json::to_vec(&checkpoint).ok()
    }

    /// Why there is no checkpoint, once, for the report.
    pub(super) fn trouble(&mut self) -> Option<Note> {
        let why = self.writer.as_ref()?.troubles.try_recv().ok()?;
        Some(Note {
            code: "checkpoint".to_owned(),
            message: format!("the figures so far could not be kept: {why}"),
            hint: Some(
                "`--state-dir` names another directory, `--checkpoint-interval 0` keeps nothing".to_owned(),
            ),
            degrades: false,
        })
    }

    /// There are to be no more: the report itself is about to be written.
    pub(super) fn stop(&mut self) {
        let Some(writer) = self.writer.take() else { return };
        writer.over.store(true, Ordering::Release);
        drop(writer.documents);
        let begun = clocks::now();
        while !writer.thread.is_finished() && clocks::now().since(begun) < PATIENCE {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The report was delivered: nothing is to be recovered any more.
    pub(super) fn remove(self) {
        if self.what == What::Checkpoint && self.last.is_some() {
            // It may not have been written.
            std::fs::remove_file(&self.file).unwrap_or_default();
        }
    }
}

impl Writer {
    /// The thread inherits our mask: no signal goes to it.
    fn start(file: &Path, what: What) -> Option<Self> {
        let (documents, to_write) = sync_channel::<Vec<u8>>(1);
        let (complain, troubles) = sync_channel::<String>(1);
        let file = file.to_owned();
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        let work = move || {
            if what == What::Checkpoint
                && let Some(directory) = file.parent()
            {
                make(directory);
            }
            for document in to_write {
                if is_over.load(Ordering::Acquire) {
                    return;
                }
                if let Err(error) = write_file(&file, &document) {
                    // Told once.
                    complain.try_send(error.to_string()).unwrap_or_default();
                }
                // A file system that hung, and nobody has waited: of a run that is over there is nothing to recover.
                if what == What::Checkpoint && is_over.load(Ordering::Acquire) {
                    std::fs::remove_file(&file).unwrap_or_default();
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("checkpoint".to_owned())
            .spawn(work)
            .ok()?;
        Some(Self {
            documents,
            troubles,
            over,
            thread,
        })
    }
}

/// Commands and figures are nobody else's business; what is known of the machine's power, which lies above, is everybody's. Where it
/// cannot be made, the write says why.
fn make(directory: &Path) {
    let made = |directory: &Path, mode| {
        DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(directory)
            .unwrap_or_default();
    };
    if let Some(state) = directory.parent() {
        made(state, 0o755);
    }
    made(directory, 0o700);
}
