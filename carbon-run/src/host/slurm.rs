//! What Slurm says about the job, in the environment.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// What Slurm says about the job, by lower-case names without the prefix (`job_id`, `array_task_id`; `nodename` is
/// `SLURMD_NODENAME`).
///
/// Only these are kept: a recording is for showing around, and the rest of the environment is the user's own.
#[must_use]
pub fn slurm(env: impl IntoIterator<Item = (OsString, OsString)>) -> BTreeMap<String, String> {
    /// Of Slurm's output environment variables (sbatch and srun manual pages).
    const KEPT: [&str; 22] = [
        "array_job_id",
        "array_task_id",
        "cluster_name",
        "cpus_on_node",
        "cpus_per_task",
        "gtids",
        "het_job_id",
        "het_size",
        "job_account",
        "job_id",
        "job_name",
        "job_num_nodes",
        "job_partition",
        "localid",
        "nodeid",
        "ntasks",
        "procid",
        "restart_count",
        "step_id",
        "step_num_nodes",
        "step_num_tasks",
        "step_tasks_per_node",
    ];
    env.into_iter()
        .filter_map(|(name, value)| {
            let name = name.to_str()?;
            let value = || value.to_string_lossy().into_owned();
            if name == "SLURMD_NODENAME" {
                return Some(("nodename".to_owned(), value()));
            }
            let name = name.strip_prefix("SLURM_")?.to_ascii_lowercase();
            KEPT.contains(&name.as_str()).then(|| (name, value()))
        })
        .collect()
}
