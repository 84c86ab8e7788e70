//! Which processes hold a card, found without looking at every descriptor of the machine at every look.
//!
//! Who was seen to hold one is looked at every time. For the others' descriptors there is a budget: new processes first,
//! then those that have longest not been looked at, and a process the more rarely the longer it is known.

use super::fdinfo::{self, Client};
use super::file;
use crate::model::units::Moment;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// CPU time for it: at a look once a second a thousandth of the time.
const BUDGET: Duration = Duration::from_millis(1);
/// The first look, before the job starts.
const FIRST_BUDGET: Duration = Duration::from_millis(10);
/// A process is searched again after this part of the time for which it has been known...
const AGAIN: u32 = 4;
/// ...and after so long at the latest, as far as the budget goes.
const AT_LATEST: Duration = Duration::from_secs(10);

/// The inode of the first process namespace (`PROC_PID_INIT_INO`, include/linux/proc_ns.h).
const FIRST_NAMESPACE: &str = "pid:[4026531836]";
/// The parent of all kernel threads, which hold no descriptors.
const KTHREADD: u32 = 2;

/// Everybody in `/proc`.
#[derive(Debug)]
pub(super) struct Processes {
    proc: PathBuf,
    known: BTreeMap<u32, Process>,
    /// Whether there has been a look.
    looked: bool,
    /// Whether there are processes that `/proc` does not show: those outside a container's namespace, or other users'.
    outside: bool,
}

#[derive(Debug)]
struct Process {
    first: Moment,
    first_searched: Option<Moment>,
    searched: Option<Moment>,
    /// Whether it was there before we began to look.
    old: bool,
    /// Whether its descriptors may not be looked at.
    refused: bool,
    kfd: bool,
    /// Its descriptors of cards, and the minor number of each.
    cards: Vec<(u32, Option<u32>)>,
}

/// A client, and the descriptor it was found by.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) pid: u32,
    /// Minor number of the file in `/dev/dri`.
    pub(super) minor: Option<u32>,
    pub(super) client: Client,
    pub(super) at: Moment,
    /// Whether it came after we began to look.
    pub(super) fresh: bool,
    /// Whether the process has opened KFD.
    pub(super) kfd: bool,
}

/// What a look has found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) held: Vec<Held>,
    /// Whether there may be holders that were not seen.
    pub(super) unseen: bool,
}

impl Processes {
    pub(super) fn under(sysroot: &Path) -> Self {
        let proc = sysroot.join("proc");
        let namespace = fs::read_link(proc.join("self/ns/pid"));
        let first = namespace.is_ok_and(|name| name.as_os_str() == FIRST_NAMESPACE);
        // `hidepid` shows nobody but one's own processes, and so not the first one.
        let outside = !first || !proc.join("1").exists();
        Self {
            proc,
            known: BTreeMap::new(),
            looked: false,
            outside,
        }
    }

    /// Whether the numbers in `/proc` are those that drivers use.
    pub(super) fn are_numbered_by_host(&self) -> bool {
        !self.outside
    }

    /// Everybody who holds a card, as far as the budget goes.
    pub(super) fn look(&mut self, now: &mut dyn FnMut() -> Moment) -> Result<Found, String> {
        let started = own_time();
        let at = now();
        self.list(at)?;
        let budget = if self.looked { BUDGET } else { FIRST_BUDGET };
        for pid in self.due(at) {
            if own_time().saturating_sub(started) > budget {
                break;
            }
            self.search(pid, at);
        }
        self.looked = true;
        let mut held = Vec::new();
        for (pid, process) in &mut self.known {
            let before = held.len();
            let fresh = !process.old || process.first_searched.is_some_and(|first| first < at);
            process.cards.retain(|(descriptor, minor)| {
                let path = self.proc.join(format!("{pid}/fdinfo/{descriptor}"));
                let client = file::text(&path).ok().and_then(|text| fdinfo::parse(&text));
                let found = client.is_some();
                held.extend(client.map(|client| Held {
                    pid: *pid,
                    minor: *minor,
                    client,
                    at: now(),
                    fresh,
                    kfd: process.kfd,
                }));
                found
            });
            if held.len() == before {
                process.kfd = false;
            }
        }
        let unseen = self.outside
            || self
                .known
                .values()
                .any(|process| process.refused || process.searched.is_none());
        Ok(Found { held, unseen })
    }

