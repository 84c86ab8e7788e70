//! Tasks that switch as often as they can.

use super::{Done, burn, pin};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Threads on one CPU that give it to each other without end; together they use it all.
pub(super) fn yielding(cpu: usize, threads: usize, amount: Duration) -> Done {
    pin(cpu)?;
    let end = Instant::now() + amount;
    let workers: Vec<_> = (0..threads)
        .map(|_| {
            thread::spawn(move || {
                while Instant::now() < end {
                    thread::yield_now();
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().map_err(|_| "a thread failed")?;
    }
    Ok(())
}

/// Works and sleeps for the same short time in turn, until a file appears, half a minute at most.
pub(super) fn on_and_off(cpu: usize, each: Duration, file: &Path) -> Done {
    pin(cpu)?;
    let deadline = Instant::now() + Duration::from_secs(30);
    while !file.exists() && Instant::now() < deadline {
        for _ in 0..100 {
            burn(each);
            thread::sleep(each);
        }
    }
    Ok(())
}
