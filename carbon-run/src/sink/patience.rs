//! Waiting, but never for ever: for a lock, for a pipe with no room, for a reader.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The first and the longest pause between two attempts.
const PAUSES: (Duration, Duration) = (Duration::from_micros(500), Duration::from_millis(20));

/// Calls `attempt` until it gives something or the time is over. It is called once at least.
pub(super) fn until<T>(patience: Duration, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    let (mut pause, longest) = PAUSES;
    loop {
        if let Some(result) = attempt() {
            return Some(result);
        }
        let left = patience.saturating_sub(start.elapsed());
        if left.is_zero() {
            return None;
        }
        sleep(pause.min(left));
        pause = (pause * 2).min(longest);
    }
}

/// Writes all of it. A descriptor that does not block is retried for as long as `patience` without progress: the job may
/// have set `O_NONBLOCK` on the terminal that we share with it.
pub(super) fn write_all(mut to: impl Write, mut bytes: &[u8], patience: Duration) -> io::Result<()> {
    while !bytes.is_empty() {
        let attempt = until(patience, || match to.write(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) if error.kind() == ErrorKind::Interrupted => Some(Ok(None)),
            Ok(0) => Some(Err(ErrorKind::WriteZero.into())),
            Ok(count) => Some(Ok(Some(count))),
            Err(error) => Some(Err(error)),
        });
        let written = attempt.unwrap_or_else(|| Err(ErrorKind::WouldBlock.into()))?;
        bytes = bytes.get(written.unwrap_or(0)..).unwrap_or_default();
    }
    Ok(())
}

/// How an attempt to lock a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    /// It is ours until the file is closed.
    Held,
    /// Somebody else held it all the time.
    Stuck,
    /// The file system has no locks.
    Unsupported,
}

/// An exclusive lock (flock(2)) within `patience`.
pub(super) fn lock(file: &File, patience: Duration) -> Lock {
    let attempt = || match file.try_lock() {
        Ok(()) => Some(Lock::Held),
        Err(TryLockError::WouldBlock) => None,
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Interrupted => None,
        Err(TryLockError::Error(_)) => Some(Lock::Unsupported),
    };
    until(patience, attempt).unwrap_or(Lock::Stuck)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes three bytes at a time, and only every second attempt.
    #[derive(Default)]
    struct Reluctant {
        attempts: u32,
        taken: Vec<u8>,
    }

    impl Write for Reluctant {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.attempts += 1;
            if self.attempts % 2 == 1 {
                return Err(ErrorKind::WouldBlock.into());
            }
            let count = bytes.len().min(3);
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_descriptor_that_does_not_block_still_gets_every_byte() {
        let mut reluctant = Reluctant::default();
        write_all(&mut reluctant, b"every byte of it", Duration::from_secs(5)).unwrap();
        assert_eq!(reluctant.taken, b"every byte of it");
    }

    #[test]
    fn a_pipe_that_nobody_empties_is_given_up() {
        let (_reader, writer) = std::io::pipe().unwrap();
        let writer = File::from(std::os::fd::OwnedFd::from(writer));
        nix::fcntl::fcntl(
            &writer,
            nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK),
        )
        .unwrap();
        let flood = vec![0; 4 << 20];
        let error = write_all(&writer, &flood, Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn a_lock_that_is_never_released_does_not_hold_us_for_ever() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(lock(file.as_file(), Duration::ZERO), Lock::Held);
        let other = File::open(file.path()).unwrap();
        assert_eq!(lock(&other, Duration::from_millis(50)), Lock::Stuck);
        file.as_file().unlock().unwrap();
        assert_eq!(lock(&other, Duration::ZERO), Lock::Held);
    }
}
