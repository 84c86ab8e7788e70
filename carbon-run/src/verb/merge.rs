//! `carbon-run merge FILE...`: one report of a job of many ranks and nodes.

use super::{Failure, Outcome, print};
use crate::cli::Merge;
use crate::model::merge::{Part, merge as add_up};
use crate::output;
use crate::sink::{Rescue, Screen, deliver_row, rescue_directories, write_file};
use std::path::Path;

/// The table that a row is added to when asked.
const TABLE: &str = "emissions.csv";

/// Adds reports up and tells, on stdout.
///
/// # Errors
/// When a file is no report, or the result cannot be written.
pub fn merge(flags: &Merge) -> Result<Outcome, Failure> {
    let parts = flags
        .reports
        .iter()
        .map(|path| read(path))
        .collect::<Result<Vec<Part>, Failure>>()?;
    let merged = add_up(&parts);
    let to_stdout = flags.json.as_deref() == Some(Path::new("-"));
    if let Some(path) = &flags.json {
        let bytes = output::merged_json(&merged).map_err(|error| Failure::own(error, None))?;
        if to_stdout {
            print(&bytes)?;
        } else {
            write_file(path, &bytes).map_err(|error| Failure::own(&error, error.hint()))?;
        }
    }
    if flags.csv {
        let run_id = uuid::Uuid::new_v4().to_string();
        let path = flags.output_dir.as_deref().unwrap_or(Path::new(".")).join(TABLE);
        let row = output::merged_csv(&merged, &run_id)
            .map_err(|why| Failure::own(format!("no row was added to `{}`: {why}", path.display()), None))?;
        let directories = rescue_directories();
        let rescue = Rescue {
            run_id: &run_id,
            extension: "csv",
            directories: &directories,
        };
        let mut screen = Screen::stderr();
        for note in deliver_row(&path, &row.header, &row.cells, &rescue).notes {
            screen.tell(&note);
        }
    }
    if flags.quiet || to_stdout {
        return Ok(Outcome::Status(0));
    }
    print(output::merged_summary(&merged).as_bytes())
}

fn read(path: &Path) -> Result<Part, Failure> {
    let bytes = std::fs::read(path).map_err(|error| {
        Failure::own(
            format!("cannot read the report `{}`: {error}", path.display()),
            None,
        )
    })?;
    Part::read(&bytes).map_err(|error| {
        Failure::own(
            format!("cannot merge `{}`: {error}", path.display()),
            Some(
                "reports are written by `carbon-run --json FILE COMMAND`, and by every run under Slurm"
                    .to_owned(),
            ),
        )
    })
}
