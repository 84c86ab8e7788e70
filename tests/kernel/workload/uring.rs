//! io_uring by its system calls: reads that the kernel hands to its workers (`IOSQE_ASYNC`), whose copying is CPU time of
//! threads that no fork hook sees.

use super::{Done, used};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

// include/uapi/linux/io_uring.h
const IORING_OFF_SQ_RING: i64 = 0;
const IORING_OFF_SQES: i64 = 0x1000_0000;
const IORING_ENTER_GETEVENTS: u32 = 1;
const IORING_FEAT_SINGLE_MMAP: u32 = 1;
const IORING_OP_READ: u8 = 22;
const IOSQE_ASYNC: u8 = 1 << 4;

const DEPTH: u32 = 4;
const BLOCK: usize = 8 << 20;

#[repr(C)]
#[derive(Default)]
struct Offsets {
    head: u32,
    tail: u32,
    mask: u32,
    entries: u32,
    flags_or_overflow: u32,
    dropped_or_cqes: u32,
    array_or_flags: u32,
    reserved: u32,
    user_address: u64,
}

#[repr(C)]
#[derive(Default)]
struct Parameters {
    sq_entries: u32,
    cq_entries: u32,
    flags: u32,
    sq_thread_cpu: u32,
    sq_thread_idle: u32,
    features: u32,
    wq_fd: u32,
    reserved: [u32; 3],
    sq: Offsets,
    cq: Offsets,
}

#[repr(C)]
#[derive(Default)]
struct Submission {
    opcode: u8,
    flags: u8,
    priority: u16,
    fd: i32,
    offset: u64,
    address: u64,
    length: u32,
    operation_flags: u32,
    user_data: u64,
    rest: [u64; 3],
}

struct Ring {
    fd: OwnedFd,
    parameters: Parameters,
    rings: *mut u8,
    submissions: *mut Submission,
}

impl Ring {
    fn open() -> io::Result<Self> {
        let mut parameters = Parameters::default();
        // SAFETY: a live parameter block of the kernel's layout.
        let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, DEPTH, &raw mut parameters) };
        let fd = i32::try_from(fd).unwrap_or(-1);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just opened for us.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        if parameters.features & IORING_FEAT_SINGLE_MMAP == 0 {
            return Err(io::Error::other("needs both rings in one mapping (Linux 5.4)"));
        }
        let completions = parameters.cq.dropped_or_cqes as usize + 16 * parameters.cq_entries as usize;
        let submitted = parameters.sq.array_or_flags as usize + 4 * parameters.sq_entries as usize;
        let rings = map(&fd, completions.max(submitted), IORING_OFF_SQ_RING)?;
        let submissions = map(&fd, 64 * parameters.sq_entries as usize, IORING_OFF_SQES)?.cast();
        Ok(Self {
            fd,
            parameters,
            rings,
            submissions,
        })
    }

    /// A word of the rings.
    fn word(&self, offset: u32) -> &AtomicU32 {
        // SAFETY: the kernel gave this offset, inside the mapping.
        let at = unsafe { self.rings.add(offset as usize) };
        // SAFETY: aligned, mapped as long as this process lives, and shared with the kernel only by atomic accesses.
        unsafe { AtomicU32::from_ptr(at.cast()) }
    }

    /// Submits a read and leaves it to a worker.
    fn read(&self, file: i32, into: &mut [u8], slot: u32) -> io::Result<()> {
        let tail = self.word(self.parameters.sq.tail).load(Ordering::Acquire);
        let index = tail & self.word(self.parameters.sq.mask).load(Ordering::Relaxed);
        let submission = Submission {
            opcode: IORING_OP_READ,
            flags: IOSQE_ASYNC,
            fd: file,
            address: into.as_mut_ptr() as u64,
            length: u32::try_from(into.len()).map_err(io::Error::other)?,
            user_data: u64::from(slot),
            ..Submission::default()
        };
        // SAFETY: `index` is below the number of entries.
        let at = unsafe { self.submissions.add(index as usize) };
        // SAFETY: inside the mapping, aligned, and the kernel reads it only after the tail has moved.
        unsafe { at.write(submission) };
        self.word(self.parameters.sq.array_or_flags + 4 * index)
            .store(index, Ordering::Relaxed);
        self.word(self.parameters.sq.tail)
            .store(tail.wrapping_add(1), Ordering::Release);
        self.enter(1, 0)
    }

    /// Waits for a read to be done: which, and how many bytes.
    fn done(&self) -> io::Result<(u32, u32)> {
        let head = self.word(self.parameters.cq.head).load(Ordering::Relaxed);
        while self.word(self.parameters.cq.tail).load(Ordering::Acquire) == head {
            self.enter(0, 1)?;
        }
        let index = head & self.word(self.parameters.cq.mask).load(Ordering::Relaxed);
        let entry = self.parameters.cq.dropped_or_cqes + 16 * index;
        let slot = self.word(entry).load(Ordering::Relaxed);
        let result = self.word(entry + 8).load(Ordering::Relaxed).cast_signed();
        self.word(self.parameters.cq.head)
            .store(head.wrapping_add(1), Ordering::Release);
        let count = u32::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))?;
        Ok((slot, count))
    }

    fn enter(&self, submit: u32, wait_for: u32) -> io::Result<()> {
        let fd = self.fd.as_raw_fd();
        let none = std::ptr::null::<libc::c_void>();
        // SAFETY: no signal mask; what was submitted points to buffers that outlive the reads.
        let result = unsafe {
            libc::syscall(
                libc::SYS_io_uring_enter,
                fd,
                submit,
                wait_for,
                IORING_ENTER_GETEVENTS,
                none,
                0_usize,
            )
        };
        if result < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }
}

fn map(fd: &OwnedFd, bytes: usize, offset: i64) -> io::Result<*mut u8> {
    // SAFETY: a new mapping at an address of the kernel's choice, never unmapped.
    let at = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_POPULATE,
            fd.as_raw_fd(),
            offset,
        )
    };
    if at == libc::MAP_FAILED {
        Err(io::Error::last_os_error())
    } else {
        Ok(at.cast())
    }
}

/// Lets workers copy until the process has used `amount`; what this thread itself used goes to `file`, in seconds.
pub(super) fn run(amount: Duration, file: &Path) -> Done {
    let zeros = fs::File::open("/dev/zero")?;
    let ring = Ring::open()?;
    let mut buffers: Vec<Vec<u8>> = (0..DEPTH).map(|_| vec![1; BLOCK]).collect();
    for (slot, buffer) in buffers.iter_mut().enumerate() {
        ring.read(zeros.as_raw_fd(), buffer, u32::try_from(slot)?)?;
    }
    let mut living = buffers.len();
    while living > 0 {
        let (slot, _) = ring.done()?;
        living -= 1;
        if super::clock(nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID) < amount {
            let buffer = buffers.get_mut(slot as usize).ok_or("an unknown read")?;
            ring.read(zeros.as_raw_fd(), buffer, slot)?;
            living += 1;
        }
    }
    fs::write(file, used().as_secs_f64().to_string())?;
    Ok(())
}
