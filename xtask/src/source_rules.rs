//! House rules that no compiler knows: the size of files, their names, and words that have no place in them.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Where Rust is.
const PLACES: [&str; 5] = ["carbon-common", "carbon-ebpf/src", "carbon-run", "tests", "xtask"];

/// Lines of a file that can be read in one go.
const LONGEST: usize = 400;

/// Lines of a `main.rs`, which only starts what is done elsewhere.
const LONGEST_MAIN: usize = 40;

/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "helpers", "misc", "common", "manager"];

/// Words that are a promise to do it later, and the attribute that hides when it is no longer needed. In halves, so that
/// this file keeps its own rules.
const WORDS: [(&str, &str, &str); 4] = [
    ("TO", "DO", "work that is not done belongs in an issue"),
    ("FIX", "ME", "work that is not done belongs in an issue"),
    ("#[al", "low(", "use `#[expect(lint, reason = \"...\")]`"),
    ("#![al", "low(", "use `#![expect(lint, reason = \"...\")]`"),
];

/// Every rule that is broken below `root`, one line each, in order of path.
pub(crate) fn broken(root: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for place in PLACES {
        rust_files(&root.join(place), &mut files)?;
    }
    files.sort();
    let mut broken = Vec::new();
    for file in files {
        let text =
            std::fs::read_to_string(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
        let shown = file.strip_prefix(root).unwrap_or(&file);
        broken.extend(of_file(shown, &text));
    }
    Ok(broken)
}

/// The rules that one file breaks.
fn of_file(path: &Path, text: &str) -> Vec<String> {
    let shown = path.display();
    let mut broken = Vec::new();
    let lines = text.lines().count();
    let is_main = path.file_name().is_some_and(|name| name == "main.rs") && !path.starts_with("tests");
    let longest = if is_main { LONGEST_MAIN } else { LONGEST };
    if lines > longest {
        broken.push(format!("{shown}: {lines} lines, at most {longest}"));
    }
    let stems = path
        .iter()
        .filter_map(|part| Path::new(part).file_stem()?.to_str());
    for name in stems.filter(|stem| EMPTY_NAMES.contains(stem)) {
        broken.push(format!("{shown}: `{name}` says nothing of what is inside"));
    }
    for (number, line) in text.lines().enumerate() {
        for (first, second, instead) in WORDS {
            if line.contains(&format!("{first}{second}")) {
                broken.push(format!("{shown}:{}: `{first}{second}`: {instead}", number + 1));
            }
        }
    }
    broken
}

fn rust_files(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries =
        std::fs::read_dir(directory).with_context(|| format!("cannot list `{}`", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        // A link leads to what is looked at where it lies.
        if path.is_symlink() || path.file_name().is_some_and(|name| name == "target") {
            continue;
        }
        if path.is_dir() {
            rust_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> usize {
        of_file(Path::new(path), text).len()
    }

    #[test]
    fn a_file_may_have_its_last_line_and_not_one_more() {
        assert_eq!(rules("carbon-run/src/sink.rs", &"x\n".repeat(LONGEST)), 0);
        assert_eq!(rules("carbon-run/src/sink.rs", &"x\n".repeat(LONGEST + 1)), 1);
        assert_eq!(rules("xtask/src/main.rs", &"x\n".repeat(LONGEST_MAIN)), 0);
        assert_eq!(rules("xtask/src/main.rs", &"x\n".repeat(LONGEST_MAIN + 1)), 1);
    }

    #[test]
    fn a_name_that_says_nothing_is_found_as_file_and_as_directory() {
        assert_eq!(rules("carbon-run/src/utils.rs", ""), 1);
        assert_eq!(rules("carbon-run/src/helpers/mod.rs", ""), 1);
        assert_eq!(rules("carbon-common/src/lib.rs", ""), 0);
        assert_eq!(rules("carbon-run/src/permission.rs", ""), 0);
    }

    #[test]
    fn postponed_work_and_silenced_lints_are_found() {
        for (first, second, _) in WORDS {
            assert!(rules("carbon-run/src/host.rs", &format!("// {first}{second} x)]\n")) >= 1);
        }
        assert_eq!(
            rules("carbon-run/src/host.rs", "#[expect(dead_code, reason = \"r\")]\n"),
            0
        );
    }

    #[test]
    fn the_rules_are_looked_for_where_there_is_rust() {
        let root = tempfile::tempdir().unwrap();
        for place in PLACES {
            std::fs::create_dir_all(root.path().join(place).join("target")).unwrap();
            std::fs::write(root.path().join(place).join("target/utils.rs"), "").unwrap();
            std::fs::write(root.path().join(place).join("misc.rs"), "").unwrap();
        }
        assert_eq!(broken(root.path()).unwrap().len(), PLACES.len());
    }
}
