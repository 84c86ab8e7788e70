//! What goes wrong: floods, foreign text, other users, no socket, a launcher that is killed.

use crate::deadline::until;
use crate::{CARBON_RUN, Place, python, rights, text};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Stdio;

#[test]
fn a_flood_of_marks_costs_the_job_nothing_but_marks_and_the_run_its_samples_nothing() {
    if !python("a_flood_of_marks_costs_the_job_nothing_but_marks_and_the_run_its_samples_nothing") {
        return;
    }
    let place = Place::new();
    // As fast as one process can, for a second; it waits where there is no room.
    let flood = "import os, socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
to, end, n = os.environ['CARBON_RUN_PHASE_SOCKET'], time.monotonic() + 1, 0
while time.monotonic() < end:
    s.sendto(b'start flood', to); s.sendto(b'stop flood', to); n += 2
s.sendto(b'nonsense', to)
print(n)";
    let run = place.run(&["--interval", "100ms"], &["python3", "-c", flood]);
    let sent: u64 = text(&run.output.stdout).trim().parse().unwrap();
    assert!(sent > 3_000, "{sent} is no flood");
    assert!(
        run.note("phase-marks-dropped").unwrap().contains("1000"),
        "{:#}",
        run.report
    );
    let times = run.phase("flood")["times"].as_u64().unwrap();
    assert!((500..3_000).contains(&times), "{times}");
    run.assert_adds_up();
    let recorded = fs::read_to_string(place.path("run.jsonl")).unwrap();
    let looks = recorded
        .lines()
        .filter(|line| line.starts_with("{\"observation\""))
        .count();
    // Every 10 ms at most, and every 100 ms at least, whatever comes; a busy machine makes it fewer.
    assert!((5..=160).contains(&looks), "{looks}");
}

