//! The one conductor: opens sinks, meters and accounting, starts the command, samples, closes.

mod account;
mod allocation;
pub mod beyond;
mod by_daemon;
mod cadence;
pub mod calibrate;
pub mod checkpoints;
pub mod checkup;
mod clocks;
pub mod cpu_table;
pub mod electricity;
mod gpus;
mod in_force;
pub mod kept_runs;
mod live;
mod memory_watch;
mod observer;
mod phases;
mod power_store;
mod prepare;
pub mod publishing;
pub mod results;
mod under_slurm;
mod unsent;
mod whereabouts;

pub use prepare::modelled;

use crate::accounting::Closing;
use crate::host;
use crate::launch::{Ended, Event, Interruptions, Launch, Running, SpawnError, WaitError};
use crate::model::assemble::Assembler;
use crate::model::journal::Line;
use crate::model::recording::{Arg, Exit, Note, Tail};
use crate::model::report::RunReport;
use crate::model::slurm::SlurmTask;
use crate::model::units::Moment;
use crate::phase;
use crate::settings::Settings;
use crate::sink::Screen;
use account::Account;
use cadence::Cadence;
use checkpoints::Checkpoints;
use live::Live;
use observer::Observer;
use phases::Marks;
use power_store::PowerStore;
use prepare::{NotPrepared, Prepared};
use results::Results;
use std::ffi::{OsStr, OsString};
use std::time::Duration;

/// How often it is looked whether descendants that are waited for still live.
const LINGER: Duration = Duration::from_millis(20);

/// The variable by which a command and its descendants know that they are measured, and as which run.
pub const RUN_ID: &str = "CARBON_RUN_ID";

/// Why a command was not started.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// carbon-run could not get ready.
    #[error(transparent)]
    Prepare(#[from] NotPrepared),
    /// The command could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// No event loop.
    #[error("cannot wait for signals and timers: {0}")]
    Runtime(#[source] std::io::Error),
}

impl NotStarted {
    /// The exit status that tells of it: 125 our own failure, 126 not executable, 127 not found.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Spawn(error) => error.exit_code(),
            Self::Prepare(_) | Self::Runtime(_) => 125,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Prepare(error) => error.hint(),
            Self::Spawn(error) => error.hint(),
            Self::Runtime(_) => None,
        }
    }
}

/// Runs the command and says how it ended. Whatever goes wrong with the measurement after the start is told and does
/// not change that.
///
/// # Errors
/// When the command was not started.
pub fn run(settings: &Settings) -> Result<Exit, NotStarted> {
    let mut screen = Screen::stderr();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(NotStarted::Runtime)?;
    let run_id = uuid::Uuid::new_v4().to_string();
    let task = SlurmTask::of(&host::slurm(std::env::vars_os()));
    let settings = &under_slurm::placed(settings, task.as_ref(), &run_id);
    let results = Results::open(settings, &mut screen)?;
    let prepared = prepare::prepare(settings, run_id.clone())?;
    let conditions = prepared.head.power.conditions.clone();
    let mut checkpoints = Checkpoints::of(settings, &results, &run_id);
    let conducted = conduct(settings, prepared, &results, &mut checkpoints, &mut screen);
    let (exit, report) = runtime.block_on(conducted)?;
    if let Some(report) = report {
        checkpoints.stop();
        results.deliver(&report, &mut screen);
        PowerStore::of(settings).learn(&conditions, &report);
        checkpoints.remove();
        let interruptions = Interruptions::from_now_on();
        publishing::publish(settings, &report, &mut screen, &|| interruptions.any());
    }
    Ok(exit)
}

