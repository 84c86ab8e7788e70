//! The command line as people and scripts meet it: what is written where, and with which exit status.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

/// Options for a run whose own output would be in the way.
const SILENT: [&str; 2] = ["-q", "--no-csv"];

/// carbon-run in `directory`, with no config file but those in there and no variables of ours.
fn carbon_run(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_carbon-run"));
    command.current_dir(directory).env_clear();
    command
        .env("HOME", directory.join("home"))
        .env("PATH", "/usr/bin:/bin")
        .env("COLUMNS", "100");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn assert_refused(output: &Output, message: &str) {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(125), "{stderr}");
    assert_eq!(text(&output.stdout), "", "stdout belongs to the job");
    assert!(stderr.starts_with(&format!("carbon-run: {message}")), "{stderr}");
    assert!(stderr.contains("\nhint: "), "{stderr}");
}

#[test]
fn the_command_line_behaves_as_written_down() {
    trycmd::TestCases::new()
        .env("HOME", "/nonexistent")
        .env("XDG_CONFIG_HOME", "")
        .env("COLUMNS", "100")
        .case("../tests/cmd/*.trycmd");
}

#[test]
fn help_and_version_go_to_stdout_and_are_no_failure() {
    let directory = tempfile::tempdir().unwrap();
    for flag in ["-h", "--help", "-V", "--version"] {
        let output = carbon_run(directory.path()).arg(flag).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{flag}");
        assert!(output.stdout.starts_with(if flag.to_lowercase().contains("v") {
            b"carbon-run "
        } else {
            b"Runs a comm"
        }));
        assert!(
            !output.stdout.contains(&0x1b),
            "{flag}: no colours where there is no terminal"
        );
        assert_eq!(text(&output.stderr), "", "{flag}");
    }
}

#[test]
fn a_wrong_value_of_every_ranged_flag_is_refused_before_the_command_starts() {
    let directory = tempfile::tempdir().unwrap();
    let started = directory.path().join("started");
    for (flag, values) in [
        ("--pue", &["0.99", "-1", "inf", "nan", "much", ""][..]),
        ("--intensity", &["-0.1", "inf", "green"]),
        ("--smt-weight", &["0.49", "1.01", "x"]),
        ("--interval", &["9ms", "61m", "0", "-1", "soon"]),
        ("--idle-power", &["-1", "30,", "30;31", "inf"]),
        ("--idle-policy", &["fair", "Capacity"]),
        ("--accounting", &["bpf", "magic"]),
        ("--output-dir", &[""]),
        ("--json", &[""]),
        ("--record", &[""]),
        ("--sysroot", &[""]),
        ("--country", &[" "]),
        ("--project", &[""]),
    ] {
        for value in values {
            let run = carbon_run(directory.path())
                .args([flag, value, "touch"])
                .arg(&started)
                .output()
                .unwrap();
            assert_refused(&run, &format!("`{flag}` is `{value}`, which is not "));
            assert!(!started.exists(), "{flag} {value}: the command ran");
        }
    }
}

