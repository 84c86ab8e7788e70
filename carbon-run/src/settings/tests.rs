use super::*;
use std::fs;
use std::path::Path;

/// For each setting two values and how each is written back. The layers of the table take turns with them.
const VALUES: [(Key, [(&str, &str); 2]); 51] = [
    (Key::Country, [("FR", "FR"), ("Germany", "Germany")]),
    (Key::Region, [("CA-QC", "CA-QC"), ("US-CA", "US-CA")]),
    (Key::CloudProvider, [("aws", "aws"), ("gcp", "gcp")]),
    (
        Key::CloudRegion,
        [("eu-west-3", "eu-west-3"), ("us-east-1", "us-east-1")],
    ),
    (Key::CloudMetadata, [("true", "true"), ("false", "false")]),
    (
        Key::EnergyMix,
        [("coal=30,wind=70%", "coal=30,wind=70"), ("gas=1", "gas=1")],
    ),
    (Key::Intensity, [("56.4", "56.4"), ("0", "0")]),
    (
        Key::IntensityFile,
        [("grid.csv", "grid.csv"), ("/g.json", "/g.json")],
    ),
    (Key::Live, [("uk", "uk"), ("generic", "generic")]),
    (Key::LiveZone, [("FR", "FR"), ("SW1", "SW1")]),
    (
        Key::LiveUrl,
        [("http://a/b?k=s", "http://a/..."), ("https://c", "https://c")],
    ),
    (Key::LiveValue, [("/g", "/g"), ("/data/0/g", "/data/0/g")]),
    (Key::LiveTime, [("/at", "/at"), ("/data/0/at", "/data/0/at")]),
    (Key::Pue, [("1.5", "1.5"), ("2", "2")]),
    (Key::Wue, [("0.3", "0.3"), ("0", "0")]),
    (Key::Embodied, [("auto", "auto"), ("1300", "1300")]),
    (Key::Lifetime, [("4", "4"), ("5.5", "5.5")]),
    (
        Key::FunctionalUnit,
        [("60000 images", "60000 images"), ("1 epoch", "1 epoch")],
    ),
    (Key::IdlePolicy, [("busy", "busy"), ("none", "none")]),
    (Key::IdlePower, [("38.5,40", "38.5,40"), ("7", "7")]),
    (Key::GpuIdlePower, [("30", "30"), ("70,71.5", "70,71.5")]),
    (Key::SmtWeight, [("0.6", "0.6"), ("1", "1")]),
    (
        Key::CpuTable,
        [("/srv/cpus.csv", "/srv/cpus.csv"), ("b.csv", "b.csv")],
    ),
    (Key::RamPower, [("0.36", "0.36"), ("1", "1")]),
    (Key::CodecarbonCompatible, [("true", "true"), ("no", "false")]),
    (Key::Project, [("digits", "digits"), ("faces", "faces")]),
    (Key::ExperimentId, [("5b0fa12a", "5b0fa12a"), ("b", "b")]),
    (Key::OutputDir, [("/srv/a", "/srv/a"), ("b", "b")]),
    (Key::OutputFile, [("runs.csv", "runs.csv"), ("b", "b")]),
    (Key::Csv, [("false", "false"), ("1", "true")]),
    (Key::Json, [("-", "-"), ("r.json", "r.json")]),
    (Key::Record, [("a.jsonl", "a.jsonl"), ("b.jsonl", "b.jsonl")]),
    (
        Key::CodecarbonApi,
        [
            ("https://a.example", "https://a.example"),
            ("http://b/c", "http://b/..."),
        ],
    ),
    (Key::PrometheusFile, [("/srv/a.prom", "/srv/a.prom"), ("b", "b")]),
    (
        Key::PrometheusPush,
        [("http://a:9091", "http://a:9091"), ("https://b", "https://b")],
    ),
    (Key::PrometheusUser, [("me", "me"), ("you", "you")]),
    (
        Key::Webhook,
        [("https://a/T0/s3cret", "https://a/..."), ("http://b", "http://b")],
    ),
    (
        Key::WebhookFormat,
        [("codecarbon", "codecarbon"), ("report", "report")],
    ),
    (Key::PublishTimeout, [("2", "2s"), ("1500ms", "1.5s")]),
    (Key::Quiet, [("true", "true"), ("0", "false")]),
    (Key::Verbose, [("yes", "true"), ("no", "false")]),
    (Key::Accounting, [("procfs", "procfs"), ("ebpf", "ebpf")]),
    (Key::DaemonSocket, [("/run/a", "/run/a"), ("socket", "socket")]),
    (Key::Cgroup, [("a/b", "a/b"), ("/a,b.slice", "/a,b.slice")]),
    (Key::Interval, [("500ms", "500ms"), ("2", "2s")]),
    (Key::CheckpointInterval, [("5", "5s"), ("0", "0")]),
    (Key::WaitTree, [("on", "true"), ("off", "false")]),
    (Key::Strict, [("true", "true"), ("false", "false")]),
    (
        Key::NvmlLibrary,
        [("/a/libnvidia-ml.so.1", "/a/libnvidia-ml.so.1"), ("b.so", "b.so")],
    ),
    (Key::StateDir, [("/srv/power", "/srv/power"), ("power", "power")]),
    (Key::Sysroot, [("/mnt", "/mnt"), ("fake", "fake")]),
];

