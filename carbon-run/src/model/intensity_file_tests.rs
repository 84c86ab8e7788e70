use super::*;
use proptest::prelude::*;

const HOUR: i64 = 3_600_000_000_000;

fn read(text: &str) -> Result<IntensitySeries, IntensityFileError> {
    parse("data/grid.csv", "grid.csv", text.as_bytes())
}

/// Times as they are written in UTC, with their values.
fn rows(text: &str) -> Vec<(String, f64)> {
    let series = read(text).unwrap();
    let steps = series.steps().iter();
    steps
        .map(|step| {
            let stamp = Timestamp::from_nanosecond(step.from_unix_ns.into()).unwrap();
            (stamp.to_string(), step.g_per_kwh.get())
        })
        .collect()
}

#[track_caller]
fn gives(text: &str, wanted: &[(&str, f64)]) {
    let wanted: Vec<_> = wanted
        .iter()
        .map(|(time, value)| ((*time).to_owned(), *value))
        .collect();
    assert_eq!(rows(text), wanted, "{text}");
}

#[track_caller]
fn refused(text: &str, told: &str) {
    assert_eq!(
        read(text).unwrap_err().to_string(),
        format!("data/grid.csv:{told}"),
        "{text}"
    );
}

#[test]
fn rows_are_read_in_any_order_with_any_offset() {
    gives(
        "time,g_per_kwh\n2026-11-26T15:00:00Z,50.5\n2026-11-26T15:00+01:00,40\n2026-11-26 11:30:00.5-02:30,0\n",
        &[
            ("2026-11-26T14:00:00Z", 40.0),
            ("2026-11-26T14:00:00.5Z", 0.0),
            ("2026-11-26T15:00:00Z", 50.5),
        ],
    );
}

#[test]
fn commas_and_semicolons_comments_quotes_and_a_byte_order_mark_are_no_trouble() {
    let wanted = [("2026-11-26T14:00:00Z", 40.0), ("2026-11-26T15:00:00Z", 50.0)];
    for text in [
        "time,g_per_kwh\n2026-11-26T14:00:00Z,40\n2026-11-26T15:00:00Z,50\n",
        "time;g_per_kwh\r\n2026-11-26T14:00:00Z;40\r\n2026-11-26T15:00:00Z;50\r\n",
        "\u{feff}time,g_per_kwh\n2026-11-26T14:00:00Z,40\n2026-11-26T15:00:00Z,50",
        "# mine, by hand; all of it\n\nzone, \"g_per_kwh\" ,time\nFR, 40 ,2026-11-26T14:00Z\n# later\nFR,\"50\",2026-11-26T15:00Z\n",
        "Datetime (UTC),Country,Zone id,Carbon intensity gCO₂eq/kWh (direct),Carbon intensity gCO₂eq/kWh (Life cycle)\n\
         2026-11-26 14:00:00,France,FR,9.1,40\n2026-11-26 15:00:00,France,FR,9.2,50\n",
    ] {
        gives(text, &wanted);
    }
}

#[test]
fn json_comes_as_an_array_as_an_answer_with_an_array_in_it_or_an_object_a_line() {
    let wanted = [("2026-11-26T14:00:00Z", 40.0), ("2026-11-26T15:00:00Z", 50.0)];
    for text in [
        "[{\"time\":\"2026-11-26T14:00:00Z\",\"g_per_kwh\":40},{\"time\":\"2026-11-26T15:00:00Z\",\"g_per_kwh\":50.0}]",
        "{\"time\":\"2026-11-26T14:00:00Z\",\"g_per_kwh\":40}\n\n{\"time\":\"2026-11-26T15:00:00Z\",\"g_per_kwh\":50}\n",
        "\n{\"zone\":\"FR\",\"history\":[\n{\"zone\":\"FR\",\"carbonIntensity\":40,\"datetime\":\"2026-11-26T14:00:00.000Z\",\
         \"updatedAt\":\"2026-11-26T14:51:00.000Z\",\"emissionFactorType\":\"lifecycle\"},\n{\"zone\":\"FR\",\
         \"carbonIntensity\":50,\"datetime\":\"2026-11-26T15:00:00.000Z\",\"emissionFactorType\":\"lifecycle\"}]}",
    ] {
        gives(text, &wanted);
    }
}

