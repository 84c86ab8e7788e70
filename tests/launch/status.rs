//! How carbon-run ends.

use crate::probe::{CARBON_RUN, bare, both, launched};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

#[test]
fn every_exit_code_is_the_commands() {
    let folder = tempfile::tempdir().unwrap();
    for code in 0..=255 {
        let status = Command::new(CARBON_RUN)
            .args(["sh", "-c", &format!("exit {code}")])
            .current_dir(&folder)
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(code));
    }
}

#[test]
fn a_command_killed_by_a_signal_makes_the_launcher_die_by_the_same() {
    // SIGCHLD, SIGCONT, SIGURG, SIGWINCH are ignored by default; SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU stop (signal(7)).
    const HARMLESS: [i32; 8] = [17, 18, 23, 28, 19, 20, 21, 22];
    let folder = tempfile::tempdir().unwrap();
    for signal in (1..=64).filter(|signal| !HARMLESS.contains(signal)) {
        let die = ["die", &signal.to_string()];
        let reference = bare(&die).current_dir(&folder).status().unwrap();
        assert_eq!(reference.signal(), Some(signal), "the probe itself");
        let status = launched(&die).current_dir(&folder).status().unwrap();
        assert_eq!(status.signal(), Some(signal));
        assert!(!status.core_dumped(), "the core of interest is the command's");
    }
}

#[test]
fn the_launcher_leaves_no_core_beside_the_commands() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!("ulimit -S -c $(ulimit -H -c); exec {CARBON_RUN} \"$@\"");
    let mut command = Command::new("sh");
    command
        .args(["-c", &script, "sh"])
        .arg(crate::probe::path())
        .args(["die", "6"]);
    let status = command.current_dir(&folder).status().unwrap();
    assert_eq!(status.signal(), Some(6));
    assert!(!status.core_dumped());
}

#[test]
fn a_command_that_cannot_be_run_is_told_as_env_tells_it() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    write("plain", "echo no\n", 0o644);
    write("orphan", "#!/no/such/interpreter\n", 0o755);
    write("shebangless", "echo \"$0\" \"$@\"; exit 3\n", 0o755);
    write("script", "#!/bin/sh\necho \"$0\" \"$@\"; exit 4\n", 0o755);
    let long = "x".repeat(300);
    let expected = [
        ("carbon-no-such-command", 127),
        ("./missing", 127),
        ("", 127),
        ("/", 126),
        (".", 126),
        ("./plain", 126),
        ("./plain/beyond", 126),
        (&long, 126),
        ("./orphan", 127),
        ("./shebangless", 3),
        ("./script", 4),
    ];
    for (name, code) in expected {
        let reference = run(Command::new("env").arg(name).arg("an argument"), folder.path());
        let ours = run(
            Command::new(CARBON_RUN).arg(name).arg("an argument"),
            folder.path(),
        );
        assert_eq!(ours.status.code(), Some(code), "`{name}`: {ours:?}");
        assert_eq!(ours.status, reference.status, "`{name}`");
        assert_eq!(ours.stdout, reference.stdout, "`{name}`");
        let said = String::from_utf8(ours.stderr).unwrap();
        if code >= 126 {
            assert!(said.starts_with("carbon-run: "), "`{name}`: {said}");
        }
    }
}

#[test]
fn a_name_without_a_slash_is_looked_up_in_path_and_keeps_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let name = "only-in-path";
    fs::copy(crate::probe::path(), folder.path().join(name)).unwrap();
    let [mut alone, mut under] = both("env", &[]);
    let outputs = [&mut alone, &mut under].map(|command| {
        command.arg(format!("PATH={}:/usr/bin:/bin", folder.path().display()));
        run(command.args([name, "args"]), Path::new("/"))
    });
    let hex: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(String::from_utf8_lossy(&outputs[1].stdout).starts_with(&hex));
    assert_eq!(outputs[0].stdout, outputs[1].stdout);
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let direct = Command::new(CARBON_RUN)
        .args([name, "args"])
        .env("PATH", path)
        .output()
        .unwrap();
    assert_eq!(direct.stdout, outputs[0].stdout);
}

fn run(command: &mut Command, folder: &Path) -> Output {
    // Not everybody may search all that root has in PATH.
    command
        .current_dir(folder)
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .output()
        .unwrap()
}