fn layer(key: Key, value: &str, origin: Origin) -> Layer {
    let mut layer = Layer::default();
    layer.say(key, value, origin);
    layer
}

fn written(settings: &Settings, key: Key) -> Option<String> {
    settings
        .explain()
        .find(|(explained, ..)| *explained == key)
        .and_then(|(_, value, _)| value)
}

struct Home {
    directory: tempfile::TempDir,
    surroundings: Surroundings,
}

/// A home, a host's file and a working directory, all in a directory of their own.
fn home() -> Home {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    fs::create_dir_all(root.join("home/.config/carbon-run")).unwrap();
    fs::create_dir_all(root.join("work")).unwrap();
    let surroundings = Surroundings {
        environment: vec![("HOME".into(), root.join("home").into())],
        system_file: root.join("etc.toml"),
        directory: root.join("work"),
        user: nix::unistd::geteuid().as_raw(),
    };
    Home {
        directory,
        surroundings,
    }
}

impl Home {
    fn write(&self, file: &str, text: &str) {
        fs::write(self.directory.path().join(file), text).unwrap();
    }

    fn load(&self, flags: Layer) -> Result<Settings, SettingsError> {
        load(vec!["true".into()], flags, &self.surroundings)
    }
}

#[test]
fn each_layer_overrides_the_one_below_for_every_setting() {
    assert_eq!(VALUES.map(|(key, _)| key), Key::ALL);
    for (key, values) in VALUES {
        let mut home = home();
        let check = |settings: Settings, turn: usize, origin: &str| {
            assert_eq!(
                written(&settings, key).as_deref(),
                Some(values[turn].1),
                "{key:?} from {origin}"
            );
            let told = settings.origin(key).to_string();
            assert!(told.contains(origin), "{key:?}: {told} instead of {origin}");
        };
        let line = |value: &str| format!("{} = '{value}'\n", key.name());

        home.write("etc.toml", &line(values[0].0));
        check(home.load(Layer::default()).unwrap(), 0, "etc.toml:1");
        home.write("home/.config/carbon-run/config.toml", &line(values[1].0));
        check(
            home.load(Layer::default()).unwrap(),
            1,
            "home/.config/carbon-run/config.toml:1",
        );
        home.write("work/carbon-run.toml", &format!("\n{}", line(values[0].0)));
        check(home.load(Layer::default()).unwrap(), 0, "work/carbon-run.toml:2");
        home.surroundings
            .environment
            .push((key.variable().into(), values[1].0.into()));
        check(home.load(Layer::default()).unwrap(), 1, "environment");
        check(
            home.load(layer(key, values[0].0, Origin::Flag)).unwrap(),
            0,
            "command line",
        );
    }
}

