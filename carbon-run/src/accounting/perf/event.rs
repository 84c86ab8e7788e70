//! `perf_event_open` for one kind of event: the software clock of tasks.
#![expect(unsafe_code, reason = "perf_event_open has no wrapper in the C library")]

use crate::model::units::CpuTime;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{FromRawFd, OwnedFd};

// include/uapi/linux/perf_event.h
const PERF_TYPE_SOFTWARE: u32 = 1;
const PERF_COUNT_SW_TASK_CLOCK: u64 = 1;
const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 1 << 3;
const DISABLED: u64 = 1 << 0;
const INHERIT: u64 = 1 << 1;
const EXCLUDE_KERNEL: u64 = 1 << 5;
const EXCLUDE_HV: u64 = 1 << 6;
const ENABLE_ON_EXEC: u64 = 1 << 12;

/// `struct perf_event_attr` as of PERF_ATTR_SIZE_VER0, which every kernel takes.
#[repr(C)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    breakpoint_type: u32,
    config1: u64,
}

const _: () = assert!(size_of::<Attributes>() == 64, "PERF_ATTR_SIZE_VER0");

/// The time on a CPU of whatever this thread's children become.
///
/// The event stands on the calling thread, disabled, so that the thread itself is never counted. A process that it
/// forks off inherits the event, disabled, and it is enabled when that process execs: from the command's first
/// instruction on. What the command makes inherits an event that is enabled.
#[derive(Debug)]
pub(super) struct Event(File);

impl Event {
    /// Opens it on one CPU, or on whichever (`None`).
    pub(super) fn open(cpu: Option<u32>) -> io::Result<Self> {
        let attributes = Attributes {
            kind: PERF_TYPE_SOFTWARE,
            size: 64,
            config: PERF_COUNT_SW_TASK_CLOCK,
            sample_period: 0,
            sample_type: 0,
            read_format: 0,
            // At `perf_event_paranoid` 2 only who leaves the kernel out may count. A task clock counts both all the same:
            // what is left out concerns samples (kernel/events/core.c, `task_clock_event_update`).
            flags: DISABLED | INHERIT | EXCLUDE_KERNEL | EXCLUDE_HV | ENABLE_ON_EXEC,
            wakeup_events: 0,
            breakpoint_type: 0,
            config1: 0,
        };
        let cpu = cpu.map_or(Ok(-1), i32::try_from).map_err(io::Error::other)?;
        let (this_thread, no_group) = (0, -1);
        // SAFETY: a live attribute block of the size that it names; the other arguments are numbers.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                &raw const attributes,
                this_thread,
                cpu,
                no_group,
                PERF_FLAG_FD_CLOEXEC,
            )
        };
        let fd = i32::try_from(fd).unwrap_or(-1);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just opened for us, and nobody else knows it.
        Ok(Self(File::from(unsafe { OwnedFd::from_raw_fd(fd) })))
    }

    /// Moves the descriptor to a number of at least `lowest`.
    pub(super) fn lifted(self, lowest: i32) -> io::Result<Self> {
        let fd = nix::fcntl::fcntl(&self.0, nix::fcntl::FcntlArg::F_DUPFD_CLOEXEC(lowest))?;
        // SAFETY: just opened for us, and nobody else knows it.
        Ok(Self(File::from(unsafe { OwnedFd::from_raw_fd(fd) })))
    }

    /// The time so far, of the living and of those that have ended, in-flight time included.
    pub(super) fn read(&self) -> io::Result<CpuTime> {
        let mut count = [0; 8];
        // A short read is an event that has failed, which has no value (perf_read, kernel/events/core.c).
        (&self.0).read_exact(&mut count)?;
        Ok(CpuTime(u64::from_ne_bytes(count)))
    }
}