#[test]
fn after_two_dashes_a_verb_is_a_program() {
    let directory = tempfile::tempdir().unwrap();
    for verb in ["doctor", "replay", "calibrate", "completions", "man"] {
        let program = directory.path().join(verb);
        fs::write(&program, "#!/bin/sh\necho \"program $0 $*\"\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/bin:/bin", directory.path().display());
        let output = carbon_run(directory.path())
            .env("PATH", path)
            .args(SILENT)
            .args(["--", verb, "--json", "--"])
            .output()
            .unwrap();
        let told = text(&output.stdout);
        assert!(
            told.starts_with("program ") && told.ends_with("--json --\n"),
            "{verb}: {told}"
        );
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn arguments_that_are_no_utf_8_reach_the_command_byte_for_byte() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = OsStr::from_bytes(b"\xff\x01 \xc3\x28");
    let output = carbon_run(directory.path())
        .args(SILENT)
        .args(["printf", "%s"])
        .arg(bytes)
        .output()
        .unwrap();
    assert_eq!(output.stdout, bytes.as_bytes());
}

#[test]
fn a_flag_wins_over_a_variable_which_wins_over_the_files_from_near_to_far() {
    let directory = tempfile::tempdir().unwrap();
    let user = directory.path().join("home/.config/carbon-run/config.toml");
    fs::create_dir_all(user.parent().unwrap()).unwrap();
    let run = |variable: Option<&str>, flag: Option<&str>| {
        let mut command = carbon_run(directory.path());
        command.args(SILENT);
        command.envs(variable.map(|value| ("CARBON_RUN_PUE", value)));
        command.args(flag.map(|value| ["--pue", value]).into_iter().flatten());
        command.arg("true").output().unwrap()
    };
    let assert_runs = |output: Output| assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));

    assert_runs(run(None, None));
    fs::write(&user, "pue = 0.1\n").unwrap();
    assert_refused(&run(None, None), &format!("{}:1: `pue` is `0.1`", user.display()));
    fs::write(directory.path().join("carbon-run.toml"), "pue = 1.1\n").unwrap();
    assert_runs(run(None, None));
    assert_refused(&run(Some("0.2"), None), "`CARBON_RUN_PUE` is `0.2`");
    assert_runs(run(Some("0.2"), Some("1.3")));
    assert_refused(&run(Some("1.2"), Some("0.3")), "`--pue` is `0.3`");
}

#[test]
fn a_broken_config_file_is_refused_with_its_line_before_the_command_starts() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("carbon-run.toml");
    let started = directory.path().join("started");
    for (content, message) in [
        (
            &b"csv = true\npue = = 2\n"[..],
            "./carbon-run.toml:2: not valid TOML: ",
        ),
        (b"project = \"\xff\"\n", "./carbon-run.toml:1: not valid TOML: "),
        (b"\ncontry = 'FR'\n", "./carbon-run.toml:2: unknown key `contry`"),
        (
            b"pue = 1.1\nidle_power = -3\n",
            "./carbon-run.toml:2: `idle-power` is `-3`",
        ),
        (b"[run]\npue = 1.1\n", "./carbon-run.toml:1: unknown key `run`"),
    ] {
        fs::write(&config, content).unwrap();
        let output = carbon_run(directory.path())
            .arg("touch")
            .arg(&started)
            .output()
            .unwrap();
        assert_refused(&output, message);
        assert!(!started.exists(), "{message}: the command ran");
    }
}

