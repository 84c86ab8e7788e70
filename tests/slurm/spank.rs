//! The plugin by which a site has every task measured, or users ask for it.

use crate::cluster::Cluster;
use crate::rights;
use std::fs;
use std::process::Command;

/// A cluster with the plugin, given these words of its own.
fn with_plugin(test: &str, words: &str) -> Option<Cluster> {
    if !std::path::Path::new("/usr/include/slurm/spank.h").exists() {
        rights::not_run(test, "libslurm-dev");
        return None;
    }
    let dir = tempfile::tempdir().unwrap().keep();
    fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/slurm");
    let built = Command::new("gcc")
        .args(["-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-O2", "-o"])
        .arg(dir.join("plugin.so"))
        .arg(format!("{source}/spank_carbon_run.c"))
        .status();
    if !built.is_ok_and(|status| status.success()) {
        rights::not_run(test, "gcc");
        return None;
    }
    // carbon-run-task looks for carbon-run in the user's PATH.
    fs::copy(format!("{source}/carbon-run-task"), dir.join("carbon-run-task")).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_carbon-run"), dir.join("carbon-run")).unwrap();
    let stack = dir.join("plugstack.conf");
    let line = format!(
        "optional {0}/plugin.so task={0}/carbon-run-task {words}\n",
        dir.display()
    );
    fs::write(&stack, line).unwrap();
    let mut cluster = Cluster::up_with(test, &format!("PlugStackConfig={}", stack.display()))?;
    cluster.path = format!("{}:{}", dir.display(), cluster.path);
    cluster.keep(dir);
    Some(cluster)
}

#[test]
fn a_job_that_asks_for_it_is_measured_task_by_task_and_is_otherwise_the_same() {
    let test = "a_job_that_asks_for_it_is_measured_task_by_task_and_is_otherwise_the_same";
    let Some(cluster) = with_plugin(test, "") else {
        return;
    };
    let script = "srun sh -c 'echo \"<$0|$1|$2>\" $CARBON_TASK_PROGRAM; exit 4' a 'b  c' ''; echo $?";
    let bare = cluster.batch(&["-n2"], script);
    assert!(cluster.reports().is_empty());
    let measured = cluster
        .batch(&["-n2"], &format!("#SBATCH --carbon\n{script}"))
        .replacen(&bare, "", 1);
    let lines = |text: &str| -> Vec<String> {
        let job = text
            .lines()
            .filter(|line| line.starts_with('<') || line.parse::<u8>().is_ok());
        job.map(str::to_owned).collect()
    };
    assert_eq!(lines(&bare), ["<a|b  c|>", "<a|b  c|>", "4"]);
    assert_eq!(lines(&measured), lines(&bare), "{measured}");
    // The script and two tasks, and the idle power of the allocation once.
    assert_eq!(cluster.reports().len(), 3);
    let merged = cluster.merged();
    assert_eq!(
        (
            merged["reports"].as_u64(),
            merged["tasks"].as_array().unwrap().len()
        ),
        (Some(3), 3)
    );
    assert!(
        merged["notes"].to_string().contains("idle-once"),
        "{}",
        merged["notes"]
    );
}

#[test]
fn where_a_site_wants_all_jobs_measured_a_job_can_decline() {
    let test = "where_a_site_wants_all_jobs_measured_a_job_can_decline";
    let Some(cluster) = with_plugin(test, "all") else {
        return;
    };
    assert!(cluster.run(&["srun", "--no-carbon", "true"]).status.success());
    assert!(cluster.reports().is_empty());
    assert!(cluster.run(&["srun", "true"]).status.success());
    assert_eq!(cluster.reports().len(), 1);
}