#[test]
fn a_signal_reaches_the_job_in_the_middle_of_a_flood() {
    if !python("a_signal_reaches_the_job_in_the_middle_of_a_flood") {
        return;
    }
    let place = Place::new();
    let flood = "import os, signal, socket, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
open('begun', 'w').close()
while True: s.sendto(b'start flood', os.environ['CARBON_RUN_PHASE_SOCKET'])";
    let mut command = place.command(CARBON_RUN);
    let mut launcher = command
        .args(["-q", "--no-csv", "python3", "-c", flood])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = place.path("begun");
    until("the flood to begin", || begun.exists());
    let pid = nix::unistd::Pid::from_raw(i32::try_from(launcher.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_eq!(launcher.wait().unwrap().code(), Some(7));
}

#[test]
fn text_that_is_no_mark_is_counted_and_harms_nothing() {
    if !python("text_that_is_no_mark_is_counted_and_harms_nothing") {
        return;
    }
    let place = Place::new();
    let junk = "import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
to = os.environ['CARBON_RUN_PHASE_SOCKET']
for m in [b'', b'GET / HTTP/1.1', b'start \\xff', b'start ' + b'x' * 201, b'x' * 60000, b'start a\\nb', b'start caf\\xc3\\xa9']:
    s.sendto(m, to)";
    let run = place.run(&[], &["python3", "-c", junk]);
    assert_eq!(run.paths(), ["caf\u{e9}"]);
    let said = run.note("phase-marks-malformed").unwrap();
    assert!(said.starts_with("6 datagrams"), "{said}");
}

/// Nobody.
const STRANGER: u32 = 54_321;

#[test]
fn where_no_socket_can_be_made_the_run_goes_on_and_says_so() {
    if !rights::root("where_no_socket_can_be_made_the_run_goes_on_and_says_so") {
        return;
    }
    let place = Place::new();
    let binary = place.path("carbon-run");
    fs::copy(CARBON_RUN, &binary).unwrap();
    open_to_all(&place);
    // Its own directories under /tmp and /dev/shm are taken, the runtime directory is root's, and the temporary one is no address.
    let long = place.path(&"x".repeat(120));
    fs::create_dir(&long).unwrap();
    let taken = ["/tmp", "/dev/shm"].map(|base| PathBuf::from(format!("{base}/carbon-run-{STRANGER}")));
    taken.iter().for_each(|taken| fs::write(taken, "").unwrap());
    let script = format!(
        "{0} phase start lost && echo \"[$CARBON_RUN_PHASE_SOCKET]\" >&2",
        binary.display()
    );
    let output = place
        .command(&binary)
        .args(["--no-csv", "--json", "/dev/stdout", "-q", "sh", "-c", &script])
        .env("TMPDIR", &long)
        // A run around this one is not told of this one's phases.
        .env("CARBON_RUN_PHASE_SOCKET", "/outer/socket")
        .uid(STRANGER)
        .output();
    taken.iter().for_each(|taken| fs::remove_file(taken).unwrap());
    let output = output.unwrap();
    let said = text(&output.stderr);
    assert!(output.status.success() && said.contains("[]"), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let notes = report["quality"]["notes"].as_array().unwrap();
    let note = notes
        .iter()
        .find(|note| note["code"] == "phases-unavailable")
        .unwrap();
    assert!(
        note["message"]
            .as_str()
            .unwrap()
            .contains("is not a directory that is this user's alone"),
        "{note}"
    );
}

fn open_to_all(place: &Place) {
    for directory in [place.path("."), place.path("sockets")] {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn other_users_do_not_reach_the_socket_and_are_not_heard_if_they_do() {
    if !rights::root("other_users_do_not_reach_the_socket_and_are_not_heard_if_they_do")
        || !python("other_users_do_not_reach_the_socket_and_are_not_heard_if_they_do")
    {
        return;
    }
    let place = Place::new();
    open_to_all(&place);
    let script = format!(
        "import os, socket
to = os.environ['CARBON_RUN_PHASE_SOCKET']
def by_stranger(what):
    child = os.fork()
    if child == 0:
        os.setuid({STRANGER})
        try: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(what, to)
        except PermissionError: os._exit(13)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(by_stranger(b'start one'))
os.chmod(os.path.dirname(to), 0o755); os.chmod(to, 0o777)
print(by_stranger(b'start two'))"
    );
    let run = place.run(&[], &["python3", "-c", &script]);
    assert_eq!(text(&run.output.stdout), "13\n0\n");
    assert!(run.paths().is_empty());
    let said = run.note("phase-marks-refused").unwrap();
    assert_eq!(said, "a datagram of another user was refused");
}

#[test]
fn a_launcher_that_is_killed_harms_no_job_and_what_it_leaves_is_tidied() {
    let place = Place::new();
    let script = "touch begun; while [ ! -e stop ]; do sleep 0.01; done
        carbon-run phase start late 2> said; echo $? > status; carbon-run phase stop --strict late 2>> said; echo $? >> status; touch ended";
    let mut launcher = place
        .command(CARBON_RUN)
        .args(["-q", "--no-csv", "sh", "-c", script])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let [begun, ended] = ["begun", "ended"].map(|name| place.path(name));
    until("the job to begin", || begun.exists());
    launcher.kill().unwrap();
    launcher.wait().unwrap();
    fs::write(place.path("stop"), "").unwrap();
    until("the job to end", || ended.exists());
    assert_eq!(fs::read_to_string(place.path("status")).unwrap(), "0\n125\n");
    let said = fs::read_to_string(place.path("said")).unwrap();
    assert_eq!(
        said.matches("the run that this job is in takes no marks any more")
            .count(),
        2,
        "{said}"
    );

    let sockets = || fs::read_dir(place.path("sockets/carbon-run")).map_or(0, Iterator::count);
    assert_eq!(sockets(), 1);
    place.script("true");
    assert_eq!(sockets(), 1, "a young one may be about to be listened at");
    let old = "touch -h -d '2 hours ago' sockets/carbon-run/*";
    assert!(place.command("sh").args(["-c", old]).status().unwrap().success());
    place.script("true");
    assert_eq!(sockets(), 0);
}

#[test]
fn a_full_socket_holds_a_job_up_for_a_second_at_most() {
    let place = Place::new();
    let socket = UnixDatagram::bind(place.path("full")).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    sender.set_nonblocking(true).unwrap();
    while sender.send_to(b"stop", place.path("full")).is_ok() {}
    let output = place
        .command(CARBON_RUN)
        .args(["phase", "start", "train"])
        .env("CARBON_RUN_PHASE_SOCKET", place.path("full"))
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(text(&output.stderr).contains("does not read its marks"));
    drop(socket);
}