#[test]
fn a_misspelt_variable_is_a_warning_and_the_command_runs() {
    let directory = tempfile::tempdir().unwrap();
    let output = carbon_run(directory.path())
        .env("CARBON_RUN_CONTRY", "FR")
        .args(["--no-csv", "echo", "ran"])
        .output()
        .unwrap();
    assert_eq!(
        (text(&output.stdout).as_str(), output.status.code()),
        ("ran\n", Some(0))
    );
    assert!(
        text(&output.stderr).contains("CARBON_RUN_COUNTRY"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn completions_and_the_man_page_go_to_stdout() {
    let directory = tempfile::tempdir().unwrap();
    for words in [
        &["completions", "bash"][..],
        &["completions", "zsh"],
        &["completions", "fish"],
        &["man"],
    ] {
        let output = carbon_run(directory.path()).args(words).output().unwrap();
        assert_eq!(
            (output.status.code(), text(&output.stderr).as_str()),
            (Some(0), ""),
            "{words:?}"
        );
        assert!(text(&output.stdout).contains("country"), "{words:?}");
    }
}

#[test]
fn carbon_intensities_that_cannot_be_used_are_refused_before_the_command_starts() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let started = at("started");
    fs::write(at("empty.csv"), "").unwrap();
    fs::write(at("header.csv"), "time,g_per_kwh\n").unwrap();
    fs::write(at("garbage.csv"), [0_u8, 159, 146, 150, 10, 255]).unwrap();
    fs::write(at("late.csv"), "time,g_per_kwh\n2026-11-26T14:00:00,40\n").unwrap();
    fs::write(at("torn.json"), "[{\"time\":\n").unwrap();
    for (file, told) in [
        (
            "missing.csv",
            "cannot read the carbon intensities `missing.csv`: No such file or directory",
        ),
        (".", "cannot read the carbon intensities `.`: Is a directory"),
        (
            "/dev/zero",
            "the carbon intensities `/dev/zero` are more than 32 MiB",
        ),
        ("empty.csv", "empty.csv:1: the file is empty"),
        ("header.csv", "header.csv:1: there is no row with a value"),
        ("garbage.csv", "garbage.csv:1: the text is not UTF-8"),
        (
            "late.csv",
            "late.csv:2: `2026-11-26T14:00:00` has no offset from UTC",
        ),
        ("torn.json", "torn.json:2: the text is not JSON"),
        ("", "`--intensity-file` is ``, which is not the path of a file"),
    ] {
        let run = carbon_run(directory.path())
            .args(["--intensity-file", file, "touch"])
            .arg(&started)
            .output()
            .unwrap();
        assert_refused(&run, told);
        assert!(!started.exists(), "{file}: the command ran");
    }
}

#[test]
fn a_file_of_intensities_comes_from_every_layer_and_never_beside_an_intensity() {
    let directory = tempfile::tempdir().unwrap();
    let run = |flags: &[&str], variables: &[(&str, &str)]| {
        carbon_run(directory.path())
            .args(["--no-csv", "-q", "--json", "-"])
            .args(flags)
            .arg("true")
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    };
    let method = |output: &Output| {
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        report["intensity"]["method"].as_str().unwrap().to_owned()
    };
    fs::write(
        directory.path().join("grid.csv"),
        "time,g_per_kwh\n2020-01-01T00:00Z,40\n2020-01-01T01:00Z,50\n2100-01-01T00:00Z,50\n",
    )
    .unwrap();
    let by_variable = [("CARBON_RUN_INTENSITY_FILE", "grid.csv")];
    assert_eq!(
        method(&run(&["--intensity-file", "grid.csv"], &[])),
        "time-series"
    );
    assert_eq!(method(&run(&[], &by_variable)), "time-series");
    // What is said above replaces what is said below.
    assert_eq!(method(&run(&["--intensity", "5"], &by_variable)), "user");
    assert_refused(
        &run(&["--intensity-file", "grid.csv", "--intensity", "5"], &[]),
        "`--intensity` and `--intensity-file` are both given",
    );
    assert_refused(
        &run(&[], &[by_variable[0], ("CARBON_RUN_INTENSITY", "5")]),
        "`--intensity` and `--intensity-file` are both given",
    );
    fs::write(
        directory.path().join("carbon-run.toml"),
        "intensity-file = 'grid.csv'\n",
    )
    .unwrap();
    assert_eq!(method(&run(&[], &[])), "time-series");
    assert_eq!(method(&run(&["--country", "FR"], &[])), "location-average");
}

#[test]
fn a_strict_run_wants_a_file_that_has_its_start() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("old.csv");
    fs::write(&file, "time,g_per_kwh\n2020-01-01T00:00Z,40\n").unwrap();
    let run = |flags: &[&str]| {
        carbon_run(directory.path())
            .args(["--no-csv", "--intensity-file", "old.csv"])
            .args(flags)
            .args(["--", "true"])
            .output()
            .unwrap()
    };
    let lenient = run(&[]);
    assert_eq!(lenient.status.code(), Some(0));
    let told = text(&lenient.stderr);
    assert!(told.contains("warning: `old.csv` says nothing of "), "{told}");
    assert_refused(&run(&["--strict"]), "`old.csv` has no carbon intensity for now");
}
