//! A pinned loop that keeps a log of its own CPU clock against the common clock.

use super::{Done, burn, clock, pin, used};
use nix::time::ClockId;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Burns `amount` on `cpu`; the log has `CLOCK_MONOTONIC` and the thread's CPU time in nanoseconds, about twice a
/// millisecond.
pub(super) fn run(cpu: usize, amount: Duration, file: &Path) -> Done {
    pin(cpu)?;
    fs::write(file.with_extension("started"), "")?;
    let mut log = Vec::with_capacity(1 << 16);
    let end = used() + amount;
    while used() < end {
        // The two clocks cannot be read at once: the common one around the other tells how far apart they may be.
        let before = clock(ClockId::CLOCK_MONOTONIC);
        let mine = used();
        let after = clock(ClockId::CLOCK_MONOTONIC);
        if after - before < Duration::from_micros(50) {
            log.push((before.midpoint(after), mine));
        }
        burn(Duration::from_micros(500));
    }
    let mut text = String::new();
    for (at, mine) in log {
        writeln!(text, "{} {}", at.as_nanos(), mine.as_nanos())?;
    }
    let unfinished = file.with_extension("unfinished");
    fs::write(&unfinished, text)?;
    Ok(fs::rename(unfinished, file)?)
}

/// The same before all ordinary tasks of that CPU, so that it hardly ever switches.
pub(super) fn run_first(cpu: usize, amount: Duration, file: &Path) -> Done {
    pin(cpu)?;
    let parameters = libc::sched_param { sched_priority: 1 };
    // SAFETY: a live parameter block; 0 is the caller.
    if unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) } != 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    run(cpu, amount, file)
}

trait Midpoint {
    fn midpoint(self, other: Self) -> Self;
}

impl Midpoint for Duration {
    fn midpoint(self, other: Self) -> Self {
        self + (other - self) / 2
    }
}