    fn list(&mut self, at: Moment) -> Result<(), String> {
        let entries = fs::read_dir(&self.proc).map_err(|error| file::failed(&self.proc, &error))?;
        let pids: Vec<u32> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        let mut before = std::mem::take(&mut self.known);
        for pid in pids {
            let process = before.remove(&pid).unwrap_or(Process {
                first: at,
                first_searched: None,
                searched: None,
                old: !self.looked,
                refused: false,
                kfd: false,
                cards: Vec::new(),
            });
            self.known.insert(pid, process);
        }
        Ok(())
    }

    /// Whose descriptors are to be searched, the most urgent first.
    fn due(&self, at: Moment) -> Vec<u32> {
        let mut due: Vec<(bool, Option<Moment>, u32)> = self
            .known
            .iter()
            .filter(|(_, process)| {
                process.searched.is_none_or(|searched| {
                    let pause = (at.since(process.first) / AGAIN).min(AT_LATEST);
                    at.since(searched) >= pause
                })
            })
            // Nobody is as likely to be of the job as who came after we began.
            .map(|(pid, process)| (process.old, process.searched, *pid))
            .collect();
        due.sort();
        due.into_iter().map(|(.., pid)| pid).collect()
    }

    fn search(&mut self, pid: u32, at: Moment) {
        let Some(process) = self.known.get_mut(&pid) else {
            return;
        };
        let directory = self.proc.join(pid.to_string());
        match descriptors(&directory.join("fd")) {
            Ok(found) => {
                process.refused = false;
                process.kfd = found.kfd;
                process.cards = found.cards;
            }
            // It has ended, and at the next look is not listed any more.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => {}
            Err(_) => {
                process.refused = !is_kernel_thread(pid, &directory);
                process.cards.clear();
            }
        }
        process.first_searched.get_or_insert(at);
        process.searched = Some(at);
    }
}

/// CPU time of this thread.
fn own_time() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map_or(Duration::ZERO, Duration::from)
}

struct Descriptors {
    kfd: bool,
    cards: Vec<(u32, Option<u32>)>,
}

/// The descriptors of cards among a process's.
fn descriptors(directory: &Path) -> io::Result<Descriptors> {
    let mut found = Descriptors {
        kfd: false,
        cards: Vec::new(),
    };
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // It may have been closed meanwhile.
        let Ok(target) = fs::read_link(entry.path()) else {
            continue;
        };
        if target.as_os_str() == "/dev/kfd" {
            found.kfd = true;
        }
        if let Ok(node) = target.strip_prefix("/dev/dri")
            && let Some(descriptor) = entry.file_name().to_str().and_then(|name| name.parse().ok())
        {
            let node = node.to_string_lossy();
            let number = node.trim_start_matches(|letter: char| !letter.is_ascii_digit());
            found.cards.push((descriptor, number.parse().ok()));
        }
    }
    found.cards.sort_unstable();
    Ok(found)
}

/// Not every user may look at a kernel thread's descriptors, of which it has none.
fn is_kernel_thread(pid: u32, directory: &Path) -> bool {
    // The fourth field of proc(5)'s stat; the name before it ends at the last parenthesis.
    let parent = || -> Option<u32> {
        let stat = file::text(&directory.join("stat")).ok()?;
        let (_, rest) = stat.rsplit_once(')')?;
        rest.split_ascii_whitespace().nth(1)?.parse().ok()
    };
    pid == KTHREADD || parent() == Some(KTHREADD)
}
