//! Where results go: looked at before the start, so that a bad path is known in the first second; written at the end.

use super::prepare::NotPrepared;
use super::{NotStarted, publishing};
use crate::model::journal::Line;
use crate::model::recording::Note;
use crate::model::report::RunReport;
use crate::output::{self, Style};
use crate::settings::{Settings, Target};
use crate::sink::{
    LineWriter, Rescue, Screen, SinkError, deliver_file, deliver_row, probe_writable, rescue_directories,
};
use std::cell::RefCell;
use std::path::{Path, PathBuf};

/// What was wanted of a run or a replay.
pub struct Results {
    /// The table of runs, if wanted.
    pub csv: Option<PathBuf>,
    /// The JSON report, if wanted.
    pub json: Option<Target>,
    /// Whether the person wants a summary.
    pub summary: bool,
    journal: RefCell<Option<LineWriter>>,
}

impl Results {
    /// Looks whether everything could be written.
    ///
    /// # Errors
    /// With `--strict`, when something could not.
    pub(super) fn open(settings: &Settings, screen: &mut Screen) -> Result<Self, NotStarted> {
        let mut results = Self::wanted(
            settings.csv.then(|| settings.output_dir.join(&settings.table)),
            settings.json.clone(),
            !settings.quiet,
        );
        let mut troubles = Vec::new();
        if let Some(path) = &settings.record {
            match LineWriter::create(path) {
                Ok(writer) => results.journal = RefCell::new(Some(writer)),
                Err(error) => troubles.push(trouble(&error)),
            }
        }
        let json = results.json.as_ref().and_then(|target| match target {
            Target::File(path) => Some(path),
            Target::Stdout => None,
        });
        troubles.extend(
            results
                .csv
                .iter()
                .chain(json)
                .filter_map(|path| probe_writable(path).err())
                .map(|error| trouble(&error)),
        );
        troubles.extend(publishing::troubles(settings));
        for note in &troubles {
            if settings.strict {
                return Err(NotPrepared::strict(note).into());
            }
            // Told now and not only at the end: the person may still want to stop and put it right.
            screen.tell(note);
        }
        Ok(results)
    }

    /// Without a look.
    #[must_use]
    pub fn wanted(csv: Option<PathBuf>, json: Option<Target>, summary: bool) -> Self {
        Self {
            csv,
            json,
            summary,
            journal: RefCell::new(None),
        }
    }

    /// The recording, to be written as the run goes on.
    pub(super) fn journal(&self) -> Journal {
        Journal {
            writer: self.journal.take(),
            broken: None,
        }
    }

    /// Writes everything that was wanted. What cannot be written where it was wanted is saved elsewhere, and said.
    pub fn deliver(&self, report: &RunReport, screen: &mut Screen) {
        if self.summary {
            let style = Style {
                color: screen.color(),
                width: screen.width(),
            };
            screen.print(&output::summary(report, style));
        }
        let directories = rescue_directories();
        let rescue = |extension| Rescue {
            run_id: &report.run_id,
            extension,
            directories: &directories,
        };
        let mut told = Vec::new();
        if let Some(path) = &self.csv {
            match output::emissions_csv(report) {
                Some(row) => told.extend(deliver_row(path, &row.header, &row.cells, &rescue("csv")).notes),
                None => told.push(Note {
                    code: "no-row".to_owned(),
                    message: format!(
                        "no row was added to `{}`: the job's energy is not known",
                        path.display()
                    ),
                    hint: None,
                    degrades: true,
                }),
            }
        }
        if let Some(target) = &self.json {
            let path = match target {
                Target::File(path) => path.as_path(),
                Target::Stdout => Path::new("-"),
            };
            match output::json(report) {
                Ok(bytes) => told.extend(deliver_file(path, &bytes, &rescue("json")).notes),
                Err(error) => told.push(Note {
                    code: "json".to_owned(),
                    message: format!("cannot write the report as JSON: {error}"),
                    hint: None,
                    degrades: true,
                }),
            }
        }
        for note in &told {
            screen.tell(note);
        }
    }
}

fn trouble(error: &SinkError) -> Note {
    Note {
        code: "output".to_owned(),
        message: error.to_string(),
        hint: error.hint(),
        degrades: true,
    }
}

/// The recording under way; does nothing when none is wanted.
pub(super) struct Journal {
    writer: Option<LineWriter>,
    broken: Option<Note>,
}

impl Journal {
    pub(super) fn write(&mut self, line: &Line<'_>) {
        let Some(writer) = &mut self.writer else { return };
        match line.to_json() {
            Ok(bytes) => writer.append(&bytes),
            Err(error) => {
                self.broken.get_or_insert_with(|| Note {
                    code: "record".to_owned(),
                    message: format!("a line of the recording is missing: {error}"),
                    hint: None,
                    degrades: true,
                });
            }
        }
    }

    /// What went wrong, if anything.
    pub(super) fn finish(mut self) -> Option<Note> {
        let trouble = self.writer.take().and_then(LineWriter::finish);
        self.broken.or(trouble)
    }
}
