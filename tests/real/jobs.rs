//! The jobs, made ready.

use crate::python::python;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Python that can train. `None` where it cannot be had, which is said, and in CI is a failure.
pub(crate) fn python_with_scikit_learn() -> Option<PathBuf> {
    python("real-python", &["scikit-learn>=1.3,<2"], "sklearn.datasets")
}

/// A crate without dependencies that keeps the compiler busy for a second or more.
pub(crate) fn write_crate(directory: &Path) {
    let functions: String = (0..40)
        .map(|n| {
            format!(
                "fn digit_{n}(text: &str) -> Option<u64> {{\n    let mut seen: Vec<u64> = text.bytes().map(u64::from)\
                 .filter(|b| b % {m} != 1).collect();\n    seen.sort_by_key(|b| b.rotate_left({n}));\n    \
                 seen.dedup();\n    seen.chunks({m}).map(|c| c.iter().sum::<u64>() ^ {n}).max()\n}}\n",
                m = n % 7 + 2
            )
        })
        .collect();
    let calls: String = (0..40).map(|n| format!("        digit_{n}(&text),\n")).collect();
    let main = format!(
        "fn main() {{\n    let text = std::env::args().collect::<String>();\n    let all = [\n{calls}    ];\n    \
         println!(\"{{:?}}\", all.iter().flatten().max());\n}}\n"
    );
    fs::create_dir(directory.join("src")).unwrap();
    fs::write(directory.join("src/main.rs"), format!("{functions}{main}")).unwrap();
    fs::write(
        directory.join("Cargo.toml"),
        "[package]\nname = \"digits\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n",
    )
    .unwrap();
}

/// `cargo build --release` of that crate, with nothing of the cargo that runs this test but its name.
pub(crate) fn cargo_build(directory: &Path) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new("env");
    command.args([
        "-u",
        "RUSTFLAGS",
        "-u",
        "CARGO_ENCODED_RUSTFLAGS",
        "-u",
        "RUSTC_WRAPPER",
    ]);
    command
        .arg(cargo)
        .args(["build", "--release", "--offline", "--quiet"]);
    command.arg("--manifest-path").arg(directory.join("Cargo.toml"));
    command.arg("--target-dir").arg(directory.join("target"));
    command
}
