//! `carbon-run calibrate`, and what later runs make of it, on a machine that is played (`calibrate/machine.rs`).

#[path = "support/deadline.rs"]
mod deadline;
#[path = "calibrate/machine.rs"]
mod machine;

use machine::{BUSY_W, DRAM_PART, HOG, Machine};
use serde_json::Value;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

type Outcome = Result<(), Box<dyn Error>>;

const IDLE_W: f64 = 20.0;

/// carbon-run below the machine's root, with `home` for everything it keeps and writes.
fn carbon_run(machine: &Machine, home: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_carbon-run"));
    command
        .current_dir(home)
        .env_clear()
        .env("HOME", home)
        .env("PATH", "/usr/bin:/bin")
        .env("CARBON_RUN_STATE_DIR", home.join("state"))
        .env("CARBON_RUN_SYSROOT", machine.sysroot())
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn start(machine: &Machine, home: &Path, words: &[&str]) -> Result<Child, Box<dyn Error>> {
    let child = carbon_run(machine, home, words).spawn()?;
    machine.guest_is(child.id());
    Ok(child)
}

fn finish(machine: &Machine, child: Child) -> Result<Output, Box<dyn Error>> {
    let output = child.wait_with_output()?;
    assert_eq!(machine.trouble(), None);
    Ok(output)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What stands in the directory of state.
fn kept(home: &Path) -> Vec<String> {
    let entries = fs::read_dir(home.join("state")).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

fn calibrated(machine: &Machine, home: &Path, more: &[&str]) -> Result<Value, Box<dyn Error>> {
    let words: Vec<&str> = ["calibrate", "--seconds", "3", "--json"]
        .iter()
        .chain(more)
        .copied()
        .collect();
    let output = finish(machine, start(machine, home, &words)?)?;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn near(what: &str, found: &Value, wanted: f64, part: f64) {
    let found = found.as_f64().unwrap_or(f64::NAN);
    assert!(
        (found / wanted - 1.0).abs() <= part,
        "{what}: {found}, not {wanted}"
    );
}

#[test]
fn a_quiet_machine_is_calibrated_and_later_runs_know_its_idle_power_and_so_does_doctor() -> Outcome {
    let home = tempfile::tempdir()?;
    let machine = Machine::start(IDLE_W)?;
    let calibration = calibrated(&machine, home.path(), &[])?;
    let [package, dram] = [&calibration["domains"][0], &calibration["domains"][1]];
    near("package", &package["idle_w"], IDLE_W, 0.05);
    near("dram", &dram["idle_w"], IDLE_W * DRAM_PART, 0.05);
    assert_eq!(
        (&package["name"], &dram["name"]),
        (&"package-0".into(), &"dram-0".into())
    );
    assert_eq!(package["windows"], 10);
    assert_eq!(calibration["governor"], "schedutil");
    assert!(
        calibration["path"]
            .as_str()
            .is_some_and(|path| Path::new(path).is_file())
    );

    // The run draws more than the idle machine, whatever this machine's CPUs do.
    machine.idles_at(2.0 * IDLE_W);
    let words = [
        "--accounting",
        "procfs",
        "--no-csv",
        "-q",
        "--record",
        "run.jsonl",
        "--json",
        "run.json",
        "sleep",
        "0.5",
    ];
    let run = finish(&machine, carbon_run(&machine, home.path(), &words).spawn()?)?;
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    let report: Value = serde_json::from_slice(&fs::read(home.path().join("run.json"))?)?;
    for (number, domain) in [package, dram].into_iter().enumerate() {
        let known = &report["domains"][number]["idle_power"];
        assert_eq!(known["basis"], "calibrated", "{known}");
        assert_eq!(
            (&known["watts"], &known["as_of"]),
            (&domain["idle_w"], &calibration["at"])
        );
        let watts = |name: &str| domain[name].as_f64().unwrap_or(f64::NAN);
        near(
            "spread",
            &known["spread_watts"],
            watts("spread_w").hypot(0.06 * watts("idle_w")),
            1e-9,
        );
    }
    let replay = carbon_run(
        &machine,
        home.path(),
        &["replay", "-q", "--json", "-", "run.jsonl"],
    )
    .output()?;
    assert_eq!(serde_json::from_slice::<Value>(&replay.stdout)?, report);

    let doctor = carbon_run(&machine, home.path(), &["doctor"]).output()?;
    let said = text(&doctor.stdout);
    let line = said
        .lines()
        .find(|line| line.starts_with("Idle power"))
        .unwrap_or_default();
    let day = calibration["at"]
        .as_str()
        .and_then(|at| at.get(..10))
        .unwrap_or("no day");
    assert!(
        line.contains("package-0: ") && line.ends_with(&format!("calibrated {day}")),
        "{said}"
    );
    Ok(())
}

#[test]
fn a_busy_machine_is_refused_by_the_name_of_who_is_busy_and_nothing_is_kept() -> Outcome {
    let home = tempfile::tempdir()?;
    let machine = Machine::start(IDLE_W)?;
    machine.hog_uses(0.8);
    let output = finish(
        &machine,
        start(&machine, home.path(), &["calibrate", "--seconds", "3"])?,
    )?;
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(&format!("`hog` ({HOG}) used ")), "{stderr}");
    assert!(
        stderr.contains("the machine is not quiet: ") && stderr.contains("\nhint: "),
        "{stderr}"
    );
    assert_eq!(
        (text(&output.stdout).as_str(), kept(home.path())),
        ("", Vec::new())
    );
    Ok(())
}

#[test]
fn the_curve_is_the_power_under_each_load_up_to_all_cpus() -> Outcome {
    let home = tempfile::tempdir()?;
    let machine = Machine::start(IDLE_W)?;
    let calibration = calibrated(&machine, home.path(), &["--curve"])?;
    let curve = calibration["domains"][0]["curve"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let cpus = machine::online()?.len();
    assert!(curve.len() > cpus.min(8), "{curve:?}");
    let mut most = 0.0_f64;
    for point in &curve {
        let busy = point["alone_cpus"].as_f64().unwrap_or(f64::NAN);
        assert_eq!(point["shared_cpus"], 0.0, "no sibling was shown");
        near("power", &point["power_w"], IDLE_W + BUSY_W * busy, 0.05);
        most = most.max(busy);
    }
    // On a full machine the threads get less than all of it.
    assert!(most > 0.1, "{curve:?}");
    Ok(())
}

#[test]
fn without_a_meter_it_says_so_with_a_remedy() -> Outcome {
    let home = tempfile::tempdir()?;
    let machine = Machine::start(IDLE_W)?;
    fs::remove_dir_all(machine.sysroot().join("sys/class/powercap"))?;
    let output = carbon_run(&machine, home.path(), &["calibrate"]).output()?;
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(125), "{stderr}");
    assert!(
        stderr.starts_with("carbon-run: there is no energy meter to calibrate: "),
        "{stderr}"
    );
    assert!(stderr.contains("\nhint: "), "{stderr}");
    assert_eq!(kept(home.path()), Vec::<String>::new());
    Ok(())
}

#[test]
fn an_interrupt_leaves_nothing_behind() -> Outcome {
    let home = tempfile::tempdir()?;
    let machine = Machine::start(IDLE_W)?;
    let mut child = start(&machine, home.path(), &["calibrate", "--seconds", "600"])?;
    let counter = machine
        .sysroot()
        .join("sys/class/powercap/intel-rapl:0/energy_uj");
    let counter = fs::canonicalize(counter)?;
    deadline::until("it reads the counter", || {
        let open = fs::read_dir(format!("/proc/{}/fd", child.id()))
            .into_iter()
            .flatten()
            .flatten();
        open.filter_map(|entry| fs::read_link(entry.path()).ok())
            .any(|path| path == counter)
    });
    // As ^C, which a test that runs in the background may have inherited as ignored.
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id())?);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)?;
    let status = child.wait()?;
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(libc::SIGTERM)
    );
    assert_eq!(kept(home.path()), Vec::<String>::new());
    Ok(())
}