#[test]
fn what_nobody_says_is_the_default_and_says_so() {
    let settings = home().load(Layer::default()).unwrap();
    assert_eq!(settings.command, ["true"]);
    assert_eq!(
        (settings.pue, settings.smt_weight_permille, settings.csv),
        (None, 575, true)
    );
    assert_eq!(
        (settings.output_dir.as_path(), settings.sysroot.as_path()),
        (Path::new("."), Path::new("/"))
    );
    assert_eq!(
        (settings.idle_policy, settings.interval, settings.accounting),
        (None, None, None)
    );
    assert!(settings.idle_power.is_empty() && settings.notes.is_empty());
    assert!(settings.explain().all(|(.., origin)| *origin == Origin::Default));
    assert_eq!(written(&settings, Key::Country), None);
    assert_eq!(written(&settings, Key::SmtWeight).as_deref(), Some("0.575"));
}

#[test]
fn a_place_said_above_replaces_the_whole_place_said_below() {
    for (below, value) in [
        (Key::Region, "CA-QC"),
        (Key::Intensity, "12"),
        (Key::IntensityFile, "grid.csv"),
    ] {
        let layers = [
            layer(below, value, Origin::Environment),
            layer(Key::Country, "FRA", Origin::Flag),
        ];
        let settings = resolve(Vec::new(), &layers).unwrap();
        assert_eq!(settings.place.country.as_deref(), Some("FRA"));
        assert_eq!(
            (&settings.place.region, settings.place.intensity),
            (&None, None),
            "{below:?}"
        );
        assert_eq!(settings.place.intensity_file, None, "{below:?}");
        assert_eq!(settings.origin(below), &Origin::Default);
    }
}

