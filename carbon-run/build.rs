//! Says where the embedded eBPF object lies: the committed one, unless `CARBON_EBPF_OBJECT` names another, which is
//! how the tests run on a freshly built one.

use std::path::PathBuf;

const VARIABLE: &str = "CARBON_EBPF_OBJECT";

fn main() {
    let committed = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../carbon-ebpf/prebuilt/carbon-ebpf.o");
    let object = std::env::var_os(VARIABLE).map_or(committed, PathBuf::from);
    println!("cargo::rustc-env={VARIABLE}={}", object.display());
    println!("cargo::rerun-if-changed={}", object.display());
    println!("cargo::rerun-if-env-changed={VARIABLE}");
}
