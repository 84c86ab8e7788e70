//! The kernel's BTF as bytes, without copying its five megabytes where that can be avoided.
#![expect(unsafe_code, reason = "mapping a file")]

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr::NonNull;

/// A whole file.
pub(super) enum BtfFile {
    /// Mapped: only the pages that are looked at cost anything.
    Mapped {
        /// Where it begins.
        start: NonNull<u8>,
        /// How many bytes it has.
        len: usize,
    },
    /// Read: sysfs hands out one page per system call, which takes some milliseconds.
    Read(Vec<u8>),
}

impl BtfFile {
    /// Maps the file (`/sys/kernel/btf/vmlinux` can be mapped since Linux 6.16, `btf_sysfs_vmlinux_mmap` in
    /// kernel/bpf/sysfs_btf.c), or reads it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = usize::try_from(file.metadata()?.len()).unwrap_or(0);
        // SAFETY: a new mapping at an address of the kernel's choice; the kernel checks the descriptor and the length.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ,
                libc::MAP_PRIVATE,
                file.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return std::fs::read(path).map(Self::Read);
        }
        match NonNull::new(start.cast()) {
            Some(start) => Ok(Self::Mapped { start, len }),
            None => std::fs::read(path).map(Self::Read),
        }
    }
}

impl Deref for BtfFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            // SAFETY: mapped readable for `len` bytes for as long as `self` lives; the running kernel's BTF never changes
            // and cannot be truncated.
            Self::Mapped { start, len } => unsafe { std::slice::from_raw_parts(start.as_ptr(), *len) },
            Self::Read(bytes) => bytes,
        }
    }
}

impl Drop for BtfFile {
    fn drop(&mut self) {
        if let Self::Mapped { start, len } = self {
            // SAFETY: our own mapping, and no slice of it outlives `self`.
            unsafe { libc::munmap(start.as_ptr().cast(), *len) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_the_same_mapped_and_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("types");
        std::fs::write(&path, [7; 10_000]).unwrap();
        assert_eq!(&*BtfFile::open(&path).unwrap(), [7; 10_000].as_slice());
        // An empty file cannot be mapped.
        std::fs::write(&path, []).unwrap();
        assert!(BtfFile::open(&path).unwrap().is_empty());
        assert!(BtfFile::open(&directory.path().join("none")).is_err());
    }
}
