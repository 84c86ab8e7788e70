//! Small files of sysfs and procfs.

use std::fs;
use std::io;
use std::path::Path;

/// What is in a file, without the white space around it. The error is for people: the file and why.
pub(super) fn text(path: &Path) -> Result<String, String> {
    let bytes = fs::read(path).map_err(|error| failed(path, &error))?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// The number in a file: decimal digits and nothing else.
pub(super) fn number(path: &Path) -> Result<u64, String> {
    let text = text(path)?;
    if !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(number) = text.parse()
    {
        return Ok(number);
    }
    let shown: String = text.chars().take(32).collect();
    let shown = shown.escape_debug();
    Err(format!(
        "`{}` holds `{shown}`, which is no number",
        path.display()
    ))
}

/// Why a path could not be read, for people.
pub(super) fn failed(path: &Path, error: &io::Error) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let cause: String = letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default();
    format!("`{}`: {cause}", path.display())
}

/// Names in a directory; none where it cannot be listed.
pub(super) fn names(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}
