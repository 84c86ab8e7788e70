//! A small file that several runs keep together: read, changed and replaced under a lock.

use super::failure::SinkError;
use super::patience::{self, Lock};
use super::whole_file::write_file;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

const DOING: &str = "keep";

/// How long somebody else may hold the file.
const PATIENCE: Duration = Duration::from_secs(2);

/// More than this is not what was kept here.
const LARGEST: u64 = 1 << 20;

/// Puts what `change` makes of the old bytes (`None`: there are none, or too many) in the place of the file; nothing is
/// written where it makes nothing. The directory is made if it is not there. The file is either the old one or the new
/// one, and of two runs that change it at once neither is lost.
///
/// # Errors
/// When the file cannot be written, or somebody else holds it all the time.
pub fn change_file<C>(path: &Path, change: C) -> Result<(), SinkError>
where
    C: FnOnce(Option<&[u8]>) -> Option<Vec<u8>>,
{
    let failed = || SinkError::io(DOING, path);
    if let Some(directory) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(directory)
            .map_err(failed())?;
    }
    let lock = path.with_extension("lock");
    // Not through a link: in a directory of others it could lead anywhere.
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .custom_flags(libc::O_NOFOLLOW)
        .open(lock)
        .map_err(failed())?;
    if patience::lock(&lock, PATIENCE) == Lock::Stuck {
        return Err(SinkError::InUse {
            doing: DOING,
            path: path.to_owned(),
        });
    }
    let old = read(path).map_err(failed())?;
    match change(old.as_deref()) {
        Some(new) => write_file(path, &new),
        None => Ok(()),
    }
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    let whole = fs::metadata(path)?.is_file() && bytes.len() as u64 <= LARGEST;
    Ok(whole.then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// Adds one to the number in the file.
    fn count(path: &Path) -> Result<(), SinkError> {
        change_file(path, |old| {
            let number = old.map_or(0, |old| String::from_utf8_lossy(old).parse::<u32>().unwrap());
            Some((number + 1).to_string().into_bytes())
        })
    }

    #[test]
    fn of_many_that_change_it_at_once_none_is_lost() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state/deep/count.json");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..5).for_each(|_| count(&path).unwrap()));
            }
        });
        assert_eq!(fs::read_to_string(&path).unwrap(), "40");
        let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 2, "the file and its lock: {left:?}");
    }

    #[test]
    fn what_makes_nothing_writes_nothing() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("kept.json");
        change_file(&path, |old| {
            assert_eq!(old, None);
            None
        })
        .unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_lock_that_is_a_link_is_not_followed_and_a_file_that_is_too_large_is_not_read() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("kept.json");
        symlink(home.path().join("victim"), home.path().join("kept.lock")).unwrap();
        assert!(count(&path).is_err());
        assert!(!home.path().join("victim").exists());
        fs::remove_file(home.path().join("kept.lock")).unwrap();
        fs::write(&path, vec![b'1'; LARGEST as usize + 1]).unwrap();
        change_file(&path, |old| {
            assert_eq!(old, None);
            Some(b"7".to_vec())
        })
        .unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "7");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o022, 0);
    }
}
