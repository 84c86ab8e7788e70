//! What a refresh changed, row by row.

use std::collections::BTreeMap;

/// `+ row`, `- row` and `key: old -> new` for every row that differs. Rows are known by their first column, and by the second as well where
/// that one repeats.
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
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let by = |cells: usize| -> BTreeMap<&str, &str> {
        let key = |line: &'_ str| {
            line.match_indices(',')
                .nth(cells - 1)
                .map_or(line.len(), |(at, _)| at)
        };
        lines
            .iter()
            .map(|line| (line.get(..key(line)).unwrap_or(line), *line))
            .collect()
    };
    let first = by(1);
    if first.len() < lines.len() { by(2) } else { first }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_new_a_lost_and_a_changed_row_are_each_told() {
        let told = super::lines("# old\nk,v\na,1\nb,2\nc,3\n", "# new\nk,v\nb,2\nc,4\nd,5\n");
        assert_eq!(told, ["- a,1", "c,3 -> c,4", "+ d,5"]);
    }

    #[test]
    fn rows_that_share_their_first_column_are_told_apart() {
        let told = super::lines("p,r,v\naws,a,1\naws,b,2\n", "p,r,v\naws,a,1\naws,b,3\ngcp,a,1\n");
        assert_eq!(told, ["aws,b,2 -> aws,b,3", "+ gcp,a,1"]);
    }
}
