//! Recordings that are none, or only part of one.

use super::{carbon_run, recording, replayed, text};
use serde_json::Value;
use std::fs;

fn refused(content: &[u8]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.jsonl");
    fs::write(&path, content).unwrap();
    let output = carbon_run(directory.path())
        .args(["replay", "--json", "-", "run.jsonl"])
        .output()
        .unwrap();
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(125), "{told}");
    assert_eq!(text(&output.stdout), "", "no figures from a broken recording");
    assert!(
        told.starts_with("carbon-run: `run.jsonl` is no recording: "),
        "{told}"
    );
    assert!(told.len() < 1000, "{} bytes of message", told.len());
    told
}

#[test]
fn a_broken_recording_is_refused_with_its_line() {
    let whole = fs::read_to_string(recording("two-sockets")).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let with = |line: usize, content: &str| {
        let mut lines = lines.clone();
        lines[line - 1] = content;
        format!("{}\n", lines.join("\n"))
    };
    let huge = format!("{{\"observation\":{{\"at\":\"{}\"}}}}", "x".repeat(20_000_000));
    let cases = [
        (String::new(), "empty"),
        ("\n\n".to_owned(), "empty"),
        (lines[0][..500].to_owned(), "empty"),
        ("not json\n".to_owned(), "line 1: "),
        (format!("{}\n", lines[1]), "line 1: "),
        (
            with(1, &lines[0].replace("recording/1", "recording/9")),
            "`carbon-run/recording/9`",
        ),
        (with(4, &lines[3][..lines[3].len() - 9]), "line 4: "),
        (with(5, "{\"observation\":{}}"), "line 5: "),
        (with(3, &huge), "line 3: "),
        (
            lines[0].replace("recording/1", &huge.replace('"', "")),
            "...`, and",
        ),
        (with(6, lines[2]), "line 6: earlier than the line before it"),
        (with(2, lines[9]), "line 3: something follows the tail"),
        (with(7, lines[0]), "line 7: a second head"),
        (
            with(1, &lines[0].replace("\"pue\":1.25", "\"pue\":0.5")),
            "line 1: ",
        ),
        (
            with(
                2,
                &lines[1].replace("\"at\":900000000000,\"slept", "\"at\":-3,\"slept"),
            ),
            "line 2: ",
        ),
    ];
    for (content, expected) in cases {
        let told = refused(content.as_bytes());
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let mut bytes = whole.into_bytes();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 40].fill(0xff);
    assert!(refused(&bytes).contains("line "));
}

#[test]
fn a_recording_cut_anywhere_is_refused_or_says_that_it_was_cut() {
    let whole = fs::read(recording("virtual-machine")).unwrap();
    let head = whole.iter().position(|byte| *byte == b'\n').unwrap();
    let end = whole.len() - 1;
    for length in [
        head / 2,
        head + 1,
        head + 40,
        (head + end) / 2,
        end - 200,
        end - 1,
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cut.jsonl");
        fs::write(&path, &whole[..length]).unwrap();
        if length < head {
            refused(&whole[..length]);
            continue;
        }
        let report = replayed(&path, &[]);
        assert_eq!(report["exit"], Value::Null, "{length}");
        assert!(
            report["quality"]
                .to_string()
                .contains("ends before the command did")
        );
    }
}

#[test]
fn a_recording_that_cannot_be_read_is_named() {
    let directory = tempfile::tempdir().unwrap();
    for path in ["missing.jsonl", "."] {
        let output = carbon_run(directory.path())
            .args(["replay", path])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(125));
        let told = text(&output.stderr);
        assert!(
            told.starts_with(&format!("carbon-run: cannot read the recording `{path}`: ")),
            "{told}"
        );
    }
}
