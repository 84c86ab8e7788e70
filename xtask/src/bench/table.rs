//! The figures beside their targets.

/// A figure.
pub(super) struct Row {
    /// Of what.
    pub(super) what: String,
    /// With its unit.
    pub(super) figure: String,
    /// How it was got at: the figures that it was compared with.
    pub(super) basis: String,
    /// What it should be; empty where nothing is promised.
    pub(super) target: &'static str,
}

/// In columns.
pub(super) fn text(rows: &[Row]) -> String {
    let head = Row {
        what: "what".to_owned(),
        figure: "figure".to_owned(),
        basis: "from".to_owned(),
        target: "target",
    };
    let all = || std::iter::once(&head).chain(rows);
    let width = |cell: fn(&Row) -> &str| all().map(|row| cell(row).chars().count()).max().unwrap_or(0);
    let (what, figure, target) = (
        width(|row| &row.what),
        width(|row| &row.figure),
        width(|row| row.target),
    );
    all()
        .map(|row| {
            let line = format!(
                "{:what$}  {:>figure$}  {:target$}  {}",
                row.what, row.figure, row.target, row.basis
            );
            format!("{}\n", line.trim_end())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let row = |what: &str, figure: &str, target| Row {
            what: what.to_owned(),
            figure: figure.to_owned(),
            basis: String::new(),
            target,
        };
        let text = text(&[row("a", "10 ms", "<= 3 ms"), row("longer", "1 ms", "")]);
        assert_eq!(
            text,
            "what    figure  target   from\na        10 ms  <= 3 ms\nlonger    1 ms\n"
        );
    }
}
