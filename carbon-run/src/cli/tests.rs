use super::*;
use crate::settings::{self, Key};
use std::os::unix::ffi::OsStringExt;

fn line(words: &[&str]) -> Result<Invocation, Stop> {
    parse(
        std::iter::once("carbon-run")
            .chain(words.iter().copied())
            .map(OsString::from),
    )
}

fn command_of(words: &[&str]) -> Vec<OsString> {
    match line(words) {
        Ok(Invocation::Run { command, .. }) => command,
        other => panic!("{words:?}: {other:?}"),
    }
}

fn refusal(words: &[&str]) -> UsageError {
    match line(words) {
        Err(Stop::Wrong(error)) => error,
        other => panic!("{words:?}: {other:?}"),
    }
}

#[test]
fn the_definition_is_sound() {
    command().debug_assert();
}

#[test]
fn everything_after_the_name_of_the_command_is_the_commands() {
    for words in [
        &["echo", "--country", "x"][..],
        &["ls", "-h"],
        &["ls", "--help"],
        &["ls", "--version", "-q", "--"],
        &["env", "--", "true"],
        &["echo", "doctor", "replay"],
        &["echo", "", "-"],
        &["-", "x"],
    ] {
        assert_eq!(command_of(words), words, "{words:?}");
    }
    assert_eq!(
        command_of(&["-q", "--pue", "1.2", "echo", "--pue", "x"]),
        ["echo", "--pue", "x"]
    );
}

#[test]
fn after_two_dashes_everything_is_the_commands() {
    for words in [
        &["doctor"][..],
        &["--help"],
        &["--", "x"],
        &["man", "--", "-q"],
        &["echo", "--", "x"],
    ] {
        let with_dashes: Vec<_> = std::iter::once("--").chain(words.iter().copied()).collect();
        assert_eq!(command_of(&with_dashes), words, "{words:?}");
    }
}

#[test]
fn a_verb_is_a_verb_only_as_the_first_word() {
    assert!(matches!(line(&["doctor"]), Ok(Invocation::Verb(Verb::Doctor(_)))));
    assert!(matches!(
        line(&["doctor", "--json"]),
        Ok(Invocation::Verb(Verb::Doctor(Doctor { json: true, .. })))
    ));
    assert!(matches!(
        line(&["replay", "r.jsonl"]),
        Ok(Invocation::Verb(Verb::Replay(_)))
    ));
    assert!(matches!(line(&["man"]), Ok(Invocation::Verb(Verb::Man))));
    // No abbreviations: `doc` is a program.
    assert_eq!(command_of(&["doc"]), ["doc"]);
}

#[test]
fn an_option_of_a_run_before_a_verb_is_refused() {
    let error = refusal(&["--country", "FR", "doctor"]);
    assert_eq!(
        error.to_string(),
        "`--country` before the verb `doctor` would have no effect"
    );
    assert!(error.hint().contains("-- doctor"), "{}", error.hint());
    assert_eq!(command_of(&["--country", "FR", "--", "doctor"]), ["doctor"]);
}

