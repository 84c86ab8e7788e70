//! Job control on a real terminal, with a real interactive shell.

use crate::deadline::{until, until_some};
use crate::probe::{CARBON_RUN, Log, SENTINEL, path, send, state, until_state};
use crate::terminal::Terminal;
use std::path::Path;
use std::process::Command;

const CTRL_C: &str = "\x03";
const CTRL_Z: &str = "\x1a";
const CTRL_BACKSLASH: &str = "\x1c";

/// A bash, in which a probe under carbon-run is in the foreground.
struct Foreground {
    bash: Terminal,
    log: Log,
    command: i32,
    launcher: i32,
}

impl Foreground {
    fn start(folder: &Path, stopper: i32, defaults: &str) -> Self {
        let mut bash = Terminal::bash(folder);
        let log = Log::within(folder);
        let probe = path().to_str().unwrap();
        let args = log.args(stopper, defaults).join(" ");
        bash.type_in(&format!("{CARBON_RUN} {probe} {args}\n"));
        let command = log.ready();
        let launcher = state(command).unwrap().1;
        Self {
            bash,
            log,
            command,
            launcher,
        }
    }

    fn lines(&self) -> Vec<String> {
        send(self.launcher, SENTINEL);
        self.log.up_to_sentinel()
    }

    /// Types ^Z, and waits for the shell's prompt.
    fn suspend(&mut self) {
        self.bash.type_in(CTRL_Z);
        self.bash.wait_for("Stopped");
        self.bash.wait_for("ready> ");
        until_state(self.command, "T");
        until_state(self.launcher, "T");
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        send(self.command, 9);
        send(self.launcher, libc::SIGCONT);
    }
}

#[test]
fn the_terminals_interrupt_and_quit_are_delivered_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = Foreground::start(folder.path(), 0, "0");
    for times in 1..=3 {
        job.bash.type_in(CTRL_C);
        until("the interrupt", || job.log.count(libc::SIGINT) >= times);
        job.bash.type_in(CTRL_BACKSLASH);
        until("the quit", || job.log.count(libc::SIGQUIT) >= times);
    }
    assert_eq!(job.lines(), ["2 128 0", "3 128 0"].repeat(3));
}

#[test]
fn a_new_window_size_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let job = Foreground::start(folder.path(), 0, "0");
    job.bash.resize(40);
    until("the window's signal", || job.log.count(libc::SIGWINCH) >= 1);
    assert_eq!(job.lines(), ["28 128 0"]);
}

#[test]
fn an_interrupt_ends_command_and_launcher_and_the_shell_sees_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = Foreground::start(folder.path(), 0, "2");
    job.bash.type_in(CTRL_C);
    job.bash.wait_for("ready> ");
    job.bash.type_in("echo stat''us=$?\n");
    job.bash.wait_for("status=130");
}

#[test]
fn a_suspended_job_is_listed_as_stopped_and_fg_resumes_it_with_one_continue() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = Foreground::start(folder.path(), 0, "20,21,22");
    for times in 1..=3 {
        job.suspend();
        job.bash.type_in("jobs\n");
        job.bash.wait_for("Stopped");
        job.bash.wait_for("ready> ");
        job.bash.type_in("fg\n");
        until("the continue", || job.log.count(libc::SIGCONT) >= times);
        until_state(job.launcher, "SR");
    }
    assert_eq!(job.lines(), ["18 0 0"; 3]);
}

#[test]
fn a_suspended_job_runs_on_in_the_background_and_is_killed_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = Foreground::start(folder.path(), 0, "15,20,21,22");
    job.suspend();
    job.bash.type_in("bg\n");
    until("the continue", || job.log.count(libc::SIGCONT) >= 1);
    assert_eq!(job.lines(), ["18 0 0"]);
    job.bash.type_in("kill %1; wait %1; echo stat''us=$?\n");
    job.bash.wait_for("status=143");
}

#[test]
fn a_program_that_tidies_up_and_then_stops_itself_gives_the_shell_its_prompt_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = Foreground::start(folder.path(), libc::SIGTSTP, "0");
    job.suspend();
    job.bash.type_in("fg\n");
    until("the continue", || job.log.count(libc::SIGCONT) >= 1);
    assert_eq!(job.lines(), ["20 128 0", "18 0 0"]);
}

