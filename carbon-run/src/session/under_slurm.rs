//! A run inside a Slurm job: where its results go, and what is noticed of how it was started.

use crate::model::recording::{Arg, Note};
use crate::model::slurm::SlurmTask;
use crate::settings::{Key, Origin, Settings, Target};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Settings as they are meant in this task of a Slurm job. Nodes share their file systems, where appending from several of them tears
/// lines: so nothing is appended to, each task has a file of its own, and `carbon-run merge` makes one of them. And as every rank would
/// print, only the first does.
pub(super) fn placed(settings: &Settings, task: Option<&SlurmTask>, run_id: &str) -> Settings {
    let mut placed = settings.clone();
    let Some(task) = task else { return placed };
    let said = |key| !matches!(settings.origin(key), Origin::Default);
    let fill_in = |path: &Path| task.fill_in(path.as_os_str()).into();
    placed.output_dir = fill_in(&settings.output_dir);
    placed.record = settings.record.as_deref().map(fill_in);
    placed.json = match &settings.json {
        Some(Target::File(path)) => Some(Target::File(fill_in(path))),
        other => other.clone(),
    };
    placed.table = beside(Path::new(&settings.table), &task.key());
    // That CodeCarbon writes a table everywhere is no wish to have one by this task.
    let by_codecarbon = settings.csv && matches!(settings.origin(Key::Csv), Origin::CodeCarbon { .. });
    if !said(Key::Csv) || by_codecarbon {
        placed.csv = false;
        if placed.json.is_none() {
            // A task may run several commands.
            let short = run_id.get(..8).unwrap_or(run_id);
            let name = format!("carbon-run-{}-{short}.json", task.key());
            placed.json = Some(Target::File(placed.output_dir.join(name)));
            // SIGKILL gives no warning, and whoever merges is on another node.
            placed.json_is_own = true;
        }
    }
    if task.one_of_many().is_some_and(|rank| rank > 0) && !said(Key::Quiet) && !settings.verbose {
        placed.quiet = true;
    }
    placed
}

/// `emissions.csv` to `emissions-KEY.csv`.
fn beside(table: &Path, key: &str) -> OsString {
    let mut name = table.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{key}"));
    if let Some(extension) = table.extension() {
        name.push(".");
        name.push(extension);
    }
    name
}

/// Commands that only ask somebody else to run the job: what is started is no descendant of theirs.
pub(super) fn elsewhere(command: &[Arg], groups: &[PathBuf]) -> Option<Note> {
    let name = command.first()?.to_os_string();
    let name = Path::new(&name).file_name().and_then(OsStr::to_str)?;
    let (message, hint) = match name {
        "srun" => (
            "srun is a client: its tasks run below slurmstepd, and are not counted",
            "put it the other way round: `srun carbon-run COMMAND`",
        ),
        "sbatch" => (
            "sbatch only hands a script in: the job runs later, and is not counted",
            "call `carbon-run` or `srun carbon-run` in the script",
        ),
        "docker" | "nerdctl" if groups.is_empty() => (
            "the container runs below its own service, and is not counted",
            "name its control group with `--cgroup PATH`, or run `carbon-run` inside with /run/carbon-run mounted in",
        ),
        _ => return None,
    };
    Some(Note {
        code: "runs-elsewhere".to_owned(),
        message: message.to_owned(),
        hint: Some(hint.to_owned()),
        degrades: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Layer, resolve};
    use std::collections::BTreeMap;

    fn task(rank: &str) -> SlurmTask {
        let variables = [
            ("cluster_name", "local"),
            ("job_id", "30"),
            ("step_id", "0"),
            ("procid", rank),
            ("step_num_tasks", "4"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        SlurmTask::of(&BTreeMap::from(variables)).unwrap()
    }

    fn settings(said: &[(Key, &str)]) -> Settings {
        let mut layer = Layer::default();
        said.iter()
            .for_each(|(key, text)| layer.say(*key, text, Origin::Flag));
        resolve(vec!["true".into()], &[layer]).unwrap()
    }

    fn file(settings: &Settings) -> Option<String> {
        match settings.json.as_ref()? {
            Target::File(path) => Some(path.display().to_string()),
            Target::Stdout => None,
        }
    }

    const RUN: &str = "5b005b34-d3e9-4fd8-8498-3fae9a083d6e";

    #[test]
    fn each_task_has_a_report_of_its_own_and_no_table_is_appended_to() {
        let placed = placed(
            &settings(&[(Key::OutputDir, "results/%j")]),
            Some(&task("3")),
            RUN,
        );
        assert_eq!(
            file(&placed).as_deref(),
            Some("results/30/carbon-run-local-30-step0-rank3-5b005b34.json")
        );
        assert!(!placed.csv && placed.quiet);
        let first = super::placed(&settings(&[]), Some(&task("0")), RUN);
        assert!(!first.quiet);
    }

    #[test]
    fn what_was_said_holds_with_patterns_filled_in_and_a_table_of_the_tasks_own() {
        let said = settings(&[(Key::Csv, "true"), (Key::Json, "r.%t"), (Key::Record, "%t.jsonl")]);
        let placed = placed(&said, Some(&task("3")), RUN);
        assert_eq!(file(&placed).as_deref(), Some("r.3"));
        assert_eq!(placed.record.as_deref(), Some(Path::new("3.jsonl")));
        assert!(placed.csv);
        assert_eq!(placed.table, OsStr::new("emissions-local-30-step0-rank3.csv"));
        let nothing = super::placed(&settings(&[(Key::Csv, "false")]), Some(&task("3")), RUN);
        assert_eq!((nothing.csv, file(&nothing)), (false, None));
    }

    #[test]
    fn outside_a_job_nothing_changes_and_a_percent_sign_is_one() {
        let said = settings(&[(Key::Json, "100%j")]);
        assert_eq!(placed(&said, None, RUN), said);
    }

    #[test]
    fn commands_that_run_the_job_elsewhere_are_noticed() {
        let of = |word: &str, groups: &[PathBuf]| elsewhere(&[Arg::from(OsStr::new(word))], groups).is_some();
        let noticed = |word: &str| of(word, &[]);
        assert!(noticed("srun") && noticed("/usr/bin/sbatch") && noticed("docker"));
        assert!(!of("docker", &["docker/0b1c".into()]), "its group is counted");
        assert!(!noticed("podman") && !noticed("mysrun") && !noticed("mpirun"));
    }
}
