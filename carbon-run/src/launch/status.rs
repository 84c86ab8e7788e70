//! Ending as the command ended.

use super::inherited::set_ignored;
use super::mask::Mask;
use super::signals::send;
use crate::model::recording::Exit;
use std::process::ExitCode;

/// What a shell adds to a signal's number where it has to tell of a death in an exit code.
const BY_SIGNAL: i32 = 128;

/// The last call of `main`, whose result `main` returns.
///
/// A command that ended by itself: its exit code. One that was killed: this process dies of the same signal, so that
/// whoever waits sees the same, and without a core dump, for the dump of interest is the command's. Only where that
/// signal cannot kill (the first process of a PID namespace, pid_namespaces(7)) does this return 128 and the signal's
/// number.
///
/// Until this call, signals that were sent to the launcher stay blocked; it unblocks none but that one.
#[must_use]
pub fn end_as(exit: Exit) -> ExitCode {
    match exit {
        Exit::Code(code) => exit_code(code),
        Exit::Signal(signal) => {
            die_of(signal);
            exit_code(BY_SIGNAL + signal)
        }
    }
}

/// Only the low 8 bits of an exit status reach the parent (wait(2)).
fn exit_code(code: i32) -> ExitCode {
    let [low, ..] = code.to_le_bytes();
    ExitCode::from(low)
}

/// Returns only where the signal cannot kill. Whatever fails on the way is answered by the exit code.
fn die_of(signal: i32) {
    nix::sys::prctl::set_dumpable(false).ok();
    // Refused for SIGKILL, which needs it not.
    set_ignored(signal, false).ok();
    send(nix::unistd::getpid().as_raw(), signal).ok();
    Mask::only(signal).unblock().ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_is_handed_on_in_its_low_eight_bits() {
        assert_eq!(end_as(Exit::Code(0)), ExitCode::SUCCESS);
        assert_eq!(end_as(Exit::Code(255)), ExitCode::from(255));
        assert_eq!(end_as(Exit::Code(256)), ExitCode::SUCCESS);
    }
}
