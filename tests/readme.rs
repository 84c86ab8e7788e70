//! The documents say what is so: their commands run, their links lead somewhere, and what they name is there.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "readme/blocks.rs"]
mod blocks;

use blocks::{Step, steps};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const DOCUMENTS: [&str; 8] = [
    "README.md",
    "GUIDE.md",
    "ARCHITECTURE.md",
    "METHOD.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "MIGRATION.md",
    "SECURITY.md",
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(document: &str) -> String {
    fs::read_to_string(repository().join(document)).unwrap()
}

/// What a command printed, stdout and stderr as a person sees them, and its exit status.
fn run(step: &Step, directory: &Path) -> (String, Option<i32>) {
    let binaries = Path::new(env!("CARGO_BIN_EXE_carbon-run")).parent().unwrap();
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-c", &format!("exec 2>&1\n{}", step.command)])
        .current_dir(directory)
        .env("PATH", path)
        .env("HOME", directory)
        .env("COLUMNS", "100")
        .env_remove("XDG_CONFIG_HOME")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (text, output.status.code())
}

#[test]
fn every_command_of_the_readme_does_what_stands_below_it() {
    commands_do_what_stands_below_them("README.md", 8);
}

#[test]
fn every_command_for_those_who_come_from_codecarbon_does_what_stands_below_it() {
    commands_do_what_stands_below_them("MIGRATION.md", 5);
}

fn commands_do_what_stands_below_them(document: &str, at_least: usize) {
    let directory = tempfile::tempdir().unwrap();
    let steps = steps(&read(document));
    assert!(
        steps.len() >= at_least,
        "only {} commands were found",
        steps.len()
    );
    for step in steps {
        let (text, status) = run(&step, directory.path());
        assert_eq!(status, Some(step.status), "{}\n{text}", step.command);
        let missing = step.check(&text);
        assert_eq!(missing, Ok(()), "{}\n{text}", step.command);
    }
}

#[test]
fn the_test_command_of_the_readme_is_the_one_that_ci_calls() {
    const COMMAND: &str = "cargo xtask test";
    let readme = read("README.md");
    let first_screen: String = readme.lines().take(40).collect::<Vec<_>>().join("\n");
    assert!(first_screen.contains(&format!("{COMMAND}\n")), "{first_screen}");
    assert!(read(".ci/run").contains(COMMAND));
}

#[test]
fn links_to_files_lead_to_files() {
    for document in DOCUMENTS {
        let text = read(document);
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        for (target, _) in targets.filter(|(target, _)| !target.contains("://")) {
            let file = target.split('#').next().unwrap();
            assert!(
                file.is_empty() || repository().join(file).exists(),
                "{document} links to `{target}`"
            );
        }
    }
}

#[test]
fn the_architecture_names_every_module_and_only_files_that_are_there() {
    let text = read("ARCHITECTURE.md");
    let library = read("carbon-run/src/lib.rs");
    for module in library.lines().filter_map(|line| line.strip_prefix("pub mod ")) {
        let module = module.trim_end_matches(';');
        assert!(
            text.contains(&format!("`{module}`")),
            "`{module}` is not explained"
        );
    }
    let quoted: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
    let paths: Vec<&&str> = quoted
        .iter()
        .filter(|word| word.contains('/') && !word.contains([' ', '*', '<', '{']) && !word.starts_with('/'))
        .collect();
    assert!(paths.len() > 10, "{paths:?}");
    for path in paths {
        let there = ["", "carbon-run/src", "carbon-ebpf/src", "xtask/src"]
            .iter()
            .any(|base| repository().join(base).join(path).exists());
        assert!(there, "ARCHITECTURE.md names `{path}`, which is not there");
    }
}

#[test]
fn what_the_code_says_is_in_the_method_is_there_under_that_heading() {
    fn rust_files(directory: &Path, texts: &mut Vec<String>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                rust_files(&path, texts);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                texts.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    let method = read("METHOD.md");
    let headings: Vec<&str> = method
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim())
        .collect();
    let mut texts = Vec::new();
    rust_files(&repository().join("carbon-run/src"), &mut texts);
    let named: Vec<&str> = texts
        .iter()
        .flat_map(|text| text.split("METHOD.md, \"").skip(1))
        .filter_map(|rest| rest.split_once('"'))
        .map(|(heading, _)| heading)
        .collect();
    assert!(named.len() >= 4, "{named:?}");
    for heading in named {
        assert!(
            headings.contains(&heading),
            "METHOD.md has no `{heading}`: {headings:?}"
        );
    }
}

#[test]
fn the_documents_name_every_long_option() {
    let readme = read("README.md");
    let help = Command::new(env!("CARGO_BIN_EXE_carbon-run"))
        .arg("-h")
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let options: Vec<&str> = help
        .split_whitespace()
        .filter(|word| word.starts_with("--") && word.len() > 2)
        .collect();
    assert!(options.len() > 15, "{options:?}");
    for option in options {
        assert!(readme.contains(option), "README.md does not mention `{option}`");
    }
}

#[test]
fn the_changelog_has_a_place_for_what_is_not_released_and_for_what_moves_figures() {
    let text = read("CHANGELOG.md");
    let unreleased = text.split("## [Unreleased]").nth(1).unwrap();
    assert!(unreleased.contains("### Added") && unreleased.contains("### Numbers"));
}
