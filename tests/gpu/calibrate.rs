//! `carbon-run calibrate` for GPUs, on a machine whose CPUs are played, and what later runs make of it.

use crate::machine::Machine;
use crate::stage::{GPU, SECOND, Stage, near, says, stranger};
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::process::Output;

/// What the device of the stage draws with no context on it, and with one that does nothing.
const DEEP_W: f64 = 77.0;
const RESIDENT_W: f64 = 119.0;

/// A machine of 20 W without anybody on it, with GPUs.
struct Host {
    machine: Machine,
    stage: Stage,
}

impl Host {
    fn new(script: &str) -> Self {
        let machine = Machine::start(20.0).unwrap();
        let stage = Stage::new(script);
        let state = stage.directory.path().join("state");
        let stage = stage
            .with("CARBON_RUN_STATE_DIR", state.to_str().unwrap())
            .with("CARBON_RUN_SYSROOT", machine.sysroot().to_str().unwrap());
        Self { machine, stage }
    }

    /// With no meter of its CPUs, as virtual machines are.
    fn without_cpu_meter(self) -> Self {
        fs::remove_dir_all(self.machine.sysroot().join("sys/class/powercap")).unwrap();
        self
    }

    /// What happens next on the GPUs.
    fn then(&self, orders: &[&str]) {
        let mut script = OpenOptions::new().append(true).open(self.stage.script()).unwrap();
        for order in orders {
            script.write_all(format!("{order}\n").as_bytes()).unwrap();
        }
    }

    fn calibrate(&self, options: &[&str]) -> Output {
        let mut command = self.stage.command();
        command.args(["calibrate", "--seconds", "3"]).args(options);
        command.output().unwrap()
    }

