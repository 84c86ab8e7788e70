//! A kernel array in our own address space: looked at without a system call, while the kernel writes it.
#![expect(unsafe_code, reason = "shared memory with the kernel")]

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

/// Plain old data: whole words, any bit pattern, no padding that matters.
///
/// # Safety
/// `Self` is `repr(C)`, its size is a multiple of 8, and every bit pattern is a value of it.
pub(super) unsafe trait Words: Copy + Default {}

// SAFETY: `repr(C)`, integers only; the layout is asserted in carbon-common.
unsafe impl Words for carbon_common::Slot {}
// SAFETY: as above.
unsafe impl Words for carbon_common::OnCpu {}
// SAFETY: as above.
unsafe impl Words for carbon_common::Census {}

/// An array map, mapped.
pub(super) struct Mapped<T> {
    start: NonNull<AtomicU64>,
    bytes: usize,
    len: u32,
    of: PhantomData<T>,
}

impl<T: Words> Mapped<T> {
    /// Maps an array map of `len` elements of type `T`, made with `BPF_F_MMAPABLE`.
    pub(super) fn map(fd: BorrowedFd<'_>, len: u32) -> io::Result<Self> {
        let bytes = len as usize * size_of::<T>();
        // SAFETY: a new mapping at an address of the kernel's choice; the kernel checks the length.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        Ok(Self {
            start,
            bytes,
            len,
            of: PhantomData,
        })
    }

    /// How many elements there are.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// A copy of an element, word by word: it may be torn where the kernel is writing, which a sequence count tells.
    pub(super) fn get(&self, index: u32) -> Option<T> {
        let mut copy = T::default();
        for (number, word) in self.words(index)?.iter().enumerate() {
            let value = word.load(Ordering::Acquire);
            let to = std::ptr::from_mut(&mut copy).cast::<u64>();
            // SAFETY: `number` is below `size_of::<T>() / 8`.
            let to = unsafe { to.add(number) };
            // SAFETY: inside `copy`, aligned, and any word is valid (`Words`).
            unsafe { to.write(value) };
        }
        Some(copy)
    }

    /// Sets an element. For before the programs are attached.
    pub(super) fn set(&self, index: u32, value: T) {
        let Some(words) = self.words(index) else { return };
        for (number, word) in words.iter().enumerate() {
            let from = std::ptr::from_ref(&value).cast::<u64>();
            // SAFETY: `number` is below `size_of::<T>() / 8`.
            let from = unsafe { from.add(number) };
            // SAFETY: inside `value`, aligned, initialised (no padding that matters: `Words`).
            word.store(unsafe { from.read() }, Ordering::Release);
        }
    }

    /// Adds to one word of an element, which others may be adding to.
    pub(super) fn add(&self, index: u32, number: usize, more: u64) {
        if let Some(word) = self.words(index).and_then(|words| words.get(number)) {
            word.fetch_add(more, Ordering::AcqRel);
        }
    }

    /// One word of an element, which other CPUs are writing.
    pub(super) fn word(&self, index: u32, number: usize) -> Option<u64> {
        Some(self.words(index)?.get(number)?.load(Ordering::Acquire))
    }

    fn words(&self, index: u32) -> Option<&[AtomicU64]> {
        if index >= self.len {
            return None;
        }
        let words = size_of::<T>() / 8;
        // SAFETY: `index < len`, so the element lies inside the mapping.
        let first = unsafe { self.start.add(index as usize * words) };
        // SAFETY: the mapping lives as long as `self`, is aligned to pages, and is only accessed atomically.
        Some(unsafe { std::slice::from_raw_parts(first.as_ptr(), words) })
    }
}

impl<T> Drop for Mapped<T> {
    fn drop(&mut self) {
        // SAFETY: our own mapping, and no reference into it outlives `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}