async fn conduct(
    settings: &Settings,
    prepared: Prepared,
    results: &Results,
    checkpoints: &mut Checkpoints,
    screen: &mut Screen,
) -> Result<(Exit, Option<RunReport>), NotStarted> {
    let Prepared {
        head,
        intensity,
        mut observer,
        shortest_wrap,
        longest_pause,
        live,
    } = prepared;
    let known = head.choices.live.clone();
    let live = live
        .zip(known)
        .map(|(plan, known)| Live::new(plan, head.started_at_unix_ns, &known, clocks::now()));
    let mut account = Account {
        journal: results.journal(),
        books: Assembler::open(head.clone(), intensity),
        marks: Marks::open(&head.run_id),
        marked: Moment(0),
        seen: Moment(0),
        notes: Vec::new(),
        live,
    };
    account.journal.write(&Line::Head(&head));

    account.enter(&mut observer, Moment(0));
    let started = clocks::now();
    let mut running = start(settings, &head.run_id, account.marks.value(), &mut observer)?;
    if let Some(live) = &mut account.live {
        live.ask();
    }
    let mut cadence = Cadence::new(settings.interval, shortest_wrap, longest_pause, started);
    let ended = loop {
        // Before any event: a job that never stops making orphans must not keep the counters from being read.
        let left = cadence.left(clocks::now());
        if left.is_zero() {
            let before = clocks::own_cpu();
            account.enter(&mut observer, started);
            cadence.sampled(clocks::now(), clocks::own_cpu().saturating_sub(before));
            if account.is_behind() {
                cadence.look_again(clocks::now());
            }
            checkpoints.sampled(clocks::now(), started, &account.books);
            continue;
        }
        tokio::select! {
            biased;
            event = running.next_event() => match event {
                Ok(Event::Exited(ended)) => {
                    observer.reaped(running.pid(), ended.cpu);
                    break Ok(ended);
                }
                Ok(Event::Reaped { pid, cpu }) => observer.reaped(pid, cpu),
                Err(error) => break Err(error),
            },
            () = tokio::time::sleep(left) => {}
            () = tokio::time::sleep(observer.until_glance(started)) => observer.glance(),
            // Last: however many there are, nothing else has to wait for them.
            () = account.marks.readable() => {
                if account.marks.read() {
                    cadence.boundary(clocks::now());
                }
            }
        }
    };
    let ended = match ended {
        Ok(ended) => ended,
        // The command runs on, but we can neither see its end nor pass signals on.
        Err(error) => return Ok((lost_sight(&error, screen), None)),
    };
    if settings.wait_tree {
        linger(
            &mut running,
            &mut observer,
            &mut cadence,
            &mut account,
            |observer, account| {
                account.enter(observer, started);
                checkpoints.sampled(clocks::now(), started, &account.books);
            },
        )
        .await;
    }
    let at = clocks::now();
    observer.expect_last();
    account.enter(&mut observer, started);
    account.settle();

    let Account {
        mut journal,
        books,
        marks,
        mut notes,
        live,
        ..
    } = account;
    notes.extend(live.and_then(|live| live.trouble()));
    let closing = observer.close(running.pid());
    notes.extend(closing.notes.iter().cloned());
    notes.extend(observer.take_notes());
    notes.extend(marks.notes());
    notes.extend(checkpoints.trouble());
    let tail = tail(started, at, ended, closing, notes);
    journal.write(&Line::Tail(&tail));
    let mut report = books.close(Some(&tail));
    if let Some(note) = journal.finish() {
        // It does not degrade this report, so the summary would leave it out; the person counts on the recording.
        screen.tell(&note);
        report.quality.notes.push(note);
    }
    Ok((ended.exit, Some(report)))
}

/// Starts the command as a member from its first instruction on.
fn start(
    settings: &Settings,
    run_id: &str,
    phases: Option<OsString>,
    observer: &mut Observer,
) -> Result<Running, NotStarted> {
    let (program, arguments) = settings.command.split_first().ok_or(NotPrepared::NoCommand)?;
    let mut launch = Launch::new(program, arguments).variable(OsStr::new(RUN_ID), OsStr::new(run_id));
    if let Some(socket) = phases {
        launch = launch.variable(OsStr::new(phase::VARIABLE), &socket);
    }
    if observer.adopts_orphans() {
        launch = launch.adopting_orphans();
    }
    if let Some(entrance) = observer.entrance().map_err(NotPrepared::Accounting)? {
        launch = launch.through(entrance);
    }
    observer.arm().map_err(NotPrepared::Accounting)?;
    let spawned = launch.spawn();
    let child = spawned.as_ref().map_or(0, Running::pid);
    let disarmed = observer.disarm(child);
    let running = spawned?;
    if let Err(error) = disarmed {
        // The command runs; what carbon-run itself does from here on is counted as the job's.
        observer.note(
            "disarm",
            format!("carbon-run's own work is counted as the job's: {error}"),
        );
    }
    Ok(running)
}

/// Goes on measuring until no descendant is left.
async fn linger(
    running: &mut Running,
    observer: &mut Observer,
    cadence: &mut Cadence,
    account: &mut Account,
    mut enter: impl FnMut(&mut Observer, &mut Account),
) {
    while observer.living() > 0 {
        tokio::select! {
            biased;
            event = running.next_event() => match event {
                Ok(Event::Reaped { pid, cpu }) => observer.reaped(pid, cpu),
                Ok(Event::Exited(_)) => {}
                Err(_) => return,
            },
            () = tokio::time::sleep(LINGER) => {}
            () = account.marks.readable() => {
                if account.marks.read() {
                    cadence.boundary(clocks::now());
                }
            }
        }
        if cadence.left(clocks::now()).is_zero() {
            let before = clocks::own_cpu();
            enter(observer, account);
            cadence.sampled(clocks::now(), clocks::own_cpu().saturating_sub(before));
        }
    }
}

fn lost_sight(error: &WaitError, screen: &mut Screen) -> Exit {
    screen.tell(&Note {
        code: "lost-sight".to_owned(),
        message: format!("the command runs on, but carbon-run lost sight of it: {error}"),
        hint: None,
        degrades: true,
    });
    Exit::Code(125)
}

fn tail(
    started: Moment,
    ended: Moment,
    Ended {
        exit,
        cpu,
        peak_rss_bytes,
    }: Ended,
    closing: Closing,
    notes: Vec<Note>,
) -> Tail {
    Tail {
        started,
        ended,
        exit,
        process_count: closing.process_count,
        rusage_cpu: Some(cpu),
        peak_rss_bytes: (peak_rss_bytes > 0).then_some(peak_rss_bytes),
        processes: closing.processes,
        unlisted: closing.unlisted,
        survivors: closing.survivors,
        lost: closing.lost,
        notes,
    }
}

/// A command's words as a recording keeps them.
fn words(settings: &Settings) -> Vec<Arg> {
    settings
        .command
        .iter()
        .map(|word| Arg::from(word.as_os_str()))
        .collect()
}
