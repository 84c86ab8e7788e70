use super::*;
use crate::model::recording::{
    AccountingFacts, Arg, Backend, BusyTime, Choices, CpuGroup, CpuUsage, Domain, DomainKind, Exit, Host,
    IdlePolicy, KnownPower, Origin, Place, Reading, Source, TickSize, Unlisted,
};
use crate::model::units::{CpuTime, Moment, Watts};
use proptest::prelude::*;

fn head() -> Head {
    Head {
        schema: SCHEMA.to_owned(),
        carbon_run_version: "0.1.0".to_owned(),
        run_id: "0b0e4f1c-8f0e-4a55-9a2e-6a5a3f6c1d11".to_owned(),
        inside: None,
        project: None,
        experiment_id: None,
        command: vec![Arg::Text("cat".to_owned()), Arg::Bytes(vec![0xff, b'x'])],
        started_at_unix_ns: 1_760_000_000_123_456_789,
        utc_offset_s: 7200,
        host: Host::default(),
        accounting: AccountingFacts {
            backend: Backend::Ebpf,
            declined: Vec::new(),
        },
        groups: vec![CpuGroup {
            package: 0,
            die: 0,
            cpus: vec![0, 1],
            capacity_permille: None,
        }],
        domains: vec![Domain {
            name: "package-0".to_owned(),
            kind: DomainKind::Package,
            origin: Origin::Measured(Source::Powercap),
            groups: vec![0],
            summed: true,
            source: DomainSource::Counter {
                tick: TickSize::MICROJOULE,
                wraps_at: Some(262_143_328_850),
                max_power: Watts::new(280.0).ok(),
            },
        }],
        gpus: None,
        choices: Choices {
            idle_policy: IdlePolicy::Capacity,
            idle_power: Vec::new(),
            smt_weight_permille: 575,
            pue: 1.0,
            pue_from: None,
            beyond: crate::model::recording::Beyond::default(),
            place: Place::World,
            intensity_series: None,
            live: None,
            allocated: None,
            allocated_cpus: None,
            allocated_among: None,
        },
        notes: Vec::new(),
        power: KnownPower::default(),
    }
}

fn observation(at: u64, ticks: u64) -> Observation {
    Observation {
        at: Moment(at),
        slept_ns: 0,
        readings: vec![Reading::Ticks {
            ticks,
            at: Moment(at),
        }],
        usage: vec![CpuUsage {
            online: 2,
            job: BusyTime {
                alone: CpuTime(at),
                shared: CpuTime::ZERO,
            },
            ..CpuUsage::default()
        }],
        usage_after: None,
        memory: None,
        gpus: Vec::new(),
        memory_before: Vec::new(),
        live: Vec::new(),
        marks: Vec::new(),
    }
}

fn tail() -> Tail {
    Tail {
        started: Moment(1),
        ended: Moment(9),
        exit: Exit::Code(0),
        process_count: Some(1),
        rusage_cpu: None,
        peak_rss_bytes: None,
        processes: Vec::new(),
        unlisted: Unlisted::default(),
        survivors: Vec::new(),
        lost: 0,
        notes: Vec::new(),
    }
}

fn whole() -> Recording {
    Recording {
        head: head(),
        observations: vec![observation(1, 10), observation(5, 20)],
        tail: Some(tail()),
    }
}

#[test]
fn a_recording_survives_the_disk() {
    assert_eq!(parse(&to_lines(&whole()).unwrap()).unwrap(), whole());
}

#[test]
fn every_line_says_what_it_is() {
    let lines = String::from_utf8(to_lines(&whole()).unwrap()).unwrap();
    let tags: Vec<&str> = lines
        .lines()
        .map(|line| line.split('"').nth(1).unwrap())
        .collect();
    assert_eq!(tags, ["head", "observation", "observation", "tail"]);
}

#[test]
fn wherever_a_killed_launcher_stopped_writing_the_whole_lines_are_kept() {
    let bytes = to_lines(&whole()).unwrap();
    let head_length = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    for length in 0..=bytes.len() {
        let cut = &bytes[..length];
        let parsed = parse(cut);
        if length < head_length {
            assert!(parsed.is_err(), "{length} bytes hold no whole head");
            continue;
        }
        let parsed = parsed.unwrap();
        // A line that lacks nothing but its newline is whole as well.
        let lines = cut
            .split(|byte| *byte == b'\n')
            .filter(|line| line.ends_with(b"}"))
            .count();
        let whole_lines = cut.iter().filter(|byte| **byte == b'\n').count();
        let kept = 1 + parsed.observations.len() + usize::from(parsed.tail.is_some());
        assert!(
            kept == whole_lines || (kept == whole_lines + 1 && kept <= lines),
            "{length}: {kept} of {whole_lines}"
        );
    }
}