#[test]
fn the_boundary_is_what_the_file_says_it_is() {
    for (text, boundary) in [
        ("time,g_per_kwh\n2026-11-26T14:00Z,1\n", "unstated"),
        (
            "time,carbon intensity (life cycle)\n2026-11-26T14:00Z,1\n",
            "lifecycle",
        ),
        ("time,carbon intensity (direct)\n2026-11-26T14:00Z,1\n", "direct"),
        (
            "[{\"datetime\":\"2026-11-26T14:00Z\",\"carbonIntensity\":1,\"emissionFactorType\":\"direct\"}]",
            "direct",
        ),
        (
            "[{\"datetime\":\"2026-11-26T14:00Z\",\"carbonIntensity\":1,\"emissionFactorType\":\"lifecycle\"}]",
            "lifecycle",
        ),
    ] {
        assert_eq!(read(text).unwrap().facts().boundary, boundary, "{text}");
    }
}

#[test]
fn the_last_value_holds_as_long_as_values_typically_do() {
    for (times, holds) in [
        (&["14:00"][..], HOUR),
        (&["14:00", "14:30"], HOUR / 2),
        (&["14:00", "14:15", "14:30", "18:00"], HOUR / 4),
        // Of an even number of spaces the shorter of the two in the middle.
        (&["14:00", "14:10", "14:40"], HOUR / 6),
    ] {
        let rows: String = times
            .iter()
            .map(|time| format!("2026-11-26T{time}Z,1\n"))
            .collect();
        let series = read(&format!("time,g_per_kwh\n{rows}")).unwrap();
        let last = series.steps().last().unwrap().from_unix_ns;
        assert_eq!(series.facts().until_unix_ns - last, holds, "{times:?}");
    }
}

#[test]
fn the_series_knows_its_file_its_lowest_and_its_highest() {
    let series =
        read("time,g_per_kwh\n2026-11-26T14:00Z,7\n2026-11-26T15:00Z,3\n2026-11-26T16:00Z,5\n").unwrap();
    let facts = series.facts();
    assert_eq!(facts.source, "grid.csv");
    let extremes = (facts.lowest_g_per_kwh.get(), facts.highest_g_per_kwh.get());
    assert_eq!(extremes, (3.0, 7.0));
}

#[test]
fn a_row_that_is_there_twice_is_no_trouble_and_one_with_two_values_is() {
    gives(
        "time,g_per_kwh\n2026-11-26T14:00Z,40\n2026-11-26T15:00+01:00,40.0\n",
        &[("2026-11-26T14:00:00Z", 40.0)],
    );
    refused(
        "time,g_per_kwh\n2026-11-26T14:00Z,40\n2026-11-26T15:00Z,50\n2026-11-26T15:00+01:00,41\n",
        "4: `2026-11-26T15:00+01:00` has 41 g/kWh here and 40 in line 2",
    );
}

#[test]
fn what_is_wrong_is_told_with_file_and_line() {
    let head = "time,g_per_kwh\n2026-11-26T14:00Z,40\n";
    for (rest, told) in [
        (
            "2026-11-26T15:00Z,\n",
            "3: `` is not a number of gCO2eq per kWh of at least 0",
        ),
        (
            "2026-11-26T15:00Z,-1\n",
            "3: `-1` is not a number of gCO2eq per kWh of at least 0",
        ),
        (
            "2026-11-26T15:00Z,inf\n",
            "3: `inf` is not a number of gCO2eq per kWh of at least 0",
        ),
        (
            "2026-11-26T15:00Z,NaN\n",
            "3: `NaN` is not a number of gCO2eq per kWh of at least 0",
        ),
        (
            "2026-11-26T15:00Z,low\n",
            "3: `low` is not a number of gCO2eq per kWh of at least 0",
        ),
        (
            "# so\n\n2026-11-26T15:00Z,1,2\n",
            "5: the row has 3 cells, not 2 as the header has",
        ),
        (
            "2026-11-26 15:00,50\n",
            "3: `2026-11-26 15:00` has no offset from UTC; write `2026-11-26 15:00Z` if it is UTC, or `2026-11-26 15:00+01:00`",
        ),
        (",50\n", "3: the time is empty"),
        ("noon,50\n", "3: `noon` is no time of ISO 8601"),
        ("1795164300,50\n", "3: `1795164300` is no time of ISO 8601"),
        (
            "2026-11-31T15:00Z,50\n",
            "3: `2026-11-31T15:00Z` is no time of ISO 8601",
        ),
        ("3000-01-01T00:00Z,50\n", "3: `3000-01-01T00:00Z` is out of range"),
    ] {
        refused(&format!("{head}{rest}"), told);
    }
    refused("", "1: the file is empty");
    refused("\n\n", "1: the file is empty");
    refused("time,g_per_kwh\n", "1: there is no row with a value");
    refused(
        "# mine\nwhen,g_per_kwh\n2026-11-26T14:00Z,40\n",
        "2: no column of the time among `when`, `g_per_kwh`",
    );
    refused(
        "time g_per_kwh\n",
        "1: no column of the time among `time g_per_kwh`",
    );
    let error = parse("g", "g", b"time,g_per_kwh\n\xff,40\n").unwrap_err();
    assert_eq!(error.to_string(), "g:2: the text is not UTF-8");
}

