//! A job under carbon-run, and what its report has to be like whatever the machine.

use crate::account::Account;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A job that has run.
pub(crate) struct Run {
    directory: TempDir,
    pub(crate) stdout: String,
    report: Value,
    account: Account,
}

fn carbon_run(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_carbon-run"));
    command.current_dir(directory).stdin(Stdio::null());
    command
}

impl Run {
    /// Runs a job in a country of its own, and reads its report.
    pub(crate) fn of(job: &mut Command) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let account = Account::open(directory.path());
        let output = carbon_run(directory.path())
            .args([
                "--country",
                "FR",
                "--json",
                "report.json",
                "--record",
                "run.jsonl",
                "--",
            ])
            .args(account.around(job))
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{told}");
        assert!(told.contains("\n  energy "), "{told}");
        assert!(directory.path().join("emissions.csv").is_file(), "{told}");
        let report = std::fs::read(directory.path().join("report.json")).unwrap();
        Self {
            stdout: String::from_utf8(output.stdout).unwrap(),
            report: serde_json::from_slice(&report).unwrap(),
            account,
            directory,
        }
    }

    fn number(&self, pointer: &str) -> f64 {
        let value = self.report.pointer(pointer).and_then(Value::as_f64);
        value.unwrap_or_else(|| panic!("no number at {pointer} in {:#}", self.report))
    }

    fn text(&self, pointer: &str) -> &str {
        let value = self.report.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("no text at {pointer} in {:#}", self.report))
    }

    pub(crate) fn assert_processes(&self, at_least: u64) {
        if self.text("/accounting/backend") == "ebpf" {
            let processes = self.report["processes"].as_u64().unwrap();
            assert!(processes >= at_least, "{processes} processes");
        }
    }

    /// Against every account that the kernel kept. The interrupts that hit the job are in theirs, unless the kernel counts
    /// them (CONFIG_IRQ_TIME_ACCOUNTING); time that the hypervisor stole can be in ours.
    pub(crate) fn assert_cpu_time(&self, within: f64) {
        let ours = self.number("/cpu_time_s");
        let stolen = self.account.stolen();
        let interrupts = self.report["interrupt_time_in_job_s"].as_f64().unwrap_or(0.0);
        let accounts = self.account.seconds();
        let told =
            format!("ours {ours:.4} s, {accounts:.4?}, stolen {stolen:.2} s, interrupts {interrupts:.4} s");
        println!("{told}");
        for (_, theirs) in accounts {
            assert!(ours + interrupts >= theirs * (1.0 - within), "{told}");
            assert!(ours <= theirs * (1.0 + within) + stolen, "{told}");
        }
    }

    /// What holds of every report of a job that did something.
    pub(crate) fn assert_plausible(&self) {
        assert_eq!(self.text("/schema"), "carbon-run/report/1");
        assert_eq!(self.text("/intensity/place"), "FRA");
        assert_eq!(self.number("/exit/code") as i64, 0);
        assert_eq!(self.number("/accounting/lost") as i64, 0);
        for (low, value, high) in [
            ("/energy_range_j/low", "/energy_j/total", "/energy_range_j/high"),
            (
                "/emissions_range_g/low",
                "/emissions_g",
                "/emissions_range_g/high",
            ),
        ] {
            let [low, value, high] = [low, value, high].map(|pointer| self.number(pointer));
            assert!(
                0.0 <= low && low <= value && value <= high && value > 0.0,
                "{low} <= {value} <= {high}"
            );
        }
        let kwh = self.number("/energy_j/total") / 3.6e6;
        let grams = kwh * self.number("/pue") * self.number("/intensity/g_per_kwh");
        assert!(
            (grams / self.number("/emissions_g") - 1.0).abs() < 1e-9,
            "{grams}"
        );
        self.assert_books();
    }

    /// The six lines of every domain are what was measured, and the totals are the summed domains' lines.
    fn assert_books(&self) {
        let mut total_uj = 0;
        for domain in self.report["domains"].as_array().unwrap() {
            let line = |name: &str| domain[name].as_u64().unwrap_or(0);
            let lines = [
                "job_uj",
                "job_idle_uj",
                "others_uj",
                "kernel_uj",
                "own_uj",
                "idle_uj",
            ]
            .map(line);
            assert_eq!(lines.iter().sum::<u64>(), line("measured_uj"), "{domain:#}");
            if domain["summed"] == true {
                total_uj += line("job_uj") + line("job_idle_uj");
            }
        }
        assert!((total_uj as f64 / 1e6 - self.number("/energy_j/total")).abs() < 1e-6);
    }

    /// The recording holds all that the report was made of.
    pub(crate) fn assert_replays_the_same(&self) {
        let output = carbon_run(self.directory.path())
            .args(["replay", "run.jsonl", "--quiet", "--json", "-"])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let replayed: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(replayed, self.report);
    }
}
