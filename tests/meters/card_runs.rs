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

fn with_this_machines_processors(name: &str) -> Result<Copy, Box<dyn Error>> {
    let tree = Copy::of(name)?;
    fs::create_dir_all(tree.root().join("sys/devices/system"))?;
    for real in [
        "sys/devices/system/cpu",
        "proc/stat",
        "proc/cpuinfo",
        "proc/meminfo",
    ] {
        symlink(format!("/{real}"), tree.root().join(real))?;
    }
    Ok(tree)
}

#[test]
fn a_job_has_the_engine_time_of_its_own_processes() -> Result<(), Box<dyn Error>> {
    let tree = with_this_machines_processors("radeon-rx-7900")?;
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

#[test]
fn a_card_that_rocms_variables_name_is_the_jobs_while_it_idles() -> Result<(), Box<dyn Error>> {
    let tree = with_this_machines_processors("instinct-mi210")?;
    for (variables, by) in [
        (
            &[("ROCR_VISIBLE_DEVICES", "GPU-18070f6e5d4c3b2a")][..],
            "ROCR_VISIBLE_DEVICES",
        ),
        (
            &[("ROCR_VISIBLE_DEVICES", "1,0"), ("HIP_VISIBLE_DEVICES", "0")],
            "ROCR_VISIBLE_DEVICES, HIP_VISIBLE_DEVICES",
        ),
        (&[("CUDA_VISIBLE_DEVICES", "1")], "CUDA_VISIBLE_DEVICES"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_carbon-run"))
            .args(["--no-csv", "-q", "--json", "-", "--sysroot"])
            .arg(tree.root())
            .args(["--", "sleep", "0.3"])
            .envs(variables.iter().copied())
            .output()?;
        let report: Value = serde_json::from_slice(&output.stdout)?;
        let [other, mine] = [&report["gpus"][0], &report["gpus"][1]];
        assert_eq!(
            (&other["allocated"], &mine["allocated"]),
            (&0.0.into(), &1.0.into()),
            "{by}"
        );
        assert_eq!(
            (&other["allocated_by"], &mine["allocated_by"]),
            (&by.into(), &by.into())
        );
        assert_eq!(mine["uuid"], "GPU-18070f6e5d4c3b2a");
        let uj = |name: &str, line: &str| {
            let domains = report["domains"].as_array().into_iter().flatten();
            let mut named = domains.filter(|domain| domain["name"] == name);
            named.next().and_then(|domain| domain[line].as_u64())
        };
        assert_eq!(uj("gpu-amd-0", "job_idle_uj"), Some(0), "{by}");
        assert!(uj("gpu-amd-1", "job_idle_uj") > Some(0), "{by}");
    }
    Ok(())
}
