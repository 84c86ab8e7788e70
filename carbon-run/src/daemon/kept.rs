//! What the next daemon has to know of the jobs of this one: a file each, which only root can read.

use crate::accounting::ebpf::KeptJob;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A job of the daemon's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Whose it is.
    pub(super) uid: u32,
    /// What whoever resumes it has to know.
    pub(super) secret: String,
    /// What the kernel does not know of it.
    pub(super) kept: KeptJob,
}

/// The directory of them.
#[derive(Debug)]
pub(super) struct Kept {
    directory: PathBuf,
}

impl Kept {
    /// Below the daemon's own directory, made where it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn open(runtime: &Path) -> io::Result<Self> {
        let directory = runtime.join("jobs");
        match fs::DirBuilder::new().mode(0o700).create(&directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(Self { directory }),
        }
    }

    /// Keeps a job; what is there is the old file or the new one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn put(&self, number: u32, record: &Record) -> io::Result<()> {
        let aside = self.directory.join(format!("{number}.new"));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&aside)?;
        file.write_all(&serde_json::to_vec(record)?)?;
        fs::rename(&aside, self.file(number))
    }

    /// Forgets a job.
    pub(super) fn remove(&self, number: u32) {
        // It may never have been kept.
        fs::remove_file(self.file(number)).unwrap_or_default();
    }

    /// Forgets all of them.
    pub(super) fn clear(&self) {
        for (number, _) in self.all() {
            self.remove(number);
        }
    }

    /// Those that are there and make sense.
    pub(super) fn all(&self) -> Vec<(u32, Record)> {
        let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let mut all: Vec<(u32, Record)> = entries
            .filter_map(|entry| {
                let number = entry.file_name().to_str()?.parse().ok()?;
                let record = serde_json::from_slice(&fs::read(entry.path()).ok()?).ok()?;
                Some((number, record))
            })
            .collect();
        all.sort_by_key(|(number, _)| *number);
        all
    }

    fn file(&self, number: u32) -> PathBuf {
        self.directory.join(number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn jobs_are_kept_from_others_and_found_again() {
        let runtime = tempfile::tempdir().unwrap();
        let kept = Kept::open(runtime.path()).unwrap();
        let record = Record {
            uid: 1000,
            secret: "5e".repeat(16),
            kept: KeptJob::default(),
        };
        kept.put(9, &record).unwrap();
        kept.put(5, &record).unwrap();
        fs::write(runtime.path().join("jobs/6"), "half a fi").unwrap();
        assert_eq!(
            Kept::open(runtime.path()).unwrap().all(),
            [(5, record.clone()), (9, record)]
        );
        for path in ["jobs", "jobs/5"] {
            let mode = fs::metadata(runtime.path().join(path))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o077, 0, "{path}");
        }
        kept.remove(5);
        kept.clear();
        assert!(kept.all().is_empty());
    }
}