#[test]
fn bytes_that_are_no_utf_8_reach_the_command_and_the_settings() {
    let bytes = OsString::from_vec(b"\xff\xfe".to_vec());
    let words = [
        "carbon-run".into(),
        "--output-dir".into(),
        bytes.clone(),
        bytes.clone(),
        bytes.clone(),
    ];
    match parse(words) {
        Ok(Invocation::Run { command, flags }) => {
            assert_eq!(command, [bytes.clone(), bytes.clone()]);
            assert_eq!(
                flags.layer().get(Key::OutputDir).map(|said| &said.text),
                Some(&bytes)
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_setting_has_a_flag_that_reaches_its_layer() {
    for key in Key::ALL {
        let long = format!("--{}", key.name());
        let definition = command();
        let option = definition
            .get_opts()
            .find(|option| option.get_long() == Some(key.name()))
            .unwrap();
        let takes_value = option.get_action().takes_values();
        let words = if takes_value {
            vec![long.as_str(), "x", "true"]
        } else {
            vec![long.as_str(), "true"]
        };
        let Ok(Invocation::Run { flags, .. }) = line(&words) else {
            panic!("{words:?}")
        };
        let layer = flags.layer();
        assert_eq!(layer.iter().map(|(key, _)| key).collect::<Vec<_>>(), [key]);
        let text = &layer.get(key).unwrap().text;
        assert_eq!(text, if takes_value { "x" } else { "true" });
    }
}

#[test]
fn every_flag_of_a_run_and_of_replay_is_a_setting() {
    let definition = command();
    let replay = definition.find_subcommand("replay").unwrap();
    for option in definition.get_opts().chain(replay.get_opts()) {
        let long = option.get_long().unwrap();
        // Asks a question, as `--version` does.
        if long == "data-version" {
            continue;
        }
        assert!(
            Key::named(long.strip_prefix("no-").unwrap_or(long)).is_some(),
            "--{long}"
        );
    }
}

#[test]
fn of_csv_and_no_csv_and_of_a_repeated_option_the_last_counts() {
    let said = |words: &[&str], key| match line(words) {
        Ok(Invocation::Run { flags, .. }) => flags.layer().get(key).map(|said| said.text.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        said(&["--csv", "--no-csv", "true"], Key::Csv),
        Some("false".into())
    );
    assert_eq!(
        said(&["--no-csv", "--csv", "true"], Key::Csv),
        Some("true".into())
    );
    assert_eq!(said(&["true"], Key::Csv), None);
    assert_eq!(
        said(&["--pue", "1", "--pue", "2", "true"], Key::Pue),
        Some("2".into())
    );
}

#[test]
fn a_negative_number_is_a_value_and_not_an_option() {
    for flag in [
        "--pue",
        "--intensity",
        "--idle-power",
        "--smt-weight",
        "--interval",
    ] {
        assert!(line(&[flag, "-5", "true"]).is_ok(), "{flag}");
    }
}

#[test]
fn a_wrong_command_line_is_told_with_a_remedy() {
    for (words, message, hint) in [
        (
            &["--contry", "FR", "x"][..],
            "unknown option `--contry`",
            "did you mean `--country`?",
        ),
        (
            &["-x", "y"],
            "unknown option `-x`",
            "options of the command go after its name",
        ),
        (&["--pue"], "`--pue` needs a value", "as `--pue <RATIO>`"),
        (&["--quiet=1", "x"], "`--quiet` takes no value", "--help"),
        (&[], "no command was given", "carbon-run python train.py"),
        (&["--"], "no command was given", "carbon-run python train.py"),
        (&["-q"], "no command was given", "carbon-run python train.py"),
        (&["replay"], "`<RECORDING>` is missing", "--help"),
        (&["replay", "a", "b"], "`b` is one argument too many", "--help"),
        (
            &["completions", "ksh"],
            "`ksh` is no value of `<SHELL>`",
            "`bash`",
        ),
        (&["completions"], "`<SHELL>` is missing", "--help"),
        (
            &["doctor", "--country", "FR"],
            "unknown option `--country`",
            "`carbon-run doctor --help`",
        ),
    ] {
        let error = refusal(words);
        assert_eq!(error.to_string(), message, "{words:?}");
        assert!(error.hint().contains(hint), "{words:?}: {}", error.hint());
    }
}

#[test]
fn help_and_version_are_no_errors() {
    for words in [
        &["--help"][..],
        &["-h"],
        &["--version"],
        &["-V"],
        &["replay", "--help"],
        &["--pue", "1", "-h"],
    ] {
        assert!(matches!(line(words), Err(Stop::Asked(_))), "{words:?}");
    }
}

#[test]
fn the_defaults_that_the_help_names_are_those_in_force() {
    let settings = settings::resolve(Vec::new(), &[]).unwrap();
    let mut named = 0;
    for (key, value, _) in settings.explain() {
        let definition = command();
        let option = definition
            .get_opts()
            .find(|option| option.get_long() == Some(key.name()))
            .unwrap();
        let help = option.get_help().unwrap().to_string();
        if let Some((_, default)) = help.split_once("[default: ") {
            let told = default
                .trim_end_matches(']')
                .replace("the working directory", ".");
            assert_eq!(Some(told), value, "{key:?}");
            named += 1;
        }
    }
    assert_eq!(named, 8);
}

#[test]
fn replay_names_no_default_of_a_run() {
    let definition = command();
    let replay = definition.find_subcommand("replay").unwrap();
    for key in [Key::Country, Key::Pue, Key::IdlePolicy, Key::SmtWeight] {
        let option = replay
            .get_opts()
            .find(|option| option.get_long() == Some(key.name()))
            .unwrap();
        assert!(
            !option.get_help().unwrap().to_string().contains("[default"),
            "{key:?}"
        );
        assert!(option.get_long_help().is_none(), "{key:?}");
    }
}
