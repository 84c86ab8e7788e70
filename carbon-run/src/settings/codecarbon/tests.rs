use super::keys::KEYS;
use super::*;

fn meant(text: &str, variables: &[(&str, &str)]) -> Meant {
    let mut words = Words::default();
    words.of_file(
        format!("[codecarbon]\n{text}").as_bytes(),
        "~/.codecarbon.config",
        None,
    );
    let variables: Vec<(OsString, OsString)> = variables
        .iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    words.of_environment(&variables);
    words.meant()
}

fn said(meant: &Meant) -> Vec<(Key, String, String)> {
    let said = meant.layer.iter();
    said.map(|(key, said)| {
        let text = said.text.to_string_lossy().into_owned();
        (key, text, said.origin.to_string())
    })
    .collect()
}

/// Their key, a value, and what carbon-run takes it for.
const TAKEN: [(&str, &str, &str, &str); 16] = [
    ("country_2letter_iso_code", "FR", "country", "FR"),
    ("country_iso_code", "FRA", "country", "FRA"),
    ("region", "quebec", "region", "quebec"),
    ("force_carbon_intensity_g_co2e_kwh", "12.5", "intensity", "12.5"),
    ("cloud_provider", "aws", "cloud-provider", "aws"),
    ("cloud_region", "eu-west-3", "cloud-region", "eu-west-3"),
    ("pue", "1.2", "pue", "1.2"),
    ("wue", "0.3", "wue", "0.3"),
    ("measure_power_secs", "0.5", "interval", "0.5"),
    ("project_name", "digits", "project", "digits"),
    ("experiment_id", "5b0fa12a", "experiment-id", "5b0fa12a"),
    ("output_file", "runs.csv", "output-file", "runs.csv"),
    ("output_dir", "/srv/results", "output-dir", "/srv/results"),
    ("save_to_file", "False", "csv", "false"),
    ("output_methods", "csv, logger", "csv", "true"),
    ("log_level", "DEBUG", "verbose", "true"),
];

/// Where it is no wish: nothing to take, nothing to tell.
const SILENT: [(&str, &str); 5] = [
    ("emissions_endpoint", ""),
    ("save_to_api", "false"),
    ("save_to_logger", "false"),
    ("save_to_logfire", "false"),
    ("save_to_prometheus", "false"),
];

#[test]
fn every_key_of_codecarbon_is_taken_or_told() {
    for (key, _) in KEYS {
        let taken = TAKEN.iter().find(|(taken, ..)| *taken == key);
        let silent = SILENT.iter().find(|(silent, _)| *silent == key);
        let text = taken.map(|(_, text, ..)| *text);
        let text = text.or(silent.map(|(_, text)| *text)).unwrap_or("x");
        let meant = meant(&format!("\n{key} = {text}\n"), &[]);
        assert!(meant.notes.is_empty(), "{key}: {:?}", meant.notes);
        if meant.layer.secrets().count() > 0 {
            let tokens = ["api_key", "co2_signal_api_token", "electricitymaps_api_token"];
            assert!(tokens.contains(&key), "{key}");
        } else if let Some((.., ours, value)) = taken {
            let place = "~/.codecarbon.config:3".to_owned();
            let expected = (Key::named(ours).unwrap(), (*value).to_owned(), place);
            assert_eq!(said(&meant), [expected], "{key}");
        } else if silent.is_some() {
            assert!(said(&meant).is_empty() && meant.unused.is_empty(), "{key}");
        } else {
            assert_eq!(meant.unused.len(), 1, "{key}");
            assert_eq!(meant.unused[0].key, key);
            assert_eq!(meant.unused[0].origin.to_string(), "~/.codecarbon.config:3");
            assert!(!meant.unused[0].why.is_empty());
        }
    }
}

#[test]
fn receivers_are_taken_where_it_says_that_they_are_to_be_told() {
    for (text, taken) in [
        (
            "output_methods = api\n",
            &[(Key::CodecarbonApi, "https://api.codecarbon.io")][..],
        ),
        (
            "save_to_api = True\napi_endpoint = https://cc.example\n",
            &[(Key::CodecarbonApi, "https://cc.example")],
        ),
        (
            "save_to_prometheus = true\nprometheus_url = gw:9091\n",
            &[(Key::PrometheusPush, "http://gw:9091")],
        ),
        ("api_endpoint = https://cc.example\nprometheus_url = gw\n", &[]),
        (
            "emissions_endpoint = http://h/x\n",
            &[(Key::Webhook, "http://h/x"), (Key::WebhookFormat, "codecarbon")],
        ),
    ] {
        let meant = meant(text, &[]);
        let said: Vec<_> = said(&meant)
            .into_iter()
            .map(|(key, text, _)| (key, text))
            .collect();
        let expected: Vec<_> = taken
            .iter()
            .map(|(key, text)| (*key, (*text).to_owned()))
            .collect();
        for wanted in &expected {
            assert!(said.contains(wanted), "{text}: {said:?}");
        }
        let published = said.iter().filter(|(key, _)| *key != Key::Csv).count();
        assert_eq!(published, expected.len(), "{text}: {said:?}");
    }
}