#[test]
fn a_stopped_job_can_be_continued_by_the_launchers_process_id() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = Foreground::start(folder.path(), 0, "20,21,22");
    job.suspend();
    job.bash.type_in(&format!("kill -CONT {}\n", job.launcher));
    until_state(job.command, "SR");
    until("the continue", || job.log.count(libc::SIGCONT) == 1);
    assert_eq!(job.lines(), ["18 0 0"]);
}

#[test]
fn a_background_job_that_reads_the_terminal_stops_until_it_is_in_the_foreground() {
    let folder = tempfile::tempdir().unwrap();
    let mut bash = Terminal::bash(folder.path());
    bash.type_in(&format!(
        "{CARBON_RUN} sh -c 'read line; echo \"got <$line>\"' &\n"
    ));
    bash.wait_for("ready> ");
    stopped_job(&mut bash);
    bash.type_in("fg\n");
    bash.wait_for("read line");
    bash.type_in("words\n");
    bash.wait_for("got <words>");
    bash.wait_for("ready> ");
}

#[test]
fn a_background_job_that_may_not_write_to_the_terminal_stops_and_does_not_hang() {
    let folder = tempfile::tempdir().unwrap();
    let mut bash = Terminal::bash(folder.path());
    bash.type_in("stty tostop\n");
    bash.wait_for("ready> ");
    bash.type_in(&format!("{CARBON_RUN} sh -c 'echo writ\"\"ten; exit 9' &\n"));
    bash.wait_for("ready> ");
    stopped_job(&mut bash);
    bash.type_in("fg\n");
    bash.wait_for("written");
    bash.wait_for("ready> ");
    bash.type_in("echo stat''us=$?\n");
    bash.wait_for("status=9");
}

#[test]
fn a_shell_in_a_shell_controls_its_own_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let mut bash = Terminal::bash(folder.path());
    bash.type_in(&format!(
        "PS1='inner> ' {CARBON_RUN} bash --norc --noprofile -i\n"
    ));
    bash.wait_for("\ninner> ");
    bash.type_in("sleep 1000\n");
    let shell = bash.leader.id().cast_signed();
    let sleep = until_some("the sleep", || descendant(shell, "sleep"));
    bash.type_in(CTRL_Z);
    bash.wait_for("Stopped");
    bash.wait_for("inner> ");
    until_state(sleep, "T");
    send(sleep, 9);
    // A shell does not leave at once while it thinks that it has stopped jobs.
    bash.type_in("disown; exit 12\n");
    bash.wait_for("ready> ");
    bash.type_in("echo stat''us=$?\n");
    bash.wait_for("status=12");
}

#[test]
fn a_hangup_reaches_the_command_where_the_launcher_leads_the_session() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::within(folder.path());
    let mut command = Command::new(CARBON_RUN);
    command
        .arg(path())
        .args(log.args(0, "0"))
        .current_dir(folder.path());
    let mut terminal = Terminal::open(&mut command);
    let pid = log.ready();
    let launcher = terminal.leader.id().cast_signed();
    terminal.hang_up();
    until("the hangup", || {
        log.count(libc::SIGHUP) >= 1 && log.count(libc::SIGCONT) >= 1
    });
    send(launcher, SENTINEL);
    assert_eq!(log.up_to_sentinel(), ["1 0 0", "18 0 0"]);
    send(pid, 9);
}

/// Waits until `jobs` lists a stopped job.
fn stopped_job(bash: &mut Terminal) {
    let shell = bash.leader.id().cast_signed();
    let launcher = until_some("carbon-run", || descendant(shell, "carbon-run"));
    until_state(launcher, "T");
    bash.type_in("jobs\n");
    bash.wait_for("Stopped");
}

/// A descendant of `ancestor` with this name.
fn descendant(ancestor: i32, name: &str) -> Option<i32> {
    let children = std::fs::read_to_string(format!("/proc/{ancestor}/task/{ancestor}/children")).ok()?;
    children.split_whitespace().find_map(|child| {
        let child = child.parse().ok()?;
        let found = std::fs::read_to_string(format!("/proc/{child}/comm")).ok()?;
        if found.trim_end() == name {
            Some(child)
        } else {
            descendant(child, name)
        }
    })
}
