//! What a test needs of the machine. Nothing is left out silently: a machine that cannot run a test says so, and where
//! `CI` is set it fails.

use std::io::Write;

/// Whether this is root; says otherwise that the test was not run.
///
/// # Panics
/// When this is not root and `CI` is set.
pub(crate) fn root(test: &str) -> bool {
    if nix::unistd::geteuid().is_root() {
        return true;
    }
    not_run(test, "root");
    false
}

/// Tells of a test that cannot run here.
///
/// # Panics
/// When `CI` is set.
pub(crate) fn not_run(test: &str, need: &str) {
    assert!(
        std::env::var_os("CI").is_none(),
        "`{test}` needs {need}, and in CI it has to run"
    );
    let line = format!("not run: {test}: needs {need}\n");
    // Past libtest, which shows what `eprintln!` says only for tests that fail.
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}
