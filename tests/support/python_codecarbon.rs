//! The unchanged package of CodeCarbon 3.3.2.

use crate::python::python;
use std::path::PathBuf;
use std::process::Command;

/// The package with all that it needs, pandas and Prometheus' client among it. `xtask bench truth` uses the same environment.
pub(crate) fn codecarbon() -> Option<PathBuf> {
    python(
        "codecarbon-3.3.2",
        &["codecarbon==3.3.2"],
        "codecarbon, pandas, prometheus_client",
    )
}

/// What a script prints; its complaints are shown when it fails.
pub(crate) fn script(python: &PathBuf, text: &str, arguments: &[&std::ffi::OsStr]) -> String {
    let output = Command::new(python)
        .args(["-I", "-c", text])
        .args(arguments)
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    String::from_utf8(output.stdout).unwrap()
}
