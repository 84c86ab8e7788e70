//! The launcher as a library, in processes of one thread: each scenario below runs in a process of its own, started by
//! this same program.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]
#![expect(clippy::print_stdout, reason = "this is its own test harness")]

#[path = "support/deadline.rs"]
mod deadline;

use carbon_run::launch::{Ended, Event, Launch, SpawnError, end_as, sheltered};
use carbon_run::model::recording::Exit;
use nix::fcntl::{FcntlArg, fcntl};
use std::ffi::{OsStr, OsString};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitCode, ExitStatus};
use std::time::Duration;

type Scenario = (&'static str, fn() -> ExitCode, fn(ExitStatus) -> bool);

/// A sentence, what to run in a process of its own, and how that has to end.
const SCENARIOS: [Scenario; 8] = [
    (
        "orphans_of_the_job_are_reaped_with_their_cpu_time",
        orphans,
        succeeds,
    ),
    (
        "children_from_before_the_launch_are_not_the_jobs",
        strangers,
        succeeds,
    ),
    (
        "without_adoption_no_other_child_is_waited_for",
        no_adoption,
        succeeds,
    ),
    (
        "waiting_for_an_event_can_be_given_up_without_losing_it",
        given_up,
        succeeds,
    ),
    (
        "a_signal_after_the_commands_end_does_not_keep_from_ending_as_it_ended",
        late_signals,
        ends_with_33,
    ),
    (
        "a_failed_launch_leaves_signals_as_they_were",
        failed_launch,
        dies_of_sigterm,
    ),
    ("a_process_of_several_threads_is_refused", threads, succeeds),
    (
        "a_librarys_thread_and_descriptors_stay_out_of_the_launch",
        library,
        ends_with_33,
    ),
];

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    if let (Some(marker), Some(name)) = (args.next(), args.next())
        && marker == "--scenario"
    {
        return SCENARIOS
            .iter()
            .find(|scenario| scenario.0 == name)
            .map_or(ExitCode::from(99), |scenario| scenario.1());
    }
    let filter: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let mut failed = 0;
    for (name, _, expected) in SCENARIOS {
        if !filter.is_empty() && !filter.iter().any(|word| name.contains(word)) {
            continue;
        }
        let status = scenario(name).status().unwrap();
        let verdict = if expected(status) { "ok" } else { "FAILED" };
        failed += i32::from(!expected(status));
        println!("test {name} ... {verdict} ({status})");
    }
    println!(
        "test result: {}. {failed} failed",
        if failed == 0 { "ok" } else { "FAILED" }
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn scenario(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--scenario", name]);
    command
}

fn succeeds(status: ExitStatus) -> bool {
    status.success()
}

fn ends_with_33(status: ExitStatus) -> bool {
    status.code() == Some(33)
}

fn dies_of_sigterm(status: ExitStatus) -> bool {
    status.signal() == Some(libc::SIGTERM)
}

fn shell(script: &str) -> Launch {
    Launch::new(OsStr::new("sh"), &[OsString::from("-c"), OsString::from(script)])
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

/// Uses up a second of CPU time or so, in a shell.
const BURN: &str = "i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done";

fn orphans() -> ExitCode {
    block_on(async {
        // The inner shell's child loses its parent at once, and outlives the command's own end.
        let script = format!("sh -c '({BURN}) & echo $! > /dev/null'; exit 4");
        let mut running = shell(&script).adopting_orphans().spawn().unwrap();
        let command = running.pid();
        let mut exited = None;
        loop {
            match running.next_event().await.unwrap() {
                Event::Exited(ended) => exited = Some(ended),
                Event::Reaped { pid, cpu } => {
                    assert_ne!(pid, command);
                    assert!(cpu.seconds() > 0.02, "{cpu:?}");
                    break;
                }
            }
        }
        let exited = match exited {
            Some(ended) => ended,
            None => expect_end(running.next_event().await.unwrap()),
        };
        assert_eq!(exited.exit, Exit::Code(4));
        assert!(exited.cpu.seconds() < 1.0);
        ExitCode::SUCCESS
    })
}

fn expect_end(event: Event) -> Ended {
    match event {
        Event::Exited(ended) => ended,
        Event::Reaped { .. } => panic!("{event:?}"),
    }
}

/// Becomes another life of this process, which has a child of the first one.
fn strangers() -> ExitCode {
    if std::env::var_os("REBORN").is_none() {
        let program = std::env::current_exe().unwrap();
        let name = "children_from_before_the_launch_are_not_the_jobs";
        let script = format!("({BURN}) & exec \"$0\" --scenario {name}");
        panic!(
            "{}",
            Command::new("sh")
                .args(["-c", &script])
                .arg(program)
                .env("REBORN", "1")
                .exec()
        );
    }
    block_on(async {
        let own = std::process::id();
        let children = std::fs::read_to_string(format!("/proc/self/task/{own}/children")).unwrap();
        let stranger: u32 = children.trim().parse().unwrap();
        let script = format!("while [ -e /proc/{stranger} ]; do sleep 0.01; done");
        let mut running = shell(&script).adopting_orphans().spawn().unwrap();
        // The command ends when the stranger is reaped, which is told of by no event.
        let ended = expect_end(running.next_event().await.unwrap());
        assert_eq!(ended.exit, Exit::Code(0));
        ExitCode::SUCCESS
    })
}

fn no_adoption() -> ExitCode {
    let mut stranger = Command::new("sh").args(["-c", "exit 8"]).spawn().unwrap();
    block_on(async {
        let mut running = shell("exit 2").spawn().unwrap();
        assert_eq!(
            expect_end(running.next_event().await.unwrap()).exit,
            Exit::Code(2)
        );
    });
    assert_eq!(stranger.wait().unwrap().code(), Some(8));
    ExitCode::SUCCESS
}

fn given_up() -> ExitCode {
    block_on(async {
        let mut running = shell("sleep 0.3; exit 5").spawn().unwrap();
        let mut ticker = tokio::time::interval(Duration::from_micros(100));
        let mut ticks = 0_u32;
        loop {
            tokio::select! {
                biased;
                _ = ticker.tick() => ticks += 1,
                event = running.next_event() => {
                    assert_eq!(expect_end(event.unwrap()).exit, Exit::Code(5));
                    assert!(ticks > 10);
                    return ExitCode::SUCCESS;
                }
            }
        }
    })
}

fn late_signals() -> ExitCode {
    let ended = block_on(async {
        let mut running = shell("exit 33").spawn().unwrap();
        expect_end(running.next_event().await.unwrap())
    });
    let own = std::process::id().to_string();
    for signal in ["TERM", "INT", "HUP", "USR1", "TERM"] {
        let status = Command::new("kill")
            .args([&format!("-{signal}"), &own])
            .status()
            .unwrap();
        assert!(status.success());
    }
    end_as(ended.exit)
}

/// What NVIDIA's library does when it is loaded.
fn library() -> ExitCode {
    let (say, heard) = std::sync::mpsc::channel::<()>();
    let (other, number) = sheltered(|| {
        let file = std::fs::File::open("/dev/null").unwrap();
        let file = fcntl(&file, FcntlArg::F_DUPFD(100)).unwrap();
        (std::thread::spawn(move || heard.recv()), file)
    });
    let folder = tempfile::tempdir().unwrap();
    let ready = folder.path().join("ready");
    // Not of the job. What it sends goes to the process, and any thread that does not block it would do.
    let mut sender = Command::new("sh")
        .args([
            "-c",
            "until [ -e \"$0\" ]; do sleep 0.01; done; kill -USR1 \"$1\"",
        ])
        .arg(&ready)
        .arg(std::process::id().to_string())
        .spawn()
        .unwrap();
    let script = format!(
        "trap 'exit 33' USR1; [ ! -e /proc/self/fd/{number} ] || exit 1
         : > '{}'; i=0; while [ $i -lt 6000 ]; do sleep 0.01; i=$((i+1)); done",
        ready.display()
    );
    let ended = block_on(async {
        let mut running = shell(&script).spawn().unwrap();
        expect_end(running.next_event().await.unwrap())
    });
    assert!(number >= 100);
    assert!(sender.wait().unwrap().success());
    drop(say);
    assert!(other.join().unwrap().is_err());
    end_as(ended.exit)
}

fn failed_launch() -> ExitCode {
    block_on(async {
        let launch = Launch::new(OsStr::new("carbon-no-such-command"), &[]);
        let error = launch.spawn().unwrap_err();
        assert!(matches!(error, SpawnError::NotFound { .. }), "{error}");
    });
    let own = std::process::id().to_string();
    Command::new("kill").args(["-TERM", &own]).status().unwrap();
    deadline::until("the signal to end this process", || false);
    ExitCode::FAILURE
}

fn threads() -> ExitCode {
    let (say, heard) = std::sync::mpsc::channel::<()>();
    let (started, is_started) = std::sync::mpsc::channel();
    let other = std::thread::spawn(move || {
        // Until it runs, a thread has every signal blocked.
        started.send(()).unwrap();
        heard.recv()
    });
    is_started.recv().unwrap();
    let refused = block_on(async { shell("exit 0").spawn().unwrap_err() });
    assert!(matches!(refused, SpawnError::Threads(2)), "{refused}");
    assert_eq!(refused.exit_code(), 125);
    drop(say);
    assert!(other.join().unwrap().is_err());
    ExitCode::SUCCESS
}
