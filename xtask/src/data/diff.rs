//! What a refresh changed, row by row.

use std::collections::BTreeMap;

/// `+ row`, `- row` and `key: old -> new` for every row that differs. Rows are known by their first column.
pub(crate) fn lines(old: &str, new: &str) -> Vec<String> {
    let (old, new) = (rows(old), rows(new));
    let mut out = Vec::new();
    for (key, row) in &old {
        match new.get(key) {
            None => out.push(format!("- {row}")),
            Some(now) if now != row => out.push(format!("{row} -> {now}")),
            Some(_) => {}
        }
    }
    out.extend(
        new.iter()
            .filter(|(key, _)| !old.contains_key(*key))
            .map(|(_, row)| format!("+ {row}")),
    );
    out
}

fn rows(text: &str) -> BTreeMap<&str, &str> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| (line.split(',').next().unwrap_or(line), line))
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_new_a_lost_and_a_changed_row_are_each_told() {
        let told = super::lines("# old\nk,v\na,1\nb,2\nc,3\n", "# new\nk,v\nb,2\nc,4\nd,5\n");
        assert_eq!(told, ["- a,1", "c,3 -> c,4", "+ d,5"]);
    }
}
