//! Which module of carbon-run may name which: dependencies run one way, and this table is the way. A module that is not in
//! it has no place in the house yet.

use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What a module may name.
struct Layer {
    module: &'static str,
    /// Other modules of the crate.
    may_name: &'static [&'static str],
    /// Submodules of `model`; empty for all of them.
    of_model: &'static [&'static str],
}

const fn layer(
    module: &'static str,
    may_name: &'static [&'static str],
    of_model: &'static [&'static str],
) -> Layer {
    Layer {
        module,
        may_name,
        of_model,
    }
}

/// From the bottom up. Shell modules know plain data only and never each other.
const LAYERS: &[Layer] = &[
    layer("model", &[], &[]),
    layer(
        "output",
        &["model"],
        &[
            "recording",
            "report",
            "units",
            "checkup",
            "merge",
            "slurm",
            "assemble",
        ],
    ),
    layer("wire", &["model"], &["recording", "units"]),
    // A request and its answer, and nothing of what they are about.
    layer("http", &[], &[]),
    layer("grid", &["http", "model"], &["recording", "units"]),
    // Parcels are ready when they come here: it knows neither reports nor settings.
    layer("publish", &["http"], &[]),
    // Of a daemon it knows no more than what is said to it.
    layer("accounting", &["model", "wire"], &["recording", "units"]),
    // Which decrease is a wrap is the model's knowledge, and the meter's own check of its counters needs it.
    layer("meter", &["model"], &["recording", "units", "counter"]),
    layer("host", &["model"], &["recording", "units", "checkpoint"]),
    layer("launch", &["model"], &["recording", "units"]),
    layer("sink", &["model"], &["recording", "units"]),
    layer("phase", &["model"], &["recording", "units"]),
    layer("settings", &["model"], &["recording", "units"]),
    layer("cli", &["settings", "model"], &["recording", "units"]),
    layer(
        "daemon",
        &["accounting", "meter", "host", "wire", "model"],
        &["recording", "units"],
    ),
    layer(
        "session",
        &[
            "accounting",
            "launch",
            "meter",
            "host",
            "grid",
            "phase",
            "sink",
            "settings",
            "output",
            "http",
            "publish",
            "model",
        ],
        &[],
    ),
    layer(
        "verb",
        &[
            "cli", "settings", "session", "daemon", "output", "phase", "sink", "model",
        ],
        &[],
    ),
];

/// Crates that only one place may name: the bridge to the kernel side.
const BRIDGES: &[(&str, &str)] = &[
    ("carbon_common", "accounting/ebpf"),
    ("aya", "accounting/ebpf"),
    ("aya_obj", "accounting/ebpf"),
    ("ureq", "http"),
];

/// Files of the crate that name modules by trade.
const ROOTS: [&str; 3] = ["lib.rs", "main.rs", "privileged_main.rs"];

