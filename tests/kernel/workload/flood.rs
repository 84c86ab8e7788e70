//! Packets to oneself: each one raises a soft interrupt (`NET_RX`), which is served on the sender's back.

use super::{Done, used};
use std::net::UdpSocket;
use std::path::Path;
use std::time::{Duration, Instant};

/// Packets between two looks at the clock.
const AT_ONCE: usize = 64;

/// Sends and receives until this thread has used so much CPU time.
pub(super) fn run(amount: Duration) -> Done {
    let end = used() + amount;
    exchange(|| used() < end)
}

/// The same until a file appears, half a minute at most.
pub(super) fn run_until(file: &Path) -> Done {
    let deadline = Instant::now() + Duration::from_secs(30);
    exchange(|| !file.exists() && Instant::now() < deadline)
}

fn exchange(mut go_on: impl FnMut() -> bool) -> Done {
    let (from, to) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    from.connect(to.local_addr()?)?;
    to.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut packet = [7; 1024];
    while go_on() {
        for _ in 0..AT_ONCE {
            from.send(&packet)?;
            to.recv(&mut packet)?;
        }
    }
    Ok(())
}