#[test]
fn every_key_is_listed_once() {
    let mut names = KEYS.map(|(key, _)| key).to_vec();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), KEYS.len());
}

#[test]
fn a_variable_of_any_case_goes_before_the_files() {
    let meant = meant(
        "pue = 1.1\nproject_name = a\n",
        &[("codecarbon_PUE", "1.3"), ("CODECARBON_", "x"), ("PATH", "/bin")],
    );
    assert_eq!(
        said(&meant),
        [
            (Key::Pue, "1.3".to_owned(), "codecarbon_PUE".to_owned()),
            (Key::Project, "a".to_owned(), "~/.codecarbon.config:3".to_owned()),
        ]
    );
}

#[test]
fn a_value_that_is_none_of_ours_is_left_out_with_a_note() {
    for (key, text, told) in [
        (
            "pue",
            "0.9",
            "`pue` is `0.9`, which is not a number of at least 1",
        ),
        ("measure_power_secs", "0", "`measure_power_secs` is `0`"),
        (
            "force_carbon_intensity_g_co2e_kwh",
            "-1",
            "`force_carbon_intensity_g_co2e_kwh` is `-1`",
        ),
    ] {
        let meant = meant(&format!("{key} = {text}\nproject_name = p\n"), &[]);
        assert_eq!(said(&meant).len(), 1, "the rest is good");
        assert_eq!(meant.notes.len(), 1);
        assert!(
            meant.notes[0]
                .message
                .starts_with(&format!("~/.codecarbon.config:2: {told}")),
            "{:?}",
            meant.notes
        );
        assert!(meant.notes[0].degrades);
    }
}

#[test]
fn a_broken_file_is_a_note_and_the_other_places_count() {
    let mut words = Words::default();
    words.of_file(b"nonsense\n", "~/.codecarbon.config", None);
    words.of_file(b"[codecarbon]\npue = 1.5\n", ".codecarbon.config", None);
    words.unreadable("x", "permission denied");
    let meant = words.meant();
    assert_eq!(said(&meant).len(), 1);
    assert_eq!(
        meant
            .notes
            .iter()
            .map(|note| note.message.as_str())
            .collect::<Vec<_>>(),
        [
            "~/.codecarbon.config:1: a value before the first `[section]`",
            "cannot read `x`: permission denied"
        ]
    );
}

#[test]
fn a_strangers_file_does_not_say_what_is_written() {
    let mut words = Words::default();
    words.of_file(
        b"[codecarbon]\noutput_dir = /home/me\npue = 1.5\n",
        ".codecarbon.config",
        Some(1001),
    );
    let meant = words.meant();
    assert_eq!(said(&meant).len(), 1);
    assert_eq!(
        meant.notes[0].message,
        ".codecarbon.config:2: `output_dir` was not taken from a file that belongs to user 1001"
    );
}

#[test]
fn output_methods_win_over_the_switches_that_they_replace() {
    let csv = |text| said(&meant(text, &[])).first().map(|(_, text, _)| text.clone());
    assert_eq!(
        csv("save_to_file = true\noutput_methods = api\n").as_deref(),
        Some("false")
    );
    assert_eq!(csv("save_to_file = no\n").as_deref(), Some("false"));
    assert_eq!(csv("save_to_api = false\n"), None);
    let unused = meant("output_methods = csv,boamps,logfire\n", &[]).unused;
    assert_eq!(unused.len(), 2);
}

#[test]
fn the_two_letter_code_stands_back_behind_the_three_letter_one() {
    let meant = meant("country_2letter_iso_code = DE\ncountry_iso_code = FRA\n", &[]);
    assert_eq!(said(&meant)[0].1, "FRA");
    assert_eq!(meant.unused[0].key, "country_2letter_iso_code");
}

#[test]
fn a_path_is_shown_as_people_write_it() {
    let home = Path::new("/home/me");
    assert_eq!(
        shown(Path::new("/home/me/.codecarbon.config"), Some(home)),
        "~/.codecarbon.config"
    );
    assert_eq!(
        shown(Path::new("./.codecarbon.config"), Some(home)),
        ".codecarbon.config"
    );
}
