//! Which task of which Slurm job a run is, by the variables that Slurm sets (srun and sbatch manual pages).

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// A task. What Slurm does not say is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlurmTask {
    /// `SLURM_CLUSTER_NAME`.
    pub cluster: Option<String>,
    /// `SLURM_JOB_ID`. A task of an array has one of its own.
    pub job: String,
    /// `SLURM_RESTART_COUNT`: how often the job was requeued; unset is 0.
    pub restart: u32,
    /// Where in the job.
    pub place: SlurmPlace,
    /// `SLURMD_NODENAME`, which is not the host name everywhere.
    pub node: Option<String>,
    /// `SLURM_NODEID`: the node's number in the job or step.
    pub node_number: Option<u32>,
    /// `SLURM_ARRAY_JOB_ID`, `SLURM_ARRAY_TASK_ID`.
    pub array: Option<(String, String)>,
}

/// Where in a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum SlurmPlace {
    /// The shell of `salloc`: it has neither step nor rank.
    #[default]
    Shell,
    /// The batch script: it has a rank, and no step.
    Batch,
    /// A task of a step, which `srun` started.
    Step {
        /// `SLURM_STEP_ID`.
        step: String,
        /// `SLURM_PROCID`.
        rank: u32,
        /// How many tasks the step has, `SLURM_STEP_NUM_TASKS`.
        tasks: Option<u32>,
    },
}

impl SlurmTask {
    /// From Slurm's variables, by their lower-case names without the prefix; `None` outside a job.
    #[must_use]
    pub fn of(slurm: &BTreeMap<String, String>) -> Option<Self> {
        let text = |name: &str| slurm.get(name).filter(|value| !value.is_empty()).cloned();
        let number = |name: &str| text(name)?.parse::<u32>().ok();
        let job = text("job_id")?;
        let place = match (text("step_id"), number("procid")) {
            (Some(step), rank) => SlurmPlace::Step {
                step,
                rank: rank.unwrap_or(0),
                tasks: number("step_num_tasks").or_else(|| number("ntasks")),
            },
            (None, Some(_)) => SlurmPlace::Batch,
            (None, None) => SlurmPlace::Shell,
        };
        Some(Self {
            cluster: text("cluster_name"),
            job,
            restart: number("restart_count").unwrap_or(0),
            place,
            node: text("nodename"),
            node_number: number("nodeid"),
            array: text("array_job_id").zip(text("array_task_id")),
        })
    }

    /// A name for files of this task and no other, on a file system that all nodes share: `local-30-step0-rank3`,
    /// `local-31-batch`, `local-30-restart1-batch`.
    #[must_use]
    pub fn key(&self) -> String {
        let mut parts = vec![
            plain(self.cluster.as_deref().unwrap_or("slurm")),
            plain(&self.job),
        ];
        if self.restart > 0 {
            parts.push(format!("restart{}", self.restart));
        }
        match &self.place {
            SlurmPlace::Shell => parts.push("shell".to_owned()),
            SlurmPlace::Batch => parts.push("batch".to_owned()),
            SlurmPlace::Step { step, rank, .. } => {
                parts.push(format!("step{}", plain(step)));
                parts.push(format!("rank{rank}"));
            }
        }
        parts.join("-")
    }

    /// The rank, where the step has several tasks.
    #[must_use]
    pub fn one_of_many(&self) -> Option<u32> {
        match self.place {
            SlurmPlace::Step {
                rank,
                tasks: Some(2..),
                ..
            } => Some(rank),
            SlurmPlace::Step { .. } | SlurmPlace::Batch | SlurmPlace::Shell => None,
        }
    }

    /// A file name with what Slurm's own patterns stand for (sbatch manual page, "filename pattern"): `%j` the job, `%s` the step or
    /// `batch`, `%t` the rank, `%n` the node's number, `%N` its name, `%A` and `%a` the array and the task in it, `%r` how often it was
    /// requeued, `%%` a percent sign. What is not known becomes 0, any other letter stays as it is.
    #[must_use]
    pub fn fill_in(&self, pattern: &OsStr) -> OsString {
        let mut out = Vec::new();
        let mut bytes = pattern.as_bytes().iter().copied();
        while let Some(byte) = bytes.next() {
            if byte != b'%' {
                out.push(byte);
                continue;
            }
            match bytes.next() {
                Some(letter) => match self.meaning(letter) {
                    Some(text) => out.extend(text.bytes()),
                    None => out.extend([b'%', letter]),
                },
                None => out.push(b'%'),
            }
        }
        OsString::from_vec(out)
    }

    fn meaning(&self, letter: u8) -> Option<String> {
        let nothing = || "0".to_owned();
        let (step, rank) = match &self.place {
            SlurmPlace::Step { step, rank, .. } => (plain(step), rank.to_string()),
            SlurmPlace::Batch => ("batch".to_owned(), nothing()),
            SlurmPlace::Shell => ("shell".to_owned(), nothing()),
        };
        Some(match letter {
            b'%' => "%".to_owned(),
            b'j' => plain(&self.job),
            b's' => step,
            b't' => rank,
            b'r' => self.restart.to_string(),
            b'n' => self.node_number.map_or_else(nothing, |number| number.to_string()),
            b'N' => self.node.as_deref().map_or_else(nothing, plain),
            b'A' => self
                .array
                .as_ref()
                .map_or_else(|| plain(&self.job), |(job, _)| plain(job)),
            b'a' => self.array.as_ref().map_or_else(nothing, |(_, task)| plain(task)),
            _ => return None,
        })
    }
}

