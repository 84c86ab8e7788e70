//! Signals sent by processes: each reaches the command once, and the launcher survives.

use crate::deadline::until;
use crate::probe::{CARBON_RUN, Log, Logger, SENTINEL, bare, path, send, state, until_state};
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// SIGKILL and SIGSTOP cannot be caught; the last is the sentinel.
fn forwardable() -> impl Iterator<Item = i32> {
    (1..SENTINEL).filter(|signal| ![libc::SIGKILL, libc::SIGSTOP].contains(signal))
}

#[test]
fn every_signal_sent_to_the_launcher_reaches_the_command_once_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let logger = Logger::start(folder.path(), 0, "0");
    for signal in forwardable() {
        for times in 1..=2 {
            logger.tell(signal);
            until(&format!("signal {signal}, time {times}"), || {
                logger.count(signal) == times
            });
        }
    }
    let expected: Vec<_> = forwardable()
        .flat_map(|signal| [signal, signal])
        .map(|signal| format!("{signal} 0 0"))
        .collect();
    assert_eq!(logger.lines(), expected);
}

#[test]
fn queued_signals_keep_their_number_their_order_and_their_values() {
    let folder = tempfile::tempdir().unwrap();
    let logger = Logger::start(folder.path(), 0, "0");
    for value in ["7", "-8", "9"] {
        assert!(
            bare(&["queue", &logger.pid().to_string(), "40", value])
                .status()
                .unwrap()
                .success()
        );
    }
    let code = libc::SI_QUEUE;
    assert_eq!(
        logger.lines(),
        [7, -8, 9].map(|value| format!("40 {code} {value}"))
    );
}

#[test]
fn a_signal_that_kills_the_command_kills_the_launcher_by_its_number() {
    use std::os::unix::process::ExitStatusExt;
    let folder = tempfile::tempdir().unwrap();
    for signal in [
        libc::SIGTERM,
        libc::SIGINT,
        libc::SIGHUP,
        libc::SIGUSR1,
        libc::SIGQUIT,
        34,
    ] {
        let log = Log::within(folder.path());
        let mut command = Command::new(CARBON_RUN);
        let defaults = signal.to_string();
        command
            .arg(path())
            .args(log.args(0, &defaults))
            .current_dir(&folder);
        let mut launcher = command.spawn().unwrap();
        log.ready();
        send(launcher.id().cast_signed(), signal);
        assert_eq!(launcher.wait().unwrap().signal(), Some(signal));
        fs::remove_file(folder.path().join("log")).unwrap();
    }
}

#[test]
fn a_signal_blocked_and_waiting_at_the_start_is_the_commands() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::within(folder.path());
    let mut command = bare(&["pending", "10", CARBON_RUN]);
    command
        .arg(path())
        .args(log.args(0, "0"))
        .current_dir(&folder)
        .process_group(0);
    let logger = Logger::of(command, log);
    until("the signal", || logger.count(10) == 1);
    assert_eq!(logger.lines(), ["10 0 0"]);
}

#[test]
fn an_alarm_from_before_the_launch_comes_from_the_commands_own_timer() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::within(folder.path());
    // Long enough for two programs to start on a machine that is busy with something else.
    let mut command = bare(&["alarm", "5000", CARBON_RUN]);
    command
        .arg(path())
        .args(log.args(0, "0"))
        .current_dir(&folder)
        .process_group(0);
    let logger = Logger::of(command, log);
    until("the alarm", || logger.count(libc::SIGALRM) == 1);
    assert_eq!(
        logger.lines(),
        [format!("{} {} 0", libc::SIGALRM, libc::SI_KERNEL)]
    );
}

#[test]
fn a_script_that_signals_its_own_group_gets_the_signal_once() {
    // By a descendant too: the inner shell is not the command. A sender that is gone could be anybody, so it stays.
    for sender in [
        "kill -USR1 0",
        "sh -c 'trap : USR1; kill -USR1 0; while [ -e script ]; do sleep 0.01; done' &",
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("script"), "").unwrap();
        let script = format!(
            "trap 'echo one >> log' USR1; trap 'exit 5' USR2\n{sender}\nwhile :; do sleep 0.01; done"
        );
        let mut command = Command::new(CARBON_RUN);
        command
            .args(["sh", "-c", &script])
            .current_dir(&folder)
            .process_group(0);
        let mut launcher = command.spawn().unwrap();
        let log = || fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        until("the signal", || log().contains("one"));
        // Forwarded after the other would have been.
        send(launcher.id().cast_signed(), libc::SIGUSR2);
        assert_eq!(launcher.wait().unwrap().code(), Some(5));
        assert_eq!(log().matches("one").count(), 1, "{sender}");
        // The inner shell ends with the folder.
    }
}

