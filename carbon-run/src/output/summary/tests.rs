use super::*;
use crate::model::recording::Note;
use crate::output::example;

#[test]
fn every_kind_of_report_reads_well() {
    for (name, report) in example::all() {
        insta::assert_snapshot!(name, summary(&report, Style::PLAIN));
    }
}

#[test]
fn colour_adds_nothing_but_colour() {
    for (name, report) in example::all() {
        let coloured = summary(
            &report,
            Style {
                color: true,
                width: 80,
            },
        );
        assert!(coloured.contains("\u{1b}[1m"), "{name} has no bold");
        let mut plain = coloured;
        for code in ["0", "1", "2", "33", "36"] {
            plain = plain.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_eq!(
            plain.replace(' ', ""),
            summary(&report, Style::PLAIN).replace(' ', ""),
            "{name}"
        );
    }
}

#[test]
fn an_absent_figure_says_why_and_never_zero() {
    let text = summary(&example::absent(), Style::PLAIN);
    assert!(text.contains("unknown"), "{text}");
    assert!(text.contains("is in no table"), "{text}");
    assert!(
        !text
            .lines()
            .any(|line| line.contains(" 0 J") || line.contains(" 0 g")),
        "{text}"
    );
}

#[test]
fn an_unnamed_place_is_one_line_with_its_remedy() {
    let text = summary(&example::estimated(), Style::PLAIN);
    assert_eq!(
        text.lines().filter(|line| line.contains("--country")).count(),
        1,
        "{text}"
    );
    assert!(!summary(&example::measured(), Style::PLAIN).contains("--country"));
}

#[test]
fn a_warning_is_said_once_and_information_not_at_all() {
    let mut report = example::estimated();
    let again = report.quality.notes.clone();
    report.quality.notes.extend(again);
    let text = summary(&report, Style::PLAIN);
    assert_eq!(text.matches("warning:").count(), 1, "{text}");
    assert!(!text.contains("siblings"), "{text}");
}

#[test]
fn no_text_of_others_reaches_the_terminal_raw() {
    let hostile = "\u{1b}[31m\r\n\u{202e}".to_owned();
    let mut report = example::killed_early();
    report.survivors[0].comm.clone_from(&hostile);
    report.intensity.name.clone_from(&hostile);
    report.domains[0].basis = Some(hostile.clone());
    report.quality.notes = vec![Note {
        code: "x".to_owned(),
        message: hostile.clone(),
        hint: Some(hostile),
        degrades: true,
    }];
    let text = summary(&report, Style::PLAIN);
    assert!(
        !text
            .chars()
            .any(|character| character != '\n' && character.is_control()),
        "{text:?}"
    );
    assert!(!text.contains('\u{202e}'));
}

#[test]
fn a_narrow_terminal_cuts_the_command_and_nothing_else() {
    let narrow = summary(
        &example::measured(),
        Style {
            color: false,
            width: 30,
        },
    );
    let wide = summary(
        &example::measured(),
        Style {
            color: false,
            width: u16::MAX,
        },
    );
    assert_eq!(narrow.lines().next(), Some("carbon-run: python train.py..."));
    assert!(narrow.lines().skip(1).eq(wide.lines().skip(1)));
}
