//! The unchanged package.

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

#[test]
fn every_key_that_the_package_reads_is_known_here() {
    const KEYS: &str = r"
import pathlib, re, codecarbon
root = pathlib.Path(codecarbon.__file__).parent
tracker = (root / 'emissions_tracker.py').read_text()
keys = set(re.findall(r'_set_from_conf\(\s*\w+,\s*\x22(\w+)', tracker))
keys |= set(re.findall(r'overwrite_local_config\(\x22(\w+)', (root / 'cli/main.py').read_text()))
print(*sorted(keys), sep='\n')
";
    let Some(python) = codecarbon() else { return };
    let theirs = script(&python, KEYS, &[]);
    assert!(theirs.lines().count() >= 42, "{theirs}");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/settings/codecarbon/keys.rs");
    let ours = std::fs::read_to_string(source).unwrap();
    for key in theirs.lines() {
        assert!(
            ours.contains(&format!("\"{key}\"")),
            "`{key}` is not in `{source}`"
        );
    }
}
