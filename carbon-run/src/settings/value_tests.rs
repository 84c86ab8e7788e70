//! Values at the ends of their ranges and beyond.

use super::*;
use crate::settings::Origin;

fn said(text: &str) -> Said {
    Said {
        text: text.into(),
        origin: Origin::Flag,
    }
}

fn interval(text: &str) -> Option<Duration> {
    Reading {
        key: Key::Interval,
        said: &said(text),
    }
    .interval()
    .ok()
}

#[test]
fn an_interval_is_seconds_or_a_number_with_its_unit() {
    for (text, milliseconds) in [
        ("2", 2_000),
        ("0.5", 500),
        ("500ms", 500),
        ("1s", 1_000),
        ("1.5s", 1_500),
        ("10ms", 10),
    ] {
        assert_eq!(
            interval(text),
            Some(Duration::from_millis(milliseconds)),
            "{text}"
        );
    }
    assert_eq!(interval("1h"), Some(Duration::from_secs(3600)));
    assert_eq!(interval("1m 30s"), Some(Duration::from_secs(90)));
}

#[test]
fn an_interval_out_of_range_or_without_sense_is_refused() {
    for text in [
        "0",
        "9ms",
        "3601",
        "1h 1s",
        "-1",
        "-1s",
        "inf",
        "nan",
        "1e300",
        "soon",
        "5 parsecs",
        "",
    ] {
        assert_eq!(interval(text), None, "{text}");
    }
}

#[test]
fn the_ranges_include_their_ends_and_nothing_beyond() {
    let number = |text, least| {
        Reading {
            key: Key::Pue,
            said: &said(text),
        }
        .number(least)
        .ok()
    };
    assert!(number("1", 1.0).is_some() && number("1e2", 1.0).is_some());
    for text in ["0.999", "inf", "NaN", "-1", "1,2", "one", ""] {
        assert_eq!(number(text, 1.0), None, "{text}");
    }
    let weight = |text| {
        Reading {
            key: Key::SmtWeight,
            said: &said(text),
        }
        .smt_weight_permille()
        .ok()
    };
    assert_eq!(
        (weight("0.5"), weight("0.575"), weight("1")),
        (Some(500), Some(575), Some(1000))
    );
    assert_eq!(
        (weight("0.499"), weight("1.001"), weight("nan")),
        (None, None, None)
    );
}

#[test]
fn idle_power_is_a_list_in_package_order() {
    let watts = |text| {
        Reading {
            key: Key::IdlePower,
            said: &said(text),
        }
        .watts()
        .ok()
    };
    let given = watts("38.5, 40").unwrap();
    assert_eq!(given, [Watts::new(38.5).unwrap(), Watts::new(40.0).unwrap()]);
    for text in ["", "38,", "-1", "38;40", "inf"] {
        assert_eq!(watts(text), None, "{text}");
    }
}

#[test]
fn an_energy_mix_is_a_list_of_amounts() {
    let mix = |text| {
        Reading {
            key: Key::EnergyMix,
            said: &said(text),
        }
        .energy_mix()
        .ok()
    };
    assert_eq!(
        mix("coal=30%, wind = 70 %"),
        Some(vec![("coal".to_owned(), 30.0), ("wind".to_owned(), 70.0)])
    );
    assert_eq!(mix("hydro=0.5"), Some(vec![("hydro".to_owned(), 0.5)]));
    for text in [
        "",
        "coal",
        "coal=",
        "=3",
        "coal=-1",
        "coal=inf",
        "coal=0,gas=0",
        "coal=1,",
        "coal=1;gas=2",
    ] {
        assert_eq!(mix(text), None, "{text}");
    }
}

#[test]
fn the_name_of_a_file_leads_nowhere_else() {
    let name = |text| {
        Reading {
            key: Key::OutputFile,
            said: &said(text),
        }
        .file_name()
        .ok()
    };
    assert_eq!(name("runs.csv"), Some("runs.csv".into()));
    for text in ["", ".", "..", "a/b.csv", "/b.csv", "b.csv/", "./b.csv"] {
        assert_eq!(name(text), None, "{text}");
    }
}

#[test]
fn a_dash_is_stdout_and_a_file_called_dash_has_a_way() {
    let target = |text| {
        Reading {
            key: Key::Json,
            said: &said(text),
        }
        .target()
        .unwrap()
    };
    assert_eq!(target("-"), Target::Stdout);
    assert_eq!(target("./-"), Target::File("./-".into()));
}

#[test]
fn every_name_of_a_policy_and_of_a_backend_is_taken() {
    for policy in IdlePolicy::ALL {
        let said = said(policy.name());
        assert_eq!(
            Reading {
                key: Key::IdlePolicy,
                said: &said
            }
            .idle_policy(),
            Ok(policy)
        );
    }
    for (text, backend) in [
        ("auto", None),
        ("ebpf", Some(Backend::Ebpf)),
        ("perf", Some(Backend::Perf)),
        ("cgroup", Some(Backend::Cgroup)),
        ("procfs", Some(Backend::Procfs)),
    ] {
        let said = said(text);
        assert_eq!(
            Reading {
                key: Key::Accounting,
                said: &said
            }
            .accounting(),
            Ok(backend)
        );
    }
}