#[test]
fn zero_bytes_left_by_a_power_failure_are_the_end_of_a_cut_line() {
    let mut bytes = to_lines(&Recording {
        tail: None,
        ..whole()
    })
    .unwrap();
    bytes.extend_from_slice(b"{\"observ\0\0\0\0\0\0\0");
    let parsed = parse(&bytes).unwrap();
    assert_eq!(parsed.observations.len(), 2);
    assert_eq!(parsed.tail, None);
}

#[test]
fn a_broken_line_in_the_middle_is_named_by_its_number() {
    let text = String::from_utf8(to_lines(&whole()).unwrap()).unwrap();
    let broken = text.replacen("{\"observation\"", "{\"observ", 1);
    let message = parse(broken.as_bytes()).unwrap_err().to_string();
    assert!(message.starts_with("line 2: "), "{message}");
}

#[test]
fn what_is_no_recording_is_said_to_be_none() {
    assert!(matches!(parse(b""), Err(JournalError::Empty)));
    assert!(matches!(parse(b"\n\n"), Err(JournalError::Empty)));
    assert!(matches!(
        parse(b"timestamp,project_name\n"),
        Err(JournalError::NotARecording { .. })
    ));
    assert!(matches!(
        parse(b"\xff\xfe\n{}\n"),
        Err(JournalError::NotARecording { .. })
    ));
    assert!(matches!(
        parse(br#"{"schema":"carbon-run/report/1"}"#),
        Err(JournalError::NotARecording { .. })
    ));
    let other = Head {
        schema: "carbon-run/recording/9".to_owned(),
        ..head()
    };
    let bytes = Line::Head(&other).to_json().unwrap();
    assert!(matches!(parse(&bytes), Err(JournalError::Schema { found }) if found.ends_with("/9")));
}

#[test]
fn lines_out_of_place_are_refused() {
    let refuse = |lines: &[Line<'_>], said: &str| {
        let bytes: Vec<u8> = lines
            .iter()
            .flat_map(|line| {
                let mut bytes = line.to_json().unwrap();
                bytes.push(b'\n');
                bytes
            })
            .collect();
        let message = parse(&bytes).unwrap_err().to_string();
        assert_eq!(message, said);
    };
    let (head, tail, first, second) = (head(), tail(), observation(1, 1), observation(2, 2));
    refuse(
        &[Line::Tail(&tail)],
        "line 1: the recording does not begin with its head",
    );
    refuse(&[Line::Head(&head), Line::Head(&head)], "line 2: a second head");
    refuse(
        &[Line::Head(&head), Line::Tail(&tail), Line::Observation(&first)],
        "line 3: something follows the tail",
    );
    refuse(
        &[
            Line::Head(&head),
            Line::Observation(&second),
            Line::Observation(&first),
        ],
        "line 3: earlier than the line before it",
    );
}

#[test]
fn shapes_that_arithmetic_would_stumble_over_are_refused() {
    let with_head = |head: &Head| {
        parse(&Line::Head(head).to_json().unwrap())
            .unwrap_err()
            .to_string()
    };
    let mut lost_group = head();
    lost_group.domains[0].groups = vec![1];
    assert_eq!(
        with_head(&lost_group),
        "line 1: domain `package-0` names CPU group 1, which is not there"
    );
    let mut no_ticks = head();
    no_ticks.domains[0].source = DomainSource::Counter {
        tick: TickSize {
            microjoules: 1,
            ticks: 0,
        },
        wraps_at: None,
        max_power: None,
    };
    assert_eq!(
        with_head(&no_ticks),
        "line 1: domain `package-0` has an energy per 0 ticks"
    );
    let mut free_facility = head();
    free_facility.choices.pue = 0.5;
    assert_eq!(with_head(&free_facility), "line 1: a PUE of 0.5 (at least 1)");

    let short = Observation {
        readings: Vec::new(),
        ..observation(3, 3)
    };
    let recorded = Recording {
        observations: vec![short],
        ..whole()
    };
    let message = parse(&to_lines(&recorded).unwrap()).unwrap_err().to_string();
    assert_eq!(message, "line 2: 0 readings of 1 domains");
}

#[test]
fn a_field_of_a_later_version_is_no_obstacle() {
    let text = String::from_utf8(to_lines(&whole()).unwrap()).unwrap();
    let newer = text.replacen("{\"head\":{", "{\"head\":{\"weather\":\"rain\",", 1);
    assert_eq!(parse(newer.as_bytes()).unwrap(), whole());
}

proptest! {
    #[test]
    fn any_counter_and_any_power_come_back_to_the_last_bit(ticks: u64, at: u64, watts in 0.0..1e6f64, pue in 1.0..3.0f64) {
        let mut recorded = whole();
        recorded.observations = vec![observation(at, ticks)];
        recorded.head.choices.idle_power = vec![Watts::new(watts).unwrap()];
        recorded.head.choices.pue = pue;
        prop_assert_eq!(parse(&to_lines(&recorded).unwrap()).unwrap(), recorded);
    }

    #[test]
    fn no_bytes_make_the_reader_fall_over(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(parse(&bytes).is_err());
    }
}