#[test]
fn wrong_json_is_told_with_its_line_and_in_an_array_with_its_entry() {
    for (text, told) in [
        ("{\"time\":\n", "2: the text is not JSON"),
        ("[]", "1: there is no object"),
        ("{}", "1: no member of the time among "),
        (
            "{\"time\":\"2026-11-26T14:00Z\"}",
            "1: no member of the intensity in gCO2eq/kWh among `time`",
        ),
        (
            "{\"time\":\"2026-11-26T14:00Z\",\"g_per_kwh\":1}\n\n{\"time\":\"2026-11-26T15:00Z\",\"g_per_kwh\":null}\n",
            "3: `null` is not a number of gCO2eq per kWh of at least 0",
        ),
        (
            "\n[{\"time\":\"2026-11-26T14:00Z\",\"g_per_kwh\":1},\n{\"time\":5,\"g_per_kwh\":1}]",
            "2: entry 2: the time is not text",
        ),
        ("[1]", "1: entry 1: there is no object"),
        (
            "{\"time\":\"2026-11-26T14:00Z\",\"g_per_kwh\":1}\n7\n",
            "2: there is no object",
        ),
        (
            "[{\"datetime\":\"2026-11-26T14:00Z\",\"carbonIntensity\":1,\"emissionFactorType\":\"direct\"},\
             {\"datetime\":\"2026-11-26T15:00Z\",\"carbonIntensity\":1,\"emissionFactorType\":\"lifecycle\"}]",
            "1: entry 2: the object has other members than the first",
        ),
        (
            "[{\"time\":\"2026-11-26T14:00\",\"g_per_kwh\":1}]",
            "1: entry 1: `2026-11-26T14:00` has no offset from UTC; write `2026-11-26T14:00Z` if it is UTC, or \
             `2026-11-26T14:00+01:00`",
        ),
    ] {
        refused(text, told);
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_fail_in_any_other_way(
        text in prop::collection::vec(any::<u8>(), 0..200), header in any::<bool>(),
    ) {
        let header: &[u8] = if header { b"time,g_per_kwh\n" } else { b"" };
        if let Err(error) = parse("f", "f", &[header, &text].concat()) {
            prop_assert!(error.to_string().starts_with("f:"), "{error}");
        }
    }

    #[test]
    fn what_is_written_is_what_is_read(values in prop::collection::vec(0.0..2000.0_f64, 1..50), semicolon in any::<bool>()) {
        let mark = if semicolon { ";" } else { "," };
        let mut lines: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(hour, value)| {
                let stamp = Timestamp::from_second(1_795_000_000 + 3600 * hour as i64).unwrap();
                format!("{stamp}{mark}{value}\n")
            })
            .collect();
        lines.reverse();
        let series = read(&format!("time{mark}g_per_kwh\n{}", lines.concat())).unwrap();
        let read: Vec<f64> = series.steps().iter().map(|step| step.g_per_kwh.get()).collect();
        prop_assert_eq!(read, values);
    }
}
