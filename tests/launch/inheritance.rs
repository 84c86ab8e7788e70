//! What the command is given: the same with carbon-run as without.

use crate::probe::{CARBON_RUN, both, output, path, signal_lines};
use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};

/// The words of a command line, alone and under carbon-run, after the words in `before`.
fn pair(before: &[&OsStr], command: &[&OsStr]) -> [Command; 2] {
    let alone = [before, command].concat();
    let under = [before, &[OsStr::new(CARBON_RUN)], command].concat();
    [alone, under].map(|words| {
        let mut made = Command::new(words[0]);
        made.args(&words[1..]);
        made
    })
}

#[test]
fn signal_mask_and_ignored_signals_arrive_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let states = [
        ("0", "0"),
        ("0", "13"),
        ("0", "17"),
        ("0", "13,17"),
        ("0", "1,2,3,15"),
        ("0", "20,21,22"),
        ("4002", "0"),
        ("10000", "13"),
        // Every signal blocked, with the two that libc hides.
        ("ffffffffffffffff", "0"),
        (
            "0",
            "1,2,3,4,5,6,7,8,10,11,12,13,14,15,16,17,18,20,21,22,23,24,25,26,27,28,29,30,31,34,50,64",
        ),
    ];
    for (mask, ignored) in states {
        let before = [
            path().as_os_str(),
            OsStr::new("state"),
            OsStr::new(mask),
            OsStr::new(ignored),
        ];
        let status = [OsStr::new("cat"), OsStr::new("/proc/self/status")];
        let [alone, under] = pair(&before, &status).map(|mut command| output(command.current_dir(&folder)));
        let expected = signal_lines(&alone);
        assert_eq!(expected.len(), 3);
        assert_eq!(signal_lines(&under), expected, "mask {mask}, ignored {ignored}");
    }
}

#[test]
fn nohup_reaches_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let [alone, under] = pair(
        &[OsStr::new("nohup")],
        &[OsStr::new("cat"), OsStr::new("/proc/self/status")],
    )
    .map(|mut command| output(command.current_dir(&folder)));
    let expected = signal_lines(&alone);
    assert!(expected[1].ends_with('1'), "SIGHUP is ignored: {}", expected[1]);
    assert_eq!(signal_lines(&under), expected);
}

#[test]
fn an_ignored_sigchld_does_not_hide_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let before = [
        path().as_os_str(),
        OsStr::new("state"),
        OsStr::new("0"),
        OsStr::new("17"),
    ];
    let command = ["sh", "-c", "exit 7"].map(OsStr::new);
    for mut command in pair(&before, &command) {
        assert_eq!(command.current_dir(&folder).status().unwrap().code(), Some(7));
    }
}

#[test]
fn the_command_has_the_descriptors_that_the_shell_left_open_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    for redirection in [
        "",
        "<&-",
        ">&-",
        "2>&-",
        "<&- >&-",
        "<&- >&- 2>&-",
        "5</dev/null 9>>note",
        "<&- 3</dev/null",
    ] {
        let script = format!("exec \"$@\" {redirection}");
        let before = ["sh", "-c", &script, "sh"].map(OsStr::new);
        let [alone, under] =
            pair(&before, &[path().as_os_str(), OsStr::new("descriptors")]).map(|mut command| {
                let table = folder.path().join("table");
                command
                    .current_dir(&folder)
                    .env("PROBE_OUTPUT", &table)
                    .stdin(Stdio::null())
                    .stdout(Stdio::null());
                assert!(command.stderr(Stdio::null()).status().unwrap().success());
                fs::read_to_string(&table).unwrap()
            });
        assert_eq!(under, alone, "`{redirection}`");
    }
}

#[test]
fn arguments_arrive_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let odd: Vec<u8> = (1..=255).collect();
    let args = [
        b"args".as_slice(),
        &odd,
        b"",
        b"--",
        b"-h",
        b"--json",
        b"a\nb",
        b"\xff\xfe",
    ]
    .map(OsStr::from_bytes);
    let [alone, under] = both(path(), &args).map(|mut command| output(command.current_dir(&folder)));
    assert!(alone.ends_with(b"fffe\n"));
    assert_eq!(under, alone);
}

#[test]
fn the_environment_arrives_in_order_with_its_oddities() {
    let folder = tempfile::tempdir().unwrap();
    let before = [path().as_os_str(), OsStr::new("environment")];
    let reference = pair(&before, &["/bin/cat", "/proc/self/environ"].map(OsStr::new));
    let [alone, under] = reference.map(|mut command| output(command.current_dir(&folder)));
    assert!(alone.starts_with(b"Z=last\0no assignment\0A=first\0TWICE=1\0TWICE=2\0B=\xff\xfe\0"));
    let kept: Vec<_> = under
        .split_inclusive(|byte| *byte == 0)
        .filter(|entry| !entry.starts_with(b"CARBON_RUN_"))
        .collect();
    assert_eq!(kept.concat(), alone);
}

#[test]
fn directory_umask_limits_priority_group_and_session_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let script = "umask 027; ulimit -S -n 777; ulimit -S -s 4096; exec nice -n 3 \"$@\"";
    let before = ["sh", "-c", script, "sh"].map(OsStr::new);
    let [alone, under] = pair(&before, &[path().as_os_str(), OsStr::new("attributes")])
        .map(|mut command| String::from_utf8(output(command.current_dir(&folder))).unwrap());
    assert!(
        alone.contains("umask 27") && alone.contains("limit 7 309 "),
        "{alone}"
    );
    assert_eq!(under, alone);
}

#[test]
fn the_command_stays_in_the_launchers_process_group_and_is_its_child() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(CARBON_RUN);
    command
        .arg(path())
        .arg("attributes")
        .current_dir(&folder)
        .process_group(0)
        .stdout(Stdio::piped());
    let launcher = command.spawn().unwrap();
    let group = format!("group {} ", launcher.id());
    let told = String::from_utf8(launcher.wait_with_output().unwrap().stdout).unwrap();
    assert!(told.contains(&group), "{told}");
}

#[test]
fn megabytes_through_both_streams_are_identical() {
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..8_000_003_u64)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0])
        .collect();
    let mut command = Command::new(CARBON_RUN);
    command
        .arg("cat")
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut returned = Vec::new();
    std::thread::scope(|scope| {
        let sent = bytes.as_slice();
        scope.spawn(move || input.write_all(sent).unwrap());
        child.stdout.take().unwrap().read_to_end(&mut returned).unwrap();
    });
    assert!(child.wait().unwrap().success());
    assert!(
        returned == bytes,
        "{} bytes came back of {}",
        returned.len(),
        bytes.len()
    );
}

#[test]
fn a_broken_pipe_kills_the_command_as_it_would_without_us() {
    let folder = tempfile::tempdir().unwrap();
    for mut command in pair(&[], &[OsStr::new("yes")]) {
        let mut child = command
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGPIPE));
    }
}

#[test]
fn an_alarm_set_before_the_launch_ends_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let before = [path().as_os_str(), OsStr::new("alarm"), OsStr::new("200")];
    for mut command in pair(&before, &["sleep", "1000"].map(OsStr::new)) {
        let status = command.current_dir(&folder).status().unwrap();
        assert_eq!(status.signal(), Some(libc::SIGALRM));
    }
}
