//! Machines without a meter, end to end: a person's own table of CPU power, stated power of memory, and the memory of jobs
//! that are over before anybody would look.

use serde_json::Value;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

type Outcome = Result<(), Box<dyn Error>>;

/// A machine of two CPUs on bare metal, which no energy counter has.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new(model: &str) -> Result<Self, Box<dyn Error>> {
        let machine = Self(tempfile::tempdir()?);
        let cpu = |number: u32| {
            format!(
                "processor\t: {number}\nvendor_id\t: AuthenticAMD\ncpu family\t: 99\nmodel\t\t: 1\nmodel name\t: {model}\n\
                 stepping\t: 1\nflags\t\t: fpu lm\n\n"
            )
        };
        machine.write("root/proc/cpuinfo", &(cpu(0) + &cpu(1)))?;
        Ok(machine)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) -> std::io::Result<()> {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap_or(self.path()))?;
        fs::write(path, text)
    }

    fn carbon_run(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_carbon-run"));
        command
            .current_dir(self.path())
            .env("HOME", self.path())
            .env_remove("XDG_CONFIG_HOME");
        command
    }

    /// Runs a job there and returns its report.
    fn report(&self, flags: &[&str], job: &[&str]) -> Result<Value, Box<dyn Error>> {
        let output = self
            .carbon_run()
            .args([
                "--sysroot",
                "root",
                "--no-csv",
                "--quiet",
                "--json",
                "report.json",
            ])
            .args(flags)
            .args(["--record", "run.jsonl", "--"])
            .args(job)
            .output()?;
        assert!(output.status.success(), "{output:?}");
        Ok(serde_json::from_slice(&fs::read(
            self.path().join("report.json"),
        )?)?)
    }

    fn replay(&self, flags: &[&str]) -> Result<Value, Box<dyn Error>> {
        let output = self
            .carbon_run()
            .args(["replay", "run.jsonl", "--quiet", "--json", "-"])
            .args(flags)
            .output()?;
        assert!(output.status.success(), "{output:?}");
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

fn domain<'r>(report: &'r Value, name: &str) -> &'r Value {
    let domains = report["domains"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    domains
        .iter()
        .find(|domain| domain["name"] == name)
        .unwrap_or(&Value::Null)
}

fn basis(report: &Value, name: &str) -> String {
    domain(report, name)["basis"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[track_caller]
fn assert_refused(output: &Output, said: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(125), "{stderr}");
    for part in said {
        assert!(stderr.contains(part), "no {part:?} in:\n{stderr}");
    }
}

#[test]
fn a_table_of_ones_own_is_used_by_a_run_by_a_config_file_and_by_a_replay() -> Outcome {
    let machine = Machine::new("AMD EPYC 9X99")?;
    machine.write(
        "mine.csv",
        "# watts at the plug\nmodel,tdp_w,idle_w,source\nAMD EPYC 9X99,321,40,our lab\n",
    )?;
    let wanted = "AMD EPYC 9X99, TDP 321 W (`mine.csv`: our lab)";
    let built_in = machine.report(&[], &["true"])?;
    assert!(!basis(&built_in, "cpu-model").contains("mine.csv"), "{built_in}");
    assert_eq!(
        basis(&machine.replay(&[])?, "cpu-model"),
        basis(&built_in, "cpu-model")
    );
    assert_eq!(
        basis(&machine.replay(&["--cpu-table", "mine.csv"])?, "cpu-model"),
        wanted
    );
    let by_flag = machine.report(&["--cpu-table", "mine.csv"], &["true"])?;
    assert_eq!(basis(&by_flag, "cpu-model"), wanted);
    // A recording carries its model: the table may be gone.
    fs::rename(machine.path().join("mine.csv"), machine.path().join("other.csv"))?;
    assert_eq!(machine.replay(&[])?["domains"], by_flag["domains"]);
    machine.write("carbon-run.toml", "cpu-table = 'other.csv'\n")?;
    let by_file = machine.report(&[], &["true"])?;
    assert_eq!(
        basis(&by_file, "cpu-model"),
        wanted.replace("mine.csv", "other.csv")
    );
    Ok(())
}

#[test]
fn a_table_that_cannot_be_used_is_told_with_its_line_before_the_job_starts() -> Outcome {
    let machine = Machine::new("AMD EPYC 9X99")?;
    machine.write("mine.csv", "model,tdp_w,source\nAMD EPYC 9X99,lots,me\n")?;
    for (table, said) in [
        (
            "mine.csv",
            &[
                "mine.csv:2: `tdp_w` is `lots`, which is not a number of watts",
                "hint: ",
            ][..],
        ),
        ("none.csv", &["cannot read the CPU table `none.csv`", "hint: "]),
    ] {
        let output = machine
            .carbon_run()
            .args(["--sysroot", "root", "--cpu-table", table, "touch", "ran"])
            .output()?;
        assert_refused(&output, said);
        assert!(!machine.path().join("ran").exists());
    }
    machine.report(&[], &["true"])?;
    let output = machine
        .carbon_run()
        .args(["replay", "run.jsonl", "--cpu-table", "mine.csv"])
        .output()?;
    assert_refused(&output, &["mine.csv:2: "]);
    Ok(())
}

#[test]
fn a_table_without_this_cpu_is_said_and_the_built_in_one_is_used() -> Outcome {
    let machine = Machine::new("AMD EPYC 7763 64-Core Processor")?;
    machine.write("mine.csv", "model,tdp_w,source\nAMD EPYC 7742,200,me\n")?;
    let report = machine.report(&["--cpu-table", "mine.csv"], &["true"])?;
    assert_eq!(
        basis(&report, "cpu-model"),
        "AMD EPYC 7763 64-Core Processor, TDP 280 W"
    );
    let said = report["quality"].to_string();
    assert!(
        said.contains("`mine.csv` has no row for this CPU, `AMD EPYC 7763 64-Core Processor`"),
        "{said}"
    );
    Ok(())
}

#[test]
fn stated_power_of_memory_takes_the_tables_place_in_a_run_and_in_a_replay() -> Outcome {
    let machine = Machine::new("AMD EPYC 9X99")?;
    let report = machine.report(&["--ram-power", "2"], &["sleep", "0.2"])?;
    assert_eq!(basis(&report, "ram-model"), "2 W/GiB, as stated");
    let ram = |report: &Value| report["energy_j"]["ram"].as_f64().unwrap_or(f64::NAN);
    let twice = machine.replay(&["--ram-power", "4"])?;
    assert!(
        (ram(&twice) / ram(&report) - 2.0).abs() < 0.05,
        "{} {}",
        ram(&twice),
        ram(&report)
    );
    Ok(())
}

/// A job that ends before the first close look is due (100 ms), and one that ends before any glance may be.
#[test]
fn a_short_job_has_its_memory_with_a_range() -> Outcome {
    let machine = Machine::new("AMD EPYC 9X99")?;
    for job in [&["sleep", "0.05"][..], &["true"]] {
        let report = machine.report(&[], job)?;
        let ram = &domain(&report, "ram-model");
        let at = |name: &str| ram["job_range_j"][name].as_f64();
        let (Some(low), Some(high)) = (at("low"), at("high")) else {
            panic!("{job:?}: {ram}");
        };
        assert_eq!(ram["origin"]["estimated"], "ram-model", "{ram}");
        assert!(low >= 0.0 && high > low, "{job:?}: {low} to {high} J");
        assert!(
            report["energy_j"]["ram"].as_f64().is_some_and(|ram| ram > 0.0),
            "{report}"
        );
    }
    Ok(())
}