/// How many tasks of this step are on this node, by `SLURM_GTIDS` (their ranks) or `SLURM_STEP_TASKS_PER_NODE` (`2(x3),1`); 1 in a batch
/// script.
#[must_use]
pub fn tasks_on_node(slurm: &BTreeMap<String, String>) -> u64 {
    if !slurm.contains_key("step_id") {
        return 1;
    }
    let count =
        |text: &String| u64::try_from(text.split(',').filter(|rank| !rank.is_empty()).count()).unwrap_or(1);
    let by_ranks = slurm.get("gtids").map(count).filter(|tasks| *tasks > 0);
    let node = slurm
        .get("nodeid")
        .and_then(|number| number.parse::<usize>().ok());
    let by_counts = || {
        let counts = expanded(slurm.get("step_tasks_per_node")?);
        counts.get(node.unwrap_or(0)).copied()
    };
    by_ranks.or_else(by_counts).unwrap_or(1).max(1)
}

/// `2(x3),1` as 2, 2, 2, 1.
fn expanded(text: &str) -> Vec<u64> {
    /// No cluster has more nodes.
    const NODES: usize = 100_000;
    let mut counts = Vec::new();
    for part in text.split(',') {
        let (tasks, times) = part.split_once("(x").unwrap_or((part, "1)"));
        let (Ok(tasks), Ok(times)) = (tasks.parse::<u64>(), times.trim_end_matches(')').parse::<usize>())
        else {
            return Vec::new();
        };
        counts.extend(std::iter::repeat_n(tasks, times.min(NODES)));
    }
    counts
}

/// Fit to be part of a file's name, whatever an administrator has called a cluster.
fn plain(text: &str) -> String {
    let fit = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '+');
    let text: String = text
        .chars()
        .take(64)
        .map(|letter| if fit(letter) { letter } else { '_' })
        .collect();
    if text.starts_with('.') {
        format!("_{text}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(variables: &[(&str, &str)]) -> Option<SlurmTask> {
        SlurmTask::of(&map(variables))
    }

    fn map(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        owned.collect()
    }

    const STEP: [(&str, &str); 8] = [
        ("cluster_name", "local"),
        ("job_id", "30"),
        ("step_id", "0"),
        ("procid", "3"),
        ("step_num_tasks", "4"),
        ("nodeid", "1"),
        ("nodename", "node2"),
        ("gtids", "2,3"),
    ];

    #[test]
    fn a_task_of_a_step_a_batch_script_and_a_shell_have_names_of_their_own() {
        let step = task(&STEP).unwrap();
        assert_eq!(
            (step.key().as_str(), step.one_of_many()),
            ("local-30-step0-rank3", Some(3))
        );
        let batch = task(&[
            ("job_id", "31"),
            ("procid", "0"),
            ("restart_count", "2"),
            ("ntasks", "4"),
        ])
        .unwrap();
        assert_eq!(
            (batch.key().as_str(), batch.one_of_many()),
            ("slurm-31-restart2-batch", None)
        );
        let shell = task(&[("job_id", "32"), ("cluster_name", "../x")]).unwrap();
        assert_eq!(shell.key(), "_.._x-32-shell");
        assert_eq!(task(&[("cluster_name", "local")]), None);
    }

    #[test]
    fn patterns_stand_for_what_slurms_stand_for() {
        let step = task(&STEP).unwrap();
        let filled = |task: &SlurmTask, text: &str| task.fill_in(OsStr::new(text)).into_string().unwrap();
        assert_eq!(
            filled(&step, "r-%j.%s.%t-%n-%N-%A_%a-%r.json"),
            "r-30.0.3-1-node2-30_0-0.json"
        );
        assert_eq!(filled(&step, "100%%-%q-%"), "100%-%q-%");
        let array = [
            ("job_id", "27"),
            ("procid", "0"),
            ("array_job_id", "25"),
            ("array_task_id", "2"),
        ];
        assert_eq!(
            filled(&task(&array).unwrap(), "%A_%a/%j.%s.%t"),
            "25_2/27.batch.0"
        );
    }

    #[test]
    fn bytes_that_are_no_text_stay_as_they_are_in_a_pattern() {
        let step = task(&STEP).unwrap();
        let pattern = OsString::from_vec(b"\xff%t".to_vec());
        assert_eq!(step.fill_in(&pattern).as_bytes(), b"\xff3");
    }

    #[test]
    fn tasks_on_a_node_are_counted_by_their_ranks_or_by_slurms_list() {
        assert_eq!(tasks_on_node(&map(&STEP)), 2);
        let list = |node: &str| {
            let list = [
                ("step_id", "0"),
                ("nodeid", node),
                ("step_tasks_per_node", "2(x2),1,8(x3)"),
            ];
            tasks_on_node(&map(&list))
        };
        assert_eq!(["0", "1", "2", "5", "99"].map(list), [2, 2, 1, 8, 1]);
        assert_eq!(tasks_on_node(&map(&[("tasks_per_node", "4")])), 1);
    }
}
