//! The text of a `.codecarbon.config`, as Python's `configparser` reads it with its defaults: `key = value` or `key: value` below
//! `[codecarbon]`, `#` and `;` at the beginning of a line for comments, deeper lines for the rest of a value, `%(key)s` for another
//! key's value, keys in any case, what `[DEFAULT]` says where the section does not.

use std::collections::BTreeMap;

/// The section that is CodeCarbon's.
const SECTION: &str = "codecarbon";

/// The section whose values hold in every other one.
const DEFAULT: &str = "DEFAULT";

/// How deep values may stand for each other, as in `configparser`.
const DEEPEST: u32 = 10;

/// A key's value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) value: String,
    /// From 1.
    pub(super) line: usize,
}

/// What no INI file has in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    /// From 1.
    pub(super) line: usize,
    pub(super) reason: String,
}

impl Broken {
    fn at(line: usize, reason: impl Into<String>) -> Self {
        Self {
            line,
            reason: reason.into(),
        }
    }
}

type Section = BTreeMap<String, Entry>;

/// The keys of the section, lower case; none where it is not there.
pub(super) fn parse(bytes: &[u8]) -> Result<Section, Broken> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Broken::at(line, "the text is not UTF-8")
    })?;
    let mut sections = sections(text)?;
    let Some(own) = sections.remove(SECTION) else {
        return Ok(Section::new());
    };
    let mut all = sections.remove(DEFAULT).unwrap_or_default();
    all.extend(own);
    all.iter()
        .map(|(key, entry)| {
            let value =
                interpolated(&entry.value, &all, 0).map_err(|reason| Broken::at(entry.line, reason))?;
            let line = entry.line;
            Ok((key.clone(), Entry { value, line }))
        })
        .collect()
}

fn sections(text: &str) -> Result<BTreeMap<String, Section>, Broken> {
    let mut sections: BTreeMap<String, Section> = BTreeMap::new();
    let mut section: Option<String> = None;
    let mut key: Option<String> = None;
    let mut indented = 0;
    for (number, raw) in text.lines().enumerate() {
        let line = number + 1;
        let said = raw.trim();
        if said.is_empty() || said.starts_with(['#', ';']) {
            continue;
        }
        let depth = raw.len() - raw.trim_start().len();
        if let (Some(section), Some(key)) = (&section, &key)
            && depth > indented
        {
            let entry = sections.get_mut(section).and_then(|keys| keys.get_mut(key));
            if let Some(entry) = entry {
                entry.value = format!("{}\n{said}", entry.value).trim_start().to_owned();
            }
            continue;
        }
        indented = depth;
        if let Some(name) = said.strip_prefix('[').and_then(|rest| rest.rsplit_once(']')) {
            let name = name.0.to_owned();
            if name != DEFAULT && sections.contains_key(&name) {
                return Err(Broken::at(
                    line,
                    format!("the section `{name}` is there a second time"),
                ));
            }
            sections.entry(name.clone()).or_default();
            (section, key) = (Some(name), None);
            continue;
        }
        let Some(keys) = section.as_ref().and_then(|name| sections.get_mut(name)) else {
            return Err(Broken::at(line, "a value before the first `[section]`"));
        };
        let Some((name, value)) = said
            .split_once(['=', ':'])
            .filter(|(name, _)| !name.trim().is_empty())
        else {
            return Err(Broken::at(line, "neither a section nor `key = value`"));
        };
        let name = name.trim().to_lowercase();
        let entry = Entry {
            value: value.trim().to_owned(),
            line,
        };
        if keys.insert(name.clone(), entry).is_some() {
            return Err(Broken::at(line, format!("`{name}` is set a second time")));
        }
        key = Some(name);
    }
    Ok(sections)
}

/// `%%` is `%`, `%(key)s` another key's value, and nothing else may follow a `%`.
fn interpolated(value: &str, all: &Section, depth: u32) -> Result<String, String> {
    let mut whole = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('%') {
        whole.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            whole.push('%');
            rest = after;
            continue;
        }
        let (name, after) = after
            .strip_prefix('(')
            .and_then(|after| after.split_once(")s"))
            .ok_or("`%` is followed by neither `%` nor `(key)s`")?;
        let meant = all.get(&name.to_lowercase()).filter(|_| depth < DEEPEST);
        let meant = meant.ok_or_else(|| format!("`%({name})s` stands for nothing"))?;
        whole.push_str(&interpolated(&meant.value, all, depth + 1)?);
        rest = after;
    }
    whole.push_str(rest);
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<(String, String, usize)> {
        let entries = parse(text.as_bytes()).unwrap().into_iter();
        entries
            .map(|(key, entry)| (key, entry.value, entry.line))
            .collect()
    }

    fn said(key: &str, value: &str, line: usize) -> (String, String, usize) {
        (key.to_owned(), value.to_owned(), line)
    }

    #[test]
    fn keys_of_the_section_are_read_as_configparser_reads_them() {
        let text = "# for all\n[other]\npue = 9\n[codecarbon]\nProject_Name = digits # not a comment\n\n  ; a comment\n\
                    pue: 1.2\nurl = http://a:1/b?c=d\nempty =\n";
        assert_eq!(
            values(text),
            [
                said("empty", "", 10),
                said("project_name", "digits # not a comment", 5),
                said("pue", "1.2", 8),
                said("url", "http://a:1/b?c=d", 9),
            ]
        );
        assert_eq!(values(""), []);
        assert_eq!(values("[other]\nx = 1\n"), []);
    }

    #[test]
    fn a_value_goes_on_in_deeper_lines_and_may_name_others() {
        let text = "[DEFAULT]\nroot = /srv\n[codecarbon]\noutput_dir = %(root)s/100%%\ngpu_ids =\n  0,\n  1\npue = 1\n";
        assert_eq!(
            values(text),
            [
                said("gpu_ids", "0,\n1", 5),
                said("output_dir", "/srv/100%", 4),
                said("pue", "1", 8),
                said("root", "/srv", 2),
            ]
        );
    }

    #[test]
    fn what_configparser_refuses_is_refused_with_its_line() {
        for (text, line, reason) in [
            ("pue = 1\n", 1, "before the first"),
            ("[codecarbon]\npue\n", 2, "neither"),
            ("[codecarbon]\n= 1\n", 2, "neither"),
            ("[codecarbon]\npue = 1\nPUE = 2\n", 3, "second time"),
            ("[codecarbon]\n[codecarbon]\n", 2, "second time"),
            ("[codecarbon]\na = 50%\n", 2, "followed by neither"),
            ("[codecarbon]\na = %(b)s\n", 2, "stands for nothing"),
            ("[codecarbon]\na = %(a)s\n", 2, "stands for nothing"),
        ] {
            let broken = parse(text.as_bytes()).unwrap_err();
            assert!(
                broken.line == line && broken.reason.contains(reason),
                "{text}: {broken:?}"
            );
        }
        let broken = parse(b"[codecarbon]\na = \xff\n").unwrap_err();
        assert_eq!(broken, Broken::at(2, "the text is not UTF-8"));
    }
}