#[test]
fn a_value_out_of_range_is_told_as_it_is_spelt_where_it_was_said() {
    let home = home();
    home.write("work/carbon-run.toml", "csv = false\npue = 0.5\n");
    let told = home.load(Layer::default()).unwrap_err().to_string();
    assert!(
        told.ends_with("carbon-run.toml:2: `pue` is `0.5`, which is not a number of at least 1"),
        "{told}"
    );

    for (origin, name) in [
        (Origin::Flag, "--smt-weight"),
        (Origin::Environment, "CARBON_RUN_SMT_WEIGHT"),
    ] {
        let error = resolve(Vec::new(), &[layer(Key::SmtWeight, "2", origin)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("`{name}` is `2`, which is not a number from 0.5 to 1")
        );
    }
}

#[test]
fn a_bad_value_in_a_file_is_put_right_by_a_flag() {
    let home = home();
    home.write("etc.toml", "pue = 0.5\n");
    assert!(home.load(Layer::default()).is_err());
    let settings = home.load(layer(Key::Pue, "1.1", Origin::Flag)).unwrap();
    assert_eq!(written(&settings, Key::Pue).as_deref(), Some("1.1"));
}

#[test]
fn xdg_config_home_replaces_the_directory_unless_it_is_relative() {
    let mut home = home();
    home.write("home/.config/carbon-run/config.toml", "project = 'home'\n");
    fs::create_dir_all(home.directory.path().join("xdg/carbon-run")).unwrap();
    home.write("xdg/carbon-run/config.toml", "project = 'xdg'\n");
    let xdg = home.directory.path().join("xdg");

    home.surroundings
        .environment
        .push(("XDG_CONFIG_HOME".into(), "xdg".into()));
    assert_eq!(
        home.load(Layer::default()).unwrap().project.as_deref(),
        Some("home")
    );
    home.surroundings.environment.pop();
    home.surroundings
        .environment
        .push(("XDG_CONFIG_HOME".into(), xdg.into()));
    assert_eq!(
        home.load(Layer::default()).unwrap().project.as_deref(),
        Some("xdg")
    );
}

#[test]
fn a_config_file_that_is_no_file_is_an_error_and_not_waited_for() {
    let home = home();
    nix::unistd::mkfifo(
        &home.directory.path().join("work/carbon-run.toml"),
        nix::sys::stat::Mode::S_IRWXU,
    )
    .unwrap();
    let error = home.load(Layer::default()).unwrap_err();
    assert!(
        matches!(error, SettingsError::File(FileError::NotAFile { .. })),
        "{error}"
    );
}

#[test]
fn a_config_file_that_cannot_be_read_is_an_error_with_its_path() {
    let home = home();
    // A link that leads to itself cannot be read by root either.
    let file = home.directory.path().join("work/carbon-run.toml");
    std::os::unix::fs::symlink("carbon-run.toml", &file).unwrap();
    let error = home.load(Layer::default()).unwrap_err();
    assert!(
        matches!(error, SettingsError::File(FileError::Unreadable { .. })),
        "{error}"
    );
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
    assert!(!error.hint().is_empty());
}

#[test]
fn no_home_no_directory_and_no_files_are_no_errors() {
    let surroundings = Surroundings {
        environment: Vec::new(),
        system_file: "/nonexistent/carbon-run.toml".into(),
        directory: "/nonexistent".into(),
        user: 0,
    };
    assert_eq!(surroundings.files().len(), 2);
    assert!(load(Vec::new(), Layer::default(), &surroundings).is_ok());
}

#[test]
fn a_path_keeps_the_bytes_that_are_no_utf_8() {
    use std::os::unix::ffi::OsStringExt;
    let path = OsString::from_vec(b"/srv/\xff".to_vec());
    let mut layer = Layer::default();
    layer.say(Key::OutputDir, path.clone(), Origin::Environment);
    assert_eq!(
        resolve(Vec::new(), &[layer]).unwrap().output_dir,
        PathBuf::from(path)
    );
}

#[test]
fn every_setting_refuses_a_value_that_makes_no_sense_with_a_remedy() {
    for (key, _) in VALUES {
        let error = resolve(Vec::new(), &[layer(key, "", Origin::Flag)]).unwrap_err();
        assert_eq!(error.key, key);
        assert!(!SettingsError::from(error).hint().is_empty());
    }
}

#[test]
fn a_strangers_file_in_the_working_directory_does_not_say_what_is_written() {
    for key in Key::WRITTEN {
        let values = VALUES.iter().find(|(of, _)| *of == key);
        let [theirs, mine] = values.map(|(_, values)| values.map(|(text, _)| text)).unwrap();
        let mut home = home();
        home.write(
            "work/carbon-run.toml",
            &format!("project = 'x'\n{} = '{theirs}'\n", key.name()),
        );
        assert!(
            home.load(Layer::default()).is_ok(),
            "a file of one's own may say {key:?}"
        );

        if home.surroundings.user == 0 {
            // Root's files are everybody's to trust, so root hands the file to somebody else.
            let file = home.directory.path().join("work/carbon-run.toml");
            std::os::unix::fs::chown(&file, Some(65_534), None).unwrap();
        } else {
            home.surroundings.user += 1;
        }
        let error = home.load(Layer::default()).unwrap_err();
        assert!(
            error
                .to_string()
                .contains(&format!("carbon-run.toml:2: `{}`", key.name())),
            "{error}"
        );
        assert!(
            error.hint().contains(&format!("--{}", key.name())),
            "{}",
            error.hint()
        );

        let settings = home.load(layer(key, mine, Origin::Flag)).unwrap();
        assert_eq!(settings.project.as_deref(), Some("x"));
    }
}

#[test]
fn under_sudo_the_files_of_the_one_who_called_are_trusted() {
    let mut surroundings = home().surroundings;
    surroundings.environment.push(("SUDO_UID".into(), "1000".into()));
    for (user, trusted, others) in [(0, [0, 1000], [1001, 1]), (1001, [1001, 0], [1000, 1])] {
        surroundings.user = user;
        assert!(
            trusted.iter().all(|owner| surroundings.trusts(*owner)),
            "as {user}"
        );
        assert!(
            !others.iter().any(|owner| surroundings.trusts(*owner)),
            "as {user}"
        );
    }
}