#[test]
fn a_stop_and_a_continue_sent_to_the_launcher_act_on_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let logger = Logger::start(folder.path(), 0, "20,21,22");
    for (times, signal) in (1..).zip([libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU, libc::SIGTSTP]) {
        logger.tell(signal);
        until_state(logger.command, "T");
        until_state(logger.pid(), "T");
        logger.tell(libc::SIGCONT);
        until_state(logger.command, "SR");
        until("the continue", || logger.count(libc::SIGCONT) == times);
    }
    assert_eq!(logger.lines(), ["18 0 0"; 4]);
}

#[test]
fn a_stop_and_a_continue_of_the_whole_group_come_once_each() {
    let folder = tempfile::tempdir().unwrap();
    let logger = Logger::start(folder.path(), 0, "20");
    for times in 1..=25 {
        send(-logger.pid(), libc::SIGTSTP);
        until_state(logger.command, "T");
        until_state(logger.pid(), "T");
        send(-logger.pid(), libc::SIGCONT);
        until_state(logger.command, "SR");
        until_state(logger.pid(), "SR");
        until("the continue", || logger.count(libc::SIGCONT) >= times);
    }
    assert_eq!(logger.lines(), ["18 0 0"; 25]);
}

#[test]
fn stopping_the_command_as_cpulimit_does_never_stops_the_launcher() {
    let folder = tempfile::tempdir().unwrap();
    let logger = Logger::start(folder.path(), 0, "0");
    for times in 1..=25 {
        send(logger.command, libc::SIGSTOP);
        until_state(logger.command, "T");
        // The launcher is awake: it passes this on while the command is stopped.
        logger.tell(libc::SIGUSR1);
        until("the signal to wait at the command", || {
            waits_for(logger.command, libc::SIGUSR1)
        });
        assert_ne!(state(logger.pid()).unwrap().0, 'T');
        send(logger.command, libc::SIGCONT);
        until("the signal and the continue", || {
            logger.count(libc::SIGUSR1) == times && logger.count(libc::SIGCONT) == times
        });
    }
    let lines = logger.lines();
    assert_eq!(lines.len(), 50, "{lines:?}");
}

#[test]
fn a_launcher_started_with_its_terminal_stops_ignored_still_follows_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::within(folder.path());
    // The probe stops itself by SIGSTOP when SIGTSTP comes, although that was ignored at the start.
    let mut command = bare(&["state", "0", "20", CARBON_RUN]);
    command
        .arg(path())
        .args(log.args(libc::SIGTSTP, "0"))
        .current_dir(&folder)
        .process_group(0);
    let logger = Logger::of(command, log);
    logger.tell(libc::SIGTSTP);
    until_state(logger.command, "T");
    until_state(logger.pid(), "T");
    send(-logger.pid(), libc::SIGCONT);
    until_state(logger.command, "SR");
    until("the continue", || logger.count(libc::SIGCONT) == 1);
    assert_eq!(logger.lines(), ["20 0 0", "18 0 0"]);
}

#[test]
fn a_broken_stderr_of_the_launcher_is_not_the_commands_business() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(CARBON_RUN);
    command
        .args(["sh", "-c", "exit 6"])
        .current_dir(&folder)
        .stderr(Stdio::piped());
    let mut launcher = command.spawn().unwrap();
    drop(launcher.stderr.take());
    assert_eq!(launcher.wait().unwrap().code(), Some(6));
}

/// Whether a signal is pending at a process.
fn waits_for(process: i32, signal: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("ShdPnd:"))
        .unwrap();
    let pending = u64::from_str_radix(line.trim(), 16).unwrap();
    pending & (1 << (signal - 1)) != 0
}
