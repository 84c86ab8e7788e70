//! Processes, told apart for ever.

use crate::model::checkpoint::Launcher;
use std::os::unix::fs::MetadataExt;

/// This process.
#[must_use]
pub fn myself() -> Launcher {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let pid = std::process::id();
    Launcher {
        host: super::identity(),
        boot: boot.trim().to_owned(),
        namespace: std::fs::metadata("/proc/self/ns/pid").map_or(0, |file| file.ino()),
        pid,
        started_ticks: started_ticks(pid).unwrap_or(0),
    }
}

/// The name of the user that carbon-run acts as; `None` where there is none for the number.
#[must_use]
pub fn user_name() -> Option<String> {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid())
        .ok()
        .flatten()?;
    Some(user.name)
}

/// When the process of that number was started, in clock ticks after boot (field 22 of proc_pid_stat(5)); `None`: there is none.
#[must_use]
pub fn started_ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The name, in parentheses, may have blanks and parentheses in it; the state is the third field.
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::checkpoint::Fate;

    #[test]
    fn i_live_and_a_number_that_nobody_has_does_not() {
        let me = myself();
        assert!(me.started_ticks > 0 && me.boot.len() > 30);
        assert_eq!(me.fate(&myself(), started_ticks(me.pid)), Fate::Lives);
        assert_eq!(started_ticks(0), None);
    }
}