/// Looks at every source file of carbon-run under the workspace's `root`.
pub(crate) fn check(root: &Path) -> Result<()> {
    let source = root.join("carbon-run/src");
    let mut files = Vec::new();
    collect(&source, &mut files)?;
    ensure!(!files.is_empty(), "`{}` has no source files", source.display());
    files.sort();
    let mut wrong = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&source).unwrap_or(&file);
        if ROOTS.iter().any(|root| inside == Path::new(root)) {
            continue;
        }
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
        wrong.extend(
            wrong_edges(inside, &text)
                .into_iter()
                .map(|(line, what)| format!("{}:{line}: {what}", file.display())),
        );
    }
    if !wrong.is_empty() {
        bail!("dependencies run one way:\n{}", wrong.join("\n"));
    }
    Ok(())
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries =
        fs::read_dir(directory).with_context(|| format!("cannot list `{}`", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// The edges of a file (by its path inside `src`) that the table does not have, with their line numbers.
fn wrong_edges(file: &Path, text: &str) -> Vec<(usize, String)> {
    let path: Vec<String> = file
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    let Some(module) = path.first() else {
        return Vec::new();
    };
    let Some(layer) = LAYERS.iter().find(|layer| layer.module == module) else {
        return vec![(
            1,
            format!("the module `{module}` is in no layer; xtask/src/layers.rs has the table"),
        )];
    };
    let depth = if path.last().is_some_and(|name| name == "mod") {
        path.len() - 1
    } else {
        path.len()
    };
    let code = Code::of(text);
    let mut wrong = Vec::new();
    for (at, names) in code.paths_from("crate") {
        wrong.extend(
            names
                .iter()
                .filter_map(|name| refusal(layer, name))
                .map(|it| (at, it)),
        );
    }
    // As many `super` as the module is deep end at the root. A module inside of the file may stop one short of it, which
    // only the table's names tell.
    for (at, names) in code.paths_from(&vec!["super"; depth].join("::")) {
        let known = |name: &&String| {
            let top = top(name);
            LAYERS.iter().any(|layer| layer.module == top)
        };
        wrong.extend(
            names
                .iter()
                .filter(known)
                .filter_map(|name| refusal(layer, name))
                .map(|it| (at, it)),
        );
    }
    for (bridge, place) in BRIDGES {
        if !file.starts_with(place) {
            wrong.extend(
                code.paths_from(bridge)
                    .into_keys()
                    .map(|at| (at, format!("`{bridge}` is named outside of `{place}`"))),
            );
        }
    }
    wrong.sort();
    wrong.dedup();
    wrong
}

/// Why a module may not name a path from the root, as `model::units`; `None` when it may.
fn refusal(layer: &Layer, path: &str) -> Option<String> {
    let name = top(path);
    if name == layer.module {
        return None;
    }
    if !layer.may_name.contains(&name) {
        return Some(format!("`{}` may not name `{name}`", layer.module));
    }
    let below = path.split("::").nth(1).unwrap_or_default();
    let free = layer.of_model.is_empty() || layer.of_model.contains(&below);
    (name == "model" && !free).then(|| format!("`{}` may not name `{path}`", layer.module))
}

fn top(path: &str) -> &str {
    path.split("::").next().unwrap_or_default()
}

/// Source text without comments.
struct Code(String);

impl Code {
    fn of(text: &str) -> Self {
        let uncommented = text.lines().map(|line| match line.split_once("//") {
            // Good enough for paths: none is written after two slashes in a string.
            Some((before, _)) => before,
            None => line,
        });
        Self(uncommented.collect::<Vec<_>>().join("\n"))
    }

    /// What is named below `root`, two names deep and with braces opened, by line number.
    fn paths_from(&self, root: &str) -> BTreeMap<usize, Vec<String>> {
        let start = format!("{root}::");
        let mut found: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for (at, _) in self.0.match_indices(&start) {
            let before = self.0.get(..at).unwrap_or_default();
            // `mycrate::` is another root, and `super::super::` another depth.
            if before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let after = self.0.get(at + start.len()..).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            found.entry(line).or_default().extend(opened(after, 2));
        }
        found
    }
}

/// The paths at the beginning of `text`, at most `deep` names each: `model::{units, recording::Head}` has two.
fn opened(text: &str, deep: usize) -> Vec<String> {
    let text = text.trim_start();
    if deep == 0 {
        return vec![String::new()];
    }
    if let Some(inside) = text.strip_prefix('{') {
        return branches(inside)
            .iter()
            .flat_map(|branch| opened(branch, deep))
            .collect();
    }
    let end = text
        .find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    match rest.strip_prefix("::") {
        Some(rest) => opened(rest, deep - 1)
            .into_iter()
            .map(|below| {
                if below.is_empty() {
                    name.to_owned()
                } else {
                    format!("{name}::{below}")
                }
            })
            .collect(),
        None => vec![name.to_owned()],
    }
}

/// What the commas of a brace separate, up to the brace's end.
fn branches(inside: &str) -> Vec<&str> {
    let mut branches = Vec::new();
    let (mut depth, mut from) = (0_u32, 0);
    for (at, character) in inside.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                branches.extend(inside.get(from..at).filter(|branch| !branch.trim().is_empty()));
                from = at + 1;
                if character == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    branches
}

#[cfg(test)]
#[path = "layers_tests.rs"]
mod tests;
