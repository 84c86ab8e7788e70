//! One count of a PMU: opened by perf_event_open(2), read by read(2).
#![expect(
    unsafe_code,
    reason = "a system call that neither std nor nix wraps, and the descriptor that it returns"
)]

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{FromRawFd, OwnedFd};

/// What is counted, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventSpec {
    /// `type` of the PMU.
    pub pmu_type: u32,
    /// Which of its counts.
    pub config: u64,
    /// The CPU of whose package (or die) the count is.
    pub cpu: u32,
}

/// The start of `struct perf_event_attr` (include/uapi/linux/perf_event.h), which is all that version 0 of it had. The
/// kernel takes the rest for 0.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    /// 0: a reading is the count, 8 bytes, and nothing else.
    read_format: u64,
    /// 0: enabled at once, nothing excluded (the `power` PMU refuses every exclusion).
    flags: u64,
    wakeup_events: u32,
    breakpoint_type: u32,
    config1: u64,
}

/// From the same header: no program that is started inherits the descriptor.
const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 1 << 3;

/// `PERF_ATTR_SIZE_VER0`.
const _: () = assert!(size_of::<Attributes>() == 64);

/// Starts a count of everything on a CPU. It begins at 0.
///
/// # Errors
/// What the kernel says: `EACCES` without CAP_PERFMON where `kernel.perf_event_paranoid` is above 0, `ENOENT` or
/// `EINVAL` for a PMU or a count that it does not have, `ENODEV` for a CPU that is offline.
pub fn open_event(spec: &EventSpec) -> io::Result<OwnedFd> {
    let attributes = Attributes {
        kind: spec.pmu_type,
        size: u32::try_from(size_of::<Attributes>()).unwrap_or_default(),
        config: spec.config,
        ..Attributes::default()
    };
    let cpu = i32::try_from(spec.cpu).map_err(|_| io::Error::from(ErrorKind::InvalidInput))?;
    let (everybody, no_group): (libc::c_long, libc::c_long) = (-1, -1);
    // SAFETY: `attributes` is live, initialised and of the size that it states; the other arguments are numbers.
    let result = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            std::ptr::from_ref(&attributes),
            everybody,
            libc::c_long::from(cpu),
            no_group,
            PERF_FLAG_FD_CLOEXEC,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    let fd = i32::try_from(result).map_err(|_| io::Error::from(ErrorKind::InvalidData))?;
    // SAFETY: the kernel has just opened this descriptor for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A descriptor whose every reading is a count.
#[derive(Debug)]
pub(super) struct Count(File);

impl Count {
    pub(super) fn new(fd: OwnedFd) -> Self {
        Self(File::from(fd))
    }

    /// The count now, in ticks.
    ///
    /// # Errors
    /// When the kernel gives none. It gives nothing at all once the count is in error (perf_event_open(2)).
    pub(super) fn read(&self) -> io::Result<u64> {
        let mut bytes = [0; 8];
        loop {
            match (&self.0).read(&mut bytes) {
                Ok(8) => return Ok(u64::from_ne_bytes(bytes)),
                Ok(length) => {
                    let message = format!("the kernel gave {length} bytes of a count of 8");
                    return Err(io::Error::new(ErrorKind::UnexpectedEof, message));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
