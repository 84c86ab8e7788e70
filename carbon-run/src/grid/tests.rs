//! Bodies of the documented shape, and what must be refused of them. Values are invented.

use super::*;

fn question(provider: Provider) -> Question {
    Question {
        provider,
        zone: "FR".to_owned(),
        base: None,
        token: Some("s3cret".to_owned()),
        pointers: ("/data/0/g".to_owned(), Some("/data/0/at".to_owned())),
    }
}

fn at(text: &str) -> i64 {
    time(text).unwrap()
}

#[test]
fn electricity_maps_is_read_and_its_sandbox_refused() {
    let question = question(Provider::ElectricityMaps);
    let read = |body: &str| electricity_maps::read(&question, body.as_bytes());
    let told = read(
        r#"{"zone":"FR","carbonIntensity":45,"datetime":"2026-11-20T09:00:00.000Z","updatedAt":"2026-11-20T08:51:00.000Z",
            "emissionFactorType":"lifecycle","isEstimated":true,"estimationMethod":"TIME_SLICER_AVERAGE","temporalGranularity":"hourly"}"#,
    )
    .unwrap();
    assert_eq!(
        (told.g_per_kwh, told.from_unix_ns, told.estimated),
        (45.0, at("2026-11-20T09:00:00Z"), true)
    );
    for sandbox in [
        r#"{"carbonIntensity":123,"datetime":"2026-11-20T09:00:00.000Z","estimationMethod":"SANDBOX_MODE_DATA"}"#,
        r#"{"carbonIntensity":123,"datetime":"2026-11-20T09:00:00.000Z","_disclaimer":"This data is from a SANDBOX MODE key"}"#,
    ] {
        assert_eq!(read(sandbox), Err(GridError::Sandbox));
    }
    for odd in [
        r#"{"carbonIntensity":null,"datetime":"2026-11-20T09:00:00.000Z"}"#,
        r#"{"carbonIntensity":45,"datetime":"soon"}"#,
        "[]",
        "<html>",
    ] {
        assert!(matches!(read(odd), Err(GridError::Odd { .. })), "{odd}");
    }
}

#[test]
fn great_britain_is_read_as_a_whole_and_by_region() {
    let question = question(Provider::Uk);
    let read = |body: &str| uk::read(&question, body.as_bytes()).unwrap();
    let forecast = read(
        r#"{"data":[{"from":"2026-11-20T09:00Z","to":"2026-11-20T09:30Z","intensity":{"forecast":186,"actual":null,"index":"moderate"}}]}"#,
    );
    assert_eq!((forecast.g_per_kwh, forecast.estimated), (186.0, true));
    assert_eq!(forecast.from_unix_ns, at("2026-11-20T09:00:00Z"));
    let actual = read(
        r#"{"data":[{"from":"2026-11-20T09:00Z","to":"2026-11-20T09:30Z","intensity":{"forecast":186,"actual":190,"index":"moderate"}}]}"#,
    );
    assert_eq!((actual.g_per_kwh, actual.estimated), (190.0, false));
    let london = read(
        r#"{"data":[{"regionid":13,"shortname":"London","postcode":"SW1","data":[{"from":"2026-11-20T09:00Z","to":"2026-11-20T09:30Z",
            "intensity":{"forecast":172,"index":"moderate"},"generationmix":[{"fuel":"gas","perc":31.5}]}]}]}"#,
    );
    assert_eq!((london.g_per_kwh, london.estimated), (172.0, true));
}

#[test]
fn watttime_is_marginal_and_in_pounds() {
    let question = question(Provider::WattTime);
    assert!(question.facts().marginal);
    let body = |units: &str| {
        format!(
            r#"{{"data":[{{"point_time":"2026-11-20T09:00:00+00:00","value":870.0,"last_updated":"2026-11-20T09:06:10+00:00"}},
                {{"point_time":"2026-11-20T08:55:00+00:00","value":800.0}}],
                "meta":{{"data_point_period_seconds":300,"region":"CAISO_NORTH","units":"{units}","signal_type":"co2_moer"}}}}"#
        )
    };
    let told = watttime::read(&question, body("lbs_co2_per_mwh").as_bytes()).unwrap();
    assert!((told.g_per_kwh - 870.0 * 0.453_592_37).abs() < 1e-9);
    assert_eq!(told.from_unix_ns, at("2026-11-20T09:00:00Z"));
    let error = watttime::read(&question, body("percentile").as_bytes()).unwrap_err();
    assert!(error.to_string().contains("`percentile`"), "{error}");
}

#[test]
fn any_json_is_read_where_the_pointers_say() {
    let question = question(Provider::Generic);
    let now = at("2026-11-20T09:20:00Z");
    let read = |body: &str| generic::read(&question, body.as_bytes(), now);
    let told = read(r#"{"data":[{"g":"61.5","at":"2026-11-20T09:00:00Z"}]}"#).unwrap();
    assert_eq!(
        (told.g_per_kwh, told.from_unix_ns),
        (61.5, at("2026-11-20T09:00:00Z"))
    );
    let told = read(r#"{"data":[{"g":61,"at":1795165200}]}"#).unwrap();
    assert_eq!(told.from_unix_ns, 1_795_165_200_000_000_000);
    for odd in [
        "{}",
        r#"{"data":[{"g":"much","at":1}]}"#,
        r#"{"data":[{"g":61}]}"#,
        "nothing",
    ] {
        assert!(read(odd).is_err(), "{odd}");
    }
}

#[test]
fn a_value_has_to_make_sense_and_be_of_now() {
    let now = at("2026-11-20T10:00:00Z");
    let hour = Duration::from_secs(3600);
    let step = |g_per_kwh, from: &str| {
        Told {
            g_per_kwh,
            from_unix_ns: at(from),
            estimated: false,
        }
        .step(hour, now)
    };
    let good = step(45.0, "2026-11-20T10:00:00Z").unwrap();
    assert_eq!(good.until_unix_ns, at("2026-11-20T12:00:00Z"));
    // The newest that there is holds for an hour from now.
    let late = step(45.0, "2026-11-20T07:30:00Z").unwrap();
    assert_eq!(late.until_unix_ns, at("2026-11-20T11:00:00Z"));
    assert_eq!(
        step(45.0, "2026-11-20T06:00:00Z"),
        Err(GridError::Stale { minutes: 240 })
    );
    assert_eq!(step(45.0, "2026-11-20T12:30:00Z"), Err(GridError::Future));
    for absurd in [-1.0, 2001.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(
            step(absurd, "2026-11-20T10:00:00Z"),
            Err(GridError::Absurd { .. })
        ));
    }
}
