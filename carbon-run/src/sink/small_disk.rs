//! A disk that is soon full, for tests: without any right, by a limit on the size of files.
//!
//! The limit holds for a whole process, so the test runs its own body once more in a process of its own, started by a
//! shell that sets the limit and ignores the signal that would come with it (setrlimit(2), `RLIMIT_FSIZE`). A write is
//! then cut short and the next one refused, as on a full file system.

use std::env;
use std::process::Command;

/// Set in the process that has the limit. To try the tests on a disk that is really full, set it by hand, and `TMPDIR` to a
/// small file system.
const MARK: &str = "CARBON_RUN_TEST_ON_SMALL_DISK";

/// Runs `body` where no file can grow beyond 512 or 1024 bytes. `test` is the full name of the calling test.
pub(super) fn on_a_small_disk(test: &str, body: impl FnOnce()) {
    if env::var_os(MARK).is_some() {
        return body();
    }
    let again = Command::new("sh")
        .args([
            "-c",
            r#"trap "" XFSZ; ulimit -f 1; exec "$0" --exact "$1" --nocapture"#,
        ])
        .arg(env::current_exe().unwrap())
        .arg(test)
        .env(MARK, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(
        again.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&again.stderr)
    );
    assert!(said.contains("1 passed"), "no test has the name `{test}`: {said}");
}

/// Whether a message gives as its cause what a small disk does: the limit here, a full file system elsewhere.
pub(super) fn tells_of_it(message: &str) -> bool {
    message.contains("file too large") || message.contains("no space left on device")
}
