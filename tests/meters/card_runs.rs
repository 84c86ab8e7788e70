//! The real carbon-run around a real job, on a machine whose card is a tree: the job writes there what a driver would say
//! of its processes, and accounting says which of them are its own.

use crate::tree::Copy;
use serde_json::Value;
use std::error::Error;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

/// One client of the job's and one of process 1's, whose engines work equally long. A file is replaced, never half written.
const JOB: &str = r#"
says() { # process, client, tenths of a second
    printf 'drm-driver:\tamdgpu\ndrm-client-id:\t%s\ndrm-pdev:\t0000:03:00.0\ndrm-engine-gfx:\t%s00000000 ns\n' "$2" "$3" \
        > "$TREE/next" && mv "$TREE/next" "$TREE/proc/$1/fdinfo/9"
}
for process in $$ 1; do
    mkdir -p "$TREE/proc/$process/fd" "$TREE/proc/$process/fdinfo"
    ln -s /dev/dri/renderD128 "$TREE/proc/$process/fd/9"
done
for tenths in 1 2 3 4 5 6 7 8; do
    says $$ 70 $tenths
    says 1 71 $tenths
    sleep 0.15
done
"#;

#[test]
fn a_job_has_the_engine_time_of_its_own_processes() -> Result<(), Box<dyn Error>> {
    let tree = Copy::of("radeon-rx-7900")?;
    // The processors are this machine's.
    fs::create_dir_all(tree.root().join("sys/devices/system"))?;
    for real in [
        "sys/devices/system/cpu",
        "proc/stat",
        "proc/cpuinfo",
        "proc/meminfo",
    ] {
        symlink(format!("/{real}"), tree.root().join(real))?;
    }
    let output = Command::new(env!("CARGO_BIN_EXE_carbon-run"))
        .args(["--gpu-idle-power", "20", "--no-csv", "-q", "--json", "-"])
        .arg("--sysroot")
        .arg(tree.root())
        .args(["--", "sh", "-c", JOB])
        .env("TREE", tree.root())
        .output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let domains = report["domains"].as_array().ok_or("no domains")?;
    let gpu = domains
        .iter()
        .find(|domain| domain["name"] == "gpu-amd-0")
        .ok_or("no gpu-amd-0")?;
    let uj = |line: &str| gpu[line].as_u64().ok_or_else(|| format!("no {line} in {gpu:#}"));
    let (job, others) = (uj("job_uj")?, uj("others_uj")?);
    assert!(job > 0 && others > 0, "{gpu:#}");
    assert!(job < 3 * others && others < 3 * job, "{gpu:#}");
    assert_eq!(uj("unattributed_uj")?, 0);
    let parts = job + uj("job_idle_uj")? + others + uj("idle_uj")?;
    assert_eq!(parts, uj("measured_uj")?);
    assert_eq!(report["energy_origin"]["gpu"]["measured"], "hwmon");
    Ok(())
}