    fn calibrated(&self, options: &[&str]) -> Value {
        let output = self.calibrate(&[options, &["--json"]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The devices in what is kept.
    fn kept(&self) -> Vec<String> {
        let entries = fs::read_dir(self.stage.directory.path().join("state"));
        let files = entries.into_iter().flatten().flatten().map(|entry| entry.path());
        let files = files.filter(|path| path.extension().is_some_and(|kind| kind == "json"));
        let kept = files.map(|path| serde_json::from_slice::<Value>(&fs::read(path).unwrap()).unwrap());
        let devices = kept.flat_map(|kept| kept["gpus"].as_array().cloned().unwrap_or_default());
        devices
            .map(|gpu| gpu["device"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn watts(state: &Value) -> f64 {
    state["idle_w"].as_f64().unwrap_or(f64::NAN)
}

fn idle() -> String {
    GPU.replace("watts 0 300", &format!("watts 0 {DEEP_W}"))
}

#[test]
fn both_idle_states_are_measured_one_after_the_other_and_a_later_run_goes_by_them() {
    let host = Host::new(&idle());
    let first = host.calibrated(&[]);
    let gpu = &first["gpus"][0];
    assert!(near(watts(&gpu["deep"]), DEEP_W, 5.0), "{first:#}");
    assert_eq!(
        (&gpu["name"], &gpu["deep"]["windows"]),
        (&"gpu-0".into(), &10.into())
    );
    assert_eq!(
        (&gpu["resident"], &gpu["resident_reason"]),
        (&Value::Null, &"nobody held a context".into())
    );
    assert!(first["domains"][0]["idle_w"].is_number());

    let stranger = stranger();
    host.then(&[&format!("holds 0 {stranger}"), &format!("watts 0 {RESIDENT_W}")]);
    let second = host.calibrated(&[]);
    let gpu = &second["gpus"][0];
    assert!(near(watts(&gpu["resident"]), RESIDENT_W, 5.0), "{second:#}");
    assert_eq!(
        gpu["deep"], first["gpus"][0]["deep"],
        "kept as it was, with its date"
    );
    assert_eq!(gpu["deep_reason"], "somebody held a context");

    host.then(&[&format!("leaves 0 {stranger}"), "watts 0 300"]);
    let job = says(&["holds 0 $$"]) + "sleep 1\n" + &says(&["sample 0 $$ 1000 90"]) + "sleep 0.5";
    let report = host.stage.run(&["--accounting", "procfs"], &job);
    let domain = report.domain("gpu-0");
    domain.adds_up();
    let known = &domain.0["idle_power"];
    let resident = &gpu["resident"];
    assert_eq!(
        (&known["basis"], &known["watts"], &known["as_of"]),
        (&"calibrated".into(), &resident["idle_w"], &resident["at"])
    );
    let spread = resident["spread_w"]
        .as_f64()
        .unwrap()
        .hypot(0.06 * watts(resident));
    assert!(
        near(known["spread_watts"].as_f64().unwrap(), spread, 1e-6),
        "{known}"
    );
    let above_idle = domain.uj("measured_uj") as f64 * (300.0 - watts(resident)) / 300.0;
    assert!(
        near(domain.uj("job_uj") as f64, above_idle, 5.0),
        "{:#}",
        domain.0
    );
    assert!(!report.says("gpu-idle-power-unknown"));
    let device = &report.0["gpus"][0];
    assert_eq!(
        (
            &device["deep_idle_watts"],
            &device["deep_idle_basis"],
            &device["deep_idle_as_of"]
        ),
        (&gpu["deep"]["idle_w"], &"calibrated".into(), &gpu["deep"]["at"])
    );

    // Without the store, for all of it is in the recording.
    fs::remove_dir_all(host.stage.directory.path().join("state")).unwrap();
    let mut replay = host.stage.command();
    let replay = replay
        .args(["replay", "-q", "--json", "-", "run.jsonl"])
        .output()
        .unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&replay.stdout).unwrap(), report.0);
}

#[test]
fn the_summary_and_doctor_say_what_was_calibrated_and_a_stated_power_goes_before_it() {
    let host = Host::new(&format!("{}holds 0 {}\n", idle(), stranger()));
    let day = host.calibrated(&[])["at"].as_str().unwrap()[..10].to_owned();
    let doctor = host.stage.command().arg("doctor").output().unwrap();
    let said = text(&doctor.stdout);
    let line = said
        .lines()
        .find(|line| line.contains("gpu-0 with an idle context: 7"));
    assert!(
        line.is_some_and(|line| line.ends_with(&format!("calibrated {day}"))),
        "{said}"
    );
    let job = says(&["watts 0 300", "holds 0 $$"]) + "sleep 0.5";
    let options = ["--no-csv", "--accounting", "procfs"];
    let summary = text(&host.stage.output(&options, &job).stderr);
    assert!(
        summary.contains("idle power 7") && summary.contains(&format!("(calibrated {day})")),
        "{summary}"
    );
    let stated = host
        .stage
        .run(&["--accounting", "procfs", "--gpu-idle-power", "50"], &job);
    let known = &stated.domain("gpu-0").0["idle_power"];
    assert_eq!(
        (&known["basis"], &known["watts"]),
        (&"given".into(), &50.0.into())
    );
}

#[test]
fn a_device_that_somebody_works_on_is_left_out_and_everything_else_is_calibrated() {
    let stranger = stranger();
    let script = format!("{GPU}{SECOND}holds 0 {stranger}\nbusy 0 90\n");
    let host = Host::new(&script);
    let mut command = host.stage.command();
    command.args(["calibrate", "--seconds", "3", "--json"]);
    command.stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stamp = 1000;
    while child.try_wait().unwrap().is_none() {
        stamp += 1;
        host.then(&[&format!("sample 0 {stranger} {stamp} 80")]);
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (busy, quiet) = (&made["gpus"][0], &made["gpus"][1]);
    let why = format!("process {stranger} worked on it in 10 of 10 windows");
    assert_eq!((&busy["left_out"], &busy["deep"]), (&why.into(), &Value::Null));
    assert!(near(watts(&quiet["deep"]), 200.0, 5.0), "{quiet:#}");
    assert!(quiet["left_out"].is_null());
    assert_eq!(made["domains"][0]["name"], "package-0");
    assert_eq!(host.kept(), ["GPU-33334444-bbbb"]);
    let said = text(&host.calibrate(&[]).stdout);
    let line = said.lines().find(|line| line.starts_with("gpu-0"));
    assert!(
        line.is_some_and(
            |line| line.ends_with("left out: somebody worked on it in 10 of 10 windows")
                || line.contains(&format!("left out: process {stranger} worked"))
        ),
        "{said}"
    );
}

#[test]
fn a_machine_without_a_cpu_meter_has_its_gpus_calibrated() {
    let host = Host::new(&idle()).without_cpu_meter();
    let made = host.calibrated(&[]);
    assert_eq!(made["domains"], Value::Array(Vec::new()));
    assert!(near(watts(&made["gpus"][0]["deep"]), DEEP_W, 5.0), "{made:#}");
    let report = host.stage.run(
        &["--accounting", "procfs"],
        &(says(&["watts 0 300"]) + "sleep 0.3"),
    );
    let device = &report.0["gpus"][0];
    assert_eq!(device["deep_idle_basis"], "calibrated", "{device}");
}

#[test]
fn with_neither_a_cpu_meter_nor_an_idle_gpu_it_says_so_and_keeps_nothing() {
    let host = Host::new(&format!("{GPU}busy 0 90\n")).without_cpu_meter();
    let output = host.calibrate(&[]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("no GPU could be calibrated: `gpu-0`: somebody worked on it in 10 of 10 windows")
            && stderr.contains("\nhint: wait until nobody works on them"),
        "{stderr}"
    );
    assert_eq!((output.stdout, host.kept()), (Vec::new(), Vec::new()));

    let refused = Host::new("init 9\n").without_cpu_meter();
    let output = refused.calibrate(&[]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(125), "{stderr}");
    assert!(
        stderr.contains("there is no energy meter to calibrate: ")
            && stderr.contains("no GPU is measured: NVIDIA driver is not loaded"),
        "{stderr}"
    );
}

#[test]
fn gpus_alone_can_be_calibrated_on_a_machine_that_is_not_quiet() {
    let host = Host::new(&idle());
    host.machine.hog_uses(0.8);
    let refused = host.calibrate(&[]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused.stderr));
    assert_eq!(host.kept(), Vec::<String>::new());
    let made = host.calibrated(&["--gpus-only"]);
    assert_eq!(made["domains"], Value::Array(Vec::new()));
    assert!(near(watts(&made["gpus"][0]["deep"]), DEEP_W, 5.0), "{made:#}");
    assert_eq!(host.kept(), ["GPU-11112222-aaaa"]);
}
