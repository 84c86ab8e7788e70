//! Which edges are refused, and which are seen at all.

use super::*;

fn wrong(file: &str, text: &str) -> Vec<String> {
    wrong_edges(Path::new(file), text)
        .into_iter()
        .map(|(line, what)| format!("{line}: {what}"))
        .collect()
}

#[test]
fn this_house_is_in_order() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    check(&root).unwrap();
}

#[test]
fn the_way_down_is_free_and_the_way_up_is_not() {
    assert!(wrong("session/mod.rs", "use crate::meter::powercap::Powercap;").is_empty());
    assert!(wrong("output/json.rs", "use crate::model::report::RunReport;").is_empty());
    assert_eq!(
        wrong("model/units.rs", "use std::fmt;\nuse crate::output::json;"),
        ["2: `model` may not name `output`"]
    );
    assert_eq!(
        wrong("meter/memory.rs", "fn f() { crate::sink::Screen::stderr(); }"),
        ["1: `meter` may not name `sink`"]
    );
}

#[test]
fn shell_modules_know_plain_data_only() {
    assert_eq!(
        wrong("sink/screen.rs", "use crate::model::report::RunReport;"),
        ["1: `sink` may not name `model::report`"]
    );
    assert_eq!(
        wrong("launch/child.rs", "use crate::model::{units::Moment, assemble};"),
        ["1: `launch` may not name `model::assemble`"]
    );
}

#[test]
fn braces_over_lines_and_chains_of_super_hide_nothing() {
    let braces = "use crate::{\n    model::units,\n    sink::{Screen, Target},\n    verb,\n};";
    assert_eq!(
        wrong("host.rs", braces),
        ["1: `host` may not name `sink`", "1: `host` may not name `verb`"]
    );
    assert_eq!(
        wrong("host/affinity.rs", "use super::super::sink::Screen;"),
        ["1: `host` may not name `sink`"]
    );
    assert_eq!(wrong("host.rs", "use super::sink::Screen;").len(), 1);
    assert_eq!(wrong("host/mod.rs", "use super::sink::Screen;").len(), 1);
    assert!(wrong("host/affinity.rs", "use super::cpu_list;").is_empty());
}

#[test]
fn comments_and_longer_names_are_no_edges() {
    let text = "/// As [`crate::sink`] does.\n// crate::sink::x\nuse mycrate::sink;\n";
    assert!(wrong("meter/memory.rs", text).is_empty());
}

#[test]
fn only_one_place_speaks_to_the_kernel_side() {
    assert!(
        wrong(
            "accounting/ebpf/bpf.rs",
            "use aya::maps::Array; use carbon_common::Key;"
        )
        .is_empty()
    );
    assert_eq!(
        wrong("accounting/procfs.rs", "use carbon_common::Key;"),
        ["1: `carbon_common` is named outside of `accounting/ebpf`"]
    );
}

#[test]
fn a_module_without_a_layer_is_refused() {
    assert!(wrong("utils.rs", "").iter().any(|it| it.contains("in no layer")));
}

#[test]
fn a_tree_with_a_wrong_edge_is_refused_with_file_and_line() {
    let root = tempfile::tempdir().unwrap();
    let module = root.path().join("carbon-run/src/meter");
    fs::create_dir_all(&module).unwrap();
    assert!(check(root.path()).is_err(), "a check of nothing is no check");
    fs::write(module.join("mod.rs"), "\nuse crate::session;\n").unwrap();
    let message = check(root.path()).unwrap_err().to_string();
    assert!(
        message.ends_with("meter/mod.rs:2: `meter` may not name `session`"),
        "{message}"
    );
}
