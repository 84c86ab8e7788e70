//! The signals that came, read one by one; and sending one on.
#![expect(
    unsafe_code,
    reason = "signals with a value, and beyond 31, are sent by system call"
)]

use super::mask::Mask;
use super::policy::Received;
use std::fs::File;
use std::io;
use std::io::Read;
use std::mem::offset_of;
use std::os::fd::{AsRawFd, RawFd};

const RECORD: usize = size_of::<libc::signalfd_siginfo>();

/// Where blocked signals are read.
#[derive(Debug)]
pub(super) struct Signals(File);

impl Signals {
    /// Reads every signal that is blocked.
    pub(super) fn open() -> io::Result<Self> {
        Mask::ALL
            .descriptor()
            .map(|descriptor| Self(File::from(descriptor)))
    }

    /// The next one; [`io::ErrorKind::WouldBlock`] when none waits.
    pub(super) fn read(&self) -> io::Result<Received> {
        let mut record = [0_u8; RECORD];
        // The kernel hands out whole records (signalfd(2)).
        (&self.0).read_exact(&mut record)?;
        Ok(Received {
            signal: i32::from_ne_bytes(field(&record, offset_of!(libc::signalfd_siginfo, ssi_signo))),
            code: i32::from_ne_bytes(field(&record, offset_of!(libc::signalfd_siginfo, ssi_code))),
            sender: u32::from_ne_bytes(field(&record, offset_of!(libc::signalfd_siginfo, ssi_pid))),
            value: u64::from_ne_bytes(field(&record, offset_of!(libc::signalfd_siginfo, ssi_ptr))),
        })
    }
}

impl AsRawFd for Signals {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

fn field<const N: usize>(record: &[u8; RECORD], offset: usize) -> [u8; N] {
    let mut bytes = [0; N];
    for (byte, found) in bytes.iter_mut().zip(record.iter().skip(offset)) {
        *byte = *found;
    }
    bytes
}

/// Sends a signal to one process, this one included.
pub(super) fn send(process: i32, signal: i32) -> io::Result<()> {
    // SAFETY: plain numbers; a signal to this process meets a default action or is blocked, never a handler of ours.
    let outcome = unsafe { libc::kill(process, signal) };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Sends a signal to one process with a value, which only the receiver knows how to take (a number or a pointer).
pub(super) fn queue(process: i32, signal: i32, value: u64) -> io::Result<()> {
    let value = libc::sigval {
        sival_ptr: std::ptr::without_provenance_mut(usize::try_from(value).unwrap_or_default()),
    };
    // SAFETY: plain numbers: the value is handed on and never followed.
    let outcome = unsafe { libc::sigqueue(process, signal, value) };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queued_signal_is_read_with_its_code_its_sender_and_its_value() {
        let before = Mask::only(50).block().unwrap();
        let signals = Signals::open().unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        // To this thread, since the test's other threads do not block it.
        // SAFETY: asks for a number.
        let thread = unsafe { libc::gettid() };
        // SAFETY: plain numbers.
        let outcome = unsafe { libc::syscall(libc::SYS_tgkill, own, thread, 50) };
        assert_eq!(outcome, 0);
        let received = signals.read().unwrap();
        assert_eq!(received.signal, 50);
        assert_eq!(received.code, libc::SI_TKILL);
        assert_eq!(received.sender, std::process::id());
        assert_eq!(signals.read().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        before.install().unwrap();
    }
}
